"""Every request in a context of its own, from its first byte to its last.

What a request keeps in a ContextVar, or in one of asgiref's Locals (the language, the time zone,
the urlconf), ends with its context. A worker thread goes on in the context that it had before.
What is kept elsewhere is for the resetters, which run in that context at its end.
"""

import contextvars
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from django.core.cache import caches, close_caches
from django.core.cache.backends.base import InvalidCacheBackendError
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http.response import HttpResponseBase

from resident.isolation.request import Request
from resident.isolation.resetters import Resetters
from resident.worker import worker

__all__ = ["ISOLATED", "IsolatedApplication", "RequestContexts", "Visit"]

ISOLATED = "resident.isolated"
"""The key of the WSGI environ that says: this request runs in a context of its own already."""

T = TypeVar("T")
WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class RequestContexts:
    """Makes a context for each request of a thread; lives as long as the process."""

    def __init__(self) -> None:
        self._thread = threading.local()

    def new(self) -> contextvars.Context:
        """A copy of the thread's context, in which the cache connections are the thread's."""
        if not hasattr(self._thread, "has_caches"):
            _connect_caches()
            self._thread.has_caches = True
        return contextvars.copy_context()


class IsolatedApplication:
    """A WSGI application whose requests leave nothing behind; lives as long as the worker.

    The application call, each step of the body and its `close()`, and so the handlers of
    `request_finished`, run in one context, which nothing outlives. The resetters run after that,
    when the response is out.
    """

    def __init__(self, application: WSGIApplication, resetters: Resetters | None = None) -> None:
        self._application = application
        self._resetters = Resetters.of_project() if resetters is None else resetters
        self._contexts = RequestContexts()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        environ[ISOLATED] = True
        # A server that sends a file by itself would close it outside of the context.
        environ.pop("wsgi.file_wrapper", None)
        visit = _Visit(self._contexts.new(), self._resetters, environ)
        visit.answer(self._application, start_response)
        return visit


class Visit(Request):
    """One request's stay in a worker: in a context of its own, until the resetters have run."""

    __slots__ = ("_begun", "_context", "_resetters", "_stay")

    def __init__(
        self, context: contextvars.Context, resetters: Resetters, environ: dict[str, Any]
    ) -> None:
        self.environ = environ
        self._context = context
        self._resetters = resetters

    def begin(self, application: Callable[..., T], *arguments: Any) -> T:
        """What the application answers. Where it raises, that was the end of the request."""
        return self._context.run(self._begin, application, arguments)

    def step(self, function: Callable[..., T], *arguments: Any) -> T:
        """What a further step of the request gives, such as one of its body's."""
        return self._context.run(function, *arguments)

    def end(self) -> None:
        """Reset what the request has left behind."""
        self._context.run(self._end)

    def _begin(self, application: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        self._stay = worker.stay()
        self._begun = self._resetters.begin()
        try:
            return application(*arguments)
        except BaseException:
            self._end(_send_request_finished)
            raise

    def _end(self, finish: Callable[[], object] | None = None) -> None:
        try:
            self._resetters.settle(self, self._begun)
            if finish:
                finish()
        finally:
            self._resetters.reset(self, self._begun)
            self._stay.end()


class _Visit(Visit):
    """The visit of a request that a server makes, to which it is the body of the response."""

    __slots__ = ("_chunks", "_has_ended", "_response")

    def answer(self, application: WSGIApplication, start_response: Callable[..., Any]) -> None:
        self._response = self.begin(application, self.environ, start_response)
        self._chunks: Iterator[bytes] | None = None
        self._has_ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._chunks is None:
            self._chunks = self._context.run(iter, self._response)
        return self._context.run(next, self._chunks)

    def close(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._context.run(self._end, self._close)

    def _close(self) -> None:
        if (close := getattr(self._response, "close", None)) is None:
            return
        try:
            close()
        except BaseException:
            _finish(self._response)
            raise


def _finish(response: Iterable[bytes]) -> None:
    """What Django does at the end of a request, where the response's `close()` has failed."""
    if isinstance(response, HttpResponseBase) and not response.closed:
        for close in response._resource_closers:  # type: ignore[attr-defined] # noqa: SLF001 - no other way to the uploads
            with suppress(BaseException):
                close()
        response.closed = True
        _send_request_finished()
    else:  # a handler of request_finished has failed, and kept Django's own from running
        close_caches()
        close_old_connections()


def _send_request_finished() -> None:
    # Django sends it when it closes a response: SystemExit in a view leaves it none to close.
    request_finished.send_robust(sender=WSGIHandler)


def _connect_caches() -> None:
    # Django keeps cache connections in a Local: a connection that is first asked for inside a
    # request's context would end with it, and each request would connect anew.
    for alias in caches:
        with suppress(InvalidCacheBackendError):
            caches[alias]
