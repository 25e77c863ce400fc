"""What is said of a leak: its kind, its name, the lines in the source, the remedy."""

import re
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from os.path import commonprefix
from pathlib import PurePath
from threading import local
from types import FunctionType, MethodType
from typing import Any

from resident.definitions import module_of, module_of_function, namespace_of_module, qualified_name
from resident.leaks.anatomy import ENTRY, LRU_CACHE, Anatomy, Step
from resident.leaks.leak import Leak, Line
from resident.leaks.places import Places
from resident.leaks.remedies import remedy_for
from resident.leaks.scope import Scope
from resident.leaks.source import Sources

__all__ = ["Held", "Suspect", "Teller"]

Held = Mapping[int, list[tuple[Any, Any]]]
"""What is at a place, each with what holds it; the newest last."""

COUNTED = ("thread", "open file", "socket", "pipe", "exit handler", "finalizer")
"""Kinds whose name is that of each one, and not of what they are counted in."""

OF_FUNCTIONS = {"default": "function default", "closure": "closure"}


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

    def _name(self, trail: "Trail", lines: Sequence[Line | None]) -> str:
        sources = [self._sources.of_file(it.file) for it in lines if it]
        root = ".".join(self._home(trail)) if trail.is_of_module else trail.root
        return root + "".join(
            _rendered(step, is_literal=any(it.has_literal(step[1]) for it in sources if it))
            for step in trail.steps
        )

    def _home(self, trail: "Trail") -> tuple[str, str]:
        """Module and name of a module's variable, where it was defined."""
        module, _, variable = trail.root.rpartition(".")
        namespace = namespace_of_module(sys.modules.get(module))
        return self._sources.home_of(namespace.get(variable), module, variable)

    def _line(self, trail: "Trail") -> Line | None:
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

    def _line_of_variable(self, trail: "Trail") -> Line | None:
        if trail.is_of_module:
            return self._sources.variable(*self._home(trail))
        return self._line_of_name(trail.root) if trail.root_kind == "context variable" else None

    def _line_of_name(self, name: str) -> Line | None:
        """Where the project defines the variable with this dotted name, or that is its whole."""
        module, _, variable = name.rpartition(".")
        if not self._scope.covers(module):
            return None
        return self._sources.variable(module, variable) or self._line_of_name(module)

    def _line_in_function(self, function: FunctionType, trail: "Trail") -> Line | None:
        way, name = trail.variable or trail.first
        if way == "closure" and (line := self._sources.closed_over(function, name)):
            return line
        if trail.kind == "function attribute" and (line := self._sources.set_on(function, name)):
            return line
        return self._sources.function(function)


class Trail:
    """The way from a name to what is held there, with what was found on it."""

    def __init__(self, place: int, places: Places, held: Held, scope: Scope) -> None:
        (self.root_kind, self.root), *self._steps = places.chain(place)
        numbers = [place, *places.above(place)][::-1]
        self._found = [held[it][-1] if held.get(it) else (None, None) for it in numbers]
        self._scope = scope

    @property
    def kind(self) -> str:
        """The kind of the leak."""
        if self._variable:
            return OF_FUNCTIONS[self._variable[0][0]]
        if self.root_kind == "function" or function_of(self.owner):
            return "function attribute"
        if self.is_of_module and self._has_passed(local):
            return "thread-local"
        if self.is_of_module and self._has_passed(ContextVar):
            return "context variable"
        if self.is_of_module and any(way == "attribute" for way, _ in self._steps):
            return "instance attribute"
        return self.root_kind

    @property
    def is_of_module(self) -> bool:
        return self.root_kind == "module global"

    @property
    def first(self) -> Step:
        return self._steps[0] if self._steps else ENTRY

    @property
    def names(self) -> list[str]:
        """Those on the way, the first first: of attributes, and of keys."""
        return [name for _, name in self._steps if type(name) is str]

    @property
    def steps(self) -> list[Step]:
        """Those that are told: how a Local and a ContextVar keep what they have is their affair."""
        pairs = zip(self._steps, self._found[1:], strict=True)
        return [
            step
            for step, (holder, _) in pairs
            if step != ("attribute", "_storage") and type(holder) is not ContextVar
        ]

    @property
    def value(self) -> Any:
        return self._found[-1][1]

    @property
    def owner(self) -> Any:
        """The class, the function, the instance that the first step is taken from."""
        return self._found[1][0] if len(self._found) > 1 else None

    @property
    def function(self) -> Any:  # mypy binds what is a FunctionType to the trail
        """The one that it is held by, or called by; None where no function has to do with it."""
        if self.root_kind in ("thread", "signal receiver"):
            registered = self._found[0][1]
            return function_of(registered[-1]) if registered else None
        if self.root_kind == "lru_cache":
            return function_of(getattr(self._found[0][1], "__wrapped__", None))
        if self.kind in ("function attribute", *OF_FUNCTIONS.values()):
            function = function_of(self._variable[1] if self._variable else self.owner)
            is_covered = function and self._scope.covers(module_of_function(function))
            return function if is_covered else None
        return None

    @cached_property
    def _variable(self) -> tuple[Step, Any] | None:
        """The last step on the way that leads into a function, and that function."""
        pairs = zip(self._steps, self._found[1:], strict=True)
        found = [(step, holder) for step, (holder, _) in pairs if step[0] in OF_FUNCTIONS]
        return found[-1] if found else None

    @property
    def variable(self) -> Step | None:
        """The step to a function's default, or to what it closes over."""
        return self._variable[0] if self._variable else None

    @cached_property
    def attribute(self) -> tuple[type, str] | None:
        """The last attribute of an instance on the way, by class and name."""
        if self._has_passed(local):
            return None
        pairs = zip(self._steps, self._found[1:], strict=True)
        found = [(type(holder), name) for (way, name), (holder, _) in pairs if way == "attribute"]
        covered = [it for it in found if self._scope.covers(module_of(it[0]))]
        return covered[-1] if covered else None

    def _has_passed(self, kind: type) -> bool:
        return any(issubclass(type(holder), kind) for holder, _ in self._found)


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


def function_of(value: Any) -> FunctionType | None:
    """The function that is behind this, if one is."""
    kind = type(value)  # isinstance would evaluate what is lazy
    function: Any = value.__func__ if kind is MethodType else value
    return function if type(function) is FunctionType else None


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
