"""A watch over a process that serves: cheap after every request, thorough now and then."""

import gc
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from itertools import pairwise

from resident.leaks.framework import Django
from resident.leaks.holders import holder_of
from resident.leaks.leak import Leak
from resident.leaks.look import Look, Looker, Root, Traces, uncollected
from resident.leaks.places import Places
from resident.leaks.roots import of_names, of_strays
from resident.leaks.scope import Scope
from resident.leaks.source import Sources
from resident.leaks.telling import Suspect, Teller
from resident.leaks.visit import Visit

__all__ = ["Watch"]

SHARE = 0.05
"""Thorough looks take no more than this share of the time."""

WARM_UP = 3
"""So many requests come before the first thorough look."""

GROWING = 6
"""In so many thorough looks on end something has to be larger than in the one before."""

KEPT = 3
"""In so many thorough looks the request that has just ended has to be still there."""


class Watch:
    """Finds what grows, and who keeps requests, while other requests come; lives as long as the
    process.

    It knows no tokens, as `hunt` does: what holds a past request's data, and neither grows nor is
    the request itself, is for that one to find.
    """

    def __init__(self, *, third_party: bool = False) -> None:
        self._scope = Scope(third_party=third_party)
        self._places = Places()
        self._looker = Looker(self._scope, self._places)
        self._sources = Sources()
        self._framework = Django(self._sources)
        self._strays: list[Root] = []
        self._looks: deque[Look] = deque(maxlen=GROWING)
        self._kept: Counter[int] = Counter()
        self._told: set[int] = set()
        self._modules = self._requests = self._seen_kept = 0
        self._due = 0.0

    def after(self, visit: Visit, path: str) -> list[Leak]:
        """What leaks, as far as it is seen by now: each leak once."""
        self._requests += 1
        if self._requests <= WARM_UP or not (self._is_kept(visit) or self._is_due()):
            return []
        began = time.thread_time()  # not what others made of the machine meanwhile
        told = (self._leak(path, suspect) for suspect in self._look(visit))
        leaks = [leak for leak in told if leak]
        self._due = time.monotonic() + (time.thread_time() - began) / SHARE
        return leaks

    def _is_due(self) -> bool:
        return time.monotonic() >= self._due

    def _is_kept(self, visit: Visit) -> bool:
        """Whether the request is still there, which is worth a look at once: until it is known
        where, or that it was a cycle that nobody had collected yet.
        """
        is_there = visit.request is not None and visit.request() is not None
        self._seen_kept += is_there
        return is_there and self._seen_kept <= KEPT

    def _look(self, visit: Visit) -> list[Suspect]:
        gc.collect()
        if self._modules != len(sys.modules):  # what was imported has a state of its own
            self._modules = len(sys.modules)
            self._looks.clear()
            self._strays = list(of_strays(self._scope, self._looker.entered(self._roots())))
        request = visit.request() if visit.request else None
        traces = Traces(fresh={id(request)} if request is not None else ())
        with uncollected():
            look = self._looker.look(self._all_roots(), traces)
        self._looks.append(look)
        found = [*self._growing(), *self._keeping(request, look)]
        new = [it for it in found if it.place not in self._told]
        self._told.update(it.place for it in new)
        return new

    def _growing(self) -> Iterator[Suspect]:
        if len(self._looks) < GROWING:
            return
        first, last = self._looks[0], self._looks[-1]
        for place, size in last.sizes.items():
            if size > first.sizes[place]:
                sizes = [look.sizes[place] for look in self._looks]
                if all(before < after for before, after in pairwise(sizes)):
                    growth = tuple(it - sizes[0] for it in sizes[1:])
                    yield Suspect(place, growth, is_container=True)

    def _keeping(self, request: object, look: Look) -> Iterator[Suspect]:
        if request is None:
            return
        place = look.homes.get(id(request))
        if place is None and (holder := holder_of(request)):
            if not self._scope.may_hold(holder.module):
                return
            place = self._places.root("kept object", holder.name)
        if place is not None:
            self._kept[place := self._places.container(place)] += 1
            if self._kept[place] == KEPT:
                yield Suspect(place, (1,) * KEPT, is_container=True)

    def _leak(self, path: str, suspect: Suspect) -> Leak | None:
        """What is said of it; None where it may be Django's doing, and nobody can tell whose."""
        wanted = {suspect.place, *self._places.above(suspect.place)}
        held = self._looker.look(self._all_roots(), wanted=wanted).wanted
        teller = Teller(path, self._places, self._sources, self._scope, held)
        leak = teller.leak(suspect, None)
        return leak if leak.file or self._places.is_owned(suspect.place) else None

    def _all_roots(self) -> Iterator[Root]:
        yield from self._roots()
        yield from self._strays

    def _roots(self) -> Iterator[Root]:
        return of_names(self._scope, self._framework.roots())
