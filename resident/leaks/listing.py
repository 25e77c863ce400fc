"""The entries of a journal as a page lists them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from resident.leaks.journal import Entry
from resident.leaks.leak import Leak, Line
from resident.leaks.report import place_of

__all__ = ["Listing", "Row"]

MOST_FIGURES = 7
WIDTH, HEIGHT = 64, 18
"""Of the curve that shows how something grew, in units of its own."""


@dataclass(frozen=True)
class Row:
    """One entry, in the words of the page."""

    entry: Entry

    @property
    def leak(self) -> Leak:
        return self.entry.leak

    @property
    def request(self) -> str:
        return f"{self.entry.method} {self.entry.path}"

    @property
    def place(self) -> str:
        """Where the name is defined; "" where nobody knows."""
        return place_of(Line(self.leak.file, self.leak.line)) if self.leak.file else ""

    @property
    def put_in(self) -> str:
        """Where the value was put in, likewise."""
        return place_of(self.leak.put_in) if self.leak.put_in else ""

    @property
    def name_parts(self) -> list[str]:
        """The name in parts, between which a line of the page may break."""
        return _parts(self.leak.name)

    @property
    def place_parts(self) -> list[str]:
        """The place, likewise."""
        return _parts(self.place)

    @property
    def put_in_parts(self) -> list[str]:
        """Where the value was put in, likewise."""
        return _parts(self.put_in)

    @property
    def growth(self) -> str:
        """Such as "1, 2, 3, 4"; of many figures the first and the last."""
        figures = [str(figure) for figure in self.leak.growth]
        if len(figures) > MOST_FIGURES:
            figures = [*figures[:3], "…", *figures[3 - MOST_FIGURES :]]
        return ", ".join(figures)

    @property
    def curve(self) -> str:
        """The same as points from left to right, the higher the more; "" where it is flat."""
        growth = self.leak.growth
        least, most = min(growth, default=0), max(growth, default=0)
        if least == most:
            return ""
        steps = enumerate(growth)
        return " ".join(
            f"{step * WIDTH / (len(growth) - 1):g},{(most - much) * HEIGHT / (most - least):g}"
            for step, much in steps
        )


class Listing:
    """What of a journal is listed; lives as long as the page.

    Args:
        entries: newest first, and listed so.
        query: words that an entry must contain, each of them, in whatever is shown of it.
        kind: the only kind that is listed; "" for all.
    """

    def __init__(self, entries: Sequence[Entry], *, query: str = "", kind: str = "") -> None:
        rows = [Row(entry) for entry in entries]
        self.total = len(rows)
        self.kinds = sorted({row.leak.kind for row in rows})
        self.rows = [row for row in rows if _contains(row, query) and kind in ("", row.leak.kind)]


def _contains(row: Row, query: str) -> bool:
    leak = row.leak
    shown = (leak.name, leak.kind, row.place, row.put_in, leak.value, leak.remedy, row.request)
    text = "\n".join((*shown, leak.file)).casefold()
    return all(word in text for word in query.casefold().split())


def _parts(text: str) -> list[str]:
    return re.split(r"(?<=[/.:])(?=.)|(?=[(\[])", text)
