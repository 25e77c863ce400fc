"""sentry-sdk with its integration for Django, which gives each request a scope of its own."""

from typing import Any

import sentry_sdk
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import LOOK_EARLY, SIGNED_IN

ROOT_URLCONF = __name__
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN]


def leave(request: HttpRequest) -> HttpResponse:
    sentry_sdk.set_user({"username": request.user.get_username()})
    raise SystemExit


sent: list[Any] = []


def keep(event: Any, hint: Any) -> None:
    """Instead of sending it."""
    sent.append(event)


sentry_sdk.init("https://key@sentry.invalid/1", before_send=keep)

urlpatterns = [path("leave", leave)]


def found() -> str:
    """Whom the next error is reported with."""
    sentry_sdk.capture_message("looked")
    return str(sent.pop().get("user", {}).get("username", ""))
