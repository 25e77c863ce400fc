"""How long a token lasts, when it is to be renewed, and how long to pause after a failure.

The schedule is that of Vault's own tools: renew when two thirds are over, and log in anew where a
renewal gives less than the login gave, which is how a server says that the end is near.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Lease", "Pauses", "Standing"]

RENEW_AT = 2 / 3
SPREAD = 0.2  # of what is left then: workers that started together do not come together
LOG_IN_FROM = 0.9
SHORT = 0.9
LEAST = 0.5


@dataclass(frozen=True)
class Lease:
    """What a server has granted at one moment of the monotonic clock; replaced at each renewal.

    Attributes:
        began: when it was asked for: the server counts from later, never from earlier.
        seconds: for how long; infinite where it does not end.
        full: for how long the login was that it goes back to.
        is_renewable: whether the server renews it at all.
        is_batch: a batch token is neither renewed nor revoked.
        due: when to renew it.
    """

    began: float
    seconds: float
    full: float
    is_renewable: bool
    is_batch: bool
    due: float

    @classmethod
    def granted(
        cls, auth: Mapping[str, Any], began: float, *, before: "Lease | None" = None
    ) -> "Lease":
        """The lease that the `auth` of Vault's answer describes.

        Args:
            auth: with `lease_duration`, 0 for ever after a login, `renewable` and `token_type`.
            began: the moment before it was asked for.
            before: the lease that was renewed; None after a login.
        """
        # What ends is never renewed to last for ever: then 0 is less than a second.
        never = before is None or math.isinf(before.seconds)
        seconds = auth.get("lease_duration") or (math.inf if never else 0.0)
        is_batch = auth.get("token_type") == "batch"
        pause = seconds * (RENEW_AT + random.uniform(0, SPREAD) * (1 - RENEW_AT))  # noqa: S311
        return cls(
            began=began,
            seconds=seconds,
            full=before.full if before else seconds,
            is_renewable=bool(auth.get("renewable")) and not is_batch,
            is_batch=is_batch,
            due=began + max(LEAST, pause),
        )

    @property
    def is_short(self) -> bool:
        """Whether the last renewal gave less than it should: the next would give less still."""
        return self.seconds < SHORT * self.full

    def left(self, now: float) -> float:
        """Seconds until it ends, at this moment; none are left after that."""
        return max(0.0, self.began + self.seconds - now)

    def is_to_be_renewed(self, now: float) -> bool:
        """Whether a renewal serves still, so that no login is needed."""
        is_early = now < self.began + LOG_IN_FROM * self.seconds
        return self.is_renewable and not self.is_short and is_early


@dataclass(frozen=True)
class Standing:
    """How a backend stands with its server, at one moment.

    Attributes:
        lease: of its token; None where it has none.
        logins: how often it has logged in.
        renewals: how often it has renewed its token.
    """

    lease: Lease | None = None
    logins: int = 0
    renewals: int = 0


class Pauses:
    """How long to wait after each failure in a row: twice as long each time, give or take a fifth.

    Args:
        first: seconds after the first.
        most: seconds after any.
    """

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        pause = min(self._first * 2.0**self._failures, self._most)
        self._failures = min(self._failures + 1, 32)
        return pause * random.uniform(1.0, 1.2)  # noqa: S311

    def end(self) -> None:
        """It went well: the next failure is a first one."""
        self._failures = 0
