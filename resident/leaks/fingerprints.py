"""What changes when a request puts something in: compared after each line of one that is traced."""

import sys
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from resident.definitions import namespace_of_module
from resident.leaks.anatomy import Anatomy, Step
from resident.leaks.holders import Holder
from resident.leaks.look import Root
from resident.leaks.places import Places
from resident.leaks.trail import Held

__all__ = ["Fingerprint", "fingerprints_of"]

MOST_HELD = 20
"""Of the things that share a place, such as the instances of one class, so many are followed."""

Fingerprint = Callable[[], Hashable]


def fingerprints_of(
    suspects: Iterable[int],
    places: Places,
    *,
    roots: Iterable[Root],
    held: Held,
    holders: Mapping[int, Holder],
    otherwise: Fingerprint,
) -> dict[int, Fingerprint]:
    """For each suspected place something that changes when a request puts something in there.

    Args:
        suspects: the places.
        places: what their numbers mean.
        roots: where a look begins: some know better what changes.
        held: what is at the places.
        holders: what holds it, of those places that no look has found.
        otherwise: for places where nothing is at the moment.
    """
    by_place = {places.root(it.kind, it.name): it for it in roots}
    found: dict[int, Fingerprint] = {}
    for place in suspects:
        root = by_place.get(([place, *places.above(place)])[-1])
        if holder := holders.get(place):
            found[place] = _of_way(holder)
        elif root and root.fingerprint:
            found[place] = root.fingerprint
        elif held.get(place):
            found[place] = _of_contents(places.whole(place)[1], _with_wholes(held[place], root))
        else:
            found[place] = otherwise
    return found


def _of_contents(step: Step, held: Sequence[tuple[Any, Any]]) -> Fingerprint:
    """What changes when something is put into one of these values, or another takes its place."""
    readers = [_reader(step, whole, value) for whole, value in held[-MOST_HELD:]]
    return lambda: tuple(read() for read in readers)


def _reader(step: Step, whole: Any, value: Any) -> Fingerprint:
    inside, around = Anatomy(type(value)), Anatomy(type(whole))
    if type(whole) is dict and step[0] not in ("key", "entry", "object"):
        step = ("key", step[1].rpartition(".")[2])  # a module's namespace

    return lambda: (inside.state(value), id(around.part(whole, step)))


def _with_wholes(held: list[tuple[Any, Any]], root: Root | None) -> list[tuple[Any, Any]]:
    """What is at a place, each with what holds it: a module's variables, its namespace."""
    if root is None or root.kind != "module global" or held[0][0] is not None:
        return held
    module = root.name.rpartition(".")[0]
    return [(namespace_of_module(sys.modules.get(module)), value) for _, value in held]


def _of_way(holder: Holder) -> Fingerprint:
    """What changes when something is put in anywhere on the way to what is held, or another takes
    its place.
    """
    steps = zip(holder.chain, holder.steps, strict=False)  # the last is held, and holds no more
    known = [(whole, step, Anatomy(type(whole))) for whole, step in steps]
    return lambda: tuple(
        (anatomy.state(whole), id(anatomy.part(whole, step)) if step else 0)
        for whole, step, anatomy in known
    )
