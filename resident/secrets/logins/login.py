"""What every login is."""

from typing import Any, Protocol

import hvac

__all__ = ["Login"]


class Login(Protocol):
    """One way to get a token; it knows the credentials, and lives as long as its backend.

    Most make the token by themselves, with a credential that stays.
    """

    def __str__(self) -> str:
        """Method and account, for people: never a credential."""
        ...

    def __call__(self, client: hvac.Client) -> Any:
        """Log the client in, and give Vault's answer.

        Raises what hvac raises, and `SecretsError` where the credential itself is not to be had.

        Its `auth` has the token's `lease_duration` in seconds (0: it does not end), `renewable`
        and `token_type`, also where the token was given and Vault was only asked about it.
        """
        ...

    @property
    def remedy(self) -> str:
        """What to check when Vault refuses."""
        ...

    @property
    def owns_token(self) -> bool:
        """Whether the token was made by this login alone, so that whoever is done revokes it."""
        return True

    def has_changed(self) -> bool:
        """Whether the credential is another one since the last login: then log in again.

        Asks nobody but the file system, and raises nothing: where it can't be told, it is False.
        """
        return False
