"""When a source is looked at, and when it is listened to."""

import math
import random
import time

__all__ = ["Pace"]

SHORTEST, LONGEST = 0.25, 30.0  # seconds between two attempts at what fails again and again
STEADY = 10.0  # seconds after which a stream counts as one that works


class Pace:
    """The times of the next look and of the next listening; lives as long as a follower.

    They go by the monotonic clock, and are never those of all workers at once.

    Args:
        interval: the most seconds between two looks.
        listens: whether there is anything to listen to.
    """

    def __init__(self, interval: float, *, listens: bool) -> None:
        self._interval = interval
        self._listens = listens
        self._look_at = time.monotonic()
        self._listen_at = self._look_at if listens else math.inf
        self._misses = self._cuts = 0

    @property
    def pause(self) -> float:
        """Seconds until something is to be done."""
        # While the source is away, one attempt at a time is enough.
        due = self._look_at if self._misses else min(self._look_at, self._listen_at)
        return max(due - time.monotonic(), 0)

    @property
    def until_look(self) -> float:
        """Seconds until the next look; 0 where it is time for it."""
        return max(self._look_at - time.monotonic(), 0)

    def look_later(self) -> None:
        """One interval from now: a look begins, or the source has just said something."""
        self._look_at = time.monotonic() + self._interval * random.uniform(0.9, 1.0)  # noqa: S311 - no secret

    def missed(self) -> None:
        """A look has failed."""
        self._misses += 1
        soon = min(self._backoff(self._misses), self._interval)
        self._look_at = time.monotonic() + soon

    def well(self) -> None:
        """The source is there."""
        if self._misses and self._listens:
            self._listen_at = time.monotonic()  # it may be another version, which has streams
        self._misses = 0

    def cut(self, lasted: float) -> bool:
        """A stream is over, after so many seconds. Tells whether it is the first in a row."""
        if lasted > STEADY:
            self._cuts = 0
        self._cuts += 1
        self.listen_in(self._backoff(self._cuts))
        return self._cuts == 1

    def listen_in(self, seconds: float) -> None:
        """Listen then, and not before."""
        self._listen_at = time.monotonic() + seconds

    def _backoff(self, times: int) -> float:
        """Seconds until what failed so often is tried again."""
        longest = max(min(self._interval, LONGEST), SHORTEST)
        seconds = min(SHORTEST * 2.0 ** min(times - 1, 10), longest)
        return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - as above
