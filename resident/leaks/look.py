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
    LRU_CACHE,
    Anatomy,
    lineage,
    module_of,
    module_of_function,
    namespace_of,
    qualified_name,
)
from resident.leaks.places import Places
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
        homes: of each such object, by its id, the place where it was found.
        left: places that the last request has changed, whatever it put there.
        wanted: what is at the places that were asked for, each with what holds it.
    """

    sizes: Counter[int] = field(default_factory=Counter)
    marked: set[int] = field(default_factory=set)
    fresh: set[int] = field(default_factory=set)
    homes: dict[int, int] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)
    wanted: dict[int, list[tuple[Any, Any]]] = field(default_factory=lambda: defaultdict(list))


_Item = tuple[int, Any, Any, int, bool]
"""A place, what is there, what holds it, how many steps may follow, and whether what is of the last
request is no news there: in a set and in a cache of calls it is looked up by itself."""


class Looker:
    """Looks from the same roots again and again; lives as long as a hunt."""

    def __init__(self, scope: Scope, places: Places) -> None:
        self.scope = scope
        self.places = places
        self._roles: dict[int, tuple[type, Callable[[_Search, _Item, type], None] | None]] = {}
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

    def role_of(self, kind: type) -> "Callable[[_Search, _Item, type], None] | None":
        """What a search does with an instance of this class; None where it passes by."""
        known = self._roles.get(id(kind))
        if known is None:
            # The class is kept, so that its id is not given to another.
            known = self._roles[id(kind)] = (kind, self._role(kind))
        return known[1]

    def anatomy_of(self, kind: type) -> Anatomy:
        anatomy = self._anatomies.get(id(kind))
        if anatomy is None:
            anatomy = self._anatomies[id(kind)] = Anatomy(kind)
        return anatomy

    def _role(self, kind: type) -> "Callable[[_Search, _Item, type], None] | None":
        if issubclass(kind, (str, bytes)):
            return _Search.read_text
        if issubclass(kind, LEAVES):
            return None
        if issubclass(kind, int):
            return _Search.read_number
        if issubclass(kind, type):
            return _Search.enter_class
        if kind is types.FunctionType:
            return _Search.enter_function
        if kind is LRU_CACHE:
            return _Search.enter_cache
        bases = lineage(kind)
        if any(qualified_name(base) in NOT_ENTERED for base in bases) and not self._is_covered(
            kind
        ):
            return None
        return _Search.enter

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
            place = self._places.root(root.kind, root.name)
            self._queue.append((place, root.value, None, root.depth, False))
        queue, seen, role_of = self._queue, self.seen, self._looker.role_of
        while queue:
            item = queue.popleft()
            value = item[1]
            if item[0] in self._wanted:
                self.found.wanted[item[0]].append((item[2], value))
            act = role_of(kind := type(value))
            if act is None:
                continue
            if act is _Search.read_text or act is _Search.read_number:
                act(self, item, kind)
            elif id(value) not in seen:
                seen.add(id(value))
                act(self, item, kind)

    def read_text(self, item: _Item, kind: type) -> None:
        place, text, _, _, is_quiet = item
        base: Any = str if issubclass(kind, str) else bytes
        size = base.__len__(text)
        self.found.sizes[place] += size
        if is_quiet or size > LONGEST:
            return
        if (self._text if base is str else self._bytes).search(text):
            self.found.marked.add(place)

    def read_number(self, item: _Item, kind: type) -> None:
        if not item[4] and kind is int and item[1] in self._numbers:
            self.found.marked.add(item[0])

    def enter_class(self, item: _Item, kind: type) -> None:  # noqa: ARG002 - as the others
        value = item[1]
        if not self._covers(module_of(value)):
            return
        self._note(item, type(value))
        place = self._own_place(item, "class attribute", qualified_name(value))
        for name, part in list(namespace_of(value).items()):
            step = ("attribute", name)
            self._queue.append((self._places.part(place, step), part, value, DEPTH, False))

    def enter_function(self, item: _Item, kind: type) -> None:
        """By its own name, unless it only bears the name of what it wraps."""
        function = item[1]
        if not self._covers(function.__module__):
            return
        self._note(item, kind)
        name = f"{function.__module__}.{function.__qualname__}"
        is_own = module_of_function(function) == function.__module__
        place = self._own_place(item, "function", name) if is_own else item[0]
        self._enter_parts(place, function, kind, DEPTH, is_quiet=False)

    def enter_cache(self, item: _Item, kind: type) -> None:
        cache = item[1]
        module, name = getattr(cache, "__module__", ""), getattr(cache, "__qualname__", "")
        if not self._covers(module) or type(name) is not str:
            return
        self._note(item, kind)
        place = self._places.root("lru_cache", f"{module}.{name}")
        anatomy = self._looker.anatomy_of(kind)
        if not anatomy.is_bounded(cache):
            self.found.sizes[place] += anatomy.measure(cache)
        if place in self._wanted:
            self.found.wanted[place].append((None, cache))
        self._enter_parts(place, cache, kind, item[3], is_quiet=True)
        wrapped = self._places.part(place, ("attribute", "__wrapped__"))
        self._queue.append((wrapped, getattr(cache, "__wrapped__", None), cache, item[3], False))

    def enter(self, item: _Item, kind: type) -> None:
        place, value, _, depth, is_quiet = item
        self._note(item, kind)
        anatomy = self._looker.anatomy_of(kind)
        if anatomy.measure:
            self.found.sizes[place] += anatomy.measure(value)
        if depth:
            is_quiet = is_quiet or issubclass(kind, (set, frozenset))
            self._enter_parts(place, value, kind, depth, is_quiet=is_quiet)

    def _enter_parts(
        self, place: int, whole: Any, kind: type, depth: int, *, is_quiet: bool
    ) -> None:
        part_of, append = self._places.part, self._queue.append
        for step, part in self._looker.anatomy_of(kind).parts(whole):
            append((part_of(place, step), part, whole, depth - 1, is_quiet))

    def _own_place(self, item: _Item, kind: str, name: str) -> int:
        """That of its name, or where it was found, if another is known by that name already: a
        decorator, for instance, gives all its functions the same one.
        """
        place = self._places.root(kind, name)
        if place in self._named:
            return item[0]
        self._named.add(place)
        return place

    def _note(self, item: _Item, kind: type) -> None:
        """Where it is of the last request: where a fixed name leads to what each request renews."""
        place, value, _, _, is_quiet = item
        if id(value) in self._fresh:
            self.found.homes[id(value)] = place
            if not is_quiet and not issubclass(kind, (tuple, frozenset)):
                self.found.fresh.add(place)
