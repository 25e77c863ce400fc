"""A Django site whose answers read flags a hundred times each: settings, URLs, views, application.

FLIPT_API_HOST and FLIPT_API_TOKEN are its Flipt, FLIPT_TIMEOUT, FLIPT_INTERVAL and FLIPT_DEADLINE
what RESIDENT_FLAGS says of it.
"""

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from tests.applications import application_named

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
USE_TZ = True
INSTALLED_APPS = ["resident"]
MIDDLEWARE: list[str] = []
RESIDENT_SECRETS = {
    "OPTIONS": {
        "values": {
            "flipt_api_host": os.environ.get("FLIPT_API_HOST", ""),
            "flipt_api_token": os.environ.get("FLIPT_API_TOKEN", ""),
        }
    }
}
RESIDENT_FLAGS = {
    "INTERVAL": float(os.environ.get("FLIPT_INTERVAL", "30")),
    "TIMEOUT": float(os.environ.get("FLIPT_TIMEOUT", "5")),
    "DEADLINE": float(os.environ.get("FLIPT_DEADLINE", "20")),
}

READS = 100
PAUSE_SECONDS = 0.0005
MEMBERS = {"segments": [{"key": "all", "name": "All", "match_type": "ALL_MATCH_TYPE"}]}


def features(*, on: bool) -> Mapping[str, Any]:
    """Three flags that say the same: a constant, one that depends on who asks, and a variant."""
    boolean = {"type": "BOOLEAN_FLAG_TYPE"}
    threshold = {"threshold": {"percentage": 99.9, "value": on}}
    variants = [{"key": key, "default": (key == "on") is on} for key in ("on", "off")]
    return {
        "flags": [
            {"key": "constant", "name": "C", **boolean, "enabled": on},
            {"key": "depends", "name": "D", **boolean, "enabled": on, "rollouts": [threshold]},
            {"key": "variant", "name": "V", "enabled": True, "variants": variants},
        ],
        **MEMBERS,
    }


def read(request: HttpRequest, number: int) -> str:
    """One of the flags, one after the other."""
    from resident.flags import flag_enabled, flag_variant  # noqa: PLC0415 - settings import no app

    if number % 3 == 0:
        return "on" if flag_enabled("constant", request) else "off"
    if number % 3 == 1:
        return "on" if flag_enabled("depends", request, entity_id=f"user-{number}") else "off"
    return str(flag_variant("variant", request))


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Reads in the view, and as often as it takes while the answer goes out."""

    def steps(first: str) -> Iterator[str]:
        yield first
        for number in range(1, READS):
            time.sleep(PAUSE_SECONDS)
            yield f" {read(request, number)}"

    return StreamingHttpResponse(steps(read(request, 0)))


def state(request: HttpRequest) -> JsonResponse:
    """How the flags of this worker are."""
    from resident.flags.resource import flags  # noqa: PLC0415 - as above
    from resident.worker import worker  # noqa: PLC0415 - as above

    state = worker.get(flags).state()
    return JsonResponse({"mode": state.mode, "error": state.last_error, "swaps": state.swaps})


def now(request: HttpRequest) -> HttpResponse:
    """A flag, read once."""
    return HttpResponse(read(request, 0))


urlpatterns = [path("stream", stream), path("state", state), path("", now)]

__getattr__ = application_named
