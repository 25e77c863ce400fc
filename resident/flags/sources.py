"""Where flags come from."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from resident.exceptions import FlagsError
from resident.flags import features
from resident.flags.document import Document
from resident.flags.snapshot import Origin
from resident.flags.state import Mode
from resident.flags.stream import Idle

__all__ = ["FeaturesFile", "Fetch", "NoStreamError", "Nowhere", "Reading", "Source", "Telling"]

Fetch = Literal["auto", "poll", "stream"]


@dataclass(frozen=True)
class Reading:
    """What a source said, once.

    Attributes:
        document: the flags.
        version: the source's name for this state of them; "" where it has none.
        as_of: when it said so; None for now.
    """

    document: Document
    version: str = ""
    as_of: datetime | None = None


class NoStreamError(FlagsError):
    """The source tells no changes by itself: it is to be asked again and again."""


class Source(Protocol):
    """A place that has one namespace's flags, and may have others later.

    Attributes:
        namespace: whose flags.
        origin: what kind of place it is.
        mode: how it is followed while it is not listened to.
    """

    @property
    def namespace(self) -> str: ...
    @property
    def origin(self) -> Origin: ...
    @property
    def mode(self) -> Mode: ...

    def __str__(self) -> str:
        """The place, for people."""
        ...

    def read(self) -> Reading | None:
        """What it says; None where it is what it said last. Raises `FlagsError`."""
        ...

    def forget(self) -> None:
        """Take what it said last for not said: it could not be used."""
        ...

    def close(self) -> None:
        """End what `read` and `listen` opened. May be called from another thread than they are."""
        ...


@runtime_checkable
class Telling(Source, Protocol):
    """A source that may tell its changes by itself.

    Attributes:
        fetch: whether to listen: "auto" where it does, "stream" where it has to, "poll" for never.
    """

    @property
    def fetch(self) -> Fetch: ...

    def listen(self, idle: Idle) -> Iterator[Reading | None]:
        """What it says as it changes; None as in `read`.

        Raises:
            NoStreamError: it does not.
            FlagsError: it does no more.
        """
        ...


class FeaturesFile:
    """A features file in Flipt's format; lives as long as the flag client.

    Args:
        path: the file.
        namespace: which of its namespaces.
    """

    origin: Origin = "features file"
    mode: Mode = "file"

    def __init__(self, path: Path, *, namespace: str = "default") -> None:
        self.namespace = namespace
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._fault: FlagsError | None = None

    def __str__(self) -> str:
        return f"the features file {self._path}"

    def read(self) -> Reading | None:
        """The document, unless the file is as it was; then a fault is as it was, too."""
        state = self._state()
        if state == self._seen:
            if self._fault is not None:
                raise self._fault.with_traceback(None)  # which would grow with every look
            return None
        self._seen, self._fault = state, None
        try:
            return Reading(features.load(self._path, namespace=self.namespace))
        except FlagsError as fault:
            self._fault = fault
            raise

    def forget(self) -> None:
        """Read the file again, whether it has changed or not."""
        self._seen = None

    def close(self) -> None:
        """There is nothing to close."""

    def _state(self) -> tuple[int, int, int]:
        # Editors replace a file as often as they write into it.
        try:
            stat = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


class Nowhere:
    """The source of a project that has no flags: each is answered by its default."""

    origin: Origin = "defaults"
    mode: Mode = "none"

    def __init__(self, *, namespace: str = "default") -> None:
        self.namespace = namespace
        self._was_read = False

    def __str__(self) -> str:
        return "nowhere (no Flipt host, no features file)"

    def read(self) -> Reading | None:
        """No flags; None from the second time on."""
        if self._was_read:
            return None
        self._was_read = True
        return Reading(Document.empty(self.namespace))

    def forget(self) -> None:
        """Say so again."""
        self._was_read = False

    def close(self) -> None:
        """There is nothing to close."""
