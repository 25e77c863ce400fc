"""django-crum keeps the current request in a threading.local."""

from crum import get_current_user
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import LOOK_EARLY, SIGNED_IN, leave_by_exit, stay

ROOT_URLCONF = __name__
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN, "crum.CurrentRequestUserMiddleware"]

urlpatterns = [path("leave", leave_by_exit), path("stay", stay)]


def found() -> str:
    user = get_current_user()
    return str(user.username) if user else ""
