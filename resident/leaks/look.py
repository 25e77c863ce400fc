"""One look at what a process holds: how much, and where something of the last request is.

A look runs nobody's code (see `anatomy`), keeps no reference to what it has seen, and takes about a
microsecond for each object.
"""

import gc
import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from resident.definitions import (
    module_of,
    module_of_function,
    name_of_function,
    namespace_of,
    qualified_name,
)
from resident.leaks.anatomy import KEY, Part
from resident.leaks.kinds import Kind, Kinds, Owner, Role
from resident.leaks.places import NOWHERE, Places
from resident.leaks.scope import Scope

__all__ = ["NO_TRACES", "Look", "Looker", "Root", "Traces", "uncollected"]

DEPTH = 8
"""So many steps from a name."""

LONGEST = 1_000_000
"""Texts with more characters or bytes are not searched."""


@dataclass(frozen=True)
class Root:
    """A name that is found by itself, and what is there.

    Attributes:
        depth: how many steps are taken from there.
        is_of_all: whether all register their own there, and it is by their own name that it is told
            what these hold.
        fingerprint: what changes when something is put in there; None where the value tells.
    """

    kind: str
    name: str
    value: Any
    depth: int = DEPTH
    fingerprint: Callable[[], Hashable] | None = None
    is_of_all: bool = False


@dataclass(frozen=True)
class Traces:
    """What tells that something is of the last request."""

    strings: Collection[str] = ()
    numbers: Collection[int] = ()
    fresh: Collection[int] = ()
    """The ids of the objects that it has made, and that are still there."""


NO_TRACES = Traces()


@dataclass
class Look:
    """What was seen, by the number of its place.

    Attributes:
        sizes: how much each place holds.
        marked: places with a token of the last request.
        fresh: places with an object that the last request has made.
        own: those of them where it is one of what is looked at, or should end with its request;
            anything else may be worked out anew each time.
        homes: of each such object, by its id, the place where it was found.
        left: places that the last request has changed, whatever it put there.
        wanted: what is at the places that were asked for, each with what holds it.
    """

    sizes: Counter[int] = field(default_factory=Counter)
    marked: set[int] = field(default_factory=set)
    fresh: set[int] = field(default_factory=set)
    homes: dict[int, int] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)
    left: set[int] = field(default_factory=set)
    wanted: dict[int, list[tuple[Any, Any]]] = field(default_factory=lambda: defaultdict(list))


QUIET = 1
"""A way through a set, a key, a cache of calls: what is of the last request is looked up there by
itself, and no news."""

ABROAD = 2
"""A way through an instance of the framework's or of a package's, which may hold anybody's."""

_Item = tuple[int, Any, Kind, int, int]
"""A place, what is there, its kind, how many steps may follow, and the way to it."""


