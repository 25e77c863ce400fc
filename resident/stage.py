"""What requests are rehearsed on: the application as a worker has it, or without what resets it."""

from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.urls import get_resolver

from resident.isolation.context import ISOLATED, IsolatedApplication
from resident.isolation.resetters import Resetters
from resident.leaks.finding import Findings, find_leaks
from resident.leaks.rehearsal import Rehearsal, RehearsedHandler, Repetition, WSGIApplication
from resident.leaks.scope import Scope
from resident.probes import new_probes

__all__ = ["Stage"]


class Stage:
    """Where pages of the project are looked at; lives as long as a run, and in one thread.

    Args:
        raw: without resident's resetters, to see what the project would leak on its own.
        third_party: report what installed packages keep, too.
        besides: modules that are not the project's, such as those of its tests.
    """

    def __init__(
        self, *, raw: bool = False, third_party: bool = False, besides: Collection[str] = ()
    ) -> None:
        self._is_raw = raw
        self._third_party = third_party
        self._besides = besides
        # What the URLs import belongs to the worker, not to the request that happens to be first.
        get_resolver().url_patterns  # noqa: B018 - a lazy attribute

    def find_leaks(
        self, path: str, *, requests: int = 5, warm_up: int = 3, **request: Any
    ) -> Findings:
        """Look at one page.

        Args:
            path: see `Rehearsal`.
            requests: how many are compared.
            warm_up: how many come before those.
            request: `method`, `data`, `headers` and `user`, likewise.

        Raises:
            LeaksError: requests can't be rehearsed like that.
        """
        with Rehearsal(path, application=self.new_application(), **request) as rehearsal:
            return find_leaks(rehearsal, requests=requests, warm_up=warm_up, **self._how())

    def repeat(self, environ: dict[str, Any], body: bytes, status: int) -> Findings | None:
        """Look at a request that was made before; None where it is answered otherwise now."""
        repetition = Repetition(environ, body, application=self.new_application())
        with repetition:
            repetition.request()
            if repetition.status != status:
                return None
            return find_leaks(repetition, accept_failures=True, **self._how())

    def _how(self) -> dict[str, Any]:
        return {
            "scope": Scope(third_party=self._third_party, besides=self._besides),
            "probes": new_probes() if self._is_raw else (),
        }

    def new_application(self) -> WSGIApplication:
        """With the middleware that the settings name now: a test may override them."""
        handler = RehearsedHandler()
        return _bare(handler) if self._is_raw else IsolatedApplication(handler, self._resetters)

    @cached_property
    def _resetters(self) -> Resetters:
        return Resetters.of_project()


def _bare(handler: WSGIHandler) -> WSGIApplication:
    """The handler, and ResetStateMiddleware steps aside."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[ISOLATED] = True
        return handler(environ, start_response)

    return application
