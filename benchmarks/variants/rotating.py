"""A site whose one view uses a secret and a client that is made from it, while both are rotated.

BENCHMARK_SECRETS is RESIDENT_SECRETS as JSON.
"""

import json
import os
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from resident.worker import Worker, depends_on, worker

SECRET_KEY = "of-a-benchmark"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = __name__
INSTALLED_APPS = ["resident"]
MIDDLEWARE = [
    "resident.middleware.ResetStateMiddleware",
    "django.middleware.common.CommonMiddleware",  # gives the length of the body
]
RESIDENT_RESOURCES = [f"{__name__}.client"]
RESIDENT_SECRETS = json.loads(os.environ["BENCHMARK_SECRETS"])
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{created:.4f} {process} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"resident": {"handlers": ["console"], "level": "INFO"}},
}


@depends_on("number")
def client(worker: Worker) -> Iterator[list[str]]:
    """A client that forgets everything when it is closed."""
    made = [worker.secrets["number"].reveal()]
    yield made
    made.clear()


def use(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view takes its request
    """200 where the client is open, and made from the secret that the request sees."""
    if worker.get(client) != [worker.secrets["number"].reveal()]:
        return HttpResponse("a mixture", status=500)
    return HttpResponse("one version")


urlpatterns = [path("", use), path("health/", include("resident.urls"))]


def __getattr__(name: str) -> object:
    if name != "application":
        raise AttributeError(name)
    from resident.wsgi import get_wsgi_application  # noqa: PLC0415 - settings import nothing

    return get_wsgi_application()
