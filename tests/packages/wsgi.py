"""What granian serves: `application` is resident's, `bare` is Django's own.

The site is the one that DJANGO_SETTINGS_MODULE names. Its tables are made first.
"""

from importlib import import_module

from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application as get_bare_application
from django.db import connections

from resident.wsgi import get_wsgi_application


def __getattr__(name: str) -> object:
    makers = {"application": get_wsgi_application, "bare": get_bare_application}
    if name not in makers:
        raise AttributeError(name)
    made = makers[name]()
    _prepare()
    return made


def _prepare() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)
    site = import_module(settings.ROOT_URLCONF)
    if hasattr(site, "prepare"):
        site.prepare()
    connections.close_all()
