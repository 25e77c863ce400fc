"""Wagtail: pages, and the pages of its admin."""

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = f"{__name__}.urls"
INSTALLED_APPS = [
    __name__,
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django_filters",
    *INSTALLED_APPS,
]
MIDDLEWARE = [*MIDDLEWARE, "wagtail.contrib.redirects.middleware.RedirectMiddleware"]
WAGTAIL_SITE_NAME = "The library"
WAGTAILADMIN_BASE_URL = "http://site.example"
