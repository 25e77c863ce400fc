"""django-inline-actions keeps the request in the ModelAdmin, as its comment says it does."""

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS

ROOT_URLCONF = f"{__name__}.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "inline_actions"]
