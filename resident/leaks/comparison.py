"""What grows with every request, and where each request leaves something of its own."""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from math import ceil

from resident.leaks.look import Look
from resident.leaks.places import Places

__all__ = ["goes_on", "growing", "outermost", "renewed", "restless"]

OFTEN = 0.6
"""What grows in so many of the requests grows steadily: not each need take the same way."""


def restless(first: Look, second: Look) -> set[int]:
    """Places that differ between two looks with nothing between them."""
    places = first.sizes.keys() | second.sizes.keys()
    return {place for place in places if first.sizes[place] != second.sizes[place]}


def growing(before: Look, looks: Sequence[Look]) -> dict[int, tuple[int, ...]]:
    """The places that grow steadily: for each, by how much it has grown after each request."""
    found = {}
    for place, size in looks[-1].sizes.items():
        start = before.sizes[place]
        if size > start and _is_steady(sizes := [start, *(it.sizes[place] for it in looks)]):
            found[place] = tuple(it - start for it in sizes[1:])
    return found


def renewed(looks: Sequence[Look], places: Places) -> set[int]:
    """The places where after each request something of that very request is found.

    Where it is in something that each request has made, it is that.
    """
    fresh = set.intersection(*(it.fresh for it in looks))
    found = set.intersection(*(it.marked | it.own | it.left for it in looks))
    return {_topmost([it, *places.above(it)], fresh) for it in found}


def _topmost(way: Sequence[int], fresh: Collection[int]) -> int:
    """The last place on a way to the root that is among these; else the first."""
    return next((it for it in reversed(way) if it in fresh), way[0])


def goes_on(growth: Sequence[int], sizes: Sequence[int], requests: int) -> bool:
    """Whether what grew in the beginning still did in each of several rounds of requests.

    Args:
        growth: how it grew at first, after each request.
        sizes: how large it was before the rounds, and after each.
        requests: how many a round has.
    """
    expected = requests * growth[-1] / len(growth) / 2
    rounds = pairwise(sizes)
    return all(after - before >= min(expected, requests / 2) for before, after in rounds)


def outermost(suspects: Collection[int], places: Places) -> set[int]:
    """Those that are not part of another."""
    return {it for it in suspects if not _has_any(places.above(it), suspects)}


def _is_steady(sizes: Sequence[int]) -> bool:
    steps = [after - before for before, after in pairwise(sizes)]
    return min(steps) >= 0 and sum(step > 0 for step in steps) >= ceil(OFTEN * len(steps))


def _has_any(found: Iterable[int], suspects: Collection[int]) -> bool:
    return any(place in suspects for place in found)
