"""django-health-check: its page, and the same for machines."""

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS

ROOT_URLCONF = f"{__name__}.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "health_check"]
