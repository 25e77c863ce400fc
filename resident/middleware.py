"""The Django way in."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from resident.isolation.context import ISOLATED, RequestContexts, Visit
from resident.isolation.resetters import Resetters
from resident.worker import worker

__all__ = ["LeakDetectionMiddleware", "ResetStateMiddleware", "VisitorMiddleware"]

GetResponse = Callable[[HttpRequest], Any]


class ResetStateMiddleware:
    """Ends what belongs to a request with the request. The first in MIDDLEWARE.

    With `resident.wsgi` the whole request runs in a context of its own already, down to the
    `close()` of its body, and nothing is left to do here. Without it (another server's
    application, `runserver`, the test client) the middleware gives a context of its own to what
    is inside of it: the other middleware, the view, and each step of a streaming body; and runs
    the resetters when the response is closed. What other parts of a response do in their
    `close()`, and the handlers of `request_finished`, is out of a middleware's reach.

    Under ASGI the server gives each request a context, and the middleware only sees to it that the
    worker's resources are not replaced under the request's hands.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        self._contexts = RequestContexts()
        if not worker.serves:
            self._resetters  # noqa: B018 - what is wrong with the settings is said at the start
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self._is_async:
            return self._answer_async(request)
        if ISOLATED in request.META:
            return self._get_response(request)
        visit = Visit(self._contexts.new(), self._resetters, request.META)
        response = visit.begin(self._answer, request)
        if isinstance(response, StreamingHttpResponse) and not response.is_async:
            content = cast("Iterable[bytes]", response.streaming_content)
            response.streaming_content = _within(visit, content)
        # As Django closes the request itself: after the last byte, and nothing public is that late.
        response._resource_closers.append(visit.end)  # type: ignore[attr-defined] # noqa: SLF001
        return response

    @cached_property
    def _resetters(self) -> Resetters:
        return Resetters.of_project()

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        stay = worker.stay()
        try:
            response: HttpResponseBase = await self._get_response(request)
        except BaseException:
            stay.end()
            raise
        response._resource_closers.append(stay.end)  # type: ignore[attr-defined] # noqa: SLF001
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        try:
            response: HttpResponseBase = self._get_response(request)
        except BaseException:  # SystemExit: Django would neither close it nor say that it ended
            request.close()
            raise
        return response


class LeakDetectionMiddleware:
    """Looks for what requests leave behind, while you develop. Right after ResetStateMiddleware.

    Withdraws itself where DEBUG is off, and under ASGI, where requests of a thread overlap; steps
    aside where a request is rehearsed, as by `manage.py findleaks`, which looks by itself. When a
    request begins, it looks at what the one before it has left: only then is that one over, its
    body sent, its resetters run. Each leak is logged once, by `resident.leaks`, and listed in the
    admin.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        if not settings.DEBUG or iscoroutinefunction(get_response):
            raise MiddlewareNotUsed
        # Here, so that a server which does not look has nothing of it in memory.
        from resident.leaks.detection import Detection  # noqa: PLC0415
        from resident.leaks.journal import journal  # noqa: PLC0415
        from resident.leaks.visit import REHEARSED  # noqa: PLC0415
        from resident.leaks.watch import Watch  # noqa: PLC0415

        self._get_response = get_response
        self._detection = Detection(Watch(), journal)
        self._rehearsed = REHEARSED

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if self._rehearsed in request.META:
            rehearsed: HttpResponseBase = self._get_response(request)
            return rehearsed
        end = self._detection.begin(request, request.method or "", request.path)
        try:
            response: HttpResponseBase = self._get_response(request)
        except BaseException:  # SystemExit: there is no response that could be closed
            end()
            raise
        response._resource_closers.append(end)  # type: ignore[attr-defined] # noqa: SLF001 - as above
        return response


class VisitorMiddleware:
    """Keeps an id for a visitor who has not logged in, where a flag asks for one: in a cookie.

    Behind a middleware that keeps answers (UpdateCacheMiddleware), as the answer then varies by
    the cookie, and before all that asks flags. An id that is made when the headers are out, as by
    a streaming body, ends with the request.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        # Here, so that a server which asks no flags does not have their engine in memory.
        from resident.flags import visitor  # noqa: PLC0415

        self._get_response = get_response
        self._visitor = visitor
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        self._visitor.expect(request)
        if self._is_async:
            return self._answer_async(request)
        response: HttpResponseBase = self._get_response(request)
        self._visitor.remember(request, response)
        return response

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await self._get_response(request)
        self._visitor.remember(request, response)
        return response


def _within(visit: Visit, content: Iterable[bytes]) -> Iterator[bytes]:
    """The content, each step of it produced in the request's context."""
    steps = visit.step(iter, content)
    with suppress(StopIteration):
        while True:
            yield visit.step(next, steps)
