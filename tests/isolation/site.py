"""A Django site whose views leave things behind: its settings, URLs, views and applications."""

import contextvars
from collections.abc import Iterator
from typing import Any

from asgiref.local import Local
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.utils import timezone, translation

from tests.applications import application_named

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
USE_I18N = USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = ["resident"]
MIDDLEWARE: list[str] = []
CACHES = {
    "default": {"BACKEND": f"{__name__}.CountedCache"},
    "broken": {"BACKEND": "no.such.Cache"},
}

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="")
drawer = Local()


class CountedCache(LocMemCache):
    """A cache that counts its connections."""

    connections = 0

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(name, params)
        CountedCache.connections += 1


def leave_behind() -> None:
    translation.activate("de")
    timezone.activate("Asia/Tokyo")
    tenant.set("alice")
    drawer.user = "alice"


def found() -> dict[str, object]:
    """What a request finds that sets nothing."""
    cache.get("anything")
    return {
        "language": translation.get_language(),
        "time zone": timezone.get_current_timezone_name(),
        "tenant": tenant.get(),
        "drawer": getattr(drawer, "user", ""),
    }


def look(request: HttpRequest) -> JsonResponse:
    return JsonResponse({**found(), "cache connections": CountedCache.connections})


def in_view(request: HttpRequest) -> HttpResponse:
    leave_behind()
    return HttpResponse("left")


def in_view_that_fails(request: HttpRequest) -> HttpResponse:
    leave_behind()
    raise RuntimeError("after it left things behind")


def in_stream(request: HttpRequest) -> StreamingHttpResponse:
    """Its steps find what the view and the steps before them left: they are one request."""

    def steps() -> Iterator[str]:
        yield f"{translation.get_language()} "
        leave_behind()
        yield f"{translation.get_language()} {tenant.get()}"

    return StreamingHttpResponse(steps())


def in_stream_that_fails(request: HttpRequest) -> StreamingHttpResponse:
    def steps() -> Iterator[str]:
        leave_behind()
        yield "left"
        raise RuntimeError("after it left things behind")

    return StreamingHttpResponse(steps())


class LeavesOnClose(HttpResponse):
    def close(self) -> None:
        super().close()
        leave_behind()


def in_close(request: HttpRequest) -> HttpResponse:
    return LeavesOnClose("left")


def in_request_finished(request: HttpRequest) -> HttpResponse:
    tenant.set("leaves when finished")
    return HttpResponse("left")


def finished(**_: object) -> None:
    if tenant.get() == "leaves when finished":
        leave_behind()


request_finished.connect(finished)

urlpatterns = [
    path("look", look),
    path("view", in_view),
    path("view-fails", in_view_that_fails),
    path("stream", in_stream),
    path("stream-fails", in_stream_that_fails),
    path("close", in_close),
    path("finished", in_request_finished),
]


__getattr__ = application_named
