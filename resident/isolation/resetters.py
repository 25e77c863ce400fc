"""What is done after each request, in which order.

A resetter is a function, or a class with one of these methods or several:

    def reset_basket(request: Request) -> None: ...

    class Basket:
        def begin(self): ...                   # before the request
        def settle(self, request, begun): ...  # after the last byte of its response
        def reset(self, request, begun): ...   # after Django has ended it

`begun` is what `begin` gave for this request; None where there is no `begin`. A class is made once
per worker, and may raise `ResetterNotUsed` then. All of it runs in the thread and the context of
the request.
"""

import inspect
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from django.utils.module_loading import import_string

from resident.conf import conf
from resident.exceptions import ConfigurationError
from resident.isolation.report import reports
from resident.isolation.request import Request

__all__ = ["ResetterNotUsed", "Resetters", "resetter_at"]

logger = logging.getLogger("resident.isolation")


class ResetterNotUsed(Exception):  # noqa: N818 - as Django's MiddlewareNotUsed
    """Raised by a resetter's class that has nothing to do in this project."""


class Resetters:
    """The resetters of RESIDENT_RESETTERS, in order; lives as long as the application.

    One that fails is logged, and the rest still run.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._begins: list[_Step] = []
        self._settles: list[_Step] = []
        self._resets: list[_Step] = []
        for path in paths:
            self._add(path)

    @classmethod
    def of_project(cls) -> "Resetters":
        """Those that the settings name. Raises `ConfigurationError` where a path names none."""
        return cls(conf.resetters)

    def begin(self) -> list[Any]:
        """Run before the request; gives what `settle` and `reset` are to be given after it."""
        begun: list[Any] = [None]
        for path, begin, _ in self._begins:
            try:
                begun.append(begin())
            except Exception:  # noqa: BLE001 - the request goes on without it
                _say_failed(path, "before a request")
                begun.append(_FAILED)
        return begun

    def settle(self, request: Request, begun: list[Any]) -> None:
        """Run after the last byte of the response, before Django ends the request."""
        _run(self._settles, request, begun)

    def reset(self, request: Request, begun: list[Any]) -> None:
        """Run after Django has ended the request."""
        _run(self._resets, request, begun)

    def _add(self, path: str) -> None:
        resetter = resetter_at(path)
        if not inspect.isclass(resetter):
            self._resets.append((path, lambda request, _: resetter(request), 0))
            return
        with suppress(ResetterNotUsed):
            self._add_phases(path, resetter())

    def _add_phases(self, path: str, resetter: Any) -> None:
        place = 0
        if hasattr(resetter, "begin"):
            self._begins.append((path, resetter.begin, 0))
            place = len(self._begins)
        if hasattr(resetter, "settle"):
            self._settles.append((path, resetter.settle, place))
        if hasattr(resetter, "reset"):
            self._resets.append((path, resetter.reset, place))


_Step = tuple[str, Callable[..., Any], int]
"""A resetter's path, one of its methods, and where that finds what its `begin` gave; 0: nowhere."""

_FAILED = object()


def _run(steps: list[_Step], request: Request, begun: list[Any]) -> None:
    for path, run, place in steps:
        if begun[place] is _FAILED:
            continue
        try:
            run(request, begun[place])
        except BaseException:  # noqa: BLE001 - sys.exit() in one must not keep the rest from running
            _say_failed(path, f"after {request}")


def _say_failed(path: str, when: str) -> None:
    logger.exception("The resetter %s failed %s.", path, when)  # noqa: LOG004 - as it is handled
    reports.count("failed resetter")


def resetter_at(path: str) -> Callable[..., Any]:
    """What RESIDENT_RESETTERS names. Raises `ConfigurationError` where that is no resetter."""
    try:
        resetter = import_string(path)
    except ImportError as error:
        raise ConfigurationError(
            f"RESIDENT_RESETTERS names {path!r}, which can't be imported: {error}.",
            remedy="name a function or a class by its dotted path.",
        ) from None
    is_class = inspect.isclass(resetter)
    phases = [name for name in ("begin", "settle", "reset") if hasattr(resetter, name)]
    if not callable(resetter) or (is_class and not phases):
        raise ConfigurationError(
            f"RESIDENT_RESETTERS names {path!r}, which is no function, and no class with a method "
            "begin, settle or reset.",
            remedy="see docs/isolation.md.",
        )
    return resetter  # type: ignore[no-any-return] # import_string gives anything
