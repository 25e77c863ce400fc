"""Secrets from Vault's KV engines, through hvac."""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import hvac

from resident.exceptions import ConfigurationError, SecretsError
from resident.secrets.contents import Secrets, merged
from resident.secrets.failures import REFUSED
from resident.secrets.kv import Path, StoredSecret, prefixed_paths
from resident.secrets.lease import Standing
from resident.secrets.logins import login_from
from resident.secrets.tenancy import Tenancy
from resident.transport import BoundedSession, retried

__all__ = ["Vault"]

CLOSING_SECONDS = 1.0


class Vault:
    """Reads one secret, or several as one, with one login; lives as long as the worker.

    What may pass (refused connections, timeouts, 5xx, a sealed Vault) is tried again, with jitter
    and until `deadline`; what won't (a wrong password, a policy, a certificate) is not.

    Args:
        addr: where Vault is: "https://vault:8200".
        path: mount and path of the secret: "secret/demoapp"; or a list of such paths, whose keys
            are put together; or a dict whose keys are put before the keys of each:
            {"": "secret/demoapp", "mail_": "secret/mail"}.
        auth: the login method and its credentials, as `login_from` takes them.
        kv_version: of the engine: 1 or 2; None to ask Vault.
        required: keys without which the worker must not start.
        namespace: of Vault Enterprise and OpenBao; "" for the root namespace.
        cacert: a file with the CA that signed Vault's certificate; "" for certifi's.
        client_cert: a file with this client's certificate, for TLS that asks for one.
        client_key: a file with its key; "" where that is in the same file.
        connect_timeout: seconds for a connection.
        read_timeout: seconds for one answer, headers and body together.
        deadline: seconds for everything that one `read` does.
        max_bytes: how large a secret may be.
    """

    def __init__(
        self,
        *,
        addr: str,
        auth: Mapping[str, Any],
        path: Path = "secret/demoapp",
        kv_version: int | None = None,
        required: Collection[str] = (),
        namespace: str = "",
        cacert: str = "",
        client_cert: str = "",
        client_key: str = "",
        connect_timeout: float = 2.0,
        read_timeout: float = 5.0,
        deadline: float = 20.0,
        max_bytes: int = 1024 * 1024,
    ) -> None:
        self.addr = _checked_addr(addr)
        self.required = required
        self._secrets = [
            (prefix, StoredSecret(self.addr, each, kv_version=_checked_version(kv_version)))
            for prefix, each in prefixed_paths(path)
        ]
        login = login_from(auth, has_certificate=bool(client_cert))
        self._deadline = deadline
        self._read_timeout = read_timeout
        self._session = BoundedSession(seconds=read_timeout, max_bytes=max_bytes)
        self._session.verify = cacert or True
        self._session.cert = (client_cert, client_key or client_cert) if client_cert else None
        self._client = hvac.Client(
            url=self.addr,
            token="",  # an empty token keeps hvac from looking for one of its own
            namespace=namespace or None,
            timeout=(connect_timeout, read_timeout),
            session=self._session,
            allow_redirects=False,
        )
        self._tenancy = Tenancy(self._client, login, self.addr)

    @property
    def standing(self) -> Standing:
        """How the worker stands with Vault: the lease of its token, logins and renewals."""
        return self._tenancy.standing

    def read(self) -> Secrets:
        """Log in, unless that is done, and read the secret.

        Raises:
            SecretsError: Vault refuses, stays away past the deadline, or the secret lacks a key.
        """
        return retried(self._attempt, deadline=self._deadline)

    def refresh(self) -> Secrets:
        """The same in one attempt: whoever follows the secret tries again by itself."""
        return self._attempt(self._read_timeout)

    def tend(self) -> None:
        """Renew the token, or log in anew; it is time to when its lease is due.

        Raises:
            SecretsError: Vault refuses, or is away.
        """
        self._session.seconds = self._read_timeout
        self._tenancy.go_on()

    def close(self) -> None:
        """Revoke the token, if it is this worker's own, and close the connections to Vault."""
        self._session.seconds = CLOSING_SECONDS
        self._tenancy.end()
        self._session.close()

    def _attempt(self, seconds_left: float) -> Secrets:
        self._session.seconds = max(0.1, min(self._read_timeout, seconds_left))
        self._tenancy.begin()
        try:
            return self._contents()
        except SecretsError as error:
            if error.kind != REFUSED:
                raise
            refusal = error
        self._tenancy.begin_anew(refusal)
        return self._contents()

    def _contents(self) -> Secrets:
        contents = merged([(prefix, it.read(self._client)) for prefix, it in self._secrets])
        self._tenancy.accepted()
        contents.require(self.required)
        return contents


def _checked_addr(addr: str) -> str:
    parts = urlsplit(addr)
    if parts.username or parts.password:
        raise ConfigurationError(
            "VAULT_ADDR has a user name or a password in it.",
            remedy="write the URL alone, and the credentials in VAULT_USER and VAULT_PASS.",
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"VAULT_ADDR is {addr!r}, which is not the URL of a server.",
            remedy="write it as http://host:8200 or https://host:8200.",
        )
    return addr.rstrip("/")


def _checked_version(version: int | None) -> int | None:
    if version not in {None, 1, 2}:
        raise ConfigurationError(
            f"RESIDENT_SECRETS: kv_version is {version!r}, which is no version of the KV engine.",
            remedy="give 1 or 2, or leave it out: then Vault is asked.",
        )
    return version
