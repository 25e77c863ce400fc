"""How Vault is told who we are: one class per login method."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import hvac

from resident.exceptions import ConfigurationError
from resident.secrets.value import Secret

__all__ = ["Login", "Userpass", "login_from"]


class Login(Protocol):
    """One way to get a token; it knows the credentials, and lives as long as its backend."""

    def __str__(self) -> str:
        """Method and account, for people: never a credential."""
        ...

    def __call__(self, client: hvac.Client) -> Any:
        """Log the client in, and give Vault's answer. Raises what hvac raises.

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
        ...

    def has_changed(self) -> bool:
        """Whether the credential is another one since the last login: then log in again.

        Asks nobody but the file system, and raises nothing: where it can't be told, it is False.
        """
        ...


@dataclass(frozen=True)
class Userpass:
    """User name and password, as in the tutorial."""

    username: str
    password: Secret
    mount: str = "userpass"

    def __str__(self) -> str:
        return f"userpass as {self.username!r} (auth/{self.mount})"

    def __call__(self, client: hvac.Client) -> Any:
        return client.auth.userpass.login(
            username=self.username, password=self.password.reveal(), mount_point=self.mount
        )

    @property
    def remedy(self) -> str:
        return (
            "check VAULT_USER and VAULT_PASS. This login was tried once only: "
            "Vault locks an account after five wrong passwords, by default for 15 minutes."
        )

    @property
    def owns_token(self) -> bool:
        return True

    def has_changed(self) -> bool:
        return False


def login_from(auth: Mapping[str, Any]) -> Login:
    """The login that `OPTIONS["auth"]` of RESIDENT_SECRETS describes.

    Raises:
        ConfigurationError: the method is unknown, or a credential is missing.
    """
    method = auth.get("method") or "userpass"
    if method != "userpass":
        raise ConfigurationError(
            f"VAULT_AUTH_METHOD is {method!r}, which resident does not know.",
            remedy="use 'userpass', with VAULT_USER and VAULT_PASS.",
        )
    return _userpass(auth)


def _userpass(auth: Mapping[str, Any]) -> Userpass:
    username, password = auth.get("username"), auth.get("password")
    missing = [
        name for name, value in (("VAULT_USER", username), ("VAULT_PASS", password)) if not value
    ]
    if missing:
        raise ConfigurationError(
            f"Vault is configured, but {' and '.join(missing)} {'are' if missing[1:] else 'is'} "
            "not set, so that nobody can log in.",
            remedy="set the variables, or unset VAULT_ADDR to take secrets from the environment.",
        )
    return Userpass(str(_plain(username)), _secret(password))


def _plain(value: Any) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(str(value))
