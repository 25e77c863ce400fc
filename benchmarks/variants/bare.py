"""The greeting without a flag: what Django itself costs."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

GREETING = "Hello, world!"


@require_safe
def greet(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view takes its request
    return HttpResponse(GREETING, content_type="text/plain")


urlpatterns = [path("", greet)]
