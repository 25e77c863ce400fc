"""How the secrets of a worker are, for whoever watches it."""

from dataclasses import dataclass

__all__ = ["State"]


@dataclass(frozen=True)
class State:
    """How the secrets are, at one moment: for health, for metrics. It holds no secret, and no host.

    Attributes:
        age: seconds since the source confirmed the values.
        version: of the values; None where the source has none, or there are several.
        lease_left: seconds until the access ends; None where it does not.
        last_error: kind of the failure that is not over: "sealed", "refused"; "" for none.
        logins: how often it was logged in.
        renewals: how often the access was renewed.
        rotations: how often new values were taken up.
        failures: how often something did not go well.
    """

    age: float
    version: int | None
    lease_left: float | None
    last_error: str
    logins: int
    renewals: int
    rotations: int
    failures: int
