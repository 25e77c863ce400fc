"""django-cid keeps its id in a ContextVar, and never clears it."""

from cid.locals import get_cid
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, LOOK_EARLY, answer

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "cid.apps.CidAppConfig"]
MIDDLEWARE = [LOOK_EARLY, "cid.middleware.CidMiddleware"]
CID_HEADER = "HTTP_X_CORRELATION_ID"

urlpatterns = [path("leave", answer)]


def found() -> str:
    return get_cid() or ""
