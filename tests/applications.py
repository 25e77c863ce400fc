"""The WSGI applications of a site that tests serve, which are made when granian asks for them."""

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application as get_bare_application

__all__ = ["WSGIApplication", "application_named"]

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def application_named(name: str) -> WSGIApplication:
    """`application` is resident's, `bare` is Django's own; to be a module's `__getattr__`."""
    from resident.wsgi import get_wsgi_application  # noqa: PLC0415 - settings import nothing

    makers: dict[str, Callable[[], WSGIApplication]]
    makers = {"application": get_wsgi_application, "bare": get_bare_application}
    if name not in makers:
        raise AttributeError(name)
    return _traced(makers[name]())


def _traced(application: WSGIApplication) -> WSGIApplication:
    # granian's threads are none of Python's making, which else would trace them for the coverage.
    def traced(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if (trace := threading.gettrace()) and sys.gettrace() is None:
            sys.settrace(trace)
        return application(environ, start_response)

    return traced
