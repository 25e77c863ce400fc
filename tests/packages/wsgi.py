"""What granian serves: `application` is resident's, `bare` is Django's own.

The site is the one that DJANGO_SETTINGS_MODULE names. Its tables are made first.
"""

from importlib import import_module

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from tests.applications import application_named


def __getattr__(name: str) -> object:
    made = application_named(name)
    _prepare()
    return made


def _prepare() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)
    site = import_module(settings.ROOT_URLCONF)
    if hasattr(site, "prepare"):
        site.prepare()
    connections.close_all()
