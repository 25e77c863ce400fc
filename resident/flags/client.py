"""The flag client of a worker: the latest snapshot of each namespace."""

import threading
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from resident.exceptions import FlagsError
from resident.flags.follower import Follower
from resident.flags.known import LastKnown
from resident.flags.snapshot import MEMO, Snapshot
from resident.flags.sources import Source
from resident.flags.state import State

__all__ = ["FlagClient"]

FAREWELL = 0.4  # seconds that a worker which ends gives to what is under way


class FlagClient:
    """Follows the flags of one namespace or more; lives as long as the worker.

    Each has a thread of its own, which publishes a new snapshot in one assignment: requests never
    wait for it, and one that has begun on a snapshot ends on it.

    Attributes:
        namespace: the one that is meant where none is named.
        snapshots: the latest of each namespace; another mapping whenever one of them changes.

    Args:
        sources: one for each namespace, the first for the one that is meant where none is named.
        interval: the most seconds between two looks at a source that does not tell its changes.
        deadline: seconds that `start` tries a source that is away.
        before: the client whose place it takes, and whose counts and changes go on.
        known: where the last known flags are kept, by namespace.
        fallbacks: what a start begins on if there is nothing else, by namespace.
        memo: how many answers a snapshot remembers.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        interval: float,
        deadline: float,
        before: "FlagClient | None" = None,
        known: Mapping[str, LastKnown] = MappingProxyType({}),
        fallbacks: Mapping[str, Source] = MappingProxyType({}),
        memo: int = MEMO,
    ) -> None:
        self.namespace = sources[0].namespace
        self.snapshots: Mapping[str, Snapshot] = {}  # no proxy: each evaluation looks into it
        self._lock = threading.Lock()
        self._followers = {
            source.namespace: Follower(
                source,
                interval=interval,
                deadline=deadline,
                publish=self._publish,
                before=before.snapshots.get(source.namespace) if before else None,
                known=known.get(source.namespace),
                # What takes over has to have current flags: until then the client before serves.
                stands_in=before is None,
                fallback=fallbacks.get(source.namespace),
                memo=memo,
            )
            for source in sources
        }

    def start(self) -> None:
        """Read the flags, and follow their changes from now on.

        Raises:
            FlagsError: a source refuses, or stays away past the deadline, and nothing stands in.
        """
        for follower in self._followers.values():
            follower.start()
        for follower in self._followers.values():
            follower.wait()

    def close(self) -> None:
        """Stop following. What is under way is not waited for, but for a moment."""
        for follower in self._followers.values():
            follower.stop()
        ends = time.monotonic() + FAREWELL
        for follower in self._followers.values():
            follower.join(ends - time.monotonic())

    def state(self, namespace: str | None = None) -> State:
        """How the flags of a namespace are. Raises `FlagsError` for one that is not followed."""
        name = self.namespace if namespace is None else namespace
        if name not in self._followers:
            raise FlagsError(
                f"The namespace {name!r} is not followed.",
                remedy=f"ask for one of {', '.join(map(repr, self._followers))}, or list it in "
                "RESIDENT_FLAGS['NAMESPACES'].",
            )
        return self._followers[name].state

    @property
    def states(self) -> Mapping[str, State]:
        """How the flags are, by namespace. Raises `FlagsError` before the start."""
        return {name: follower.state for name, follower in self._followers.items()}

    def _publish(self, snapshot: Snapshot) -> None:
        with self._lock:  # against the other namespaces' threads; who reads needs none
            self.snapshots = {**self.snapshots, snapshot.namespace: snapshot}
