"""Views for `inprocess.py`: the environ says which one answers, at one and the same URL."""

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from benchmarks.variants.bare import GREETING
from resident.flags import flag_enabled

VIEW = "benchmark.view"

View = Callable[[HttpRequest], HttpResponse]


def dispatch(request: HttpRequest) -> HttpResponse:
    view: View = request.META[VIEW]
    return view(request)


def greet_half_of_ids(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - it names the id
    return _greeting(backwards=flag_enabled("half", entity_id="42"))


def greet_half_of_users(request: HttpRequest) -> HttpResponse:
    return _greeting(backwards=flag_enabled("half", request))


def _greeting(*, backwards: bool) -> HttpResponse:
    return HttpResponse(GREETING[::-1] if backwards else GREETING, content_type="text/plain")


urlpatterns = [
    path("", include([path("", dispatch)])),
    path("admin/", admin.site.urls),
]
