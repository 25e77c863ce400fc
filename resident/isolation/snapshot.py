"""What a namespace held at one moment, and how it gets back to that."""

from collections import OrderedDict, deque
from operator import is_
from typing import Any

__all__ = ["Snapshot", "contents_of", "refill"]

CONTAINERS: tuple[type, ...] = (list, OrderedDict, dict, set, deque)


class Snapshot:
    """The values of a namespace, and what its lists, dicts, sets and deques contained.

    Compares by identity alone, so that nothing lazy is evaluated and no `__eq__` runs.
    """

    __slots__ = ("_contents", "_values")

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._values: dict[str, Any] = {}
        self._contents: dict[str, list[Any]] = {}
        for name in namespace:
            self.adopt(name, namespace)

    def adopt(self, name: str, namespace: dict[str, Any]) -> None:
        """Take the name for what it is now."""
        self._values.pop(name, None)
        self._contents.pop(name, None)
        if name in namespace:
            value = self._values[name] = namespace[name]
            if issubclass(type(value), CONTAINERS):  # isinstance would evaluate what is lazy
                self._contents[name] = contents_of(value)

    def changes(self, namespace: dict[str, Any]) -> list[str]:
        """The names that are new, gone, bound to something else, or whose container changed."""
        return [*self._rebound(namespace), *self._refilled(namespace)]

    def restore(self, namespace: dict[str, Any], name: str) -> None:
        """Give the name its value back, and the value what it contained."""
        if name not in self._values:
            namespace.pop(name, None)
            return
        namespace[name] = self._values[name]
        if name in self._contents:
            refill(self._values[name], self._contents[name])

    def _rebound(self, namespace: dict[str, Any]) -> list[str]:
        missing = object()
        changed = [
            name
            for name, value in self._values.items()
            if namespace.get(name, missing) is not value
        ]
        return changed + [name for name in namespace if name not in self._values]

    def _refilled(self, namespace: dict[str, Any]) -> list[str]:
        return [
            name
            for name, before in self._contents.items()
            if namespace.get(name) is self._values[name]
            and not _is_same(contents_of(self._values[name]), before)
        ]


def contents_of(container: Any) -> list[Any]:
    """What a container contains: the values of a list or set, the items of a dict."""
    kind = _kind_of(container)
    return list(kind.items(container) if issubclass(kind, dict) else kind.__iter__(container))


def refill(container: Any, contents: list[Any]) -> None:
    """Make the container contain this again, without replacing it: others may refer to it."""
    kind = _kind_of(container)
    kind.clear(container)
    if issubclass(kind, dict | set):
        kind.update(container, contents)
    else:
        kind.extend(container, contents)


def _kind_of(container: Any) -> Any:
    """Python's own type that it is of: what a subclass makes of its contents is its own affair.

    A QueryDict, for one, says that it contains the last of the values that it has for each key.
    """
    return next(kind for kind in CONTAINERS if issubclass(type(container), kind))


def _is_same(now: list[Any], before: list[Any]) -> bool:
    return len(now) == len(before) and all(map(_is_same_entry, now, before))


def _is_same_entry(now: Any, before: Any) -> bool:
    # The items of a dict are made anew each time that they are asked for.
    if type(now) is tuple and type(before) is tuple and len(now) == len(before):
        return all(map(is_, now, before))
    return now is before
