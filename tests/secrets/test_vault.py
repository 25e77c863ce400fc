"""Secrets from a real Vault, in good days and bad ones."""

import threading
from pathlib import Path

import pytest

from resident.exceptions import ConfigurationError
from resident.secrets import MissingKeyError, Secret
from tests.evidence import PASSWORD, ROOT_TOKEN, WRONG_PASSWORD
from tests.secrets.reading import AUTH, backend, refusal
from tests.servers import Impostor, VaultServer, free_port


class TestReading:
    def test_gives_masked_values_with_path_and_version(self, vault: VaultServer) -> None:
        source = backend(vault.addr, required=["token"])
        contents = source.read()
        assert contents["token"].reveal() == "t0ken"
        assert contents.place == f"Vault at {vault.addr}, secret 'secret/demoapp' version 1"
        source.close()

    def test_reads_again_with_the_same_login(self, vault: VaultServer) -> None:
        source = backend(vault.addr)
        source.read()
        with vault.client() as admin:
            admin.secrets.kv.v2.create_or_update_secret("demoapp", {"token": "rotated"})
        again = source.read()
        assert (again["token"].reveal(), again.version) == ("rotated", 2)
        assert vault.logins() == 1
        source.close()

    def test_over_tls_with_its_own_authority(self) -> None:
        with VaultServer(root_token=ROOT_TOKEN, tls=True) as server:
            error = refusal(backend(server.addr))
            assert "does not prove who it is" in error.problem
            assert "once in" in error.tried
            assert "VAULT_CACERT" in error.remedy
            error = refusal(backend(server.addr, cacert=server.cacert))
            assert "refuses the login" in error.problem, "TLS works; nobody set up a user"

    def test_in_a_namespace(self, vault: VaultServer) -> None:
        vault.add_namespace("team")
        error = refusal(backend(vault.addr, namespace="team"))
        assert "refuses the login" in error.problem
        assert vault.logins(namespace="team") == 1


class TestRefusals:
    def test_a_wrong_password_is_tried_once(self, vault: VaultServer) -> None:
        auth = {"username": "demoapp", "password": WRONG_PASSWORD}
        error = refusal(backend(vault.addr, auth=auth))
        assert "refuses the login with userpass as 'demoapp'" in error.problem
        assert vault.logins() == 1

    def test_no_policy(self, vault: VaultServer) -> None:
        error = refusal(backend(vault.addr, path="secret/payroll"))
        assert "does not let this login read the secret 'secret/payroll'" in error.problem
        assert 'path "secret/data/payroll"' in error.remedy

    def test_no_such_secret(self, vault: VaultServer) -> None:
        with vault.client() as admin:
            admin.secrets.kv.v2.delete_latest_version_of_secret("demoapp")
        error = refusal(backend(vault.addr))
        assert "its latest version is deleted" in error.problem

    def test_a_missing_key(self, vault: VaultServer) -> None:
        error = refusal(backend(vault.addr, required=["token", "host"]))
        assert isinstance(error, MissingKeyError)
        assert "secret 'secret/demoapp' version 1 has no key 'host'" in error.problem

    @pytest.mark.parametrize(
        ("value", "kind"),
        [(8080, "int"), (True, "bool"), (None, "NoneType"), (["t0ken"], "list"), ({}, "dict")],
    )
    def test_a_value_that_is_no_string(self, vault: VaultServer, value: object, kind: str) -> None:
        with vault.client() as admin:
            admin.secrets.kv.v2.create_or_update_secret("demoapp", {"port": value})
        error = refusal(backend(vault.addr))
        assert f"version 2: the value of key 'port' is of type {kind}" in error.problem

    def test_a_secret_that_is_too_large(self, vault: VaultServer) -> None:
        with vault.client() as admin:
            admin.secrets.kv.v2.create_or_update_secret("demoapp", {"book": "x" * 100_000})
        error = refusal(backend(vault.addr, max_bytes=10_000))
        assert "sends more than a secret may have" in error.problem


