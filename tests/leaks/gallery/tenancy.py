"""Whom the thread serves: context variables, thread-locals, and the database connection."""

import threading
from contextvars import ContextVar
from typing import Any

from asgiref.local import Local
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone, translation

from tests.leaks.gallery.visitors import address, agent, answer, correlation

# A context variable; the twin's is put back.

current: ContextVar[str] = ContextVar("current", default="")  # defined: context-variable
current_for_now: ContextVar[str] = ContextVar("current_for_now", default="")


def set_current(request: HttpRequest) -> HttpResponse:
    current.set(agent(request))  # put in: context-variable
    return answer()


def set_current_for_now(request: HttpRequest) -> HttpResponse:
    token = current_for_now.set(agent(request))
    try:
        return answer(current_for_now.get())
    finally:
        current_for_now.reset(token)


# A context variable's default that is a list; the twin's is None.

basket: ContextVar[list[str]] = ContextVar("basket", default=[])  # defined: context-default
own_basket: ContextVar[list[str] | None] = ContextVar("own_basket", default=None)


def fill(request: HttpRequest) -> HttpResponse:
    basket.get().append(correlation(request))  # put in: context-default
    return answer()


def fill_own(request: HttpRequest) -> HttpResponse:
    token = own_basket.set([correlation(request)])
    own_basket.reset(token)
    return answer()


# A thread-local; the twin's is deleted.

_local = threading.local()  # defined: thread-local
_local_for_now = threading.local()


def sign_in(request: HttpRequest) -> HttpResponse:
    _local.user = agent(request)  # put in: thread-local
    return answer()


def sign_in_for_now(request: HttpRequest) -> HttpResponse:
    _local_for_now.user = agent(request)
    try:
        return answer(_local_for_now.user)
    finally:
        del _local_for_now.user


# A thread-local of a class of its own; the twin's list is emptied.


class State(threading.local):
    def __init__(self) -> None:
        self.stack: list[str] = []


state = State()  # defined: thread-local-class
state_for_now = State()


def push(request: HttpRequest) -> HttpResponse:
    state.stack.append(address(request))  # put in: thread-local-class
    return answer()


def push_and_pop(request: HttpRequest) -> HttpResponse:
    state_for_now.stack.append(address(request))
    return answer(state_for_now.stack.pop())


# asgiref's Local; the twin's is deleted.

drawer = Local()  # defined: local
drawer_for_now = Local()


def put_away(request: HttpRequest) -> HttpResponse:
    drawer.tenant = correlation(request)  # put in: local
    return answer()


def put_away_for_now(request: HttpRequest) -> HttpResponse:
    drawer_for_now.tenant = correlation(request)
    del drawer_for_now.tenant
    return answer()


# The language; the twin's is put back.


def speak(request: HttpRequest) -> HttpResponse:
    translation.activate("de")  # defined: language; put in: language
    return answer()


def speak_for_now(request: HttpRequest) -> HttpResponse:
    with translation.override("de"):
        return answer(translation.get_language())


# The time zone; the twin's is put back.


def travel(request: HttpRequest) -> HttpResponse:
    timezone.activate("Asia/Tokyo")  # defined: time-zone; put in: time-zone
    return answer()


def travel_for_now(request: HttpRequest) -> HttpResponse:
    with timezone.override("Asia/Tokyo"):
        return answer(timezone.get_current_timezone_name())


# An attribute of the connection; the twin's is deleted.


def set_tenant(request: HttpRequest) -> HttpResponse:
    own: Any = connection
    own.tenant = agent(request)  # defined: connection; put in: connection
    return answer()


def set_tenant_for_now(request: HttpRequest) -> HttpResponse:
    own: Any = connection
    own.tenant = agent(request)
    del own.tenant
    return answer()


# A wrapper around each query; the twin's is taken off.


def watch(request: HttpRequest) -> HttpResponse:
    name = agent(request)
    wrapper: Any = lambda execute, *it: name and execute(*it)  # noqa: E731 - one line is traced
    connection.execute_wrappers.append(wrapper)  # defined: execute-wrapper; put in: execute-wrapper
    return answer()


def watch_for_now(request: HttpRequest) -> HttpResponse:
    name = agent(request)
    with connection.execute_wrapper(lambda execute, *it: name and execute(*it)):
        return answer()


# A change of the session; the twin only asks.


def tune(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size = -4000")  # defined: session-sql; put in: session-sql
    return answer()


def ask(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 7")
        return answer(cursor.fetchone())


urlpatterns = [
    path("leak/context-variable", set_current),
    path("clean/context-variable", set_current_for_now),
    path("leak/context-default", fill),
    path("clean/context-default", fill_own),
    path("leak/thread-local", sign_in),
    path("clean/thread-local", sign_in_for_now),
    path("leak/thread-local-class", push),
    path("clean/thread-local-class", push_and_pop),
    path("leak/local", put_away),
    path("clean/local", put_away_for_now),
    path("leak/language", speak),
    path("clean/language", speak_for_now),
    path("leak/time-zone", travel),
    path("clean/time-zone", travel_for_now),
    path("leak/connection", set_tenant),
    path("clean/connection", set_tenant_for_now),
    path("leak/execute-wrapper", watch),
    path("clean/execute-wrapper", watch_for_now),
    path("leak/session-sql", tune),
    path("clean/session-sql", ask),
]
