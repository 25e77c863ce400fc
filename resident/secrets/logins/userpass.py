"""User name and password."""

from dataclasses import dataclass
from typing import Any

import hvac

from resident.secrets.logins.login import Login
from resident.secrets.value import Secret

__all__ = ["Userpass"]


@dataclass(frozen=True)
class Userpass(Login):
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
