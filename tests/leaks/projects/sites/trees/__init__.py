"""django-treebeard, django-mptt and django-taggit: trees and tags, in the admin and out of it."""

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS

ROOT_URLCONF = f"{__name__}.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "treebeard", "mptt", "taggit", __name__]
