"""What is looked at after every request, of what the whole process shares; cheap enough for that.

A watch knows a state, tells whether it is still the same, and names each change with its undoing.
"""

import ctypes
import gc
import locale
import logging
import os
import random
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from django.conf import settings

from resident.isolation.snapshot import refill

__all__ = ["Change", "Watch", "watches"]

LONGEST_PATH = 4096
"""In bytes: PATH_MAX of Linux."""


class Change(NamedTuple):
    """Where the state changed, by the name that RESIDENT_KEEP takes, and how to undo it."""

    place: str
    undo: Callable[[], object]


class Watch(Protocol):
    """One kind of state; lives as long as the worker."""

    def adopt(self) -> None:
        """Take the state as it is for the one that is known."""

    def is_same(self) -> bool:
        """Whether it is the known one; costs a microsecond at most."""

    def changes(self) -> Iterator[Change]:
        """What is different from the known one."""


def watches() -> list[Watch]:
    """All of them, in the order in which they are undone."""
    return [Environment(), Settings(), Loggers(), Umask(), Values(), Seed()]


class Values:
    """What one function reads, and another one sets."""

    def __init__(self) -> None:
        self._folder = _folder_reader()
        self.adopt()

    def adopt(self) -> None:
        self._known = tuple(list(it) if isinstance(it, list) else it for it in self._values())

    def is_same(self) -> bool:
        return self._values() == self._known

    def changes(self) -> Iterator[Change]:
        for (place, write), now, known in zip(
            WRITERS.items(), self._values(), self._known, strict=True
        ):
            if now != known:
                yield Change(place, partial(write, known))

    def _values(self) -> tuple[Any, ...]:
        return (
            self._folder(),
            locale.setlocale(locale.LC_ALL),
            warnings.filters,
            sys.path,
            socket.getdefaulttimeout(),
            sys.getrecursionlimit(),
            gc.isenabled(),
            time.tzname,
        )


class Umask:
    """The umask, which can only be read by setting it: to what it is, so that no file sees it."""

    def __init__(self) -> None:
        self._known = 0o077  # nothing that is made meanwhile is readable to others
        self.adopt()

    def adopt(self) -> None:
        self._known = os.umask(self._known)
        os.umask(self._known)

    def is_same(self) -> bool:
        found = os.umask(self._known)
        if found != self._known:
            os.umask(found)
        return found == self._known

    def changes(self) -> Iterator[Change]:
        known = self._known
        yield Change("os.umask()", lambda: os.umask(known))


class Environment:
    """os.environ, by variable."""

    # As the bytes that it keeps: to decode all of them takes ten times as long.
    _variables: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined] # noqa: SLF001

    def __init__(self) -> None:
        self.adopt()

    def adopt(self) -> None:
        self._known = self._variables.copy()

    def is_same(self) -> bool:
        return self._variables == self._known

    def changes(self) -> Iterator[Change]:
        now, known = self._variables.copy(), self._known
        for name in now.keys() | known.keys():
            if now.get(name) != known.get(name):
                variable = os.fsdecode(name)
                yield Change(f"os.environ[{variable!r}]", _resetting(variable, known.get(name)))


def _resetting(variable: str, value: bytes | None) -> Callable[[], object]:
    if value is None:
        return lambda: os.environ.pop(variable, None)
    return lambda: os.environ.update({variable: os.fsdecode(value)})


class Settings:
    """Attributes set on Django's settings; what is inside of one is the project's own affair."""

    def __init__(self) -> None:
        self.adopt()

    def adopt(self) -> None:
        self._holder = _holder()
        self._known = vars(self._holder).copy()
        self._values = list(self._known.values())

    def is_same(self) -> bool:
        holder = _holder()
        return holder is self._holder and list(vars(holder).values()) == self._values

    def changes(self) -> Iterator[Change]:
        if _holder() is not self._holder:
            holder = self._holder
            yield Change("settings", lambda: setattr(settings, "_wrapped", holder))
            return
        now = vars(self._holder).copy()
        for name in now.keys() | self._known.keys():
            if now.get(name, _missing) is not (known := self._known.get(name, _missing)):
                yield Change(f"settings.{name}", _setting(name, known))


