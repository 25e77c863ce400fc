"""Secrets from Vault's KV version 2 engine, through hvac."""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import hvac

from resident.exceptions import ConfigurationError, SecretsError
from resident.secrets.contents import Secrets
from resident.secrets.failures import EXPECTED, Step
from resident.secrets.logins import login_from
from resident.secrets.value import Secret
from resident.transport import BoundedSession, retried

__all__ = ["Vault"]


class Vault:
    """Reads one secret, with one login; lives as long as the worker.

    What may pass (refused connections, timeouts, 5xx, a sealed Vault) is tried again, with jitter
    and until `deadline`; what won't (a wrong password, a policy, a certificate) is not.

    Args:
        addr: where Vault is: "https://vault:8200".
        path: mount and path of the secret: "secret/demoapp".
        auth: the login method and its credentials: {"method", "username", "password"}.
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
        path: str = "secret/demoapp",
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
        self.path = path
        self.required = required
        self._mount, self._name = _mount_and_name(path)
        self._login = login_from(auth)
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

    def read(self) -> Secrets:
        """Log in, unless that is done, and read the secret.

        Raises:
            SecretsError: Vault refuses, stays away past the deadline, or the secret lacks a key.
        """
        return retried(self._attempt, deadline=self._deadline)

    def close(self) -> None:
        """Close the connections to Vault."""
        self._session.close()

    def _attempt(self, seconds_left: float) -> Secrets:
        self._session.seconds = max(0.1, min(self._read_timeout, seconds_left))
        if not self._client.token:
            self._ask(self._login_step, lambda: self._login(self._client))
        contents = self._contents(self._ask(self._read_step, self._read_secret))
        contents.require(self.required)
        return contents

    def _read_secret(self) -> Any:
        return self._client.secrets.kv.v2.read_secret_version(
            self._name, mount_point=self._mount, raise_on_deleted_version=True
        )

    def _contents(self, answer: dict[str, Any]) -> Secrets:
        secret = answer["data"]
        values, others = _masked(secret.get("data") or {})
        version = (secret.get("metadata") or {}).get("version")
        # An error's traceback shows the variables of its frames.
        del answer, secret
        source = f"Vault at {self.addr}"
        contents = Secrets(values, source=source, path=self.path, version=version)
        for key, kind in others.items():
            raise SecretsError(
                f"{contents.place}: the value of key {key!r} is of type {kind}, not a string.",
                remedy="store it as a string.",
            )
        return contents

    def _ask(self, step: Step, call: Callable[[], Any]) -> dict[str, Any]:
        failure, answer = None, None
        try:
            answer = call()
        except EXPECTED as error:
            failure = step.failure(error)
        if failure is None and not step.is_answer(answer):
            answer, failure = None, step.not_vault()
        if failure is not None:
            # Raised out here, where it has no context: what hvac raised ends in the line above.
            raise failure
        return answer  # type: ignore[return-value]

    @property
    def _login_step(self) -> Step:
        return Step(
            self.addr,
            answer_has="auth",
            tried=f"to log in with {self._login}",
            refused=f"refuses the login with {self._login}",
            remedy=self._login.remedy,
        )

    @property
    def _read_step(self) -> Step:
        return Step(
            self.addr,
            answer_has="data",
            tried=f"to read the secret {self.path!r}",
            refused=f"does not let this login read the secret {self.path!r}",
            remedy="give the login a policy that has: "
            f'path "{self._mount}/data/{self._name}" {{ capabilities = ["read"] }}',
        )


def _masked(values: Mapping[str, Any]) -> tuple[dict[str, Secret], dict[str, str]]:
    """The strings, masked; and of which type the other values are."""
    strings = {key: Secret(value) for key, value in values.items() if isinstance(value, str)}
    return strings, {k: type(v).__name__ for k, v in values.items() if k not in strings}


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


def _mount_and_name(path: str) -> tuple[str, str]:
    mount, _, name = path.strip("/").partition("/")
    if not mount or not name:
        raise ConfigurationError(
            f"VAULT_SECRET_PATH is {path!r}, which lacks the mount or the path.",
            remedy="write mount and path, as in 'secret/demoapp'.",
        )
    return mount, name
