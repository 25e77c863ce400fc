"""Looks for leaks in a process while it serves, between two requests."""

import logging
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from resident.leaks.journal import Journal
from resident.leaks.leak import Leak
from resident.leaks.visit import Visit

__all__ = ["Detection", "Ended", "Watch"]

logger = logging.getLogger("resident.leaks")


class Watch(Protocol):
    """What looks, as `resident.leaks.watch.Watch` does."""

    def after(self, visit: Visit, path: str) -> list[Leak]: ...


@dataclass(frozen=True)
class Ended:
    """A request that has ended, without its query, which may hold what no log should."""

    visit: Visit
    method: str
    path: str


class Detection:
    """Lets a watch look when a request is over, logs each leak once, and keeps it in a journal;
    lives as long as the middleware.

    A request is over when the next one begins: only then has the server let go of it, have
    resetters run, and is the thread out of its context. Where several have ended by then, the look
    is after the last of them.
    """

    def __init__(self, watch: Watch, journal: Journal) -> None:
        self._watch = watch
        self._journal = journal
        self._ended: Ended | None = None
        self._looking = threading.Lock()
        self._has_failed = False

    def begin(self, request: object, method: str, path: str) -> Callable[[], None]:
        """Look at what is over, and give what to call when this request has ended.

        It keeps nothing of the request alive. What fails in looking is logged once.
        """
        self._look()
        visit = Visit(strings=(), request=weakref.ref(request))
        return partial(self._end, Ended(visit, method, path))

    def _end(self, ended: Ended) -> None:
        self._ended = ended

    def _look(self) -> None:
        # One thread at a time: another one does not wait for it.
        if not self._looking.acquire(blocking=False):
            return
        try:
            if ended := self._ended:
                self._ended = None
                self._look_after(ended)
        except Exception:  # noqa: BLE001 - the request that begins must not end with it
            self._say_failed()
        finally:
            self._looking.release()

    def _look_after(self, ended: Ended) -> None:
        leaks = self._watch.after(ended.visit, ended.path)
        self._journal.looked()
        for leak in leaks:
            if self._journal.keep(leak, ended.method, ended.path):
                _tell(leak, ended)

    def _say_failed(self) -> None:
        if not self._has_failed:
            self._has_failed = True
            logger.exception("Looking for leaks failed. This is said once.")  # noqa: LOG004 - as it is handled


def _tell(leak: Leak, ended: Ended) -> None:
    line = f"{leak.file}:{leak.line}" if leak.line else leak.file
    fields = {
        "kind": leak.kind,
        "place": leak.name,
        "line": line,
        "request_method": ended.method,
        "request_path": ended.path,
        "worker": os.getpid(),
    }
    # A path is the client's text: written with repr, it can't forge a line of the log.
    request = f"{ended.method} {ended.path!r}"
    where = f", {line}" if line else ""
    logger.warning("Leak after %s: %s, %s%s", request, leak.kind, leak.name, where, extra=fields)
