"""The greeting of a worker that boots once, and asks Flipt in every request."""

import threading

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from benchmarks.variants.bare import GREETING
from benchmarks.variants.tutorial import FLAG, Flipt, read_secret

SECRET = read_secret()


class Connection(threading.local):
    """Each thread's own, for as long as the thread."""

    def __init__(self) -> None:
        self.flipt = Flipt(SECRET["flipt_api_host"], SECRET["flipt_api_token"])


connection = Connection()


@require_safe
def greet(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view takes its request
    backwards = connection.flipt.is_on(FLAG)
    return HttpResponse(GREETING[::-1] if backwards else GREETING, content_type="text/plain")


urlpatterns = [path("", greet)]
