"""The thread that keeps a worker's secrets fresh while the worker serves.

It reads them again and again, renews the token with which it does so, and hands on what is new.
Nobody waits for it: whatever goes wrong, the last good value stays, and the failure is told.
"""

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Collection

from resident.exceptions import SecretsError
from resident.secrets.backend import LeasedBackend, SecretsBackend
from resident.secrets.contents import Secrets
from resident.secrets.lease import Pauses, Standing
from resident.secrets.state import State

__all__ = ["Keeper"]

logger = logging.getLogger("resident.secrets")

FIRST_PAUSE = 1.0
MOST_PAUSE = 300.0
LONGEST_SLEEP = 3600.0  # no lock waits for ever


class Keeper:
    """Keeps what one backend reads, and follows it; lives as long as the worker.

    Args:
        backend: where the secrets are.
        interval: seconds between two looks at it, give or take a tenth.
        take_up: called with secrets that are new, in the keeper's thread: uses them from now on,
            and gives the names of what still uses the old ones. It is called again until there
            are none.
        failed: called with each failure, in the keeper's thread.
    """

    def __init__(
        self,
        backend: SecretsBackend,
        *,
        interval: float = 30.0,
        take_up: Callable[[Secrets], Collection[str]] = lambda _: (),
        failed: Callable[[SecretsError], None] = lambda _: None,
    ) -> None:
        self._backend = backend
        self._interval = interval
        self._take_up = take_up
        self._failed = failed
        self._leased = backend if isinstance(backend, LeasedBackend) else None
        self._contents: Secrets
        self._behind: Collection[str] = ()
        self._confirmed = self._read_next = 0.0
        self._rotations = self._failures = 0
        self._chores = [_Chore(self._refresh, lambda: self._read_next)]
        if self._leased is not None:
            self._chores.append(_Chore(self._leased.tend, self._lease_due))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="resident-secrets", daemon=True)

    def start(self) -> None:
        """Read the secrets, and follow them from now on.

        Raises:
            SecretsError: they can't be had.
        """
        began = time.monotonic()
        self._confirm(self._backend.read(), began)
        logger.info("secrets from %s", self.contents.place)
        self._thread.start()

    @property
    def contents(self) -> Secrets:
        """The secrets that are in use. The keeper has to be started."""
        return self._contents

    @property
    def state(self) -> State:
        """How they are now. Asks nobody."""
        standing = self._leased.standing if self._leased else Standing()
        now = time.monotonic()
        left = standing.lease.left(now) if standing.lease else math.inf
        failures = [chore.failure for chore in self._chores if chore.failure]
        return State(
            age=now - self._confirmed,
            version=self.contents.version,
            lease_left=None if math.isinf(left) else left,
            last_error=failures[0].kind if failures else "",
            logins=standing.logins,
            renewals=standing.renewals,
            rotations=self._rotations,
            failures=self._failures,
        )

    def close(self) -> None:
        """Stop following. What is under way is not waited for, but half a second."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=0.5)
        self._backend.close()

    def _keep(self) -> None:
        while not self._stopped.wait(self._seconds_to_next()):
            for chore in self._chores:
                if chore.due <= time.monotonic() and not self._stopped.is_set():
                    self._attempt(chore)

    def _seconds_to_next(self) -> float:
        next_due = min(chore.due for chore in self._chores)
        return min(max(0.0, next_due - time.monotonic()), LONGEST_SLEEP)

    def _attempt(self, chore: "_Chore") -> None:
        before, failure = chore.failure, None
        try:
            chore.attempt()
        except SecretsError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the keeper goes on
            # Its text and its traceback may hold a credential.
            failure = SecretsError(
                f"Keeping the secrets ended in {type(error).__name__}.", kind=type(error).__name__
            )
        chore.failure = failure
        if failure is not None:
            self._tell(failure, is_news=before is None or failure.problem != before.problem)
        elif before:
            logger.info("The secrets are fresh again: %s", self.contents.place)

    def _tell(self, failure: SecretsError, *, is_news: bool) -> None:
        self._failures += 1
        if is_news:
            age = time.monotonic() - self._confirmed
            logger.warning("The secrets stay as they were %.0f s ago: %s", age, failure)
        self._failed(failure)

    def _refresh(self) -> None:
        began = time.monotonic()
        contents = self._leased.refresh() if self._leased else self._backend.read()
        self._follow(contents)
        self._confirm(contents, began)
        if self._behind:
            raise SecretsError(
                f"{', '.join(self._behind)} can't be made from {contents.place}.",
                kind="not taken up",
            )

    def _follow(self, contents: Secrets) -> None:
        is_new = not _are_same(contents, self.contents)
        if is_new or self._behind:
            self._behind = self._take_up(contents)
        if is_new:
            self._rotations += 1
            logger.info("now secrets from %s", contents.place)

    def _confirm(self, contents: Secrets, began: float) -> None:
        self._contents = contents
        self._confirmed = began
        self._read_next = began + self._interval * random.uniform(0.9, 1.1)  # noqa: S311

    def _lease_due(self) -> float:
        lease = self._leased.standing.lease if self._leased else None
        return lease.due if lease else math.inf


class _Chore:
    """One thing that the keeper does again and again, and after failures less and less often."""

    def __init__(self, act: Callable[[], None], due: Callable[[], float]) -> None:
        self.failure: SecretsError | None = None
        self._act = act
        self._due = due
        self._not_before = 0.0
        self._pauses = Pauses(FIRST_PAUSE, MOST_PAUSE)

    @property
    def due(self) -> float:
        return max(self._due(), self._not_before)

    def attempt(self) -> None:
        pause = self._pauses.next()
        try:
            self._act()
        except BaseException:
            self._not_before = time.monotonic() + pause
            raise
        self._pauses.end()


def _are_same(one: Secrets, other: Secrets) -> bool:
    return (one.place, dict(one)) == (other.place, dict(other))
