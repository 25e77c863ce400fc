"""How current the flags of this worker are, in words."""

from dataclasses import dataclass

from resident.flags.state import State

__all__ = ["Standing", "duration"]

MINUTE, HOUR, DAY = 60, 60 * 60, 24 * 60 * 60

OF_ITS_OWN = {"server": {"stream", "poll"}, "features file": {"file"}, "defaults": {"none"}}
"""What is served where nothing is wrong, with the ways in which it is followed."""

FOLLOWED = {
    "stream": "by a stream, at once",
    "poll": "by polling",
    "file": "by looking at the file",
    "none": "there is nothing to follow",
}


@dataclass(frozen=True)
class Standing:
    """The state of one namespace in this worker, as people are told it."""

    state: State

    @property
    def served(self) -> str:
        """What the answers come from."""
        if self.state.origin == "defaults":
            return "no flags: each question gets its default in code"
        which = "the last known flags" if self.state.origin == "last known" else "the flags"
        return f"{which} of {self.state.place}"

    @property
    def followed(self) -> str:
        """How changes arrive."""
        return FOLLOWED[self.state.mode]

    @property
    def age(self) -> str:
        """Since when nobody has confirmed what is served: "3 s", "2 h 10 min"."""
        return duration(self.state.age)

    @property
    def is_makeshift(self) -> bool:
        """Whether something else is served than the source's own flags."""
        return self.state.mode not in OF_ITS_OWN.get(self.state.origin, ())

    @property
    def has_source(self) -> bool:
        """Whether there is a place that flags come from."""
        return self.state.mode != "none"


def duration(seconds: float) -> str:
    """A time as people say it, in one unit or two: "3 s", "2 min", "2 h 10 min", "3 days"."""
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        minutes = whole % HOUR // MINUTE
        return f"{whole // HOUR} h" + (f" {minutes} min" if minutes else "")
    return f"{whole // DAY} day" + ("s" if whole >= 2 * DAY else "")
