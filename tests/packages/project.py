"""What the sites have in common: settings, a way to sign in, a place to look from."""

import json
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
INSTALLED_APPS = ["resident", "django.contrib.contenttypes", "django.contrib.auth"]
DATABASES = {"default": {**json.loads(os.environ["SITE_DATABASE"]), "CONN_MAX_AGE": None}}
LOGGING = {
    "version": 1,
    "formatters": {"line": {"format": "{name} {levelname} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

SIGNED_IN = f"{__name__}.signed_in"
LOOK_EARLY = f"{__name__}.look_early"

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def signed_in(get_response: GetResponse) -> GetResponse:
    """Stands for the site's login: the user is whom a header names."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request.user = SimpleLazyObject(partial(_user, request.headers.get("X-User", "")))  # type: ignore[assignment]
        return get_response(request)

    return middleware


def look_early(get_response: GetResponse) -> GetResponse:
    """Stands for any middleware that comes before the package's: one that logs, counts, checks."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return look(request) if request.path == "/look" else get_response(request)

    return middleware


def look(request: HttpRequest) -> HttpResponse:
    """What the site finds now; nothing, if no request before has left anything."""
    return HttpResponse(_found() or "nothing")


def stay(request: HttpRequest) -> HttpResponse:
    """What the site finds after others had the time to come and go."""
    time.sleep(1)
    return HttpResponse(_found() or "nothing")


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse("answered")


def leave_by_exit(request: HttpRequest) -> HttpResponse:
    raise SystemExit("a library has had enough")


def _found() -> str:
    found: Callable[[], str] = import_string(f"{settings.ROOT_URLCONF}.found")
    return found()


def _user(name: str) -> Any:
    from django.contrib.auth.models import AnonymousUser, User  # noqa: PLC0415 - needs the apps

    return User.objects.get_or_create(username=name)[0] if name else AnonymousUser()
