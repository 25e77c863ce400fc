"""django-currentuser keeps the current user in a threading.local, and clears it in a `finally`."""

from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import LOOK_EARLY, SIGNED_IN, leave_by_exit, stay

ROOT_URLCONF = __name__
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN, "django_currentuser.middleware.ThreadLocalUserMiddleware"]

urlpatterns = [path("leave", leave_by_exit), path("stay", stay)]


def found() -> str:
    from django_currentuser.middleware import get_current_user  # noqa: PLC0415 - needs the apps

    user = get_current_user()
    return str(user.username) if user else ""