@pytest.mark.slow
class TestAbsence:
    def test_refused(self) -> None:
        error = refusal(backend(f"http://127.0.0.1:{free_port()}"))
        assert "cannot be reached" in error.problem
        assert "times in" in error.tried

    def test_sealed_for_a_moment(self, vault: VaultServer) -> None:
        """What may pass is tried again; the login that succeeded is not repeated."""
        source = backend(vault.addr, deadline=20.0)
        source.read()
        vault.seal()
        unsealing = threading.Timer(0.5, vault.unseal)
        unsealing.start()
        assert source.read()["token"].reveal() == "t0ken"
        unsealing.join()
        assert vault.logins() == 1
        source.close()

    def test_hanging(self, vault: VaultServer) -> None:
        vault.suspend()
        error = refusal(backend(vault.addr, read_timeout=0.2))
        assert "does not answer in time" in error.problem
        vault.resume()

    @pytest.mark.parametrize(
        ("status", "meaning"),
        [
            (429, "rate limit"),
            (500, "internal error"),
            (501, "not initialized"),
            (502, "gateway"),
            (503, "sealed"),
            (504, "unexpected status"),
        ],
    )
    def test_a_status_that_may_pass(self, status: int, meaning: str) -> None:
        with Impostor(status, {"errors": ["later"]}) as server:
            error = refusal(backend(server.addr))
            assert meaning in error.problem
            assert len(server.asked) > 1

    @pytest.mark.parametrize(
        "body", [b"<h1>Welcome</h1>", [], {}, {"auth": None}, {"auth": []}, "text"]
    )
    def test_something_else_that_answers(self, body: object) -> None:
        with Impostor(200, body) as server:
            error = refusal(backend(server.addr))
        assert "is something else" in error.problem

    @pytest.mark.parametrize("body", [{}, {"data": None}, []])
    def test_something_else_that_answers_after_the_login(self, body: object) -> None:
        login = {"auth": {"client_token": WRONG_PASSWORD}}
        routes = {"/v1/auth/userpass/login/demoapp": (200, login)}
        with Impostor(200, body, routes=routes) as server:
            error = refusal(backend(server.addr))
        assert "is something else" in error.problem

    def test_a_redirect_gets_no_credentials(self) -> None:
        with (
            Impostor() as elsewhere,
            Impostor(307, headers={"Location": f"{elsewhere.addr}/"}) as server,
        ):
            error = refusal(backend(server.addr))
        assert "redirects elsewhere" in error.problem
        assert not elsewhere.asked

    def test_a_missing_certificate_file(self, tmp_path: Path) -> None:
        addr = f"https://127.0.0.1:{free_port()}"
        error = refusal(backend(addr, cacert=str(tmp_path / "no-ca.pem")))
        assert "cannot be asked (OSError)" in error.problem
        assert "VAULT_CACERT" in error.remedy
        error = refusal(backend(addr, client_cert=str(tmp_path / "no-cert.pem")))
        assert "VAULT_CLIENT_CERT" in error.remedy


class TestConfiguration:
    @pytest.mark.parametrize("addr", ["vault:8200", "ftp://vault", "http://", ""])
    def test_an_address_that_is_none(self, addr: str) -> None:
        with pytest.raises(ConfigurationError, match=r"VAULT_ADDR is .*not the URL of a server"):
            backend(addr)

    def test_an_address_with_credentials_is_not_repeated(self) -> None:
        with pytest.raises(ConfigurationError, match="a user name or a password") as caught:
            backend(f"http://demoapp:{PASSWORD}@vault:8200")
        assert PASSWORD not in str(caught.value)

    @pytest.mark.parametrize("path", ["demoapp", "secret/", "/", ""])
    def test_a_path_without_mount_or_name(self, path: str) -> None:
        with pytest.raises(ConfigurationError, match=r"VAULT_SECRET_PATH is .*lacks the mount"):
            backend("http://vault:8200", path=path)

    def test_an_unknown_method(self) -> None:
        with pytest.raises(ConfigurationError, match="VAULT_AUTH_METHOD is 'carrier-pigeon'"):
            backend("http://vault:8200", auth={**AUTH, "method": "carrier-pigeon"})

    @pytest.mark.parametrize(
        ("auth", "message"),
        [
            ({}, "no credential is set"),
            ({"username": "demoapp", "password": Secret("")}, "VAULT_PASS is not set"),
            ({"password": Secret("x")}, "VAULT_USER is not set"),
        ],
    )
    def test_missing_credentials(self, auth: dict[str, object], message: str) -> None:
        with pytest.raises(ConfigurationError, match=message):
            backend("http://vault:8200", auth=auth)
