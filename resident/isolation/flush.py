"""What the project names in RESIDENT_FLUSH: empty again, or as it was, after each request."""

from collections import deque
from collections.abc import Callable, Iterable
from pkgutil import resolve_name
from types import FunctionType
from typing import Any

from resident.conf import conf
from resident.exceptions import ConfigurationError
from resident.isolation.request import Request
from resident.isolation.resetters import ResetterNotUsed
from resident.isolation.snapshot import contents_of, refill

__all__ = ["NamedState", "named_state"]


class NamedState:
    """Caches, containers and attributes, by their dotted paths; lives as long as the worker.

    What has a `cache_clear` or a `clear` is emptied; a list, dict, set or deque holds again what it
    held when the worker started, and so do those that are a function's defaults; an attribute has
    the value that it had then. Where several requests run at a time, one may be emptied under the
    hands of another.
    """

    def __init__(self) -> None:
        self._restorers = [named_state(path) for path in conf.flush]
        if not self._restorers:
            raise ResetterNotUsed

    def reset(self, request: Request, begun: object) -> None:  # noqa: ARG002 - what a resetter takes
        for restore in self._restorers:
            restore()


def named_state(path: str) -> Callable[[], None]:
    """What brings the state at this path back to what it is now.

    Raises `ConfigurationError` where nothing is there.
    """
    parent, _, name = path.rpartition(".")
    try:
        owner = resolve_name(parent)
        value = getattr(owner, name)
    except (ValueError, ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"RESIDENT_FLUSH names {path!r}, which is not there: {error}.",
            remedy="name a cache, a container or an attribute by its dotted path.",
        ) from None
    empty = _emptying(value)

    def restore() -> None:
        if getattr(owner, name, None) is not value:
            setattr(owner, name, value)
        empty()

    return restore


def _emptying(value: Any) -> Callable[[], None]:
    if callable(clear := getattr(value, "cache_clear", None)):
        return clear  # type: ignore[no-any-return] # that of functools
    if isinstance(value, list | dict | set | deque):
        contents = contents_of(value)
        return lambda: refill(value, contents)
    if isinstance(value, FunctionType):
        defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        return _each(defaults)
    if not isinstance(value, type) and callable(clear := getattr(value, "clear", None)):
        return clear  # type: ignore[no-any-return] # that of a cache of Django's, of cachetools
    return lambda: None


def _each(values: Iterable[Any]) -> Callable[[], None]:
    restorers = [_emptying(value) for value in values]

    def restore() -> None:
        for restore_one in restorers:
            restore_one()

    return restore
