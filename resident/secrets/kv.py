"""A secret in one of Vault's KV engines, of version 1 or 2, and several of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import hvac
from hvac import exceptions as vault

from resident.exceptions import ConfigurationError, SecretsError
from resident.secrets.contents import Secrets, shortened
from resident.secrets.failures import Step
from resident.secrets.value import Secret

__all__ = ["Path", "StoredSecret", "prefixed_paths"]

Path = str | Sequence[str] | Mapping[str, str]
"""A path, several of them, or several by the prefix that their keys get."""

# What Vault calls its KV engine; the first version was called generic once.
KV = ("kv", "generic")


@dataclass(frozen=True)
class Engine:
    """Where an engine is mounted, without a slash at the end, and its version."""

    mount: str
    version: int


class StoredSecret:
    """One secret; lives as long as its backend, and remembers in which engine it is.

    That is asked where every login may ask that has any right below the mount, as `vault kv get`
    does, so that it takes no policy of its own. It is asked again after a read that failed.

    Args:
        addr: Vault's URL, for errors.
        path: mount and path: "secret/demoapp".
        kv_version: of the engine: 1 or 2; None to ask Vault.

    Raises:
        ConfigurationError: the path lacks its mount or its name.
    """

    def __init__(self, addr: str, path: str, *, kv_version: int | None = None) -> None:
        self.path = path.strip("/")
        self._addr = addr
        mount, _, name = self.path.partition("/")
        if not mount or not name:
            raise ConfigurationError(
                f"VAULT_SECRET_PATH is {path!r}, which lacks the mount or the path.",
                remedy="write mount and path, as in 'secret/demoapp'.",
            )
        self._told = Engine(mount, kv_version) if kv_version else None
        self._usual = Engine(mount, 2)
        self._found: Engine | None = None

    def read(self, client: hvac.Client) -> Secrets:
        """Its latest version. Raises `SecretsError`."""
        engine = self._found = self._told or self._found or self._find(client)
        try:
            answer = self._step(engine).ask(lambda: self._answer(client, engine))
        except SecretsError:
            self._found = None
            raise
        return self._contents(answer if engine.version == 1 else answer["data"])

    def _answer(self, client: hvac.Client, engine: Engine) -> Any:
        name = self._name(engine)
        if engine.version == 1:
            return client.secrets.kv.v1.read_secret(name, mount_point=engine.mount)
        return client.secrets.kv.v2.read_secret_version(
            name, mount_point=engine.mount, raise_on_deleted_version=True
        )

    def _contents(self, secret: dict[str, Any]) -> Secrets:
        values, others = _masked(_mapping(secret.get("data")))
        version = _mapping(secret.get("metadata")).get("version")
        # An error's traceback shows the variables of its frames.
        del secret
        version = version if isinstance(version, int) else None
        contents = Secrets(values, f"Vault at {self._addr}", self.path, version)
        for key, kind in others.items():
            raise SecretsError(
                f"{contents.place}: the value of key {shortened(key)} is of type {kind}, "
                "not a string.",
                remedy="store it as a string.",
            )
        return contents

    def _find(self, client: hvac.Client) -> Engine:
        described = self._step(self._usual).ask(lambda: self._description(client))["data"]
        kind, mount = described.get("type", "kv"), described.get("path")
        if not isinstance(mount, str) or not f"{self.path}/".startswith(mount):
            return self._usual
        if kind not in KV:
            raise SecretsError(
                f"Vault at {self._addr}: {mount!r} of VAULT_SECRET_PATH is an engine of type "
                f"{kind!r}, which makes something new whenever it is read.",
                kind="misconfigured",
                remedy="write the path of a secret in a KV engine.",
            )
        version = _mapping(described.get("options")).get("version")
        return Engine(mount.strip("/"), 2 if version == "2" else 1)

    def _description(self, client: hvac.Client) -> Any:
        """Vault's of the engine; empty where it has none for this login, who may read nothing."""
        try:
            return client.adapter.get(f"/v1/sys/internal/ui/mounts/{quote(self.path)}")
        except (vault.Forbidden, vault.InvalidPath):
            return {"data": {}}

    def _step(self, engine: Engine) -> Step:
        data = "data/" if engine.version == 2 else ""  # noqa: PLR2004 - a version, not a quantity
        return Step(
            self._addr,
            answer_has="data",
            tried=f"to read the secret {self.path!r}",
            refused=f"does not let this login read the secret {self.path!r}",
            remedy="give the login a policy that has: "
            f'path "{engine.mount}/{data}{self._name(engine)}" {{ capabilities = ["read"] }}',
        )

    def _name(self, engine: Engine) -> str:
        return self.path.removeprefix(f"{engine.mount}/")


def prefixed_paths(path: Path) -> list[tuple[str, str]]:
    """Each path, and the prefix of its keys: "" where it has none.

    Raises:
        ConfigurationError: there is none, or one is no string.
    """
    if isinstance(path, str):
        return [("", path)]
    pairs = list(path.items()) if isinstance(path, Mapping) else [("", each) for each in path]
    if not pairs or not all(isinstance(part, str) for pair in pairs for part in pair):
        raise ConfigurationError(
            f"VAULT_SECRET_PATH is {path!r}, which names no secret, or something else.",
            remedy="give a string, a list of strings, or a dict of prefix and string.",
        )
    return pairs


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _masked(values: Mapping[str, Any]) -> tuple[dict[str, Secret], dict[str, str]]:
    """The strings, masked; and of which type the other values are."""
    strings = {key: Secret(value) for key, value in values.items() if isinstance(value, str)}
    return strings, {k: type(v).__name__ for k, v in values.items() if k not in strings}
