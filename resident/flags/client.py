"""The flag client of a worker: one engine, replaced as a whole when the flags change."""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from resident.exceptions import FlagsError
from resident.flags.document import Document
from resident.flags.engine import Variant
from resident.flags.snapshot import Snapshot
from resident.flags.sources import Source
from resident.flags.subject import Subject as _Subject
from resident.transport import retried

__all__ = ["FlagClient", "Subject"]

logger = logging.getLogger("resident.flags")


T = TypeVar("T")
Subject = Callable[[], tuple[str, Mapping[str, str]]]
"""Who is asked about, worked out only where the flag depends on it: entity id and context."""


class FlagClient:
    """Answers from one source's flags and follows their changes; lives as long as the worker.

    A background thread reads the source and publishes a new engine in one assignment: requests
    never wait for it, and one that has begun an evaluation ends it on the engine that it began on.

    Args:
        source: where the flags are.
        interval: seconds between two looks at it, give or take a tenth.
        deadline: seconds that `start` waits for a source that is away.
        fallback: what to start on if it stays away; None to raise then.
    """

    def __init__(
        self,
        source: Source,
        *,
        interval: float,
        deadline: float,
        fallback: Callable[[], Document] | None = None,
    ) -> None:
        self._source = source
        self._interval = interval
        self._deadline = deadline
        self._fallback = fallback
        self.namespace = "default"
        self.snapshots: Mapping[str, Snapshot] = {}
        self._problem = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="resident-flags", daemon=True)

    def start(self) -> None:
        """Read the flags, and follow their changes from now on.

        Raises:
            FlagsError: the source refuses, or stays away past the deadline without a fallback.
        """
        try:
            document = retried(lambda _: self._source.read(), deadline=self._deadline)
        except FlagsError as error:
            document = self._instead_of_source(error)
        self._publish(document or Document.empty())
        self._thread.start()

    def close(self) -> None:
        """Stop following. A read that is under way is not waited for, but half a second."""
        self._stopped.set()
        self._source.close()
        if self._thread.is_alive():
            self._thread.join(timeout=0.5)

    def boolean(self, key: str, subject: Subject, *, default: bool) -> bool:
        """Whether a boolean flag is on; the default where it can't be told."""
        snapshot = next(iter(self.snapshots.values()), None)
        if snapshot is None:
            return default
        return snapshot.boolean(key, lambda: _Subject(*subject()), default)

    def variant(self, key: str, subject: Subject, *, default: Variant | None) -> Variant | None:
        """The variant of a flag; the default where no variant was given out, or can be told."""
        snapshot = next(iter(self.snapshots.values()), None)
        if snapshot is None:
            return default
        return snapshot.variant(key, lambda: _Subject(*subject()), default)

    def _follow(self) -> None:
        while not self._stopped.wait(self._interval * random.uniform(0.9, 1.1)):  # noqa: S311
            self._refresh()

    def _refresh(self) -> None:
        try:
            document = self._source.read()
            if document is not None:
                self._publish(document)
        except FlagsError as error:
            if error.problem != self._problem:
                logger.warning("The flags stay as they are: %s", error)
            self._problem = error.problem
        except Exception:
            # Whatever this is, the worker must go on following its flags.
            logger.exception("The flags stay as they are")
        else:
            if self._problem:
                logger.info("%s is back", self._source)
            self._problem = ""

    def _publish(self, document: Document) -> None:
        began = time.perf_counter()
        snapshot = Snapshot(
            document,
            origin="server",
            place=str(self._source),
            before=self.snapshots.get(document.namespace.key),
        )
        self.namespace = document.namespace.key
        self.snapshots = {self.namespace: snapshot}
        milliseconds = (time.perf_counter() - began) * 1000
        count = len(document.flags)
        logger.info("flags from %s: %d, in use in %.0f ms", self._source, count, milliseconds)

    def _instead_of_source(self, error: FlagsError) -> Document:
        if self._fallback is None or not error.passing:
            raise error
        logger.error("Starting without current flags, which are taken up later: %s", error)
        self._problem = error.problem
        return self._fallback()
