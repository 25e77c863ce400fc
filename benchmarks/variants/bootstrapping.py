"""The greeting of a process that knows nothing when a request comes, as under PHP-FPM.

Its modules stay imported and Django stays set up, which flatters it.
"""

from contextlib import closing

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from benchmarks.variants.bare import GREETING
from benchmarks.variants.tutorial import FLAG, Flipt, read_secret


@require_safe
def greet(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view takes its request
    secret = read_secret()
    with closing(Flipt(secret["flipt_api_host"], secret["flipt_api_token"])) as flipt:
        backwards = flipt.is_on(FLAG)
    return HttpResponse(GREETING[::-1] if backwards else GREETING, content_type="text/plain")


urlpatterns = [path("", greet)]
