"""A token that somebody else made: given as it is, or in a file that is written anew."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac

from resident.exceptions import SecretsError
from resident.secrets.file import read_text
from resident.secrets.logins.login import Login
from resident.secrets.value import Secret

__all__ = ["Token", "TokenFile"]

# What a token needs to be asked how long it lives; the policy "default" has it.
LOOKUP = 'path "auth/token/lookup-self" { capabilities = ["read"] }'


@dataclass(frozen=True)
class Token(Login):
    """A token, best a periodic one: when it ends, nobody here can make another."""

    token: Secret

    def __str__(self) -> str:
        return "the token of VAULT_TOKEN"

    def __call__(self, client: hvac.Client) -> Any:
        return _given(client, self.token, str(self))

    @property
    def remedy(self) -> str:
        return (
            "check VAULT_TOKEN: it may have ended, or been revoked. "
            f"It has the policy 'default', or one with: {LOOKUP}"
        )

    @property
    def owns_token(self) -> bool:
        return False


class TokenFile(Login):
    """A file with a token, such as Vault Agent's sink, which writes it anew before it ends.

    Args:
        path: the file. Where it is not there at the start, it is waited for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._used: Secret | None = None

    def __str__(self) -> str:
        return f"the token in {str(self.path)!r}"

    def __call__(self, client: hvac.Client) -> Any:
        self._used = self._read()
        return _given(client, self._used, str(self))

    @property
    def remedy(self) -> str:
        return (
            "check that whoever writes VAULT_TOKEN_FILE is logged in. "
            f"The token has the policy 'default', or one with: {LOOKUP}"
        )

    @property
    def owns_token(self) -> bool:
        return False

    def has_changed(self) -> bool:
        try:
            return self._used is not None and _checked(self._read(), str(self)) != self._used
        except SecretsError:
            return False

    def _read(self) -> Secret:
        return Secret(read_text(self.path, passing=True).strip())


def _given(client: hvac.Client, token: Secret, name: str) -> dict[str, Any]:
    """Take the token, and ask Vault how long it lives: the answer is that of a login.

    Where Vault refuses it, the client keeps the one that it had.
    """
    before = client.token
    client.token = _checked(token, name).reveal()
    try:
        found = client.auth.token.lookup_self()["data"]
        lease = {"lease_duration": found["ttl"], "renewable": found["renewable"]}
        return {"auth": {"client_token": client.token, "token_type": found["type"], **lease}}
    except BaseException:
        client.token = before
        raise


def _checked(token: Secret, name: str) -> Secret:
    text = token.reveal()
    if text.isascii() and text.isprintable() and text and not set(text) & set(' "{'):
        return token
    del text
    raise SecretsError(
        f"Vault can't be shown {name}: it is empty, or has characters that no token has.",
        kind="unreadable",
        remedy="give the token alone, on one line; what is wrapped has to be unwrapped before.",
    )
