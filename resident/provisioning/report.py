"""What provisioning tells about each thing that it looked at or made."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["created", "stands", "updated", "differs", "skipped"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was to be set up, and what became of it.

    Args:
        what: the thing, in the words of the server that holds it.
        outcome: `created` where it was missing; `stands` where nothing had to be done;
            `updated` where a part of it was missing or out of date; `differs` where it
            stands otherwise than was asked for, and was left alone; `skipped` where it
            can't be held there.
        note: what the outcome alone does not tell. Never a secret.
    """

    what: str
    outcome: Outcome
    note: str = ""

    def __str__(self) -> str:
        line = f"{self.outcome:<8} {self.what}"
        return f"{line} ({self.note})" if self.note else line
