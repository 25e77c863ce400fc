"""What is said of a leak: its kind, its name, the lines in the source, the remedy."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import commonprefix
from pathlib import PurePath
from types import FunctionType
from typing import Any

from resident.definitions import namespace_of_module, qualified_name
from resident.leaks.anatomy import ENTRY, LRU_CACHE, Anatomy, Step
from resident.leaks.leak import Leak, Line
from resident.leaks.places import Places
from resident.leaks.remedies import remedy_for
from resident.leaks.scope import Scope
from resident.leaks.source import Sources
from resident.leaks.trail import Held, Trail

__all__ = ["Suspect", "Teller"]

COUNTED = ("thread", "open file", "socket", "pipe", "exit handler", "finalizer")
"""Kinds whose name is that of each one, and not of what they are counted in."""


@dataclass(frozen=True)
class Suspect:
    """A place where something leaks.

    Attributes:
        growth: how much is there after each request.
        is_container: whether it is what is in there that leaks, rather than what is there.
    """

    place: int
    growth: tuple[int, ...]
    is_container: bool = False


class Teller:
    """Tells the leaks of one path; lives as long as that takes."""

    def __init__(
        self, path: str, places: Places, sources: Sources, scope: Scope, held: Held
    ) -> None:
        self._path = path
        self._places = places
        self._sources = sources
        self._scope = scope
        self._held = held

    def leak(self, suspect: Suspect, put_in: Line | None) -> Leak:
        """What is said of this one."""
        trail = Trail(suspect.place, self._places, self._held, self._scope)
        line = self._line(trail) or put_in
        name = self._name(trail, (line, put_in)) + (_suffix(trail) if suspect.is_container else "")
        if trail.root_kind == "open file":
            name = common_path(trail.value[-suspect.growth[-1] :])
        return Leak(
            path=self._path,
            kind=trail.kind,
            name=name,
            file=line.file if line else "",
            line=line.line if line else 0,
            growth=suspect.growth,
            value=described(trail.value),
            remedy=remedy_for(trail.kind, name),
            put_in=put_in,
        )

    def _name(self, trail: Trail, lines: Sequence[Line | None]) -> str:
        sources = [self._sources.of_file(it.file) for it in lines if it]
        root = ".".join(self._home(trail)) if trail.is_of_module else trail.root
        return root + "".join(
            _rendered(step, is_literal=any(it.has_literal(step[1]) for it in sources if it))
            for step in trail.steps
        )

    def _home(self, trail: Trail) -> tuple[str, str]:
        """Module and name of a module's variable, where it was defined."""
        module, _, variable = trail.root.rpartition(".")
        namespace = namespace_of_module(sys.modules.get(module))
        return self._sources.home_of(namespace.get(variable), module, variable)

    def _line(self, trail: Trail) -> Line | None:
        """Where what the name says is defined."""
        if trail.function is not None:
            return self._line_in_function(trail.function, trail)
        if trail.root_kind == "class attribute":
            return self._sources.attribute(trail.owner, trail.names)
        if trail.attribute and (found := self._sources.own_attribute(*trail.attribute)):
            return found
        if trail.root_kind == "instance attribute":
            return self._sources.class_(type(trail.owner))
        return self._line_of_variable(trail)

    def _line_of_variable(self, trail: Trail) -> Line | None:
        if trail.is_of_module:
            return self._sources.variable(*self._home(trail))
        return self._line_of_name(trail.root) if trail.root_kind == "context variable" else None

    def _line_of_name(self, name: str) -> Line | None:
        """Where the project defines the variable with this dotted name, or that is its whole."""
        module, _, variable = name.rpartition(".")
        if not self._scope.covers(module):
            return None
        return self._sources.variable(module, variable) or self._line_of_name(module)

    def _line_in_function(self, function: FunctionType, trail: Trail) -> Line | None:
        way, name = trail.variable or trail.first
        if way == "closure" and (line := self._sources.closed_over(function, name)):
            return line
        if trail.kind == "function attribute" and (line := self._sources.set_on(function, name)):
            return line
        return self._sources.function(function)


def common_path(paths: Sequence[str]) -> str:
    """The path of files whose names differ in a part, which may be a user's."""
    if len(set(paths)) == 1:
        return paths[0]
    shared = commonprefix(paths)  # noqa: RUF071 - of names, too
    start = re.sub(r"[A-Za-z0-9.]*$", "", shared)
    endings = {PurePath(path).suffix for path in paths}
    return f"{start}…{endings.pop() if len(endings) == 1 else ''}"


def described(value: Any) -> str:
    """What it is, by type and size, and never by its contents."""
    kind = type(value)
    if kind is LRU_CACHE:
        return f"cache of {value.cache_info().currsize} results"
    name = qualified_name(kind).rpartition(".")[2]
    measure = Anatomy(kind).measure
    if measure is None:
        return name
    size = measure(value)
    if issubclass(kind, (str, bytes)):
        return f"{name} of {size} {'characters' if issubclass(kind, str) else 'bytes'}"
    return f"{name} of {size}{_contents(value, kind)}"


def _contents(value: Any, kind: type) -> str:
    kinds = {qualified_name(type(it)).rpartition(".")[2] for _, it in Anatomy(kind).parts(value)}
    return f" {kinds.pop()}" if len(kinds) == 1 else ""


def _suffix(trail: Trail) -> str:
    kind = type(trail.value)
    if trail.root_kind in COUNTED or kind is LRU_CACHE or issubclass(kind, (str, bytes)):
        return ""
    return "['…']" if issubclass(kind, dict) else "[…]"


def _rendered(step: Step, *, is_literal: bool) -> str:
    way, name = step
    if way == "attribute":
        return f".{name}"
    if way in ("closure", "default"):
        return f"({name})"
    if way == "key" and is_literal:
        return f"[{name!r}]"
    return "[…]" if step == ENTRY else "['…']"
