"""To look at one page: requests are rehearsed, and what they leave behind is found."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from resident.leaks.framework import Django
from resident.leaks.hunt import hunt
from resident.leaks.leak import Leak
from resident.leaks.rehearsal import Rehearsal
from resident.leaks.source import Sources
from resident.leaks.visit import Visit

__all__ = ["Findings", "find_leaks"]

FAILURES = 400
"""The statuses from here on tell that the page was not seen."""


@dataclass(frozen=True)
class Findings:
    """What was found on one page.

    Attributes:
        path: of the page.
        leaks: none also where the page was not seen.
        status: the worst answer.
        location: where that leads to; "" where it is no redirect.
        notes: what is not as it should be, in sentences.
        writes: how many statements have written something that was undone, by database.
    """

    path: str
    leaks: list[Leak]
    status: int
    location: str = ""
    notes: list[str] = field(default_factory=list)
    writes: dict[str, int] = field(default_factory=dict)

    @property
    def is_seen(self) -> bool:
        """Whether each request was answered with a page, or with a way to one."""
        return self.status < FAILURES


def find_leaks(rehearsal: Rehearsal, *, accept_failures: bool = False, **how: Any) -> Findings:
    """Look at what is rehearsed. A page that fails is asked no more, and not looked at.

    Args:
        rehearsal: inside its `with`.
        accept_failures: look at a page that fails, too.
        how: see `hunt`.
    """
    observer = _Observer(rehearsal, accept_failures=accept_failures)
    leaks = []
    with suppress(_Failed):
        leaks = hunt(rehearsal.path, observer.request, Django(Sources()), **how)
    return Findings(
        rehearsal.path,
        leaks,
        observer.status,
        observer.location,
        rehearsal.notes,
        rehearsal.writes,
    )


class _Failed(Exception):  # noqa: N818 - it ends a hunt, nobody sees it
    """A page answers that it has failed."""


class _Observer:
    """Keeps the worst answer of a rehearsal."""

    def __init__(self, rehearsal: Rehearsal, *, accept_failures: bool) -> None:
        self._rehearsal = rehearsal
        self._accepts_failures = accept_failures
        self.status = 0
        self.location = ""

    def request(self) -> Visit:
        visit = self._rehearsal.request()
        if self._rehearsal.status > self.status:
            self.status, self.location = self._rehearsal.status, self._rehearsal.location
        if self.status >= FAILURES and not self._accepts_failures:
            raise _Failed
        return visit
