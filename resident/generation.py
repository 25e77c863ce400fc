"""What a worker has open at one time, who still uses it, and how it ends after that."""

import ctypes
import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

__all__ = ["Closer", "Generation", "Opened", "Stay", "close_all"]

logger = logging.getLogger("resident.worker")


class Opened:
    """One resource that is open; lives until the worker closes it.

    Args:
        name: of the resource, for the log.
        make: a generator that yields its value, and closes it afterwards.
        made_from: what its value depends on; where that is another, the value is to be made anew.
    """

    def __init__(self, name: str, make: Callable[[], Iterator[Any]], made_from: object) -> None:
        self.made_from = made_from
        self._name = name
        self._manager: AbstractContextManager[Any] = contextmanager(make)()
        self.value = self._manager.__enter__()

    def giving(self, value: Any) -> "Opened":
        """The same, still open, with another value."""
        same = object.__new__(Opened)
        same.__dict__ = self.__dict__ | {"value": value}
        return same

    def close(self) -> None:
        """Close it; that it fails to is logged."""
        try:
            self._manager.__exit__(None, None, None)
        except Exception:
            logger.exception("%s failed to close", self._name)
        else:
            logger.info("%s closed", self._name)

    def leave_to_parent(self) -> None:
        """Let the parent of this forked process close it."""
        # A suspended generator that is deallocated runs its `finally`: in a fork that would close
        # the parent's connections from the child. One reference too many keeps it suspended.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._manager))


class Generation:
    """What is open until something of it is replaced; lives as long as the worker or a request
    uses it, and as long as an older one lives: whoever uses that may come to use this.

    Attributes:
        opened: the resources that are open, in the order in which they were.
        successor: what came next; None for the current one.
    """

    __slots__ = ("__weakref__", "opened", "successor")

    def __init__(self, opened: dict[Any, Opened]) -> None:
        self.opened = opened
        self.successor: Generation | None = None


class Stay:
    """One visitor's stay, such as a request's: from its begin to its end it sees one generation.

    Attributes:
        generation: what it sees; None when it has ended.
        kept: what it was given of a resource that changes by itself, and is to be given again.
        is_makers: whether what it opens belongs to that generation, which is still being made.
    """

    __slots__ = ("generation", "is_makers", "kept")

    def __init__(self, generation: Generation, *, is_makers: bool = False) -> None:
        self.generation: Generation | None = generation
        self.kept: dict[Any, Any] = {}
        self.is_makers = is_makers

    def end(self) -> None:
        """Let go; what was replaced meanwhile may be closed now."""
        self.generation = None
        self.kept.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.end()


class Closer:
    """Closes what was replaced when nobody uses it any more; lives as long as the worker.

    It has a thread of its own, from the first replacement on, as closing may take its time and
    the last user may be a request.
    """

    def __init__(self) -> None:
        self._free: SimpleQueue[Sequence[Opened] | None] = SimpleQueue()
        self._waiting: list[Sequence[Opened]] = []
        self._thread: threading.Thread | None = None

    def close_after(self, generation: Generation, replaced: Sequence[Opened]) -> None:
        """Close these, the last first, when the generation has no user left."""
        self._waiting.append(replaced)
        # The only queue that may be used where the garbage collector happens to call.
        weakref.finalize(generation, self._free.put, replaced).atexit = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="resident-closer", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Close all that waits, used or not."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._free.put(None)
            thread.join()
        while self._waiting:
            close_all(self._waiting.pop(0))
        self._free = SimpleQueue()

    def leave_to_parent(self) -> None:
        """Let the parent of this forked process close what waits."""
        for replaced in self._waiting:
            for opened in replaced:
                opened.leave_to_parent()

    def _run(self) -> None:
        while (replaced := self._free.get()) is not None:
            self._waiting.remove(replaced)
            close_all(replaced)


def close_all(opened: Sequence[Opened]) -> None:
    """Close these, the last first."""
    for each in reversed(opened):
        each.close()
