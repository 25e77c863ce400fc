"""A shop with two leaks: its URLs and views."""

from pathlib import Path

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path

CACHE: dict[str, int] = {}
LAST: list[HttpRequest] = []


def prices(request: HttpRequest, item: str) -> HttpResponse:
    CACHE[item] = len(item)
    return HttpResponse("priced")


def remember(request: HttpRequest) -> HttpResponse:
    LAST[:] = [request]
    return HttpResponse("remembered")


def clean(request: HttpRequest) -> HttpResponse:
    return HttpResponse("clean")


def leave(request: HttpRequest) -> HttpResponse:
    raise SystemExit


def line_of(name: str) -> int:
    """The line on which this module assigns to a name."""
    lines = Path(__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(f"{name}:"))


urlpatterns = [
    path("admin/", admin.site.urls),
    path("prices/<item>", prices),
    path("remember", remember),
    path("clean", clean),
    path("exit", leave),
]
