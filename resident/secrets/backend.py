"""What a home of secrets has to be able to do."""

from typing import Protocol, runtime_checkable

from resident.secrets.contents import Secrets
from resident.secrets.lease import Standing

__all__ = ["LeasedBackend", "SecretsBackend"]


@runtime_checkable
class SecretsBackend(Protocol):
    """Where secrets live: made of the OPTIONS of RESIDENT_SECRETS, once per worker."""

    def read(self) -> Secrets:
        """The secrets as they are now, again and again. Raises `SecretsError`, in bounded time."""
        ...

    def close(self) -> None:
        """End what `read` opened. Called once, when the worker ends."""
        ...


@runtime_checkable
class LeasedBackend(SecretsBackend, Protocol):
    """A backend whose access to the secrets ends unless it is renewed."""

    @property
    def standing(self) -> Standing:
        """The lease of the access, and how it was come by. Asks nobody."""
        ...

    def refresh(self) -> Secrets:
        """The secrets as they are now, in one attempt. Raises `SecretsError`."""
        ...

    def tend(self) -> None:
        """Renew the access. Called when its lease is due. Raises `SecretsError`."""
        ...
