"""The project as somebody runs it who wants to see everything, with views that tell too much."""

import logging
import os
import sys

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from project.settings import *  # noqa: F403
from resident.worker import worker
from tests.applications import application_named

ROOT_URLCONF = __name__
ALLOWED_HOSTS = ["*"]

# Every logger there is, to the terminal and to a file, with a formatter that shows all it knows.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s %(message)s %(args)s"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "file": {
            "class": "logging.FileHandler",
            "formatter": "line",
            "filename": os.environ["NOISY_LOG"],
        },
    },
    "root": {"handlers": ["console", "file"], "level": "DEBUG"},
}

logger = logging.getLogger("shop")


def reveal() -> str:
    return worker.secrets["flipt_api_token"].reveal()


def use(request: HttpRequest) -> HttpResponse:
    """What is as it should be."""
    return HttpResponse(f"{len(reveal())}")


def log(request: HttpRequest) -> HttpResponse:
    """Writes the secret to the log in every way that people find."""
    token = reveal()
    logger.debug("token %s of %r", token, {"token": token})
    logger.info(f"Bearer {token}", extra={"headers": {"Authorization": token}})  # noqa: G004
    try:
        raise ConnectionError(f"https://shop:{token}@search")
    except ConnectionError:
        logger.exception("no search", stack_info=True)
    return HttpResponse("logged")


def fail(request: HttpRequest) -> HttpResponse:
    """Fails where the secret is in a variable, in the exception and in what caused it."""
    token = reveal()
    headers = {"Authorization": f"Bearer {token}"}
    try:
        raise KeyError(token)
    except KeyError as error:
        raise RuntimeError(f"no connection with {headers}") from error


def show(request: HttpRequest) -> HttpResponse:
    """Everything that the process can be made to show without asking for a secret by its name."""
    ours = [name for name in dir(settings) if name.startswith(("RESIDENT_", "VAULT_", "FLIPT_"))]
    chosen = {name: getattr(settings, name) for name in ours}
    shown = [request.META, dict(os.environ), chosen, sys.argv, vars(worker)]
    return HttpResponse(repr([*shown, worker.secrets, vars(worker.secrets)]))


urlpatterns = [
    path("", use),
    path("log", log),
    path("fail", fail),
    path("show", show),
    path("health/", include("resident.urls")),
]

__getattr__ = application_named
