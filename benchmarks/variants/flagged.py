"""A site whose one view asks a flag of Flipt's, while the flags change.

BENCHMARK_FLIPT is Flipt's URL, BENCHMARK_FLAGS is RESIDENT_FLAGS as JSON.
"""

import json
import os

from django.http import HttpRequest, HttpResponse
from django.urls import path

from resident.flags import flag_enabled

SECRET_KEY = "of-a-benchmark"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = __name__
INSTALLED_APPS = ["resident"]
MIDDLEWARE = ["resident.middleware.ResetStateMiddleware"]
RESIDENT_SECRETS = {"OPTIONS": {"values": {"flipt_api_host": os.environ["BENCHMARK_FLIPT"]}}}
RESIDENT_FLAGS = json.loads(os.environ["BENCHMARK_FLAGS"])
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{created:.4f} {process} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"resident": {"handlers": ["console"], "level": "INFO"}},
}


def ask(request: HttpRequest) -> HttpResponse:
    return HttpResponse("on" if flag_enabled("flag-0", request) else "off")


urlpatterns = [path("", ask)]


def __getattr__(name: str) -> object:
    if name != "application":
        raise AttributeError(name)
    from resident.wsgi import get_wsgi_application  # noqa: PLC0415 - settings import nothing

    return get_wsgi_application()
