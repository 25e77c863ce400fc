"""django-reversion keeps its revision in a ContextVar, and leaves it in a `finally`."""

from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, LOOK_EARLY, SIGNED_IN, leave_by_exit

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "reversion"]
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN, "reversion.middleware.RevisionMiddleware"]

urlpatterns = [path("leave", leave_by_exit)]


def found() -> str:
    import reversion  # noqa: PLC0415 - needs the apps

    return "a revision" if reversion.is_active() else ""
