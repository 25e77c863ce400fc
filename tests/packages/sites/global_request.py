"""django-middleware-global-request keeps the current request in a threading.local of a class."""

from collections.abc import Iterator

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path
from django_middleware_global_request import get_request

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, LOOK_EARLY, SIGNED_IN, stay

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "django_middleware_global_request"]
MIDDLEWARE = [
    LOOK_EARLY,
    SIGNED_IN,
    "django_middleware_global_request.middleware.GlobalRequestMiddleware",
]


def leave(request: HttpRequest) -> StreamingHttpResponse:
    """An export whose file is gone half way."""

    def lines() -> Iterator[str]:
        yield "the first line"
        raise FileNotFoundError

    return StreamingHttpResponse(lines())


urlpatterns = [path("leave", leave), path("stay", stay)]


def found() -> str:
    request = get_request()
    return str(request.user.username) if request else ""
