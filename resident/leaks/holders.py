"""Who keeps an object alive: the way back to a name, through what refers to it."""

import gc
import sys
import traceback
import types
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from resident.definitions import (
    module_of,
    name_of_function,
    namespace_of,
    namespace_of_module,
    qualified_name,
)
from resident.leaks.anatomy import Anatomy, Step

__all__ = ["Holder", "holder_of"]

DEPTH = 16
"""So many steps back: a lazy object alone takes six, from what it was made of to who holds it."""

MOST = 500
"""So many objects are asked who refers to them, which takes some milliseconds each."""

WIDEST = 200
"""What has more referrers than that is shared by everybody, and leads nowhere."""


@dataclass(frozen=True)
class Holder:
    """The name from which an object is held.

    Attributes:
        module: the one that defines what the name is of.
        name: with dots, and the steps from there to the object.
        chain: the objects on the way, the outermost first.
        steps: those between them; None where one has no name.
    """

    module: str
    name: str
    chain: list[Any]
    steps: list[Step | None]


def holder_of(value: object, besides: Collection[int] = ()) -> Holder | None:
    """The nearest name that holds the object; None where only what has no name does.

    Args:
        value: what is held.
        besides: the ids of objects that refer to it and are the asker's own.
    """
    modules = {
        id(namespace_of_module(it)): name
        for name, it in list(sys.modules.items())
        if name.partition(".")[0] != "resident"  # which refers to what others keep
    }
    found: list[Any] = [value]
    parents, depths = [0], [0]
    ignored = {id(found), *besides}
    place = 0
    while place < min(len(found), MOST):
        if named := _name_of(found[place], modules):
            return _holder(named, _way(found, parents, place))
        if depths[place] < DEPTH:
            new = _referrers(found[place], ignored | set(map(id, found)))
            found += new
            parents += [place] * len(new)
            depths += [depths[place] + 1] * len(new)
            del new  # it refers to them as well
        place += 1
    return None


def _referrers(value: Any, ignored: Collection[int]) -> list[Any]:
    found = gc.get_referrers(value)
    if len(found) > WIDEST:
        return []
    return [it for it in found if id(it) not in ignored and not _is_running(it)]


def _is_running(value: object) -> bool:
    """Whether it is a call that has not returned: it holds what it works on, and ends."""
    if type(value) is not types.FrameType:
        return False
    innermost = sys._current_frames().values()  # noqa: SLF001 - no other way to them
    return any(frame is value for first in innermost for frame, _ in traceback.walk_stack(first))


def _name_of(value: Any, modules: dict[int, str]) -> tuple[str, str] | None:
    """Module and dotted name of what is found by itself."""
    kind = type(value)
    if kind is dict and id(value) in modules:
        return modules[id(value)], modules[id(value)]
    if issubclass(kind, type):
        return module_of(value), qualified_name(value)
    if kind is types.FunctionType and "<locals>" not in value.__qualname__:
        return str(value.__module__), name_of_function(value)
    return None


def _way(found: list[Any], parents: list[int], place: int) -> list[Any]:
    """From what was found there back to the beginning."""
    way = [found[place]]
    while place:
        place = parents[place]
        way.append(found[place])
    return way


def _holder(named: tuple[str, str], way: list[Any]) -> Holder:
    module, name = named
    steps = [_step(whole, part) for whole, part in pairwise(way)]
    is_namespace = type(way[0]) is dict
    for whole, step, part in zip(way, steps, way[1:], strict=False):
        if step and step[0] in ("entry", "key", "object") and not is_namespace:
            name += "['…']" if issubclass(type(whole), dict) else "[…]"
            break  # what is in an entry is of the entry's making
        name += _rendered(step)
        is_namespace = step is None and type(part) is dict  # from an instance to its attributes
    return Holder(module, name, way, steps)


def _step(whole: Any, part: Any) -> Step | None:
    """The step between them; None where there is none to name, as from a function to a cell."""
    kind = type(whole)
    if issubclass(kind, type):
        items = list(namespace_of(whole).items())
        return next((("attribute", name) for name, it in items if it is part), None)
    return next((step for step, it in Anatomy(kind).parts(whole) if it is part), None)


def _rendered(step: Step | None) -> str:
    if step is None:
        return ""
    way, name = step
    return f"({name})" if way in ("closure", "default") else f".{name}"
