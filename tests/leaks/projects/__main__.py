"""Makes the site that DJANGO_SETTINGS_MODULE names: its tables, an administrator, its rows.

python -m tests.leaks.projects
"""

from importlib import import_module

import django
from django.conf import settings
from django.core.management import call_command


def main() -> None:
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)
    _make_administrator()
    site = import_module(settings.ROOT_URLCONF)
    if hasattr(site, "prepare"):
        site.prepare()


def _make_administrator() -> None:
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - needs the apps

    get_user_model()._default_manager.create_superuser("admin", "admin@example.com", "password")


if __name__ == "__main__":
    main()
