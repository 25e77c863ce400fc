"""django-oauth-toolkit: the pages of its applications, an authorization and a token."""

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS

ROOT_URLCONF = f"{__name__}.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "oauth2_provider"]
