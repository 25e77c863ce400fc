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
from resident.leaks.scope import Scope

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


_Item = tuple[int, Any, int, bool, Any]
"""A place, what is there, how many steps may follow, whether what is of the last request is no news
there (a key, and what is in a set and a cache of calls, is looked up by itself), and what is done
with it."""


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
            self._follow(NOWHERE, None, [(step, root.value)], root.depth + 1, is_quiet=False)
        queue = self._queue
        while queue:
            place, value, depth, is_quiet, enter = queue.popleft()
            enter(self, place, value, depth, is_quiet)

    def _follow(
        self, place: int, whole: Any, parts: Iterable[Part], depth: int, *, is_quiet: bool
    ) -> None:
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
                role(self, part, value, depth, is_quiet)
            elif id(value) not in self.seen:
                self.seen.add(id(value))
                is_no_news = is_quiet or step is KEY
                self._queue.append((part, value, depth - 1, is_no_news, role))

    def read_text(self, place: int, text: Any, _: int, is_quiet: bool) -> None:
        base: Any = str if issubclass(type(text), str) else bytes
        size = base.__len__(text)
        self.found.sizes[place] += size
        if is_quiet or size > LONGEST:
            return
        if (self._text if base is str else self._bytes).search(text):
            self.found.marked.add(place)

    def read_number(self, place: int, _: int, __: int, is_quiet: bool) -> None:
        if not is_quiet:
            self.found.marked.add(place)

    def enter_class(self, place: int, cls: type, _: int, is_quiet: bool) -> None:
        if not self._covers(module_of(cls)):
            return
        self._note(place, cls, is_quiet)
        place = self._own_place(place, "class attribute", qualified_name(cls))
        parts = [(("attribute", name), part) for name, part in namespace_of(cls).items()]
        self._follow(place, cls, parts, DEPTH, is_quiet=False)

    def enter_function(self, place: int, function: Any, _: int, is_quiet: bool) -> None:
        """By its own name, unless it only bears the name of what it wraps."""
        module = function.__module__
        if not self._covers(module):
            return
        self._note(place, function, is_quiet)
        if module_of_function(function) == module:
            place = self._own_place(place, "function", f"{module}.{function.__qualname__}")
        self._follow_parts(place, function, DEPTH, is_quiet=False)

    def enter_cache(self, place: int, cache: Any, depth: int, is_quiet: bool) -> None:
        module, name = getattr(cache, "__module__", ""), getattr(cache, "__qualname__", "")
        if not self._covers(module) or type(name) is not str:
            return
        self._note(place, cache, is_quiet)
        place = self._places.root("lru_cache", f"{module}.{name}")
        anatomy = self._looker.anatomy_of(LRU_CACHE)
        if not anatomy.is_bounded(cache):
            self.found.sizes[place] += anatomy.measure(cache)
        if place in self._wanted:
            self.found.wanted[place].append((None, cache))
        self._follow_parts(place, cache, depth, is_quiet=True)
        wrapped = (("attribute", "__wrapped__"), getattr(cache, "__wrapped__", None))
        self._follow(place, cache, [wrapped], depth, is_quiet=False)

    def enter(self, place: int, value: Any, depth: int, is_quiet: bool) -> None:
        self._note(place, value, is_quiet)
        kind = type(value)
        if measure := self._looker.anatomy_of(kind).measure:
            self.found.sizes[place] += measure(value)
        if depth:
            is_quiet = is_quiet or issubclass(kind, (set, frozenset))
            self._follow_parts(place, value, depth, is_quiet=is_quiet)

    def _follow_parts(self, place: int, whole: Any, depth: int, *, is_quiet: bool) -> None:
        parts = self._looker.anatomy_of(type(whole)).parts(whole)
        self._follow(place, whole, parts, depth, is_quiet=is_quiet)

    def _own_place(self, place: int, kind: str, name: str) -> int:
        """That of its name, or where it was found, if another is known by that name already: a
        decorator, for instance, gives all its functions the same one.
        """
        own = self._places.root(kind, name)
        if own in self._named:
            return place
        self._named.add(own)
        return own

    def _note(self, place: int, value: Any, is_quiet: bool) -> None:
        """Where it is of the last request: where a fixed name leads to what each request renews."""
        if id(value) not in self._fresh:
            return
        self.found.homes[id(value)] = place
        kind = type(value)
        if not is_quiet and not issubclass(kind, (tuple, frozenset)):
            self.found.fresh.add(place)
            if self._looker.concerns(kind):
                self.found.own.add(place)


_Role = Callable[[_Search, int, Any, int, bool], None] | None

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
