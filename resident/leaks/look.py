"""One look at what a process holds: how much, and where something of the last request is.

A look runs nobody's code (see `anatomy`), keeps no reference to what it has seen, and takes about a
microsecond for each object.
"""

import gc
import re
import types
import weakref
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from resident.leaks.anatomy import (
    KEY,
    LRU_CACHE,
    Anatomy,
    Part,
    lineage,
    module_of,
    module_of_function,
    namespace_of,
    qualified_name,
)
from resident.leaks.places import NOWHERE, Places
from resident.leaks.scope import Scope, is_of_python

__all__ = ["NO_TRACES", "Look", "Looker", "Root", "Traces", "uncollected"]

DEPTH = 8
"""So many steps from a name."""

LONGEST = 1_000_000
"""Texts with more characters or bytes are not searched."""

NOT_ENTERED = frozenset({
    "logging.Logger",
    "logging.Manager",
    "threading.Thread",
    "django.apps.config.AppConfig",
    "django.apps.registry.Apps",
    "django.conf.LazySettings",
    "django.core.handlers.base.BaseHandler",
    "django.db.backends.base.base.BaseDatabaseWrapper",
    "django.dispatch.dispatcher.Signal",
    "django.utils.connection.BaseConnectionHandler",
    "django.utils.connection.ConnectionProxy",
})  # fmt: skip
"""Classes whose instances lead to everything, and have roots of their own where that is needed."""

LEAVES = (
    types.ModuleType, types.CodeType, types.BuiltinFunctionType, types.GetSetDescriptorType,
    types.MemberDescriptorType, types.WrapperDescriptorType, types.MethodDescriptorType,
    types.MethodWrapperType, types.ClassMethodDescriptorType, weakref.ref, float, complex, bool,
    type(None), type(Ellipsis), type(NotImplemented), range, re.Pattern,
)  # fmt: skip


@dataclass(frozen=True)
class Root:
    """A name that is found by itself, and what is there.

    Attributes:
        depth: how many steps are taken from there.
        fingerprint: what changes when something is put in there; None where the value tells.
    """

    kind: str
    name: str
    value: Any
    depth: int = DEPTH
    fingerprint: Callable[[], Hashable] | None = None


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


_Item = tuple[int, Any, int, int, Any]
"""A place, what is there, how many steps may follow, how it was come to, what is done with it."""

QUIET = 1
"""Through a set, a key, a cache of calls: what is of the last request is looked up there by itself,
and no news."""

ABROAD = 2
"""Through an instance whose class is not looked at, and which may hold what is anybody's."""


_COVERED, _FRAMEWORK, _OTHERS, _NO_MANS = range(4)


