"""What the shop rings: signal receivers, log handlers, and loggers."""

import logging
from typing import Any

from django.core.signals import request_finished
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.leaks.gallery.visitors import address, agent, answer, correlation

sold = Signal()
returned = Signal()

# A receiver for each request, held strongly; the twin is held weakly.


def ring(request: HttpRequest) -> HttpResponse:
    def bell(**kwargs: Any) -> None:  # defined: receiver
        agent(request)

    sold.connect(bell, weak=False)  # put in: receiver
    return answer()


def ring_weakly(request: HttpRequest) -> HttpResponse:
    def bell(**kwargs: Any) -> None:
        agent(request)

    returned.connect(bell)
    return answer(len(returned.send(sender=None)))


# The same at one of Django's signals; the twin has an identifier.


def finish(request: HttpRequest) -> HttpResponse:
    name = correlation(request)

    def finished(**kwargs: Any) -> None:  # defined: receiver-of-django
        name.strip()

    request_finished.connect(finished, weak=False)  # put in: receiver-of-django
    return answer()


def finish_once(request: HttpRequest) -> HttpResponse:
    def finished(**kwargs: Any) -> None:
        """Say that it is done."""

    request_finished.connect(finished, weak=False, dispatch_uid="shop")
    return answer()


# A lambda; the twin is disconnected.


def hum(request: HttpRequest) -> HttpResponse:
    sold.connect(lambda **kwargs: None, weak=False)  # defined: lambda; put in: lambda
    return answer()


def hum_once(request: HttpRequest) -> HttpResponse:
    receiver = lambda **kwargs: None  # noqa: E731 - what this row is about
    returned.connect(receiver, weak=False)
    returned.disconnect(receiver)
    return answer()


# A handler for each request; the twin's is removed.

log = logging.getLogger("shop")
other_log = logging.getLogger("shop.other")


class Collector(logging.NullHandler):
    """Collects what one request has logged."""


def collect(request: HttpRequest) -> HttpResponse:
    log.addHandler(Collector())  # defined: log-handler; put in: log-handler
    return answer()


def collect_for_now(request: HttpRequest) -> HttpResponse:
    collector = Collector()
    other_log.addHandler(collector)
    try:
        return answer()
    finally:
        other_log.removeHandler(collector)


# A filter for each request; the twin's is always the same.


class WithName(logging.Filter):
    """Lets all pass."""


with_name = WithName("shop")


def filtered(request: HttpRequest) -> HttpResponse:
    log.addFilter(WithName(agent(request)))  # defined: log-filter; put in: log-filter
    return answer()


def filtered_once(request: HttpRequest) -> HttpResponse:
    other_log.addFilter(with_name)
    other_log.removeFilter(with_name)
    return answer()


# A logger for each visitor; the twin's is the module's.


def log_by_visitor(request: HttpRequest) -> HttpResponse:
    logging.getLogger(f"shop.{address(request)}").debug("here")  # defined: logger; put in: logger
    return answer()


def log_by_module(request: HttpRequest) -> HttpResponse:
    logging.getLogger(__name__).debug("%s is here", address(request))
    return answer()


urlpatterns = [
    path("leak/receiver", ring),
    path("clean/receiver", ring_weakly),
    path("leak/receiver-of-django", finish),
    path("clean/receiver-of-django", finish_once),
    path("leak/lambda", hum),
    path("clean/lambda", hum_once),
    path("leak/log-handler", collect),
    path("clean/log-handler", collect_for_now),
    path("leak/log-filter", filtered),
    path("clean/log-filter", filtered_once),
    path("leak/logger", log_by_visitor),
    path("clean/logger", log_by_module),
]
