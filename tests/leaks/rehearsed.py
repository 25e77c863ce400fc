"""A Django site whose views tell what reached them: its settings, URLs and views."""

import sys
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user
from django.core.mail import send_mail
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_protect

from tests.applications import application_named

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
INSTALLED_APPS = ["resident"]

told: list[dict[str, Any]] = []
"""What the views have seen."""

steps: list[str] = []
"""What has happened to a streaming response, and in callbacks of a transaction."""


def groups() -> Any:
    return apps.get_model("auth", "Group")._default_manager


def meta(request: HttpRequest) -> JsonResponse:
    """The environ, by the types of what is no text."""
    told.append({
        name: value if isinstance(value, str | bool | tuple) else type(value).__name__
        for name, value in request.META.items()
    })  # fmt: skip
    return JsonResponse(told[-1])


def echo(request: HttpRequest, word: str = "") -> JsonResponse:
    told.append({
        "word": word,
        "path": request.get_full_path(),
        "body": request.body.decode(),
        "form": request.POST.dict(),
        "headers": dict(request.headers),
        "cookies": request.COOKIES,
        "address": request.META["REMOTE_ADDR"],
    })  # fmt: skip
    return JsonResponse(told[-1])


def who(request: HttpRequest) -> HttpResponse:
    user = get_user(request)
    told.append({
        "name": user.get_username(),
        "pk": user.pk,
        "email": getattr(user, "email", ""),
        "is_staff": user.is_staff,
        "groups": sorted(user.groups.values_list("name", flat=True)),
        "may": user.has_perm("auth.add_group"),
        "session": request.session.session_key,
    })  # fmt: skip
    return HttpResponse("told")


def begin_session(request: HttpRequest) -> HttpResponse:
    request.session["begun"] = True
    return HttpResponse("begun")


@csrf_protect
def guarded(request: HttpRequest) -> HttpResponse:
    return HttpResponse("guarded")


def write(request: HttpRequest) -> HttpResponse:
    with transaction.atomic(durable=True):
        groups().create(name="editors")
        transaction.on_commit(lambda: steps.append("committed"))
    return HttpResponse(str(groups().count()))


def leave_open(request: HttpRequest) -> HttpResponse:
    transaction.atomic().__enter__()
    groups().create(name="left open")
    return HttpResponse("left")


def break_transaction(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(request.GET["sql"])
    return HttpResponse("broken")


def close(request: HttpRequest) -> HttpResponse:
    groups().create(name="before")
    connection.close()
    connection.execute_wrappers.append(_pass_on)
    return HttpResponse(str(groups().count()))


def _pass_on(execute: Any, *arguments: Any) -> Any:
    return execute(*arguments)


def mailers(request: HttpRequest) -> HttpResponse:
    told.append(settings.MAILERS)  # type: ignore[misc] # of Django 6.1
    return HttpResponse("told")


def mail(request: HttpRequest) -> HttpResponse:
    send_mail("subject", "text", "from@example.com", ["to@example.com"])
    return HttpResponse("sent")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        steps.append("first")
        yield "one"
        steps.append("last")

    response = StreamingHttpResponse(parts())
    response._resource_closers.append(lambda: steps.append("closed"))  # type: ignore[attr-defined]
    return response


def leave(request: HttpRequest) -> HttpResponse:
    sys.exit("on purpose")


def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError("on purpose")


def elsewhere(request: HttpRequest) -> HttpResponse:
    return HttpResponse("elsewhere", status=302, headers={"Location": "/meta"})


urlpatterns = [
    path("meta", meta),
    path("echo", echo),
    path("echo/<word>", echo),
    path("who", who),
    path("session", begin_session),
    path("guarded", guarded),
    path("write", write),
    path("leave-open", leave_open),
    path("break", break_transaction),
    path("close", close),
    path("mail", mail),
    path("mailers", mailers),
    path("stream", stream),
    path("leave", leave),
    path("fail", fail),
    path("elsewhere", elsewhere),
]

__getattr__ = application_named