class Looker:
    """Looks from the same roots again and again; lives as long as a hunt.

    Args:
        scope: what is entered.
        places: numbers what is seen.
        kept: names of classes whose instances end with their request.
    """

    def __init__(self, scope: Scope, places: Places, kept: Collection[str] = ()) -> None:
        self.scope = scope
        self._kept = frozenset(kept)
        self._concerns: dict[int, tuple[type, bool]] = {}
        self._lands: dict[int, tuple[type, int]] = {}
        self.places = places
        self.roles: dict[int, _Role] = {}
        self._kinds: list[type] = []
        self._anatomies: dict[int, Anatomy] = {}

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

    def role_of(self, kind: type) -> "_Role":
        """What a search does with the instances of a class; None where it passes them by."""
        role = self.roles[id(kind)] = self._role(kind)
        self._kinds.append(kind)  # so that its id is not given to another
        return role

    def is_of_request(self, kind: type) -> bool:
        """Whether an instance should end with its request: it is one, a user, a row of a table."""
        return any(qualified_name(base) in self._kept for base in lineage(kind))

    def concerns(self, kind: type) -> bool:
        """Whether an instance is told by itself when a request has left it: not each is."""
        known = self._concerns.get(id(kind))
        if known is None:
            concerns = self._is_covered(kind) or self.is_of_request(kind)
            known = self._concerns[id(kind)] = (kind, concerns)
        return known[1]

    def land_of(self, kind: type) -> int:
        """Whose an instance is: of what is looked at, of the framework, of others, or, as a list
        and whatever Python brings, of whoever holds it.
        """
        known = self._lands.get(id(kind))
        if known is None:
            known = self._lands[id(kind)] = (kind, self._land(kind))
        return known[1]

    def _land(self, kind: type) -> int:
        module = module_of(kind)
        if self.scope.covers(module):
            return _COVERED
        if is_of_python(module):
            return _NO_MANS
        return _FRAMEWORK if self.scope.may_hold(module) else _OTHERS

    def anatomy_of(self, kind: type) -> Anatomy:
        anatomy = self._anatomies.get(id(kind))
        if anatomy is None:
            anatomy = self._anatomies[id(kind)] = Anatomy(kind)
        return anatomy

    def _role(self, kind: type) -> "_Role":
        if self.scope.is_of_tests(module_of(kind)):
            return None
        for bases, role in _ROLES:
            if issubclass(kind, bases) and not (role is None and self._is_covered(kind)):
                return role
        bases_of_kind = map(qualified_name, lineage(kind))
        leads_to_all = not self._is_covered(kind) and not NOT_ENTERED.isdisjoint(bases_of_kind)
        return None if leads_to_all else _Search.enter

    def _is_covered(self, kind: type) -> bool:
        return self.scope.covers(module_of(kind))


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
        self._looker = looker
        self._places = looker.places
        self._covers = looker.scope.covers
        self._wanted = wanted
        self._numbers = frozenset(traces.numbers)
        self._fresh = traces.fresh
        strings = sorted(traces.strings, key=len, reverse=True)
        pattern = "|".join(map(re.escape, strings)) if strings else r"(?!)"
        self._text = re.compile(pattern)
        self._bytes = re.compile(pattern.encode())
        self.seen: set[int] = set()
        self._named: set[int] = set()
        self._queue: deque[_Item] = deque()

    def run(self, roots: Iterable[Root]) -> None:
        for root in roots:
            step = (root.kind, root.name)
            self._follow(NOWHERE, None, [(step, root.value)], root.depth + 1, 0)
        queue = self._queue
        while queue:
            place, value, depth, how, enter = queue.popleft()
            enter(self, place, value, depth, how)

    def _follow(self, place: int, whole: Any, parts: Iterable[Part], depth: int, how: int) -> None:
        """Take note of the parts, and of those that have parts themselves for later."""
        roles, role_of, part_of = self._looker.roles, self._looker.role_of, self._places.part
        for step, value in parts:
            kind = type(value)
            try:
                role = roles[id(kind)]
            except KeyError:
                role = role_of(kind)
            if role is None:
                continue
            if role is _READ_NUMBER and not (kind is int and value in self._numbers):
                continue
            part = part_of(place, step)
            if part in self._wanted:
                self.found.wanted[part].append((whole, value))
            if role in _READ:
                role(self, part, value, depth, how)
            elif id(value) not in self.seen:
                self.seen.add(id(value))
                way = how | QUIET if step is KEY else how
                self._queue.append((part, value, depth - 1, way, role))

    def read_text(self, place: int, text: Any, _: int, how: int) -> None:
        base: Any = str if issubclass(type(text), str) else bytes
        size = base.__len__(text)
        self.found.sizes[place] += size
        if type(text) is not base:
            self._note(place, text, how)
        if how & QUIET or size > LONGEST:
            return
        if (self._text if base is str else self._bytes).search(text):
            self.found.marked.add(place)

    def read_number(self, place: int, _: int, __: int, how: int) -> None:
        if not how & QUIET:
            self.found.marked.add(place)

    def enter_class(self, place: int, cls: type, _: int, how: int) -> None:
        if not self._covers(module_of(cls)):
            return
        self._note(place, cls, how)
        place = self._own_place(place, "class attribute", qualified_name(cls), cls)
        parts = [(("attribute", name), part) for name, part in namespace_of(cls).items()]
        self._follow(place, cls, parts, DEPTH, 0)

    def enter_function(self, place: int, function: Any, _: int, how: int) -> None:
        """By its own name, unless it only bears the name of what it wraps."""
        module = function.__module__
        if not self._covers(module):
            return
        self._note(place, function, how)
        if module_of_function(function) == module:
            name = f"{module}.{function.__qualname__}"
            place = self._own_place(place, "function", name, function)
        self._follow_parts(place, function, DEPTH, 0)

    def enter_cache(self, place: int, cache: Any, depth: int, how: int) -> None:
        module, name = getattr(cache, "__module__", ""), getattr(cache, "__qualname__", "")
        if not self._covers(module) or type(name) is not str:
            return
        self._note(place, cache, how)
        place = self._places.root("lru_cache", f"{module}.{name}")
        anatomy = self._looker.anatomy_of(LRU_CACHE)
        if not anatomy.is_bounded(cache):
            self.found.sizes[place] += anatomy.measure(cache)
        if place in self._wanted:
            self.found.wanted[place].append((None, cache))
        self._follow_parts(place, cache, depth, QUIET)
        wrapped = (("attribute", "__wrapped__"), getattr(cache, "__wrapped__", None))
        self._follow(place, cache, [wrapped], depth, 0)

    def enter(self, place: int, value: Any, depth: int, how: int) -> None:
        kind = type(value)
        land = self._looker.land_of(kind)
        if land is not _NO_MANS and how & ABROAD:
            if land is _OTHERS:
                return
            if land is _COVERED:  # there is no telling the way by which it was come to
                place = self._places.root("instance attribute", qualified_name(kind))
        self._note(place, value, how)
        if measure := self._looker.anatomy_of(kind).measure:
            self.found.sizes[place] += measure(value)
        if depth:
            if issubclass(kind, (set, frozenset)):
                how |= QUIET
            if land is not _NO_MANS:
                how = how & QUIET if land is _COVERED else how | ABROAD
            self._follow_parts(place, value, depth, how)

    def _follow_parts(self, place: int, whole: Any, depth: int, how: int) -> None:
        parts = self._looker.anatomy_of(type(whole)).parts(whole)
        self._follow(place, whole, parts, depth, how)

    def _own_place(self, place: int, kind: str, name: str, value: Any) -> int:
        """That of its name; or where it was found, if the last request has made it, or if another
        is known by that name already: a decorator gives all its functions the same one.
        """
        own = self._places.root(kind, name)
        if own in self._named or id(value) in self._fresh:
            return place
        self._named.add(own)
        return own

    def _note(self, place: int, value: Any, how: int) -> None:
        """Where it is of the last request: where a fixed name leads to what each request renews."""
        if id(value) not in self._fresh:
            return
        self.found.homes[id(value)] = place
        kind = type(value)
        if not how & QUIET and not issubclass(kind, (tuple, frozenset)):
            self.found.fresh.add(place)
            if self._looker.concerns(kind):
                self.found.own.add(place)


_Role = Callable[[_Search, int, Any, int, int], None] | None

_ROLES: tuple[tuple[Any, _Role], ...] = (
    ((str, bytes), _Search.read_text),
    (LEAVES, None),
    (int, _Search.read_number),
    (type, _Search.enter_class),
    (types.FunctionType, _Search.enter_function),
    (LRU_CACHE, _Search.enter_cache),
)
"""What is done with the instances of some classes; the others are entered."""

_READ_NUMBER = _Search.read_number
_READ = (_Search.read_text, _Search.read_number)
