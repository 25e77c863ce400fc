"""django-threadlocals keeps the current request in a threading.local, and never clears it."""

from django.urls import path
from threadlocals.threadlocals import get_current_user

from tests.packages.project import *  # noqa: F403
from tests.packages.project import LOOK_EARLY, SIGNED_IN, answer, stay

ROOT_URLCONF = __name__
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN, "threadlocals.middleware.ThreadLocalMiddleware"]

urlpatterns = [path("leave", answer), path("stay", stay)]


def found() -> str:
    user = get_current_user()
    return str(user.username) if user else ""
