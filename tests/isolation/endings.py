"""A Django site whose requests end badly: its settings, URLs, views and applications.

ENDINGS_DATABASES is DATABASES as JSON: "default" and "other", each with a table `written`. A client
says in the file `gone-<token>` of ENDINGS_FOLDER that it has gone, and the site in
`entered-<token>` how far it has come.
"""

import contextvars
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.signals import request_finished
from django.db import DatabaseError, connections, transaction
from django.db.transaction import TransactionManagementError
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import translation

from resident.conf import RESETTERS
from resident.isolation.request import Request
from resident.worker import Worker
from tests.applications import application_named

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
USE_I18N = USE_TZ = True
INSTALLED_APPS = ["resident"]
MIDDLEWARE = [f"{__name__}.middleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
CACHES = {"default": {"BACKEND": f"{__name__}.ToldCache"}}
DATABASES = json.loads(os.environ["ENDINGS_DATABASES"])
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
RESIDENT_RESETTERS = [*RESETTERS, f"{__name__}.tell_ended"]
RESIDENT_RESOURCES = [f"{__name__}.search"]

FOLDER = Path(os.environ["ENDINGS_FOLDER"])
WAIT_SECONDS = 20
EXCEPTIONS: list[type[BaseException]] = [RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit]

token: contextvars.ContextVar[str] = contextvars.ContextVar("token", default="")
customer: contextvars.ContextVar[str] = contextvars.ContextVar("customer", default="")
at_the_end: contextvars.ContextVar[HttpRequest | None] = contextvars.ContextVar(
    "at_the_end", default=None
)
drawer = threading.local()
uploads: dict[str, TemporaryUploadedFile] = {}
"""By the token of its request; kept open by nobody else."""
meetings = {number: threading.Barrier(number, timeout=WAIT_SECONDS) for number in (1, 3)}


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


class ToldCache(LocMemCache):
    """A cache that tells when Django closes it."""

    def close(self, **_: Any) -> None:
        say(f"cache closed {token.get()}.")


def tell_ended(request: Request) -> None:
    """The last resetter: the request is over."""
    say(f"ended {token.get()}.")


def search(worker: Worker) -> Iterator[str]:
    yield "search"
    say("search closed.")


# What a request leaves, and what a later one finds.


def write(alias: str, text: str) -> None:
    sql(alias, "INSERT INTO written (token) VALUES (%s)", text)


def sql(alias: str, statement: str, *parameters: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, parameters)


def leave_behind(request: HttpRequest) -> None:
    translation.activate("de")
    customer.set("alice")
    drawer.user = "alice"
    if "Is-First" not in request.headers:  # what is imported then would be taken for its reason
        os.environ["ENDINGS_CUSTOMER"] = token.get()
    upload = request.FILES["file"]
    assert isinstance(upload, TemporaryUploadedFile)
    uploads[token.get()] = upload
    write("default", f"{token.get()} committed")
    transaction.atomic().__enter__()
    write("default", f"{token.get()} pending")
    sql("other", "BEGIN")
    write("other", f"{token.get()} pending")


def look(request: HttpRequest) -> JsonResponse:
    """What a request finds of another one. It begins when so many of its kind are there, each in a
    thread of its own, as the number says.
    """
    other = request.GET["after"]
    meetings[int(request.GET["together"])].wait()
    found = {
        "language": translation.get_language(),
        "customer": customer.get(),
        "drawer": getattr(drawer, "user", ""),
        "in the environment": os.environ.get("ENDINGS_CUSTOMER") == other,
        "upload open": not uploads[other].closed,
        "transactions": [it.alias for it in connections.all() if it.in_atomic_block],
        "errors": list(errors_of_databases()),
    }
    cache.get("anything")
    return JsonResponse(found | {"worker": os.getpid(), "thread": threading.get_ident()})


def errors_of_databases() -> Iterator[str]:
    """Write with each connection, as every view does that believes in autocommit."""
    for alias in connections:
        try:
            write(alias, token.get())
        except (DatabaseError, TransactionManagementError) as error:
            yield str(error)


# Where a request ends.


def end(request: HttpRequest) -> None:
    """Leave everything behind, and end at once, as the query says."""
    leave_behind(request)
    (exception,) = (it for it in EXCEPTIONS if it.__name__ == request.GET["exception"])
    raise exception


def middleware(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Any:
    def serve(request: HttpRequest) -> HttpResponseBase:
        token.set(request.headers["Token"])
        place = request.GET.get("place")
        if place == "middleware, on the way in":
            end(request)
        response = get_response(request)
        if place == "middleware, on the way out":
            end(request)
        return response

    return serve


def in_view(request: HttpRequest) -> HttpResponse:
    end(request)
    raise AssertionError


def in_template(request: HttpRequest) -> HttpResponse:
    """It renders after the view has returned."""
    template = engines["django"].from_string("{% for item in items %}{{ item }}{% endfor %}")
    return TemplateResponse(request, template, {"items": ["milk", lambda: end(request)]})


def before_first_chunk(request: HttpRequest) -> StreamingHttpResponse:
    def steps() -> Iterator[str]:
        end(request)
        yield "never sent"

    return StreamingHttpResponse(steps())


def between_chunks(request: HttpRequest) -> StreamingHttpResponse:
    def steps() -> Iterator[str]:
        yield "sent"
        end(request)
        yield "never sent"

    return StreamingHttpResponse(steps())


def in_body_close(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(EndsOnClose(request))


class EndsOnClose:
    """A body that can't be closed, however often one tries."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._has_ended = False

    def __iter__(self) -> Iterator[str]:
        yield "sent"

    def close(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            end(self._request)
        raise SystemExit


class EndsBeforeItIsClosed(HttpResponse):
    request: HttpRequest

    def close(self) -> None:
        end(self.request)
        super().close()


class EndsAfterItIsClosed(HttpResponse):
    request: HttpRequest

    def close(self) -> None:
        # Django counts the request as finished: what is left after that is left late.
        upload = self.request.FILES["file"]
        super().close()
        assert isinstance(upload, TemporaryUploadedFile)
        assert upload.closed
        end(self.request)


def before_close(request: HttpRequest) -> HttpResponse:
    response = EndsBeforeItIsClosed("sent")
    response.request = request
    return response


def after_close(request: HttpRequest) -> HttpResponse:
    response = EndsAfterItIsClosed("sent")
    response.request = request
    assert request.FILES
    return response


def in_request_finished(request: HttpRequest) -> HttpResponse:
    at_the_end.set(request)
    assert request.FILES
    return HttpResponse("sent")


def end_when_finished(**_: object) -> None:
    if request := at_the_end.get():
        at_the_end.set(None)
        end(request)


def tell_finished(**_: object) -> None:
    say(f"finished {token.get()}.")


def not_bytes(request: HttpRequest) -> HttpResponse:
    """A body that the server can't send."""
    leave_behind(request)
    return NotBytes("sent")


class NotBytes(HttpResponse):
    def __iter__(self) -> Iterator[Any]:
        yield 5


def bad_header(request: HttpRequest) -> HttpResponse:
    """A header that the server can't send."""
    leave_behind(request)
    return HttpResponse("sent", headers={"Customer": "al\x00ice"})


def normally(request: HttpRequest) -> HttpResponse:
    leave_behind(request)
    return HttpResponse("sent")


# Whose client goes.


def client_goes() -> None:
    """Let the client go now, and wait until it is gone."""
    (FOLDER / f"entered-{token.get()}").touch()
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline and not (FOLDER / f"gone-{token.get()}").exists():
        time.sleep(0.005)
    time.sleep(0.05)  # the server hears of it


def gone_before_response(request: HttpRequest) -> HttpResponse:
    leave_behind(request)
    client_goes()
    return HttpResponse("never read")


def gone_before_stream(request: HttpRequest) -> StreamingHttpResponse:
    leave_behind(request)
    client_goes()
    return StreamingHttpResponse(iter(["never", "read"]))


def gone_in_stream(request: HttpRequest) -> StreamingHttpResponse:
    def steps() -> Iterator[bytes]:
        yield b"sent"
        leave_behind(request)
        client_goes()
        try:
            for _ in range(500):
                yield b"never read\n" * 1000
                time.sleep(0.01)
        except GeneratorExit:
            say(f"generator exit {token.get()}.")
            raise

    return StreamingHttpResponse(steps())


def gone_before_close(request: HttpRequest) -> HttpResponse:
    response = ClosesWhenClientIsGone("sent")
    response.request = request
    return response


class ClosesWhenClientIsGone(HttpResponse):
    request: HttpRequest

    def close(self) -> None:
        leave_behind(self.request)
        client_goes()
        super().close()


# Which are under way when the worker is asked to stop.


def slowly(request: HttpRequest) -> HttpResponse:
    leave_behind(request)
    (FOLDER / f"entered-{token.get()}").touch()
    time.sleep(0.5)
    return HttpResponse("answered in full")


def slow_stream(request: HttpRequest) -> StreamingHttpResponse:
    def steps() -> Iterator[str]:
        yield "answered "
        leave_behind(request)
        (FOLDER / f"entered-{token.get()}").touch()
        time.sleep(0.5)
        yield "in full"

    return StreamingHttpResponse(steps())


PLACES: dict[str, Callable[[HttpRequest], HttpResponseBase]] = {
    "middleware, on the way in": normally,
    "middleware, on the way out": lambda _: HttpResponse("never sent"),
    "view": in_view,
    "template": in_template,
    "stream, before its first chunk": before_first_chunk,
    "stream, between its chunks": between_chunks,
    "close() of the body": in_body_close,
    "close(), before Django's": before_close,
    "close(), after Django's": after_close,
    "request_finished": in_request_finished,
    "chunk that is no bytes": not_bytes,
    "header that is none": bad_header,
}
CLIENT_GOES: dict[str, Callable[[HttpRequest], HttpResponseBase]] = {
    "before the response": gone_before_response,
    "before the stream": gone_before_stream,
    "in the stream": gone_in_stream,
    "before close()": gone_before_close,
}
STOPPED: dict[str, Callable[[HttpRequest], HttpResponseBase]] = {
    "view": slowly,
    "stream": slow_stream,
}
VIEWS = {"normally": normally} | PLACES | CLIENT_GOES


def leave(request: HttpRequest) -> HttpResponseBase:
    return VIEWS[request.GET["place"]](request)


def stopped(request: HttpRequest) -> HttpResponseBase:
    return STOPPED[request.GET["place"]](request)


urlpatterns = [path("look", look), path("leave", leave), path("stopped", stopped)]

request_finished.connect(tell_finished)
request_finished.connect(end_when_finished)
# Before Django's own, so that one that fails keeps those from running.
request_finished.receivers[:] = request_finished.receivers[-2:] + request_finished.receivers[:-2]


__getattr__ = application_named
