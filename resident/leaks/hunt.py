"""The procedure that tells what leaks from what warms up.

Requests that warm up; two looks with nothing between them, which tell what changes by itself; then
requests, each with tokens of its own, and a look after each. What grows steadily, and where each of
them has left something of its own, is suspected. What grows is confirmed by many more requests:
what has a bound stops. One more request, followed line by line, tells who put it in.
"""

import contextvars
import gc
from _io import _IOBase  # io.IOBase is an ABC, which asks metaclasses
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from socket import socket
from typing import Any, Protocol

from resident.leaks.anatomy import Anatomy
from resident.leaks.comparison import goes_on, growing, outermost, renewed, restless
from resident.leaks.fingerprints import fingerprints_of
from resident.leaks.holders import Holder, holder_of
from resident.leaks.leak import Leak
from resident.leaks.look import NO_TRACES, Look, Looker, Root, Traces, uncollected
from resident.leaks.places import Places
from resident.leaks.roots import of_names, of_strays
from resident.leaks.scope import Scope
from resident.leaks.source import Sources
from resident.leaks.survivors import Survivors
from resident.leaks.telling import Suspect, Teller
from resident.leaks.tracing import traced
from resident.leaks.visit import Visit

__all__ = ["Framework", "Hunt", "Probe", "hunt"]

WARM_UP = 3
"""Requests before the first look: the first fills caches, and the second what that one needs."""

ROUNDS, PER_ROUND = 3, 100
"""So many requests confirm what grows; a cache that keeps up to some 250 entries stops before."""


class Framework(Protocol):
    """What a hunt has to know of the framework that serves the requests."""

    kept: frozenset[str]

    def roots(self) -> Iterable[Root]:
        """Names of its own at which a look begins."""
        ...

    def contents(self, variable: contextvars.ContextVar[Any], value: Any) -> dict[str, Any]:
        """What a context's variable holds, by dotted name; nothing where the framework ends it."""
        ...


class Probe(Protocol):
    """Notices what a request changes, and puts it back, so that the next one changes it again."""

    def begin(self) -> None:
        """Before each request."""
        ...

    def changes(self) -> Iterable[tuple[str, str]]:
        """After it: the kind and the name of each change."""
        ...

    def fingerprint(self) -> Any:
        """Something that differs where anything has changed since `begin`."""
        ...


def hunt(
    path: str,
    make: Callable[[], Visit],
    framework: Framework,
    *,
    requests: int = 5,
    warm_up: int = WARM_UP,
    scope: Scope | None = None,
    probes: Sequence[Probe] = (),
) -> list[Leak]:
    """What leaks from one request to the next.

    Args:
        path: what is requested, as the leaks are to say.
        make: makes one request, and gives what it was; called some 10 times, and 300 times more
            where something grows. Runs in this thread, each time in a context of its own.
        framework: what serves it.
        requests: after so many a look is taken.
        warm_up: so many are made before.
        scope: whose state is looked at; the project's where that is not said.
        probes: notice what can't be looked at.
    """
    return Hunt(path, make, framework, scope or Scope(), probes).run(requests, warm_up)


