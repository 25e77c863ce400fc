"""A Django site whose view uses a secret, and a client that is made from it.

SITE_SECRETS is RESIDENT_SECRETS as JSON, with the password in SITE_PASSWORD.
"""

import json
import os
import random
import sys
import time
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path

from resident.secrets import Secret
from resident.worker import Worker, depends_on, worker
from tests.applications import application_named

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
INSTALLED_APPS = ["resident"]
MIDDLEWARE = ["resident.middleware.ResetStateMiddleware"]
RESIDENT_RESOURCES = [f"{__name__}.client"]
RESIDENT_SECRETS = json.loads(os.environ["SITE_SECRETS"])
RESIDENT_SECRETS["OPTIONS"]["auth"]["password"] = Secret(os.environ["SITE_PASSWORD"])
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {process} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"resident": {"handlers": ["console"], "level": "INFO"}},
}


class Client:
    """A client of some server's, which can't be used when it is closed."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.is_closed = False

    def ask(self) -> str:
        if self.is_closed:
            raise RuntimeError("this client is closed")
        return self.number


@depends_on("number")
def client(worker: Worker) -> Iterator[Client]:
    """A project's own resource; it tells what it does by a number that is no secret."""
    made = Client(worker.secrets["number"].reveal())
    sys.stderr.write(f"client {made.number} opened by {os.getpid()}\n")
    yield made
    made.is_closed = True
    sys.stderr.write(f"client {made.number} closed by {os.getpid()}\n")


def seen() -> str:
    return f"{worker.secrets['number'].reveal()} {worker.get(client).ask()} "


def use(request: HttpRequest) -> HttpResponse:
    """What it sees at its begin and, after a while, at its end."""
    before = seen()
    time.sleep(random.uniform(0, 0.03))  # noqa: S311
    return HttpResponse(f"{before}{seen()}")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        for _ in range(5):
            yield seen()
            time.sleep(0.02)

    return StreamingHttpResponse(body())


def which(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{os.getpid()} {worker.secrets['number'].reveal()}")


urlpatterns = [
    path("", use),
    path("stream", stream),
    path("which", which),
    path("health/", include("resident.urls")),
]

__getattr__ = application_named
