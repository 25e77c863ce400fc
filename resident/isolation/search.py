"""Where Python keeps the thread-locals of a project: modules, classes, closures and instances."""

import gc
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, compress, repeat
from pkgutil import resolve_name
from types import FunctionType, GetSetDescriptorType, ModuleType
from typing import Any, TypeVar

from asgiref.local import Local
from django.apps import apps
from django.conf import settings

from resident.definitions import (
    is_installed,
    lineage,
    module_of,
    name_of_function,
    namespace_of,
    qualified_name,
)
from resident.isolation.packages import LIBRARIES

__all__ = ["Found", "Search"]

T = TypeVar("T")

NOT_SEARCHED = {"django", "asgiref", "resident"} | sys.stdlib_module_names | {"__main__"}
"""Packages whose thread-locals are a worker's on purpose, or are reset by other means."""

DEPTH = 5
"""So many steps from a module, or from an instance."""

LARGEST = 1000
"""A container with more entries holds data, and is not searched."""


@dataclass(frozen=True)
class Found:
    """A thread-local, and the dotted name of the place where it was found."""

    place: str
    local: threading.local

    def namespace(self) -> dict[str, Any]:
        """What it holds for the current thread."""
        return self.local.__dict__


class Search:
    """Finds each thread-local once; lives as long as the worker.

    Searched are the packages of the installed apps and of the middleware, and everything that is
    not installed: the project. Nothing is called, and nothing lazy is evaluated.
    """

    def __init__(self, keep: Iterable[str]) -> None:
        # Those that stay are known before they are found. Referred to, so that no id comes again.
        self._known: dict[int, object] = {id(local): local for local in _locals_at(keep)}
        self._is_searched: dict[str, bool] = dict.fromkeys(_packages(), True)
        self._is_searched |= dict.fromkeys(NOT_SEARCHED, False)

    def new(self) -> Iterator[Found]:
        """Those that were not found before."""
        self._seen: set[int] = set()
        for place, value in self._places():
            for found in self._in(place, value, DEPTH):
                if id(found.local) not in self._known:
                    self._known[id(found.local)] = found.local
                    yield found

    def covers(self, module: object) -> bool:
        """Whether what this module defines is searched."""
        if not isinstance(module, str):
            return False
        package = module.partition(".")[0]
        if package not in self._is_searched:
            if package not in sys.modules:  # a class outlives it, or is made before it
                return False
            self._is_searched[package] = not is_installed(sys.modules[package])
        return self._is_searched[package]

    def _places(self) -> Iterator[tuple[str, Any]]:
        # A module stands in sys.modules before those that it imports: where a thread-local is
        # imported into several modules, the last of them is its own.
        for name, module in reversed(list(sys.modules.items())):
            if self.covers(name) and isinstance(module, ModuleType):
                yield from ((f"{name}.{key}", value) for key, value in list(vars(module).items()))
        # Instances that no module refers to: of middleware, of database routers.
        for instance in self._instances():
            yield qualified_name(type(instance)), instance

    def _instances(self) -> list[object]:
        """What the garbage collector knows that is of a class which is searched."""
        kinds = _twice(map(type, _objects()))
        by_id = dict(zip(map(id, kinds), kinds, strict=True))
        covered = {number for number, kind in by_id.items() if self.covers(module_of(kind))}
        objects = _twice(_objects())
        return list(compress(objects, map(covered.__contains__, map(id, map(type, objects)))))

    def _in(self, place: str, value: Any, depth: int) -> Iterator[Found]:
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        kind = type(value)
        if issubclass(kind, threading.local):
            yield Found(place, value)
        elif issubclass(kind, Local):
            # The thread-critical kind keeps a threading.local; the other is context-bound.
            storages = [it for it in vars(value).values() if type(it) is threading.local]
            yield from (Found(place, storage) for storage in storages)
        elif depth:
            for step, child in self._children(place, value, kind):
                yield from self._in(step, child, depth - 1)

    def _children(self, place: str, value: Any, kind: type) -> Iterator[tuple[str, Any]]:
        if issubclass(kind, type) and self.covers(module_of(value)):
            names = list(namespace_of(value).items())
            yield from ((f"{qualified_name(value)}.{key}", it) for key, it in names)
        elif issubclass(kind, FunctionType) and self.covers(value.__module__):
            yield from ((name_of_function(value), it) for it in _held_by(value))
        elif (entries := _entries(value, kind)) is not None:
            yield from ((f"{place}[…]", it) for it in entries)
        elif self.covers(module_of(kind)):
            yield from ((f"{place}.{key}", it) for key, it in list(_attributes(value).items()))


def _objects() -> Iterator[object]:
    """All objects that the garbage collector knows, asked for when the first is needed.

    To be consumed by one call into C, in which no other thread runs: Python can't finish a tuple
    that it makes of an iterator while anybody else refers to it, and raises SystemError there.
    """
    return chain.from_iterable(map(gc.get_objects, (None,)))


def _twice(items: Iterable[T]) -> Iterator[T]:
    """Each item twice in succession, for two who read one iterator in turns."""
    return chain.from_iterable(map(repeat, items, repeat(2)))


def _packages() -> set[str]:
    """Those of the installed apps, the bases of their models, the middleware and the routers."""
    paths = [config.name for config in apps.get_app_configs()]
    bases = {base for model in apps.get_models() for base in model.__mro__}
    paths += [base.__module__ for base in bases]
    # A URLconf and a router may also be given as what they are.
    others = [*settings.MIDDLEWARE, *settings.DATABASE_ROUTERS, settings.ROOT_URLCONF]
    paths += [path for path in others if isinstance(path, str)]
    return ({path.partition(".")[0] for path in paths} | LIBRARIES) - NOT_SEARCHED


def _locals_at(paths: Iterable[str]) -> Iterator[object]:
    for path in paths:
        # What is named may be of another kind, and not imported yet.
        with suppress(ValueError, ImportError, AttributeError):
            yield resolve_name(path)


def _entries(value: Any, kind: type) -> list[Any] | None:
    """What a container contains, unless it is large; None for what is no container.

    As Python's own types have it: what a project's subclass would say is not asked for.
    """
    if issubclass(kind, dict):
        return list(dict.values(value)) if dict.__len__(value) <= LARGEST else []
    for base in (list, tuple, set):
        if issubclass(kind, base):
            entries: Any = base
            return list(entries.__iter__(value)) if entries.__len__(value) <= LARGEST else []
    return None


def _attributes(instance: object) -> dict[str, Any]:
    for base in lineage(type(instance)):
        attributes = namespace_of(base).get("__dict__")
        if type(attributes) is GetSetDescriptorType:  # a property of that name is a project's
            namespace: dict[str, Any] = attributes.__get__(instance)
            return namespace
    return {}  # it has slots


def _held_by(function: FunctionType) -> Iterator[Any]:
    """The values of its closure, and its defaults."""
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # a cell that is empty yet
            yield cell.cell_contents
    yield from function.__defaults__ or ()
