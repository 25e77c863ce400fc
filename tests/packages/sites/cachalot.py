"""django-cachalot keeps in one of asgiref's Locals that it is off, and has no `finally`."""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, look

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "cachalot"]
MIDDLEWARE: list[str] = []


def leave(request: HttpRequest) -> HttpResponse:
    from cachalot.api import cachalot_disabled  # noqa: PLC0415 - needs the apps

    with cachalot_disabled():
        raise LookupError("what an ordinary view raises")


urlpatterns = [path("leave", leave), path("look", look)]


def found() -> str:
    from django.contrib.auth.models import Group  # noqa: PLC0415 - needs the apps

    list(Group.objects.all())
    with CaptureQueriesContext(connection) as asked:
        list(Group.objects.all())
    return "no cache" if len(asked) else ""
