"""sentry-sdk without its integration for Django: a scope that views change in place."""

import logging
from typing import Any

import sentry_sdk
from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import SIGNED_IN, look

ROOT_URLCONF = __name__
MIDDLEWARE = [SIGNED_IN]
CACHES = {"default": {"BACKEND": f"{__name__}.TalkativeCache"}}


class TalkativeCache(LocMemCache):
    """Says that it connects: sentry keeps that as a breadcrumb, in the scope of the thread."""

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(name, params)
        logging.getLogger("cache").warning("connected")


def prepare() -> None:
    sentry_sdk.init(
        "https://key@sentry.invalid/1",
        auto_enabling_integrations=False,
        before_send=keep,
    )


def leave(request: HttpRequest) -> HttpResponse:
    sentry_sdk.set_user({"username": request.user.get_username()})
    return HttpResponse("set")


sent: list[Any] = []


def keep(event: Any, hint: Any) -> None:
    """Instead of sending it."""
    sent.append(event)


urlpatterns = [path("leave", leave), path("look", look)]


def found() -> str:
    """Whom the next error is reported with."""
    sentry_sdk.capture_message("looked")
    return str(sent.pop().get("user", {}).get("username", ""))
