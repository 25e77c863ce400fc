"""Opening the flags where no start has: as in `runserver`, in tests, and in a forked child."""

import copy
import time
from collections.abc import Iterator

from django.conf import settings

from resident.exceptions import ResidentError
from resident.flags.resource import flags
from resident.worker import Worker, worker

__all__ = ["Opening", "opening"]

LONG = 1.0  # seconds after which an attempt has made somebody wait
PAUSE = 30.0  # seconds until what has made somebody wait is tried again


class Opening:
    """Opens the flags for whoever asks one; lives as long as the process.

    While Flipt or Vault is away, an attempt takes as long as the deadline. The request that comes
    first waits for it; those that come with it or soon after get its error, and no attempt of
    their own.
    """

    def __init__(self) -> None:
        self._error: ResidentError | None = None
        self._until = 0.0
        self._settings: list[object] = []

    def ensure(self) -> None:
        """Have the flags open. Raises `ResidentError` where they can't be had."""
        if not worker.is_open(flags):
            worker.get(self.first_question)

    def first_question(self, worker: Worker) -> Iterator[None]:
        """A resource: so one thread at a time tries it, and the next one looks here first."""
        if self._error is not None and self._is_paused():
            raise copy.copy(self._error)
        self._error = None
        began = time.monotonic()
        try:
            worker.get(flags)
        except ResidentError as error:
            if time.monotonic() - began >= LONG:
                self._pause(error)
            raise
        yield

    def _pause(self, error: ResidentError) -> None:
        # A copy has no traceback, whose frames would hold the request.
        self._error = copy.copy(error)
        self._until = time.monotonic() + PAUSE
        self._settings = _settings()

    def _is_paused(self) -> bool:
        """Other settings, as the next test may have, are tried at once."""
        is_same = all(now is then for now, then in zip(_settings(), self._settings, strict=True))
        return is_same and time.monotonic() < self._until


def _settings() -> list[object]:
    return [getattr(settings, name, None) for name in ("RESIDENT_FLAGS", "RESIDENT_SECRETS")]


opening = Opening()
"""That of this process."""
