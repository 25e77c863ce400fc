"""Secrets in KV engines of both versions, at several paths, with no right but to read them."""

from typing import Any

import pytest

from resident.exceptions import ConfigurationError
from resident.secrets import Secrets
from resident.secrets.contents import merged
from tests.evidence import PASSWORD
from tests.secrets.reading import backend, plain, refusal
from tests.servers import Impostor, VaultServer

POLICY = """
path "secret/data/demoapp" { capabilities = ["read"] }
path "secret/data/mail" { capabilities = ["read"] }
path "old/team/app" { capabilities = ["read"] }
path "deep/mount/data/app" { capabilities = ["read"] }
path "database/creds/shop" { capabilities = ["read"] }
"""

MOUNTS = "sys/internal/ui/mounts/"


@pytest.fixture
def vault(vault: VaultServer) -> VaultServer:
    """The same with engines of both versions, of which the user may read a secret each."""
    with vault.client() as admin:
        admin.sys.create_or_update_policy("demoapp", POLICY)
        admin.sys.enable_secrets_engine("kv", path="old", options={"version": "1"})
        admin.sys.enable_secrets_engine("kv", path="deep/mount", options={"version": "2"})
        admin.sys.enable_secrets_engine("database")
        admin.secrets.kv.v1.create_or_update_secret("team/app", {"old": "1"}, mount_point="old")
        admin.secrets.kv.v2.create_or_update_secret("app", {"deep": "2"}, mount_point="deep/mount")
        admin.secrets.kv.v2.create_or_update_secret("mail", {"host": "mail", "token": "m"})
    return vault


def read(vault: VaultServer, path: Any, **options: Any) -> Secrets:
    source = backend(vault.addr, path=path, **options)
    try:
        return source.read()
    finally:
        source.close()


class TestEngines:
    def test_version_1(self, vault: VaultServer) -> None:
        secrets = read(vault, "old/team/app")
        assert plain(secrets) == {"old": "1"}
        assert secrets.version is None
        assert secrets.place == f"Vault at {vault.addr}, secret 'old/team/app'"

    def test_a_mount_of_two_parts(self, vault: VaultServer) -> None:
        secrets = read(vault, "/deep/mount/app")
        assert plain(secrets) == {"deep": "2"}
        assert (secrets.path, secrets.version) == ("deep/mount/app", 1)

    def test_is_asked_for_once(self, vault: VaultServer) -> None:
        source = backend(vault.addr)
        source.read()
        source.read()
        source.close()
        assert len(vault.requests(MOUNTS)) == 1
        asked = vault.requests("secret/data/demoapp")
        assert [request["operation"] for request in asked] == ["create", "read", "read"]

    @pytest.mark.parametrize(("path", "version"), [("old/team/app", 1), ("secret/mail", 2)])
    def test_is_not_asked_for_where_it_is_told(
        self, vault: VaultServer, path: str, version: int
    ) -> None:
        assert read(vault, path, kv_version=version)
        assert not vault.requests(MOUNTS)

    def test_another_version_than_was_told(self, vault: VaultServer) -> None:
        error = refusal(backend(vault.addr, path="old/team/app", kv_version=2))
        assert 'path "old/data/team/app"' in error.remedy

    def test_the_remedy_for_version_1(self, vault: VaultServer) -> None:
        error = refusal(backend(vault.addr, path="old/payroll"))
        assert 'path "old/payroll" { capabilities = ["read"] }' in error.remedy

    def test_an_engine_that_was_replaced(self, vault: VaultServer) -> None:
        """By one of the other version: what is refused there is asked for anew."""
        source = backend(vault.addr, path="old/team/app")
        source.read()
        with vault.client() as admin:
            admin.sys.create_or_update_policy(
                "demoapp", 'path "old/data/team/app" { capabilities = ["read"] }'
            )
            admin.sys.disable_secrets_engine("old")
            admin.sys.enable_secrets_engine("kv", path="old", options={"version": "2"})
            admin.secrets.kv.v2.create_or_update_secret("team/app", {"new": "2"}, mount_point="old")
        assert plain(source.read()) == {"new": "2"}
        source.close()

    def test_one_that_makes_something_new_whenever_it_is_read(self, vault: VaultServer) -> None:
        error = refusal(backend(vault.addr, path="database/creds/shop"))
        assert "'database/' of VAULT_SECRET_PATH is an engine of type 'database'" in error.problem
        assert not vault.requests("database/creds")

    def test_where_the_login_may_read_nothing_at_all(self, vault: VaultServer) -> None:
        with vault.client() as admin:
            admin.sys.delete_policy("demoapp")
        error = refusal(backend(vault.addr))
        assert "does not let this login read the secret 'secret/demoapp'" in error.problem
        assert 'path "secret/data/demoapp"' in error.remedy

    def test_a_path_with_characters_that_mean_something_in_a_url(self, vault: VaultServer) -> None:
        with vault.client() as admin:
            policy = 'path "secret/data/a b?c#d%2F" { capabilities = ["read"] }'
            admin.sys.create_or_update_policy("demoapp", policy)
            admin.secrets.kv.v2.create_or_update_secret("a b?c#d%2F", {"token": "odd"})
        assert plain(read(vault, "secret/a b?c#d%2F")) == {"token": "odd"}
        assert vault.requests(f"{MOUNTS}secret/a b?c#d%2F")

    def test_a_deleted_secret_in_version_1(self, vault: VaultServer) -> None:
        with vault.client() as admin:
            admin.secrets.kv.v1.delete_secret("team/app", mount_point="old")
        error = refusal(backend(vault.addr, path="old/team/app"))
        assert "has no such secret" in error.problem

    def test_a_value_that_is_no_string_in_version_1(self, vault: VaultServer) -> None:
        with vault.client() as admin:
            admin.secrets.kv.v1.create_or_update_secret(
                "team/app", {"port": 1, "password": PASSWORD}, mount_point="old"
            )
        error = refusal(backend(vault.addr, path="old/team/app"))
        assert "secret 'old/team/app': the value of key 'port' is of type int" in error.problem

    @pytest.mark.parametrize(
        "described",
        [{}, {"type": 7}, {"path": 7}, {"path": "else/"}, {"path": "secret/", "options": []}],
    )
    def test_a_description_that_makes_no_sense(self, described: object) -> None:
        routes: dict[str, tuple[int, object]] = {
            f"/v1/{MOUNTS}secret/demoapp": (200, {"data": described}),
            "/v1/auth/userpass/login/demoapp": (200, {"auth": {"client_token": "t"}}),
            "/v1/secret/demoapp": (200, {"data": {"token": "1"}}),
            "/v1/secret/data/demoapp": (200, {"data": {"data": {"token": "2"}, "metadata": []}}),
        }
        with Impostor(404, {"errors": []}, routes=routes) as server:
            source = backend(server.addr)
            version = "1" if described == {"path": "secret/", "options": []} else "2"
            assert plain(source.read()) == {"token": version}
            source.close()


