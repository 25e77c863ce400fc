"""django-userforeignkey keeps the current request in a ContextVar."""

from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, LOOK_EARLY, SIGNED_IN, leave_by_exit

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "django_userforeignkey"]
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN, "django_userforeignkey.middleware.UserForeignKeyMiddleware"]

urlpatterns = [path("leave", leave_by_exit)]


def found() -> str:
    from django_userforeignkey.request import get_current_user  # noqa: PLC0415 - needs the apps

    return str(get_current_user().username)
