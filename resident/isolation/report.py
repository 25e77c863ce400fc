"""What a request left behind, said in one form: a log record, a signal, a count."""

import logging
import os
import threading
from collections import Counter
from dataclasses import dataclass

from django.dispatch import Signal

from resident.isolation.request import Request

__all__ = ["Leak", "leaked", "reports"]

logger = logging.getLogger("resident.isolation")

leaked = Signal()
"""Sent for each `Leak` that is reported, as `leak=`, in the thread and context of its request."""

MOST_PLACES = 1000
"""So many places are told apart at most: a name made of a user's input must not fill memory."""


@dataclass(frozen=True)
class Leak:
    """One thing that a request left behind: what kind of state, where, and what became of it.

    The place is a name, never a value: values may be secret.
    """

    kind: str
    place: str
    became: str
    request: Request
    level: int = logging.WARNING

    def __str__(self) -> str:
        # A path is the client's text: written with repr, it can't forge a line of the log.
        method, path = self.request.method, self.request.path
        return f"{method} {path!r} left behind: {self.kind}, {self.place}; {self.became}."


class Reports:
    """Tells and counts what is found; lives as long as the process."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def tell(self, leak: Leak) -> None:
        """Log it, count it by its kind, and send `leaked`."""
        with self._lock:
            self.counts[leak.kind] += 1
        self._send(leak)

    def tell_once(self, leak: Leak) -> None:
        """The same, but a place that was told before is only counted."""
        place = (leak.kind, leak.place)
        with self._lock:
            self.counts[leak.kind] += 1
            is_new = place not in self._told and len(self._told) < MOST_PLACES
            self._told.add(place) if is_new else None
        if is_new:
            self._send(leak)

    def count(self, kind: str) -> None:
        """Count what was cleaned, and needs no words."""
        with self._lock:
            self.counts[kind] += 1

    def _send(self, leak: Leak) -> None:
        fields = {
            "kind": leak.kind,
            "place": leak.place,
            "became": leak.became,
            "request_method": leak.request.method,
            "request_path": leak.request.path,
            "worker": os.getpid(),
        }
        logger.log(leak.level, "%s", leak, extra=fields)
        leaked.send_robust(sender=Leak, leak=leak)


reports = Reports()
"""The reports of this process."""
