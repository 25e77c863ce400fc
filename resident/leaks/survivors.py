"""The objects of requests that outlive them."""

import types
from collections.abc import Iterable
from typing import Any

from resident.definitions import module_of, module_of_function, name_of_function, qualified_name
from resident.leaks.kinds import Kinds

__all__ = ["Survivors"]


class Survivors:
    """Requests, users, model instances and the project's own objects that a request has made and
    that are there after it; lives as long as a hunt, and keeps only those of the last request.

    Args:
        kinds: knows whose objects count.
    """

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._common: set[str] | None = None
        self._last: list[Any] = []

    @property
    def own_ids(self) -> set[int]:
        """The ids of what refers to the objects only because they are counted here."""
        return {id(self._last)}

    def take(self, made: Iterable[Any]) -> None:
        """Count what one request has made."""
        self._last.clear()
        self._last += [it for it in made if self._counts(it)]
        names = set(map(_name_of, self._last))
        self._common = names if self._common is None else self._common & names

    def of_every_request(self) -> list[Any]:
        """Those of the last request whose like every other one left behind."""
        common = self._common or set()
        self._last[:] = [it for it in self._last if _name_of(it) in common]
        return self._last

    def _counts(self, value: Any) -> bool:
        kind = type(value)
        if kind is types.FunctionType:
            return self._kinds.scope.covers(module_of_function(value))
        if issubclass(kind, type):
            return self._kinds.scope.covers(module_of(value))
        return self._kinds.of(kind).tells


def _name_of(value: Any) -> str:
    kind = type(value)
    if kind is types.FunctionType:
        return name_of_function(value)
    return qualified_name(value) if issubclass(kind, type) else f"one {qualified_name(kind)}"
