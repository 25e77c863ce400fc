"""State of the whole process that a request changed: the environment, the locale, logging."""

import logging
import sys
import threading

from resident.conf import conf
from resident.isolation.report import Leak, reports
from resident.isolation.request import Request
from resident.isolation.watches import Change, Watch, watches
from resident.worker import worker

__all__ = ["ProcessState"]

KIND = "changed process state"


class ProcessState:
    """Looks after every request whether what the whole process shares is still the same.

    What changed is reported, once for each place, with the request, and put back if no other
    request ran at the same time; RESIDENT_UNDO says what happens if one did. What changed in a
    request that imported a module is taken for that module's set-up, and stays; so does what
    RESIDENT_KEEP names. With several threads, the request that is named is one of those that ran.
    """

    def __init__(self) -> None:
        self._watches = watches()
        self._keep = frozenset(conf.keep)
        self._undo = conf.undo
        # Elsewhere than in a worker (in tests, in a shell) others change it between requests.
        self._is_only_changed_by_requests = worker.serves
        self._running: set[_Run] = set()
        self._lock = threading.Lock()

    def begin(self) -> "_Run":
        run = _Run(len(sys.modules))
        with self._lock:  # not while another request's changes are being undone
            if self._running:
                for other in list(self._running):
                    other.was_alone = run.was_alone = False
            elif not self._is_only_changed_by_requests:
                self._adopt()
            self._running.add(run)
        return run

    def reset(self, request: Request, begun: "_Run") -> None:
        for watch in self._watches:
            if not watch.is_same():
                break
        else:
            self._running.discard(begun)
            return
        with self._lock:
            for watch in self._watches:
                self._settle_all(watch, request, begun)
            self._running.discard(begun)

    def _settle_all(self, watch: Watch, request: Request, run: "_Run") -> None:
        if not watch.is_same():
            for change in list(watch.changes()):
                if change.place not in self._keep:
                    self._settle(change, request, run)
            watch.adopt()

    def _settle(self, change: Change, request: Request, run: "_Run") -> None:
        level = logging.WARNING
        if run.has_imported():
            became, level = "taken for the set-up of a module that it imported", logging.INFO
        elif self._undo == "always" or (self._undo == "when alone" and run.was_alone):
            change.undo()
            became = "put back"
        else:
            why = "" if self._undo == "never" else ": other requests ran at the same time"
            became = f"left as it is{why}"
        reports.tell_once(Leak(KIND, change.place, became, request, level))

    def _adopt(self) -> None:
        for watch in self._watches:
            watch.adopt()


class _Run:
    """A request that runs: beside which others, and what was imported when it began."""

    __slots__ = ("_modules", "was_alone")

    def __init__(self, modules: int) -> None:
        self.was_alone = True
        self._modules = modules

    def has_imported(self) -> bool:
        return len(sys.modules) != self._modules
