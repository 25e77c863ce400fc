"""django-unfold keeps the request in the ModelAdmin, of which there is one for all requests."""

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS

ROOT_URLCONF = f"{__name__}.urls"
INSTALLED_APPS = ["unfold", *INSTALLED_APPS]
