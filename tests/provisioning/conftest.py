"""One Vault for all of these tests, and a namespace of it for each; a Flipt for each."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import hvac
import pytest

from resident.provisioning import FliptTarget, VaultTarget
from resident.testing import FakeFlipt
from tests.evidence import BOOTSTRAP_TOKEN, PASSWORD, ROOT_TOKEN
from tests.servers import VaultServer


@pytest.fixture(scope="session")
def vault_server() -> Iterator[VaultServer]:
    with VaultServer(root_token=ROOT_TOKEN) as server:
        yield server


@pytest.fixture(scope="session")
def names() -> Iterator[str]:
    """A name for each who asks."""
    return (f"team-{number}" for number in itertools.count())


@dataclass(frozen=True)
class EmptyVault:
    """A Vault that nothing was done to: a namespace of the server, with its administrator."""

    server: VaultServer
    namespace: str
    admin: hvac.Client

    def target(self, **changes: Any) -> VaultTarget:
        values = {
            "addr": self.server.addr,
            "token": ROOT_TOKEN,
            "username": "demoapp",
            "password": PASSWORD,
            "namespace": self.namespace,
        }
        return VaultTarget(**{**values, **changes})

    def logins(self) -> int:
        return self.server.logins(namespace=self.namespace)

    def writes(self) -> list[str]:
        """What was written, path by path."""
        asked = self.server.requests("", namespace=self.namespace)
        return [one["path"] for one in asked if one["operation"] != "read"]

    def secret(self, name: str = "demoapp", mount: str = "secret") -> dict[str, str]:
        """What the administrator finds there."""
        return dict(self.read(name, mount)["data"])

    def read(self, name: str = "demoapp", mount: str = "secret") -> dict[str, Any]:
        """What the administrator finds there, and its metadata."""
        answer = self.admin.secrets.kv.v2.read_secret_version(
            name, mount_point=mount, raise_on_deleted_version=True
        )
        return dict(answer["data"])

    def token_with(self, rules: str) -> str:
        """A token that may do this, and nothing else."""
        self.admin.sys.create_or_update_acl_policy("limited", rules)
        answer = self.admin.auth.token.create(policies=["limited"])
        return str(answer["auth"]["client_token"])


@pytest.fixture
def vault(vault_server: VaultServer, names: Iterator[str]) -> Iterator[EmptyVault]:
    name = next(names)
    vault_server.add_namespace(name)
    with vault_server.client(namespace=name) as admin:
        yield EmptyVault(vault_server, name, admin)


@pytest.fixture
def flipt() -> Iterator[FakeFlipt]:
    with FakeFlipt(version="1.61.1", token=BOOTSTRAP_TOKEN) as server:
        yield server


@pytest.fixture
def flipt_target(flipt: FakeFlipt) -> FliptTarget:
    return FliptTarget(url=flipt.url, token=BOOTSTRAP_TOKEN)
