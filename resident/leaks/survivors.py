"""The objects of requests that outlive them."""

import types
from collections.abc import Iterable
from typing import Any

from resident.leaks.anatomy import lineage, module_of, module_of_function, qualified_name
from resident.leaks.scope import Scope

__all__ = ["Survivors"]


class Survivors:
    """Requests, users, model instances and the project's own objects that a request has made and
    that are there after it; lives as long as a hunt, and keeps only those of the last request.

    Args:
        kept: names of classes whose instances end with their request.
        scope: whose objects count beside them.
    """

    def __init__(self, kept: frozenset[str], scope: Scope) -> None:
        self._kept = kept
        self._scope = scope
        self._of_request: dict[int, tuple[type, bool]] = {}
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

    def is_of_request(self, kind: type) -> bool:
        """Whether it is a request, a user, a model instance: what should end with the request."""
        known = self._of_request.get(id(kind))
        if known is None:
            is_one = any(qualified_name(base) in self._kept for base in lineage(kind))
            known = self._of_request[id(kind)] = (kind, is_one)
        return known[1]

    def _counts(self, value: Any) -> bool:
        kind = type(value)
        if kind is types.FunctionType:
            return self._scope.covers(module_of_function(value))
        owner = value if issubclass(kind, type) else kind
        return self._scope.covers(module_of(owner)) or self.is_of_request(kind)


def _name_of(value: Any) -> str:
    kind = type(value)
    if kind is types.FunctionType:
        return f"{value.__module__}.{value.__qualname__}"
    return qualified_name(value) if issubclass(kind, type) else f"one {qualified_name(kind)}"
