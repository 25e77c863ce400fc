"""The shop's middleware, and what its instances keep; the handler alone refers to them."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.leaks.gallery.visitors import address, agent, answer, correlation

GetResponse = Callable[[HttpRequest], HttpResponse]


# Grows; the twin keeps whether there was anybody.


class Tenant:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.seen: list[str] = []  # defined: middleware-list
        self.has_seen = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/leak/middleware-list":
            self.seen.append(address(request))  # put in: middleware-list
        elif request.path == "/clean/middleware-list":
            self.has_seen = bool(address(request))
        return self.get_response(request)


# Keeps the last request; the twin forgets it.


class Audit:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.last: HttpRequest | None = None  # defined: middleware-request
        self.served: HttpRequest | None = None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/leak/middleware-request":
            self.last = request  # put in: middleware-request
        elif request.path == "/clean/middleware-request":
            self.served = request
        response = self.get_response(request)
        self.served = None
        return response


# A middleware that is a function; the twin's list is as long as the request.


def journal(get_response: GetResponse) -> GetResponse:
    entries: list[str] = []  # defined: middleware-closure

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == "/leak/middleware-closure":
            entries.append(correlation(request))  # put in: middleware-closure
        return get_response(request)

    return middleware


def journal_of_request(get_response: GetResponse) -> GetResponse:
    entries: list[str] = []

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == "/clean/middleware-closure":
            entries.append(correlation(request))
        response = get_response(request)
        entries.clear()
        return response

    return middleware


def page(request: HttpRequest) -> HttpResponse:
    return answer(agent(request))


urlpatterns = [
    path("leak/middleware-list", page),
    path("clean/middleware-list", page),
    path("leak/middleware-request", page),
    path("clean/middleware-request", page),
    path("leak/middleware-closure", page),
    path("clean/middleware-closure", page),
]
