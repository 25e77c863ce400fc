"""Every request in a context of its own, from its first byte to its last.

What a request keeps in a ContextVar, or in one of asgiref's Locals (the language, the time zone,
the urlconf), ends with its context. A worker thread goes on in the context that it had before.
"""

import contextvars
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.base import InvalidCacheBackendError

__all__ = ["ISOLATED", "IsolatedApplication", "RequestContexts"]

ISOLATED = "resident.isolated"
"""The key of the WSGI environ that says: this request runs in a context of its own already."""

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
    """A WSGI application whose requests run in contexts of their own; lives as long as the worker.

    The application call, each step of the body and its `close()`, and so the handlers of
    `request_finished`, run in one context, which nothing outlives.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._contexts = RequestContexts()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        context = self._contexts.new()
        environ[ISOLATED] = True
        # A server that sends a file by itself would close it outside of the context.
        environ.pop("wsgi.file_wrapper", None)
        return _Body(context, context.run(self._application, environ, start_response))


class _Body:
    """A response's body, produced and closed in its request's context."""

    __slots__ = ("_chunks", "_context", "_response")

    def __init__(self, context: contextvars.Context, response: Iterable[bytes]) -> None:
        self._context = context
        self._response = response
        self._chunks: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._chunks is None:
            self._chunks = self._context.run(iter, self._response)
        return self._context.run(next, self._chunks)

    def close(self) -> None:
        close = getattr(self._response, "close", None)
        if close is not None:
            self._context.run(close)


def _connect_caches() -> None:
    # Django keeps cache connections in a Local: a connection that is first asked for inside a
    # request's context would end with it, and each request would connect anew.
    for alias in caches:
        with suppress(InvalidCacheBackendError):
            caches[alias]