class Loggers:
    """The level, the handlers and the filters of every logger."""

    # setLevel() empties it, so that what is put in tells whether anybody has called that.
    _cache: dict[Any, bool] = logging.root._cache  # type: ignore[attr-defined] # noqa: SLF001

    def __init__(self) -> None:
        self.adopt()

    def adopt(self) -> None:
        registry = logging.root.manager.loggerDict
        made = [it for it in list(registry.values()) if isinstance(it, logging.Logger)]
        self._number = len(registry)
        self._loggers = [logging.root, *made]
        self._levels = self._levels_now()
        # The lists themselves, which logging changes in place, and what they contain.
        self._lists = [it for logger in self._loggers for it in (logger.handlers, logger.filters)]
        self._contents = [it.copy() for it in self._lists]

    def is_same(self) -> bool:
        if self not in self._cache:
            if self._levels_now() != self._levels:
                return False
            self._cache[self] = True
        if self._lists != self._contents:
            return False
        if len(logging.root.manager.loggerDict) != self._number:
            self.adopt()  # a logger is new, as after an import
        return True

    def changes(self) -> Iterator[Change]:
        levels = zip(self._loggers, self._levels, self._levels_now(), strict=True)
        for logger, level, level_now in levels:
            if level_now != level:
                yield Change(f"{_named(logger)}.level", partial(logger.setLevel, level))
        names = [
            f"{_named(logger)}.{kind}"
            for logger in self._loggers
            for kind in ("handlers", "filters")
        ]
        for place, live, known in zip(names, self._lists, self._contents, strict=True):
            if live != known:
                yield Change(place, partial(refill, live, known))

    def _levels_now(self) -> list[int]:
        return list(map(_level, self._loggers))


class Seed:
    """The generator behind `random`: whoever seeds it makes what is random for others foreseeable.

    Its state is too large to be compared. But seeding also forgets the second of the two numbers
    that `gauss` makes at a time: one is always kept in store, and where it is not that one any
    more, the generator is seeded anew from the system. That does no harm where a request has only
    asked for `gauss` itself, and so it is not reported.
    """

    def __init__(self) -> None:
        self._generator: Any = random.seed.__self__  # type: ignore[attr-defined]
        self.adopt()

    def adopt(self) -> None:
        if self._generator.gauss_next is None:
            self._generator.gauss(0, 1)
        self._stored = self._generator.gauss_next

    def is_same(self) -> bool:
        if self._generator.gauss_next is not self._stored:
            self._generator.seed()
            self.adopt()
        return True

    def changes(self) -> Iterator[Change]:
        return iter(())  # pragma: no cover - nobody asks what is always the same


_missing = object()
_level = attrgetter("level")


def _holder() -> Any:
    """What Django's settings are kept in, until override_settings exchanges it for another."""
    return settings._wrapped  # type: ignore[misc] # noqa: SLF001


def _setting(name: str, value: object) -> Callable[[], object]:
    """What gives the setting this value back, or takes it away."""
    if value is not _missing:
        return partial(setattr, settings, name, value)

    def take_away() -> None:
        # Not with `del`, after which settings.configure()'s settings deny their default too.
        vars(_holder()).pop(name, None)
        vars(settings).pop(name, None)  # what they remember

    return take_away


def _named(logger: logging.Logger) -> str:
    return "logging.root" if logger is logging.root else f"logging.getLogger({logger.name!r})"


def _folder_reader() -> Callable[[], bytes | None]:
    """A function that gives the working directory, and None where somebody has removed it.

    os.getcwd() lets other threads run while it asks, and its own then waits for them: with four
    threads that takes a third of a worker's requests per second. So it is the C library that is
    asked, where there is one.
    """
    try:
        getcwd = ctypes.pythonapi["getcwd"]
    except AttributeError:  # pragma: no cover - Windows
        return os.getcwdb
    buffer = ctypes.create_string_buffer(LONGEST_PATH)
    getcwd.restype = ctypes.c_char_p
    return lambda: getcwd(buffer, LONGEST_PATH)


def _set_filters(filters: list[Any]) -> None:
    warnings.resetwarnings()  # also forgets what the old filters have decided
    warnings.filters.extend(filters)  # type: ignore[attr-defined] # as documented


def _set_path(path: list[str]) -> None:
    sys.path[:] = path


def _set_gc(enabled: bool) -> None:
    gc.enable() if enabled else gc.disable()


WRITERS: dict[str, Callable[[Any], object]] = {
    "os.getcwd()": lambda folder: os.chdir(folder or "."),
    "locale.setlocale()": lambda name: locale.setlocale(locale.LC_ALL, name),
    "warnings.filters": _set_filters,
    "sys.path": _set_path,
    "socket.getdefaulttimeout()": socket.setdefaulttimeout,
    "sys.getrecursionlimit()": sys.setrecursionlimit,
    "gc.isenabled()": _set_gc,
    "time.tzname": lambda _: time.tzset(),  # the environment, which has the zone, is undone before
}
"""What puts each of the values back, by its place."""
