"""The flag client of a worker: one engine, replaced as a whole when the flags change."""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from resident.exceptions import FlagsError
from resident.flags.document import Document
from resident.flags.engine import Engine, EngineError, Variant
from resident.flags.sources import Source
from resident.transport import retried

__all__ = ["FlagClient", "Subject"]

logger = logging.getLogger("resident.flags")

MOST_SAID = 1000  # keys may come from outside; what was said must not grow with them

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
        self._engine: Engine | None = None
        self._problem = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="resident-flags", daemon=True)
        self._said: set[str] = set()

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
        engine = self._engine
        constant = engine.constants.get(key) if engine else None
        if constant is not None:
            return constant
        return self._evaluated(engine, key, lambda engine: engine.boolean(key, *subject()), default)

    def variant(self, key: str, subject: Subject, *, default: Variant | None) -> Variant | None:
        """The variant of a flag; the default where no variant was given out, or can be told."""
        return self._evaluated(
            self._engine, key, lambda engine: engine.variant(key, *subject()) or default, default
        )

    def _evaluated(
        self, engine: Engine | None, key: str, evaluate: Callable[[Engine], T], default: T
    ) -> T:
        if engine is None or key not in engine.flags:
            self._say_once(key, "flag %r is unknown to %s; it gives its default", key, self._source)
            return default
        try:
            return evaluate(engine)
        except EngineError as error:
            self._say_once(key, "flag %r gives its default: %s", key, error)
            return default

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
        self._engine = Engine(document)
        milliseconds = (time.perf_counter() - began) * 1000
        count = len(document.flags)
        logger.info("flags from %s: %d, in use in %.0f ms", self._source, count, milliseconds)

    def _instead_of_source(self, error: FlagsError) -> Document:
        if self._fallback is None or not error.passing:
            raise error
        logger.error("Starting without current flags, which are taken up later: %s", error)
        self._problem = error.problem
        return self._fallback()

    def _say_once(self, key: str, message: str, *args: object) -> None:
        if key not in self._said and len(self._said) < MOST_SAID:
            self._said.add(key)
            logger.warning(message, *args)
