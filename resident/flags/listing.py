"""The flags of this worker as a page lists them."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Final

from resident.flags.document import Flag
from resident.flags.explanation import Explanation
from resident.flags.snapshot import Snapshot

__all__ = ["FACETS", "ORDERS", "Listing", "Row"]


class Row:
    """One flag of one snapshot, in the words of the page; explained only where it is looked at."""

    def __init__(self, snapshot: Snapshot, flag: Flag) -> None:
        self.snapshot = snapshot
        self.flag = flag

    @property
    def namespace(self) -> str:
        return self.snapshot.namespace

    @cached_property
    def explanation(self) -> Explanation:
        return Explanation(self.flag)

    @property
    def changed(self) -> datetime | None:
        """When this worker last saw it change; None where it never did."""
        return self.snapshot.changed.get(self.flag.key)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How often this worker gave which answer, the most frequent first."""
        counts = [(answer, count) for answer, count in self._counted.items() if count]
        return sorted(counts, key=lambda answer: (-answer[1], answer[0]))

    @property
    def asked(self) -> int:
        """How often this worker was asked."""
        return sum(self._counted.values())

    @property
    def key_parts(self) -> list[str]:
        """Its key in parts, between which a line of the page may break."""
        return re.findall(r"[^-_,]*[-_,]|[^-_,]+", self.flag.key)

    def contains(self, words: Iterable[str]) -> bool:
        """Whether each of the words is somewhere in it."""
        text = " ".join(self._text()).casefold()
        return all(word in text for word in words)

    @property
    def _counted(self) -> Mapping[str, int]:
        return self.snapshot.counts.get(self.flag.key, {})

    def _text(self) -> Iterable[str]:
        flag = self.flag
        yield from (flag.key, flag.name, flag.description)
        for rollout in flag.rollouts:
            if rollout.segment is not None:
                yield from (segment.key for segment in rollout.segment.segments)
        for rule in flag.rules:
            yield from (segment.key for segment in rule.segments)
            yield from (share.variant_key for share in rule.distributions)


FACETS: Final[Mapping[str, Mapping[str, Callable[[Row], bool]]]] = {
    "type": {
        "boolean": lambda row: row.flag.is_boolean,
        "variant": lambda row: not row.flag.is_boolean,
    },
    "state": {
        state: lambda row, state=state: row.explanation.state == state  # type: ignore[misc]
        for state in ("on", "off", "partly on")
    },
    "depends": {
        "everybody alike": lambda row: row.explanation.depends_on == "everybody alike",
        "percentage": lambda row: row.explanation.needs_percentage,
        "segments": lambda row: row.explanation.needs_segments,
    },
}
"""What a list can be narrowed to: by name, each choice with whether a row is of that kind."""

ORDERS: Final[Mapping[str, Callable[[Row], tuple[float, str, str]]]] = {
    "key": lambda row: (0, row.flag.key, row.namespace),
    "changed": lambda row: (
        -row.changed.timestamp() if row.changed else 0,
        row.flag.key,
        row.namespace,
    ),
    "asked": lambda row: (-row.asked, row.flag.key, row.namespace),
}
"""What a list can be ordered by: the key from a to z, the others from the newest or most on."""


class Listing:
    """What of the flags is listed; lives as long as the page.

    Args:
        snapshots: of one namespace or several.
        query: words that a flag must contain, each of them: in its key, name or description, in
            the keys of its segments or of its variants.
        chosen: for each name in `FACETS` a choice; what is no choice narrows nothing.
        order: a name in `ORDERS`; what is none is "key".

    Attributes:
        rows: what is left, in order.
    """

    def __init__(
        self,
        snapshots: Iterable[Snapshot],
        *,
        query: str = "",
        chosen: Mapping[str, str] | None = None,
        order: str = "key",
    ) -> None:
        rows = [Row(snapshot, flag) for snapshot in snapshots for flag in snapshot.document.flags]
        if words := query.casefold().split():
            rows = [row for row in rows if row.contains(words)]
        for name, choice in (chosen or {}).items():
            if fits := FACETS[name].get(choice):
                rows = [row for row in rows if fits(row)]
        self.rows = sorted(rows, key=ORDERS.get(order, ORDERS["key"]))
