"""django-guid keeps its id in a ContextVar, and does not replace it for URLs that it ignores."""

from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, leave_by_exit, look

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "django_guid"]
MIDDLEWARE = ["django_guid.middleware.guid_middleware"]
DJANGO_GUID = {
    "GUID_HEADER_NAME": "X-Correlation-ID",
    "VALIDATE_GUID": False,
    "IGNORE_URLS": ["look"],
}

urlpatterns = [path("leave", leave_by_exit), path("look", look)]


def found() -> str:
    from django_guid import get_guid  # noqa: PLC0415 - needs the settings

    return get_guid() or ""
