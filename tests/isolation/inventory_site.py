"""A Django site that serves the inventory: its settings, URLs, views and applications.

INVENTORY_DATABASE is the entry of DATABASES as JSON, INVENTORY_VENDOR Django's name of whose it is,
and INVENTORY_LOG the file that takes what resident logs.
"""

import json
import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

from django.core.signals import request_finished
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import get_script_prefix, get_urlconf, path

from tests.applications import application_named
from tests.isolation.inventory import (
    FLUSHED,
    OF_DATABASE,
    OF_PROCESS,
    OWN_OF_REQUEST,
    Row,
    before_django,
    critical_drawer,
    current,
    drawer,
    thread_drawer,
    write,
)

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
USE_I18N = USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = ["resident"]
MIDDLEWARE: list[str] = []
FILE_UPLOAD_MAX_MEMORY_SIZE = 0
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
DATABASES = {"default": json.loads(os.environ["INVENTORY_DATABASE"])}
RESIDENT_FLUSH = FLUSHED
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"report": {"()": f"{__name__}.ReportFormatter"}},
    "handlers": {
        "reports": {
            "class": "logging.FileHandler",
            "filename": os.environ["INVENTORY_LOG"],
            "formatter": "report",
        },
    },
    "loggers": {"resident.isolation": {"handlers": ["reports"], "level": "INFO"}},
}

WAIT_SECONDS = 20
SERVED = {row.slug: row for row in (*OF_PROCESS, *OF_DATABASE[os.environ["INVENTORY_VENDOR"]])}

DRAWERS: list[Any] = [drawer, critical_drawer, thread_drawer, connection]

at_the_end: ContextVar[Callable[[], object] | None] = ContextVar("at_the_end", default=None)
meetings = {number: threading.Barrier(number, timeout=WAIT_SECONDS) for number in (1, 2, 3)}
is_held = threading.Event()
is_released = threading.Event()


class ReportFormatter(logging.Formatter):
    """One line of JSON for each report."""

    def format(self, record: logging.LogRecord) -> str:
        fields = ("levelname", "kind", "place", "request_method", "request_path", "worker")
        report = {name: getattr(record, name, "") for name in fields}
        return json.dumps(report | {"message": super().format(record)})


def look(request: HttpRequest, slug: str) -> JsonResponse:
    """What a later request finds. It begins when so many of its kind are there, each in a thread
    of its own, as the number says.
    """
    meetings[int(request.GET["together"])].wait()
    row = SERVED[slug]
    found = row.found()
    wrote = write_token() if row.writes else None
    return JsonResponse({"found": found, "wrote": wrote, "thread": threading.get_ident()})


def write_token() -> str:
    token = uuid.uuid4().hex
    write(token)
    return token


def tidy(request: HttpRequest, slug: str) -> HttpResponse:
    meetings[int(request.GET["together"])].wait()
    SERVED[slug].tidy()
    return HttpResponse("tidied")


def meet(request: HttpRequest) -> HttpResponse:
    meetings[int(request.GET["together"])].wait()
    return HttpResponse("met")


def hold(request: HttpRequest) -> HttpResponse:
    """A request that runs until it is released."""
    is_released.clear()
    is_held.set()
    is_released.wait(WAIT_SECONDS)
    is_held.clear()
    return HttpResponse("released")


def release(request: HttpRequest) -> HttpResponse:
    is_released.set()
    return HttpResponse("releases")


def leave(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Request A; with `while=held` it waits for the request that is held, and runs beside it."""
    if "while" in request.GET:
        is_held.wait(WAIT_SECONDS)
    current.set(request)
    row = SERVED[slug]
    return END[row.ending](row)


OWN = {row.slug: row for row in (*OWN_OF_REQUEST, *OF_DATABASE[os.environ["INVENTORY_VENDOR"]])}

roamed: list[dict[str, Any]] = []


def roam(request: HttpRequest) -> HttpResponseBase:
    """A request that looks for all of it, writes its token, and then leaves what it is told to.

    What it found is told at `/roamed`: it may end in a way that gives no answer.
    """
    current.set(request)
    token = request.GET["token"]
    roamed.append({"token": token, "found": list(_found(token))})
    rows = [OWN[slug] for slug in request.GET.getlist("leave")]
    return END[request.GET["end"]](Row("several", partial(_leave_all, rows, token)))


def _found(token: str) -> Iterator[str]:
    for slug, row in OWN.items():
        try:
            if row.found():
                yield slug
        except Exception as error:  # noqa: BLE001 - the connection is not as it should be
            yield f"{slug}: {error}"
    yield from {getattr(it, "token", token) for it in DRAWERS} - {token}
    try:
        write(token)
    except Exception as error:  # noqa: BLE001 - as above
        yield f"did not write: {error}"


def _leave_all(rows: list[Row], token: str) -> None:
    for place in DRAWERS:
        place.token = token
    for row in rows:
        # Some exclude each other, as what comes after an error in a transaction.
        with suppress(Exception):
            row.leave()


def tell_roamed(request: HttpRequest) -> JsonResponse:
    told = roamed.copy()
    roamed.clear()
    return JsonResponse({"roamed": told})


def in_view(row: Row) -> HttpResponse:
    row.leave()
    return HttpResponse("left")


def in_stream(row: Row) -> StreamingHttpResponse:
    def steps() -> Iterator[str]:
        yield "leaves"
        row.leave()
        yield "left"

    return StreamingHttpResponse(steps())


def when_client_is_gone(row: Row) -> StreamingHttpResponse:
    def steps() -> Iterator[bytes]:
        try:
            for _ in range(500):
                yield b"a line\n" * 1000
                time.sleep(0.01)
        finally:
            row.leave()

    return StreamingHttpResponse(steps())


class LeavesOnClose(HttpResponse):
    row: Row

    def close(self) -> None:
        super().close()
        self.row.leave()


def in_close(row: Row) -> HttpResponse:
    response = LeavesOnClose("left")
    response.row = row
    return response


def in_request_finished(row: Row) -> HttpResponse:
    at_the_end.set(row.leave)
    return HttpResponse("left")


def finished(**_: object) -> None:
    if do := at_the_end.get():
        at_the_end.set(None)
        do()


def with_runtime_error(row: Row) -> HttpResponse:
    row.leave()
    raise RuntimeError("after it left something")


def with_system_exit(row: Row) -> HttpResponse:
    row.leave()
    sys.exit()


def with_keyboard_interrupt(row: Row) -> HttpResponse:
    row.leave()
    raise KeyboardInterrupt


END: dict[str, Callable[[Row], HttpResponseBase]] = {
    "view": in_view,
    "stream": in_stream,
    "gone": when_client_is_gone,
    "close": in_close,
    "finished": in_request_finished,
    "RuntimeError": with_runtime_error,
    "SystemExit": with_system_exit,
    "KeyboardInterrupt": with_keyboard_interrupt,
}

request_finished.connect(finished)

urlpatterns = [
    path("look/<slug:slug>", look),
    path("leave/<slug:slug>", leave),
    path("tidy/<slug:slug>", tidy),
    path("roam", roam),
    path("roamed", tell_roamed),
    path("meet", meet),
    path("hold", hold),
    path("release", release),
]


def __getattr__(name: str) -> object:
    return seen_before_django(application_named(name))


def seen_before_django(application: Callable[..., Iterable[bytes]]) -> Callable[..., Any]:
    """The application within a WSGI middleware that looks at what Django has not set yet."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        before_django.set({"prefix": get_script_prefix(), "urlconf": get_urlconf() or ""})
        return application(environ, start_response)

    return serve