class Hunt:
    """One path that is looked at; lives until the leaks are told."""

    def __init__(
        self,
        path: str,
        make: Callable[[], Visit],
        framework: Framework,
        scope: Scope,
        probes: Sequence[Probe],
    ) -> None:
        self._path = path
        self._make = make
        self._framework = framework
        self._scope = scope
        self._probes = probes
        self._places = Places()
        self._looker = Looker(scope, self._places, framework.kept)
        self._sources = Sources()
        self._base = contextvars.copy_context()
        self._context = self._base.copy()
        self._changed: list[tuple[str, str]] = []
        self._strays: list[Root] = []

    def run(self, requests: int, warm_up: int) -> list[Leak]:
        for _ in range(warm_up):
            self._request()
        with _thawed_afterwards():
            self._strays = list(of_strays(self._scope, self._looker.entered(self._roots())))
            noise = restless(self._look(), before := self._look())
            looks, survivors = self._watch(requests)
            grew = {it: by for it, by in growing(before, looks).items() if it not in noise}
            grown = self._confirmed(grew, looks[-1])
            if len(grown) < len(grew):  # a pool was not full: what was new in it tells nothing
                looks, survivors = self._watch(requests)
        found = outermost(grown.keys() | (renewed(looks, self._places) - noise), self._places)
        places, holders = self._kept(survivors, looks[-1], found)
        once = (1,) * requests
        suspects = [Suspect(it, grown.get(it, once), it in grown) for it in found]
        suspects += [Suspect(it, once, is_container=True) for it in places]
        suspects += [Suspect(it, once) for it in holders]
        return self._told(suspects, holders)

    def _request(self) -> Visit:
        """Make one, in a context that begins as the thread's did before the first."""
        self._context = self._base.copy()
        for probe in self._probes:
            probe.begin()
        try:
            return self._context.run(self._make)
        finally:
            self._changed = [change for probe in self._probes for change in probe.changes()]

    def _watch(self, requests: int) -> tuple[list[Look], Survivors]:
        """A look after each request, and what of all of them outlives its request."""
        looks, survivors = [], Survivors(self._looker.kinds)
        gc.freeze()
        for _ in range(requests):
            visit = self._request()
            gc.collect()
            made = gc.get_objects()
            survivors.take(made)
            traces = Traces(visit.strings, visit.numbers, set(map(id, made)))
            del made
            looks.append(self._look(traces))
            gc.freeze()
        return looks, survivors

    def _look(self, traces: Traces = NO_TRACES, wanted: Collection[int] = ()) -> Look:
        with uncollected():
            look = self._looker.look(self._all_roots(), traces, wanted)
        changed = [*self._changed, *self._left_in_context()]
        look.left |= {self._places.root(kind, name) for kind, name in changed}
        return look

    def _roots(self) -> Iterator[Root]:
        yield from of_names(self._scope, self._framework.roots())
        for variable, value in self._context.items():
            for name, part in self._framework.contents(variable, value).items():
                yield Root("context variable", name, part, fingerprint=_reading(variable))

    def _all_roots(self) -> Iterator[Root]:
        yield from self._roots()
        yield from self._strays

    def _left_in_context(self) -> Iterator[tuple[str, str]]:
        for variable, value in self._context.items():
            before = self._framework.contents(variable, self._base.get(variable))
            for name, part in self._framework.contents(variable, value).items():
                if before.get(name) is not part and not _is_nothing(part):
                    yield "context variable", name

    def _confirmed(
        self, grown: Mapping[int, tuple[int, ...]], last: Look
    ) -> dict[int, tuple[int, ...]]:
        """Those of what grew that go on growing."""
        if not grown:
            return {}
        looks = [last]
        for _ in range(ROUNDS):
            for _ in range(PER_ROUND):
                self._request()
            looks.append(self._look())
        return {
            place: growth
            for place, growth in grown.items()
            if goes_on(growth, [it.sizes[place] for it in looks], PER_ROUND)
        }

    def _kept(
        self, survivors: Survivors, look: Look, found: Collection[int]
    ) -> tuple[set[int], dict[int, Holder]]:
        """What else outlives its request: by where it was found, or by what holds it."""
        places, holders = set(), {}
        for value in survivors.of_every_request():
            home = look.homes.get(id(value))
            if home is None:
                holder = holder_of(value, survivors.own_ids)
                if holder and self._scope.may_hold(holder.module):
                    holders[self._places.root("kept object", holder.name)] = holder
            elif self._looker.kinds.of(type(value)).is_of_request and not self._is_in(home, found):
                places.add(self._places.container(home))
        return outermost(places, self._places), holders

    def _is_in(self, place: int, others: Collection[int]) -> bool:
        return any(it in others for it in (place, *self._places.above(place)))

    def _told(self, suspects: Sequence[Suspect], holders: Mapping[int, Holder]) -> list[Leak]:
        """Look once more at what was found, and make one more request to see who does it."""
        if not suspects:
            return []
        around = [self._places.above(it.place) for it in suspects]
        look = self._look(wanted={it.place for it in suspects}.union(*around))
        if any(_keeps_open(value) for held in look.wanted.values() for _, value in held):
            suspects = [it for it in suspects if not self._is_descriptor(it.place)]
        known = {id(value) for held in look.wanted.values() for _, value in held}
        told = {it for it, holder in holders.items() if not known.isdisjoint(map(id, holder.chain))}
        suspects = [it for it in suspects if it.place not in told]
        fingerprints = fingerprints_of(
            [it.place for it in suspects],
            self._places,
            roots=self._all_roots(),
            held=look.wanted,
            holders=holders,
            otherwise=self._fingerprint_of_probes,
        )
        lines = traced(self._request, fingerprints, self._scope)
        teller = Teller(self._path, self._places, self._sources, self._scope, look.wanted)
        # What Python and Django keep for everybody is told if a line of the project put it there.
        leaks = [
            teller.leak(it, lines.get(it.place))
            for it in suspects
            if it.place in lines or self._places.is_owned(it.place)
        ]
        return sorted(leaks, key=lambda leak: (leak.name, leak.file, leak.line))

    def _is_descriptor(self, place: int) -> bool:
        return self._places.root_kind(place) in ("open file", "socket", "pipe")

    def _fingerprint_of_probes(self) -> Hashable:
        return tuple(probe.fingerprint() for probe in self._probes)


def _is_nothing(value: Any) -> bool:
    """Whether it is what means that there is nothing: the variable was reset."""
    if any(value is it for it in (None, False, ...)):
        return True
    measure = Anatomy(type(value)).measure
    return measure is not None and measure(value) == 0


def _reading(variable: contextvars.ContextVar[Any]) -> Callable[[], Hashable]:
    return lambda: id(variable.get(None))


def _keeps_open(value: Any) -> bool:
    """Whether it is a container of what has a descriptor, which is a leak of its own no more."""
    kind = type(value)
    if not issubclass(kind, (list, tuple, set, dict, deque)):
        return False
    return any(issubclass(type(it), (_IOBase, socket)) for _, it in Anatomy(kind).parts(value))


@contextmanager
def _thawed_afterwards() -> Iterator[None]:
    """What is frozen meanwhile is thawed, unless the process had frozen something before."""
    had_frozen = gc.get_freeze_count() > 0
    gc.collect()
    try:
        yield
    finally:
        if not had_frozen:
            gc.unfreeze()
