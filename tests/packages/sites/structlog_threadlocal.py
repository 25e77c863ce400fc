"""structlog's old context is a threading.local; the package is no app and has no middleware."""

import structlog.threadlocal
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import SIGNED_IN, look

ROOT_URLCONF = __name__
MIDDLEWARE = [SIGNED_IN]


def leave(request: HttpRequest) -> HttpResponse:
    structlog.threadlocal.bind_threadlocal(user=request.user.get_username())
    return HttpResponse("bound")


urlpatterns = [path("leave", leave), path("look", look)]


def found() -> str:
    """Whom the next line is logged with."""
    line = structlog.threadlocal.merge_threadlocal(None, "info", {"event": "looked"})
    return str(line.get("user", ""))
