"""The way from a name to what is held there, with what was found on it."""

from collections.abc import Mapping
from contextvars import ContextVar
from functools import cached_property
from threading import local
from typing import Any

from resident.definitions import function_of, module_of, module_of_function
from resident.leaks.anatomy import ENTRY, Step
from resident.leaks.places import Places
from resident.leaks.scope import Scope

__all__ = ["Held", "Trail"]

Held = Mapping[int, list[tuple[Any, Any]]]
"""What is at a place, each with what holds it; the newest last."""

OF_FUNCTIONS = {"default": "function default", "closure": "closure"}
"""The kinds of what is held by a function, by the step that leads there."""


class Trail:
    """One of them; lives as long as it takes to tell it."""

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
        return [
            step
            for step, holder in self._pairs
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
        found = [(step, holder) for step, holder in self._pairs if step[0] in OF_FUNCTIONS]
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
        found = [(type(it), name) for (way, name), it in self._pairs if way == "attribute"]
        covered = [it for it in found if self._scope.covers(module_of(it[0]))]
        return covered[-1] if covered else None

    @property
    def _pairs(self) -> list[tuple[Step, Any]]:
        """Each step, and what it is taken from."""
        holders = (holder for holder, _ in self._found[1:])
        return list(zip(self._steps, holders, strict=True))

    def _has_passed(self, kind: type) -> bool:
        return any(issubclass(type(holder), kind) for holder, _ in self._found)
