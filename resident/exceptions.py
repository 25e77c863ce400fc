"""What can go wrong with what a worker holds. Each message names the place and the remedy.

No message carries a secret, and none of these is raised while an exception of hvac's or
requests' is being handled: those hold the token and the password.
"""

import copy
from typing import Any, Self


class ResidentError(Exception):
    """The base of every error that resident raises on purpose.

    Args:
        problem: what is wrong, and where: the setting, the host, the path, the key.
        tried: what was attempted, and for how long.
        remedy: what to do about it.
        passing: whether it may be gone when the same is tried again.
    """

    def __init__(
        self, problem: str, *, tried: str = "", remedy: str = "", passing: bool = False
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.tried = tried
        self.remedy = remedy
        self.passing = passing

    def __str__(self) -> str:
        lines = [self.problem]
        if self.tried:
            lines.append(f"Tried: {self.tried}")
        if self.remedy:
            lines.append(f"To do: {self.remedy}")
        return "\n".join(lines)

    def after(self, attempts: int, seconds: float) -> Self:
        """The same error, which says how often and for how long it was tried."""
        times = f"{attempts} times" if attempts > 1 else "once"
        same = copy.copy(self)
        same.tried = self.tried and f"{self.tried}, {times} in {seconds:.1f} s."
        return same


class ConfigurationError(ResidentError):
    """A setting or a variable is missing, malformed, or contradicts another."""


class SecretsError(ResidentError):
    """Secrets could not be had, or lack what was asked of them.

    Args:
        problem: as of every error.
        kind: the same in a word or two, with no host and no path: for metrics, and whoever asks.
        others: as of every error.
    """

    def __init__(self, problem: str, *, kind: str = "invalid", **others: Any) -> None:
        super().__init__(problem, **others)
        self.kind = kind


class FlagsError(ResidentError):
    """Flags could not be had: the source is away, refuses, or holds no valid document.

    Args:
        problem: as of every error.
        kind: the same in a word or two, with no host and no path: for metrics, and whoever asks.
        others: as of every error.
    """

    def __init__(self, problem: str, *, kind: str = "invalid", **others: Any) -> None:
        super().__init__(problem, **others)
        self.kind = kind


class ProvisionError(ResidentError):
    """Vault or Flipt refused to be set up."""


class LeaksError(ResidentError):
    """Requests could not be rehearsed, or a baseline could not be read."""