class TestSeveral:
    def test_as_one(self, vault: VaultServer) -> None:
        secrets = read(vault, ["old/team/app", "deep/mount/app"], required=["old", "deep"])
        assert plain(secrets) == {"old": "1", "deep": "2"}
        assert secrets.version is None
        assert secrets.source == f"Vault at {vault.addr}"
        assert secrets.path == "old/team/app, deep/mount/app"
        assert secrets.place == (
            f"Vault at {vault.addr}, secret 'old/team/app' and "
            f"Vault at {vault.addr}, secret 'deep/mount/app' version 1"
        )
        assert vault.logins() == 1

    def test_a_list_of_one_is_that_one(self, vault: VaultServer) -> None:
        assert read(vault, ["secret/demoapp"]).version == 1

    def test_a_key_that_comes_from_two(self, vault: VaultServer) -> None:
        error = refusal(backend(vault.addr, path=["secret/demoapp", "secret/mail"]))
        assert error.problem == (
            f"The key 'token' is in Vault at {vault.addr}, secret 'secret/demoapp' version 1 "
            f"and in Vault at {vault.addr}, secret 'secret/mail' version 1."
        )
        assert "{'': 'secret/demoapp', 'other_': 'secret/mail'}" in error.remedy

    def test_with_a_prefix(self, vault: VaultServer) -> None:
        secrets = read(vault, {"": "secret/demoapp", "mail_": "secret/mail"})
        assert plain(secrets) == {"token": "t0ken", "mail_host": "mail", "mail_token": "m"}
        assert plain(read(vault, {"app_": "secret/demoapp"})) == {"app_token": "t0ken"}

    def test_one_that_may_not_be_read(self, vault: VaultServer) -> None:
        error = refusal(backend(vault.addr, path=["secret/demoapp", "secret/payroll"]))
        assert "does not let this login read the secret 'secret/payroll'" in error.problem

    @pytest.mark.parametrize("path", [[], {}, [7], {"a": None}, {7: "secret/demoapp"}])
    def test_what_names_none(self, path: Any) -> None:
        with pytest.raises(ConfigurationError, match="which names no secret, or something else"):
            backend("http://vault:8200", path=path)

    def test_the_same_key_of_two_sources(self) -> None:
        one, other = Secrets({}, source="One"), Secrets({}, source="Other")
        assert merged([("", one), ("", other)]).source == "One, Other"


@pytest.mark.parametrize("version", [0, 3, "2"])
def test_a_version_that_is_none(version: Any) -> None:
    with pytest.raises(ConfigurationError, match="which is no version of the KV engine"):
        backend("http://vault:8200", kv_version=version)


@pytest.fixture
def team(vault: VaultServer) -> VaultServer:
    """A namespace with a user, an engine and a secret of its own."""
    vault.add_namespace("team")
    with vault.client(namespace="team") as admin:
        admin.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        admin.sys.enable_auth_method("userpass")
        admin.sys.create_or_update_policy("demoapp", POLICY)
        admin.auth.userpass.create_or_update_user("demoapp", PASSWORD, policies=["demoapp"])
        admin.secrets.kv.v2.create_or_update_secret("demoapp", {"token": "of the team"})
    return vault


def test_in_a_namespace(team: VaultServer) -> None:
    assert plain(read(team, "secret/demoapp", namespace="team")) == {"token": "of the team"}
    assert plain(read(team, "secret/demoapp")) == {"token": "t0ken"}
