"""Where something is held: a chain of steps from a name that everybody can find."""

from collections.abc import Iterator

from resident.leaks.anatomy import ENTRY, Step

__all__ = ["NOWHERE", "Places"]

OWNED = ("module global", "class attribute", "function", "lru_cache", "instance attribute")
"""The kinds of roots that belong to what is looked at."""

NOWHERE = 0
"""The place above every root."""


class Places:
    """Numbers each place once, so that looks are compared by numbers; lives as long as a hunt."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, Step], int] = {}
        self._steps: list[tuple[int, Step]] = [(NOWHERE, ENTRY)]

    def root(self, kind: str, name: str) -> int:
        """The place of a name that is found by itself: a module's, a class's, a function's."""
        return self.part(NOWHERE, (kind, name))

    def part(self, whole: int, step: Step) -> int:
        """The place that this step leads to."""
        number = self._numbers.get((whole, step))
        if number is None:
            number = self._numbers[whole, step] = len(self._steps)
            self._steps.append((whole, step))
        return number

    def whole(self, place: int) -> tuple[int, Step]:
        """The place before this one, and the step between them."""
        return self._steps[place]

    def above(self, place: int) -> Iterator[int]:
        """The places that lead to this one, the nearest first."""
        while (place := self._steps[place][0]) != NOWHERE:
            yield place

    def chain(self, place: int) -> tuple[Step, ...]:
        """All steps to this place, from its root."""
        steps = [self._steps[it][1] for it in (place, *self.above(place))]
        return tuple(reversed(steps))

    def root_kind(self, place: int) -> str:
        """The kind of the root that leads to this place."""
        return str(self.chain(place)[0][0])

    def is_owned(self, place: int) -> bool:
        """Whether it belongs to what is looked at, and not to Python's or Django's own keeping."""
        return self.root_kind(place) in OWNED

    def container(self, place: int) -> int:
        """The outermost container on the way, where this is in one; else the place itself."""
        ways = [place, *self.above(place)]
        entries = [self.whole(it)[0] for it in ways if self.whole(it)[1][0] in _ENTRIES]
        return next((it for it in reversed(entries) if it != NOWHERE), place)


_ENTRIES = ("entry", "key", "object")
