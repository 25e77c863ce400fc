"""What a worker keeps secret. Nothing here knows Django; `resident.resources` ties it in.

- `value`: one string, masked
- `contents`: the values of one secret, with the place and the version they came from
- `vault`, `environment`: backends, which read such contents
- `logins`: how Vault is told who we are
"""

from typing import Protocol

from resident.secrets.contents import MissingKeyError, Secrets
from resident.secrets.value import Secret

__all__ = ["MissingKeyError", "Secret", "Secrets", "SecretsBackend"]


class SecretsBackend(Protocol):
    """Where secrets live: made of the OPTIONS of RESIDENT_SECRETS, once per worker."""

    def read(self) -> Secrets:
        """The secrets as they are now. Raises `SecretsError`, in bounded time."""
        ...

    def close(self) -> None:
        """End what `read` opened. Called once, when the worker ends."""
        ...
