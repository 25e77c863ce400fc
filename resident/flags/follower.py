"""What follows the flags of one namespace."""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from resident.exceptions import FlagsError
from resident.flags.document import Document
from resident.flags.known import LastKnown
from resident.flags.pace import Pace
from resident.flags.snapshot import MEMO, Origin, Snapshot
from resident.flags.sources import NoStreamError, Reading, Source, Telling
from resident.flags.state import Mode, State
from resident.transport import retried

__all__ = ["Follower"]

logger = logging.getLogger("resident.flags")

PATIENCE = 1.0  # seconds that a start waits for the server where last known flags are there
RARELY = 300.0  # seconds until a source without streams is asked for one again


class _LeaveError(Exception):
    """The stream is to be left: it can't be trusted, or nobody needs it any more."""


class Follower:
    """Follows one source in a thread of its own; lives as long as the flag client.

    It listens where the source tells its changes by itself, and looks where it does not, or can't
    be listened to at the moment. While a stream is silent it looks too: a stream may be dead and
    not say so. It publishes a new snapshot in one assignment; nobody else waits for the source.

    Attributes:
        snapshot: the flags in use; None until `wait` has ended.

    Args:
        source: whose flags.
        interval: the most seconds between two looks at it.
        deadline: seconds that a start tries a source that is away.
        publish: what is called with each snapshot that comes into use.
        before: the snapshot of the client whose place this one takes.
        known: the last known flags; None where none are kept.
        stands_in: whether a start may begin on something else than the source.
        fallback: the source of what a start begins on if there is nothing else.
        memo: how many answers a snapshot remembers.
    """

    def __init__(
        self,
        source: Source,
        *,
        interval: float,
        deadline: float,
        publish: Callable[[Snapshot], None],
        before: Snapshot | None = None,
        known: LastKnown | None = None,
        stands_in: bool = True,
        fallback: Source | None = None,
        memo: int = MEMO,
    ) -> None:
        self.snapshot: Snapshot | None = None
        self._source = source
        self._telling = source if isinstance(source, Telling) and source.fetch != "poll" else None
        self._pace = Pace(interval, listens=self._telling is not None)
        self._deadline = deadline
        self._tell = publish
        self._before = before
        self._known = known
        self._reading = known.read() if known and stands_in else None
        self._fallback = fallback
        self._memo = memo
        self._publishing = threading.Lock()
        self._mode: Mode = source.mode
        self._swaps = self._failures = 0
        self._problem = self._kind = self._problem_of_streams = ""
        self._confirmed = time.monotonic()
        self._failure: BaseException | None = None
        self._has_tried, self._has_begun = threading.Event(), threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="resident-flags", daemon=True)

    @property
    def state(self) -> State:
        """How its flags are. Raises `FlagsError` where there are none yet."""
        if self.snapshot is None:
            raise FlagsError(f"{self._source} has not been read yet.", remedy="start the client.")
        return State(
            namespace=self.snapshot.namespace,
            origin=self.snapshot.origin,
            place=self.snapshot.place,
            version=self.snapshot.version,
            mode=self._mode,
            age=time.monotonic() - self._confirmed,
            taken=self.snapshot.taken,
            swaps=self._swaps,
            failures=self._failures,
            last_error=self._kind,
            process=os.getpid(),
        )

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def wait(self) -> None:
        """Wait until there are flags.

        Raises:
            FlagsError: the source refuses, or stays away past the deadline, and nothing stands in.
        """
        has_tried = self._has_tried.wait(PATIENCE if self._reading else None)
        if not has_tried:
            self._stand_in(_late(self._source))
        elif self._failure is not None:
            self._stand_in(self._failure)
        self._reading = None
        self._has_begun.set()

    def stop(self) -> None:
        """Let the thread end, without waiting for it."""
        self._stopped.set()
        self._has_begun.set()
        self._source.close()

    def join(self, seconds: float) -> None:
        """Wait so long for the thread to end: it may be in the middle of a read."""
        if self._thread.is_alive():
            self._thread.join(max(seconds, 0))

    def _run(self) -> None:
        self._begin()
        self._has_begun.wait()  # a start that has failed asks nobody again
        while not self._stopped.wait(self._pace.pause):
            if self._pace.until_look:
                self._listen()
            else:
                self._look()

    def _begin(self) -> None:
        """Read the source for the first time."""
        # Where flags are known, one failure is enough to begin on them.
        deadline = 0.0 if self._reading else self._deadline
        try:
            self._pace.look_later()
            reading = retried(lambda _: self._source.read(), deadline=deadline)
            self._take(reading or Reading(Document.empty(self._source.namespace)))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the start is told
            self._failure = error
            self._problem = str(error)
            self._miss(error)
        self._has_tried.set()

    def _look(self) -> bool:
        """Read the source; whether it says what it said before."""
        self._pace.look_later()
        try:
            reading = self._source.read()
            self._take(reading)
        except Exception as error:  # noqa: BLE001 - the worker must go on following its flags
            self._complain(error)
            self._miss(error)
            return False
        self._is_well()
        return reading is None

    def _listen(self) -> None:
        """Listen to the source until it is silent for good, or can't be trusted."""
        assert self._telling is not None  # noqa: S101 - else it never is the time to listen
        began = time.monotonic()
        try:
            for reading in self._telling.listen(self._idle):
                self._take(reading)
                self._mode = "stream"
                self._pace.look_later()
                self._is_well()
        except NoStreamError as error:
            self._do_without(error)
        except _LeaveError:
            self._pace.cut(time.monotonic() - began)
        except Exception as error:  # noqa: BLE001 - as above
            self._lose(error, is_first=self._pace.cut(time.monotonic() - began))
        else:
            self._pace.cut(time.monotonic() - began)
        finally:
            self._mode = self._source.mode

    def _do_without(self, error: NoStreamError) -> None:
        """Take a note that there are no streams; what balances the load may find a newer server."""
        assert self._telling is not None  # noqa: S101 - as above
        if self._problem_of_streams != error.problem:
            self._problem_of_streams = error.problem
            level = logging.WARNING if self._telling.fetch == "stream" else logging.INFO
            logger.log(level, "%s", error)
        self._pace.listen_in(RARELY)

    def _idle(self) -> float:
        """Look at the source where it is time to; gives the seconds until it is again."""
        # What it says only now, the stream should have said.
        if self._stopped.is_set() or (not self._pace.until_look and not self._look()):
            raise _LeaveError
        return self._pace.until_look

    def _take(self, reading: Reading | None) -> None:
        if reading is None:
            self._confirmed = time.monotonic()
            return
        try:
            self._publish(reading, self._source)
        except BaseException:
            self._source.forget()
            raise
        if self._known is not None and self.snapshot is not None:
            self._known.write(replace(reading, version=self.snapshot.version))

    def _publish(self, reading: Reading, source: Source, *, origin: Origin | None = None) -> None:
        """Take these flags into use; those of a stand-in only where there are none."""
        began = time.perf_counter()
        snapshot = Snapshot(
            reading.document,
            origin=origin or source.origin,
            place=str(source),
            version=reading.version,
            as_of=reading.as_of,
            before=self.snapshot or self._before,
            memo=self._memo,
        )
        with self._publishing:
            if self.snapshot is not None:
                if snapshot.origin != self._source.origin:
                    return
                self._swaps += 1
            # The clock on the wall may have been set back since.
            age = max((snapshot.taken - snapshot.as_of).total_seconds(), 0)
            self._confirmed = time.monotonic() - age
            self._before, self.snapshot = None, snapshot
            self._tell(snapshot)
        self._has_tried.set()
        milliseconds = (time.perf_counter() - began) * 1000
        count = len(snapshot.flags)
        logger.info("flags from %s: %d, in use in %.0f ms", source, count, milliseconds)

    def _stand_in(self, failure: BaseException) -> None:
        """Begin on something else than the source, which is followed all the same."""
        if self._reading is not None:
            logger.error(
                "Starting on the last known flags, of %s: %s", self._reading.as_of, failure
            )
            self._publish(self._reading, self._source, origin="last known")
            self._kind = self._kind or getattr(failure, "kind", "invalid")
        elif self._fallback is not None and getattr(failure, "passing", False):
            logger.error("Starting without current flags, which are taken up later: %s", failure)
            reading = self._fallback.read()
            assert reading is not None  # noqa: S101 - it is read for the first time
            self._publish(reading, self._fallback)
        else:
            raise failure

    def _miss(self, error: BaseException) -> None:
        """Take a note that the source could not be read, and when to try again."""
        self._failures += 1
        self._kind = getattr(error, "kind", "invalid")
        self._pace.missed()

    def _lose(self, error: Exception, *, is_first: bool) -> None:
        """Take a note that the stream was cut."""
        if self._stopped.is_set():  # which cuts it
            return
        self._failures += 1
        self._kind = getattr(error, "kind", "invalid")
        if not isinstance(error, FlagsError):
            logger.error("The stream of flags is left", exc_info=error)
        elif is_first:  # one that is cut again and again says so once
            logger.warning("The stream of flags is over, until it can be had again: %s", error)

    def _complain(self, error: Exception) -> None:
        if not isinstance(error, FlagsError):
            logger.error("The flags stay as they are", exc_info=error)
        elif error.problem != self._problem:
            logger.warning("The flags stay as they are: %s", error)
            self._problem = error.problem

    def _is_well(self) -> None:
        if self._problem:
            logger.info("%s is back", self._source)
        self._problem = self._kind = ""
        self._pace.well()


def _late(source: Source) -> FlagsError:
    return FlagsError(f"{source} does not answer in time.", kind="timeout", passing=True)
