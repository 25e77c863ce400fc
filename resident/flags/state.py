"""How the flags of a worker are, for whoever watches it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from resident.flags.snapshot import Origin

__all__ = ["Mode", "State"]

Mode = Literal["stream", "poll", "file", "none"]


@dataclass(frozen=True)
class State:
    """How the flags of a namespace are, at one moment: for health, for metrics, for the admin.

    Attributes:
        namespace: whose flags.
        origin: what kind of source serves them.
        place: that source, for people: it names a host or a path.
        version: the server's name for this state of them, else a digest.
        mode: how changes are followed.
        age: seconds since the source confirmed what is served.
        taken: when this worker took up what is served.
        swaps: how often that was replaced by something newer.
        failures: how often the source could not be asked.
        last_error: kind of the failure that is not over: "refused", "timeout", "401"; "" for none.
        process: the id of this process.
    """

    namespace: str
    origin: Origin
    place: str
    version: str
    mode: Mode
    age: float
    taken: datetime
    swaps: int
    failures: int
    last_error: str
    process: int