class Looker:
    """Looks from the same roots again and again; lives as long as a hunt.

    Args:
        scope: what is entered.
        places: numbers what is seen.
        kept: names of classes whose instances end with their request.
    """

    def __init__(self, scope: Scope, places: Places, kept: Collection[str] = ()) -> None:
        self.kinds = Kinds(scope, kept)
        self.places = places

    def look(
        self, roots: Iterable[Root], traces: Traces = NO_TRACES, wanted: Collection[int] = ()
    ) -> Look:
        """What is there now. Of the places that are wanted it gives the objects, too."""
        search = _Search(self, traces, frozenset(wanted))
        search.run(roots)
        return search.found

    def entered(self, roots: Iterable[Root]) -> set[int]:
        """The ids of all that these roots lead to."""
        search = _Search(self, NO_TRACES, frozenset())
        search.run(roots)
        return search.seen


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is collected meanwhile: what a look makes would only set the collector off."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Search:
    """One run through all that the roots lead to, the shortest ways first."""

    def __init__(self, looker: Looker, traces: Traces, wanted: frozenset[int]) -> None:
        self.found = Look()
        self.seen: set[int] = set()
        self._kinds = looker.kinds
        self._covers = looker.kinds.scope.covers
        self._places = looker.places
        self._wanted = wanted
        self._numbers = frozenset(traces.numbers)
        self._fresh = traces.fresh
        strings = sorted(traces.strings, key=len, reverse=True)
        pattern = "|".join(map(re.escape, strings)) if strings else r"(?!)"
        self._text = re.compile(pattern)
        self._bytes = re.compile(pattern.encode())
        self._named: set[int] = set()
        self._queue: deque[_Item] = deque()

    def run(self, roots: Iterable[Root]) -> None:
        for root in roots:
            step = (root.kind, root.name)
            way = ABROAD if root.is_of_all else 0
            self._follow(NOWHERE, None, [(step, root.value)], root.depth + 1, way)
        enter = {
            Role.CLASS: self._enter_class,
            Role.FUNCTION: self._enter_function,
            Role.CACHE: self._enter_cache,
            Role.WHOLE: self._enter,
        }
        queue = self._queue
        while queue:
            place, value, kind, depth, way = queue.popleft()
            enter[kind.role](place, value, kind, depth, way)

    def _follow(self, place: int, whole: Any, parts: Iterable[Part], depth: int, way: int) -> None:
        """Take note of the parts, and of those that have parts themselves for later."""
        kinds, part_of = self._kinds, self._places.part
        for step, value in parts:
            cls = type(value)
            kind = kinds.get(id(cls)) or kinds.of(cls)
            role = kind.role
            if role is _PASSED_BY or (role is _NUMBER and not self._is_token(value)):
                continue
            part = part_of(place, step)
            if part in self._wanted:
                self.found.wanted[part].append((whole, value))
            if role is _TEXT:
                self._read(part, value, kind, way)
            elif role is _NUMBER:
                self._mark(part, way)
            elif id(value) not in self.seen:
                self.seen.add(id(value))
                further = way | QUIET if step is KEY else way
                self._queue.append((part, value, kind, depth - 1, further))
            else:  # somebody else holds it, too
                self._note(part, value, kind, way)

    def _read(self, place: int, text: Any, kind: Kind, way: int) -> None:
        base: Any = str if issubclass(type(text), str) else bytes
        size = base.__len__(text)
        self.found.sizes[place] += size
        if type(text) is not base:
            self._note(place, text, kind, way)
        if size <= LONGEST and (self._text if base is str else self._bytes).search(text):
            self._mark(place, way)

    def _is_token(self, number: Any) -> bool:
        return type(number) is int and number in self._numbers

    def _mark(self, place: int, way: int) -> None:
        if not way & QUIET:
            self.found.marked.add(place)

    def _enter_class(self, place: int, cls: Any, kind: Kind, _: int, way: int) -> None:
        if not self._covers(module_of(cls)):
            return
        self._note(place, cls, kind, way)
        place = self._own_place(place, "class attribute", qualified_name(cls), cls)
        parts = [(("attribute", name), part) for name, part in namespace_of(cls).items()]
        self._follow(place, cls, parts, DEPTH, 0)

    def _enter_function(self, place: int, function: Any, kind: Kind, _: int, way: int) -> None:
        """By its own name, unless it only bears the name of what it wraps.

        Whoever has written what the last request has made: as the request's own, it is entered.
        """
        module = function.__module__
        if not self._covers(module) and id(function) not in self._fresh:
            return
        self._note(place, function, kind, way)
        writer = module_of_function(function)
        if writer == module:
            name = name_of_function(function)
            place = self._own_place(place, "function", name, function)
        further = 0 if self._covers(writer) else ABROAD
        if id(function) in self._fresh:
            further |= way & QUIET
        self._follow(place, function, kind.anatomy.parts(function), DEPTH, further)

    def _enter_cache(self, place: int, cache: Any, kind: Kind, depth: int, way: int) -> None:
        module, name = getattr(cache, "__module__", ""), getattr(cache, "__qualname__", "")
        if not self._covers(module) or type(name) is not str:
            return
        self._note(place, cache, kind, way)
        place = self._places.root("lru_cache", f"{module}.{name}")
        if not kind.anatomy.is_bounded(cache):
            self.found.sizes[place] += kind.anatomy.measure(cache)
        if place in self._wanted:
            self.found.wanted[place].append((None, cache))
        self._follow(place, cache, kind.anatomy.parts(cache), depth, QUIET)
        wrapped = (("attribute", "__wrapped__"), getattr(cache, "__wrapped__", None))
        self._follow(place, cache, [wrapped], depth, 0)

    def _enter(self, place: int, value: Any, kind: Kind, depth: int, way: int) -> None:
        if way & ABROAD and kind.owner is Owner.OTHERS:
            return
        if way & ABROAD and kind.owner is Owner.COVERED:
            # What is registered for good is known by its class, whatever the way to it.
            name = qualified_name(type(value))
            place = self._own_place(place, "instance attribute", name, value)
        self._note(place, value, kind, way)
        if measure := kind.anatomy.measure:
            self.found.sizes[place] += measure(value)
        if depth:
            further = _further(way, value, kind)
            self._follow(place, value, kind.anatomy.parts(value), depth, further)

    def _own_place(self, place: int, kind: str, name: str, value: Any) -> int:
        """That of its name; or where it was found, if the last request has made it, or if another
        is known by that name already: a decorator gives all its functions the same one.
        """
        own = self._places.root(kind, name)
        if own in self._named or id(value) in self._fresh:
            return place
        self._named.add(own)
        return own

    def _note(self, place: int, value: Any, kind: Kind, way: int) -> None:
        """Where it is of the last request: where a fixed name leads to what each request renews."""
        if id(value) not in self._fresh:
            return
        self.found.homes.setdefault(id(value), place)
        if not way & QUIET and not issubclass(type(value), (tuple, frozenset)):
            self.found.fresh.add(place)
            if kind.tells:
                self.found.own.add(place)


def _further(way: int, whole: Any, kind: Kind) -> int:
    """The way to the parts of a whole that was come to by this one."""
    if issubclass(type(whole), (set, frozenset)):
        way |= QUIET
    if kind.owner is Owner.HOLDER:
        return way
    return way & QUIET if kind.owner is Owner.COVERED else way | ABROAD


_PASSED_BY, _TEXT, _NUMBER = Role.PASSED_BY, Role.TEXT, Role.NUMBER
