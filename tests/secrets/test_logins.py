"""Every login against a real Vault: a good day, a refusal, and what the credentials mean."""

import json
import multiprocessing
import os
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hvac.exceptions import InvalidRequest

from resident.exceptions import ConfigurationError, SecretsError
from resident.secrets import Secret
from resident.secrets.logins import login_from
from resident.secrets.logins.wrapping import WrappedSecretId, private_folder
from resident.secrets.vault import Vault
from tests.evidence import PASSWORD, ROOT_TOKEN, WRONG_PASSWORD, Evidence
from tests.secrets.agent import VaultAgent
from tests.secrets.conftest import POLICY
from tests.secrets.identities import (
    ACCOUNT,
    Role,
    certified,
    let_in_accounts,
    let_in_signed,
    new_key,
    service_account,
    signed,
)
from tests.secrets.reading import AUTH, backend, refusal
from tests.secrets.tokenreview import TokenReview
from tests.servers import VaultServer


def value(vault: Vault) -> str:
    """What is read; the backend is closed."""
    try:
        return vault.read()["token"].reveal()
    finally:
        vault.close()


@pytest.fixture
def role(vault: VaultServer) -> Role:
    return Role(vault)


class TestUserpass:
    def test_at_another_mount(self, vault: VaultServer) -> None:
        with vault.client() as admin:
            admin.sys.enable_auth_method("userpass", path="people")
            admin.auth.userpass.create_or_update_user(
                "demoapp", WRONG_PASSWORD, policies=["demoapp"], mount_point="people"
            )
        auth = {"username": "demoapp", "password": WRONG_PASSWORD, "mount": "people"}
        assert value(backend(vault.addr, auth=auth)) == "t0ken"
        login = login_from(auth)
        assert login.owns_token
        assert not login.has_changed()


class TestApprole:
    def test_reads(self, vault: VaultServer, role: Role) -> None:
        auth = {"role_id": role.role_id, "secret_id": role.secret_id()}
        assert value(backend(vault.addr, auth=auth)) == "t0ken"
        login = login_from(auth)
        assert login.owns_token
        assert not login.has_changed()
        assert role.role_id not in repr(login) + str(login)

    def test_is_refused_with_another_secret_id(self, vault: VaultServer, role: Role) -> None:
        auth = {"role_id": role.role_id, "secret_id": WRONG_PASSWORD}
        error = refusal(backend(vault.addr, auth=auth))
        assert "refuses the login with approle (auth/approle)" in error.problem
        assert "check VAULT_ROLE_ID and VAULT_SECRET_ID" in error.remedy
        assert vault.logins("approle") == 1


def _workers(addr: str, auth: dict[str, Any], count: int) -> list[str]:
    """What that many processes read that start at the same moment."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(count) as pool:
        return pool.starmap(_worker, [(addr, auth)] * count)


def _worker(addr: str, auth: dict[str, Any]) -> str:
    return value(Vault(addr=addr, auth=auth))


@pytest.mark.slow
class TestWrapped:
    """A wrapping token is good for one unwrapping, and workers are many."""

    @pytest.fixture
    def auth(self, role: Role, tmp_path: Path) -> dict[str, Any]:
        folder = str(tmp_path / "run")
        return {"role_id": role.role_id, "wrapped_secret_id": role.wrapped(), "folder": folder}

    def unwrappings(self, vault: VaultServer) -> int:
        return len(vault.requests("sys/wrapping/unwrap"))

    def test_is_unwrapped_once_for_all_workers(
        self, vault: VaultServer, auth: dict[str, Any]
    ) -> None:
        assert _workers(vault.addr, auth, 4) == ["t0ken"] * 4
        assert (self.unwrappings(vault), vault.logins("approle")) == (1, 4)
        assert value(backend(vault.addr, auth=auth)) == "t0ken", "one that starts later"
        assert self.unwrappings(vault) == 1

    def test_what_it_wrapped_is_for_this_user_alone(
        self, vault: VaultServer, auth: dict[str, Any]
    ) -> None:
        before = os.umask(0)
        try:
            assert value(backend(vault.addr, auth=auth)) == "t0ken"
        finally:
            os.umask(before)
        folder = Path(auth["folder"])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = list(folder.iterdir())
        assert len(files) == 2
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert auth["wrapped_secret_id"] not in str(files)

    def test_the_client_keeps_its_own_token(self, vault: VaultServer, auth: dict[str, Any]) -> None:
        wrapped = WrappedSecretId(Secret(auth["wrapped_secret_id"]), Path(auth["folder"]))
        with vault.client("of its own") as client:
            assert wrapped.unwrapped(client)
            assert client.token == "of its own"

    def test_a_spent_one_is_named(self, vault: VaultServer, auth: dict[str, Any]) -> None:
        with vault.client(auth["wrapped_secret_id"]) as somebody:
            somebody.sys.unwrap()
        error = refusal(backend(vault.addr, auth=auth), auth["wrapped_secret_id"])
        assert "The wrapping token of VAULT_WRAPPED_SECRET_ID is not valid" in error.problem
        assert "somebody else has" in error.remedy
        assert vault.logins("approle") == 0
        assert self.unwrappings(vault) == 2, "not tried again"

    def test_a_new_one_is_unwrapped(
        self, vault: VaultServer, auth: dict[str, Any], role: Role
    ) -> None:
        assert value(backend(vault.addr, auth=auth)) == "t0ken"
        assert value(backend(vault.addr, auth={**auth, "wrapped_secret_id": role.wrapped()}))
        assert self.unwrappings(vault) == 2

    def test_one_that_wraps_something_else(self, vault: VaultServer, auth: dict[str, Any]) -> None:
        with vault.client() as admin:
            answer = admin.sys.wrap({"password": PASSWORD}, ttl=60)
        other = {**auth, "wrapped_secret_id": answer["wrap_info"]["token"]}
        error = refusal(backend(vault.addr, auth=other))
        assert "wraps something that has no secret_id" in error.problem

    def test_a_vault_that_is_away_does_not_spend_it(
        self, vault: VaultServer, auth: dict[str, Any]
    ) -> None:
        vault.seal()
        assert "is sealed" in refusal(backend(vault.addr, auth=auth)).problem
        vault.unseal()
        assert value(backend(vault.addr, auth=auth)) == "t0ken"

    def test_a_secret_id_that_is_used_up(self, vault: VaultServer, tmp_path: Path) -> None:
        role = Role(vault, secret_id_num_uses=1)
        folder = str(tmp_path / "run")
        auth = {"role_id": role.role_id, "wrapped_secret_id": role.wrapped(), "folder": folder}
        assert value(backend(vault.addr, auth=auth)) == "t0ken"
        error = refusal(backend(vault.addr, auth=auth))
        assert "refuses the login with approle" in error.problem
        assert "used as often as its role allows" in error.remedy

    def test_a_folder_that_others_can_read(
        self, vault: VaultServer, auth: dict[str, Any], tmp_path: Path
    ) -> None:
        (tmp_path / "run").mkdir(mode=0o755)
        error = refusal(backend(vault.addr, auth=auth))
        assert "is no folder of this user's alone" in error.problem
        (tmp_path / "run").chmod(0o700)
        (tmp_path / "link").symlink_to(tmp_path / "run")
        for folder in (tmp_path / "link", tmp_path / "run" / "file" / "below"):
            (tmp_path / "run" / "file").touch()
            error = refusal(backend(vault.addr, auth={**auth, "folder": folder}))
            assert "is no folder of this user's alone" in error.problem
        assert self.unwrappings(vault) == 0

    def test_a_worker_that_unwraps_for_ever_is_not_waited_for(
        self, vault: VaultServer, auth: dict[str, Any]
    ) -> None:
        token, folder = Secret(auth["wrapped_secret_id"]), Path(auth["folder"])
        vault.suspend()
        slow = threading.Thread(
            target=lambda: refusal(backend(vault.addr, auth=auth, read_timeout=1.0))
        )
        slow.start()
        while not list(folder.glob("*.new")):
            time.sleep(0.01)
        with vault.client() as client, pytest.raises(SecretsError, match="Another process") as it:
            WrappedSecretId(token, folder, seconds=0.05).unwrapped(client)
        assert it.value.passing
        slow.join()
        vault.resume()

    def test_the_folder_is_in_memory_where_there_is_such_a_place(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        place = "resident.secrets.logins.wrapping.SHARED_MEMORY"
        monkeypatch.setattr(place, tmp_path)
        assert private_folder() == tmp_path / f"resident-{os.getuid()}"
        monkeypatch.setattr(place, tmp_path / "none")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "other"))
        assert private_folder() == tmp_path / "other" / f"resident-{os.getuid()}"
        auth = {"role_id": "r", "wrapped_secret_id": "w"}
        assert str(private_folder()) in repr(login_from(auth))


class TestToken:
    def token(self, vault: VaultServer, **options: Any) -> str:
        with vault.client() as admin:
            answer = admin.auth.token.create(policies=["demoapp"], ttl="1h", **options)
            return str(answer["auth"]["client_token"])

    def test_reads_and_knows_how_long_it_lives(self, vault: VaultServer) -> None:
        token = self.token(vault)
        assert value(backend(vault.addr, auth={"token": token})) == "t0ken"
        login = login_from({"token": token})
        assert not login.owns_token
        assert not login.has_changed()
        with vault.client("") as client:
            lease = login(client)["auth"]
        assert 3500 < lease.pop("lease_duration") <= 3600
        assert lease == {"client_token": token, "renewable": True, "token_type": "service"}

    def test_a_batch_token_is_not_renewable(self, vault: VaultServer) -> None:
        token = self.token(vault, type="batch")
        with vault.client("") as client:
            lease = login_from({"token": token})(client)["auth"]
        assert (lease["renewable"], lease["token_type"]) == (False, "batch")

    def test_one_that_was_revoked(self, vault: VaultServer) -> None:
        token = self.token(vault)
        with vault.client() as admin:
            admin.auth.token.revoke(token)
        source = backend(vault.addr, auth={"token": token})
        with pytest.raises(SecretsError):
            source.read()
        error = refusal(source, token)
        assert "refuses the login with the token of VAULT_TOKEN" in error.problem
        assert "auth/token/lookup-self" in error.remedy

    @pytest.mark.parametrize("token", ["hvs.a b", "hvs.é", "hvs.\n", '{"token": 1}'])
    def test_one_that_is_none_is_not_sent(self, vault: VaultServer, token: str) -> None:
        error = refusal(backend(vault.addr, auth={"token": token}), token)
        assert "has characters that no token has" in error.problem
        assert not vault.requests("auth/token/lookup-self")


class TestTokenFile(TestToken):
    def test_follows_the_file(self, vault: VaultServer, tmp_path: Path) -> None:
        file = tmp_path / "token"
        login = login_from({"token_file": str(file)})
        assert not login.owns_token
        assert not login.has_changed(), "nobody has logged in yet"
        first, second = self.token(vault), self.token(vault)
        file.write_text(first)
        with vault.client("") as client:
            assert login(client)["auth"]["client_token"] == first
            assert not login.has_changed()
            file.write_text(f"{second}\n")
            assert login.has_changed()
            assert login(client)["auth"]["client_token"] == second
            assert not login.has_changed()
        for content in ("", "{}"):
            file.write_text(content)
            assert not login.has_changed(), "half-written, or wrapped"
        file.unlink()
        assert not login.has_changed()

    def test_one_that_is_refused_leaves_the_one_before(
        self, vault: VaultServer, tmp_path: Path
    ) -> None:
        file = tmp_path / "token"
        file.write_text(self.token(vault))
        source = backend(vault.addr, auth={"token_file": file})
        source.read()
        file.write_text("hvs.revoked")
        with pytest.raises(SecretsError, match="refuses the login"):
            source.read()
        assert value(source) == "t0ken"

    def test_is_waited_for(self, vault: VaultServer, tmp_path: Path) -> None:
        file, token = tmp_path / "token", self.token(vault)
        error = refusal(backend(vault.addr, auth={"token_file": file}))
        assert error.passing
        assert f"{str(file)!r} can't be read: No such file" in error.problem
        later = threading.Timer(0.3, file.write_text, [token])
        later.start()
        assert value(backend(vault.addr, auth={"token_file": file}, deadline=20.0)) == "t0ken"

    def test_another_token_after_one_that_was_refused_is_not_waited_for(
        self, vault: VaultServer, tmp_path: Path
    ) -> None:
        file = tmp_path / "token"
        file.write_text("hvs.revoked")
        source = backend(vault.addr, auth={"token_file": file})
        for _ in range(3):
            with pytest.raises(SecretsError, match="refuses the login"):
                source.read()
        assert len(vault.requests("auth/token/lookup-self")) == 1
        file.write_text(self.token(vault))
        assert value(source) == "t0ken"

    @pytest.mark.parametrize("content", ["", "\n"])
    def test_an_empty_one(self, vault: VaultServer, tmp_path: Path, content: str) -> None:
        (tmp_path / "token").write_text(content)
        error = refusal(backend(vault.addr, auth={"token_file": tmp_path / "token"}))
        assert "it is empty, or has characters that no token has" in error.problem

    def test_what_is_no_file_is_not_waited_for(self, vault: VaultServer, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path / "pipe", Path("/dev/zero")):
            error = refusal(backend(vault.addr, auth={"token_file": path}, deadline=20.0))
            assert "it is not a regular file" in error.problem
        (tmp_path / "book").write_text("x" * 100_000)
        error = refusal(backend(vault.addr, auth={"token_file": tmp_path / "book"}))
        assert "it has more than 65,536 bytes" in error.problem


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return new_key()


class TestJwt:
    @pytest.fixture
    def vault(self, vault: VaultServer, key: rsa.RSAPrivateKey) -> VaultServer:
        let_in_signed(vault, key)
        return vault

    def write(self, file: Path, key: rsa.RSAPrivateKey, audience: str = "vault") -> str:
        token = signed(key, audience)
        file.write_text(f"{token}\n")
        return token

    def test_reads(self, vault: VaultServer, key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
        self.write(tmp_path / "jwt", key)
        auth = {"role": "demoapp", "jwt_file": str(tmp_path / "jwt")}
        assert value(backend(vault.addr, auth=auth)) == "t0ken"
        assert login_from(auth).owns_token
        assert not login_from(auth).has_changed()

    def test_the_file_is_read_for_each_login(
        self, vault: VaultServer, key: rsa.RSAPrivateKey, tmp_path: Path
    ) -> None:
        login = login_from({"role": "demoapp", "jwt_file": tmp_path / "jwt"})
        self.write(tmp_path / "jwt", key, audience="somebody else")
        with vault.client("") as client:
            with pytest.raises(InvalidRequest):
                login(client)
            self.write(tmp_path / "jwt", key)
            assert login(client)["auth"]["renewable"]
        token = self.write(tmp_path / "jwt", key, audience="somebody else")
        auth = {"role": "demoapp", "jwt_file": tmp_path / "jwt"}
        error = refusal(backend(vault.addr, auth=auth), token)
        assert "refuses the login with jwt as 'demoapp'" in error.problem
        assert "check VAULT_ROLE, and whether auth/jwt/role/demoapp takes" in error.remedy

    def test_without_the_file(self, vault: VaultServer, tmp_path: Path) -> None:
        auth = {"role": "demoapp", "jwt_file": tmp_path / "jwt"}
        error = refusal(backend(vault.addr, auth=auth))
        assert "can't be read: No such file" in error.problem
        (tmp_path / "jwt").write_bytes(b"\xff\xfe" + PASSWORD.encode())
        error = refusal(backend(vault.addr, auth=auth))
        assert "it is not text in UTF-8" in error.problem


class TestKubernetes:
    @pytest.fixture
    def account(self, key: rsa.RSAPrivateKey, tmp_path: Path) -> str:
        """The token of the account that Vault lets in."""
        token = service_account(key)
        (tmp_path / "token").write_text(token)
        return token

    @pytest.fixture
    def api(self, vault: VaultServer, account: str) -> Iterator[TokenReview]:
        with TokenReview({account: ACCOUNT}) as api:
            let_in_accounts(vault, api, account)
            yield api

    @pytest.fixture
    def auth(self, tmp_path: Path) -> dict[str, Any]:
        return {"method": "kubernetes", "role": "demoapp", "jwt_file": tmp_path / "token"}

    def test_reads(self, vault: VaultServer, api: TokenReview, auth: dict[str, Any]) -> None:
        assert value(backend(vault.addr, auth=auth)) == "t0ken"
        assert vault.logins("kubernetes") == 1

    def test_an_account_that_the_cluster_does_not_know(
        self, vault: VaultServer, api: TokenReview, auth: dict[str, Any], account: str
    ) -> None:
        api.accounts.clear()
        error = refusal(backend(vault.addr, auth=auth), account)
        assert "refuses the login with kubernetes as 'demoapp'" in error.problem
        assert vault.logins("kubernetes") == 1

    def test_an_account_that_the_role_does_not_take(
        self, vault: VaultServer, api: TokenReview, auth: dict[str, Any], account: str
    ) -> None:
        api.accounts[account] = ("shop", "cron")
        error = refusal(backend(vault.addr, auth=auth), account)
        assert "refuses the login with kubernetes as 'demoapp'" in error.problem

    def test_the_role_alone_means_the_account_of_this_pod(self) -> None:
        login = login_from({"role": "demoapp"})
        assert str(login) == "kubernetes as 'demoapp' (auth/kubernetes)"
        assert "/var/run/secrets/kubernetes.io/serviceaccount/token" in login.remedy


class TestCert:
    @pytest.fixture
    def vault(self) -> Iterator[VaultServer]:
        with VaultServer(root_token=ROOT_TOKEN, tls=True) as server:
            with server.client() as admin:
                admin.sys.create_or_update_policy("demoapp", POLICY)
                admin.secrets.kv.v2.create_or_update_secret("demoapp", {"token": "t0ken"})
            yield server

    @pytest.fixture
    def files(self, tmp_path: Path, vault: VaultServer) -> dict[str, str]:
        """Of the connection: a certificate that the role demoapp takes, and its key."""
        return certified(vault, tmp_path)

    @pytest.mark.parametrize("auth", [{}, {"method": "cert", "role": "demoapp"}])
    def test_reads(self, vault: VaultServer, files: dict[str, str], auth: dict[str, str]) -> None:
        source = backend(vault.addr, auth=auth, **files)
        assert value(source) == "t0ken"
        assert vault.logins("cert") == 1

    def test_a_role_that_does_not_take_it(self, vault: VaultServer, files: dict[str, str]) -> None:
        auth = {"method": "cert", "role": "payroll"}
        error = refusal(backend(vault.addr, auth=auth, **files))
        assert "refuses the login with the client certificate as 'payroll'" in error.problem
        assert "VAULT_CLIENT_CERT" in error.remedy

    def test_besides_another_login(self, vault: VaultServer, files: dict[str, str]) -> None:
        error = refusal(backend(vault.addr, **files))
        assert "refuses the login with userpass" in error.problem, "TLS works; there is no user"

    def test_its_token_is_its_own(self) -> None:
        login = login_from({}, has_certificate=True)
        assert login.owns_token
        assert not login.has_changed()


class TestAgent:
    @pytest.fixture
    def agent(
        self, vault: VaultServer, role: Role, tmp_path: Path, evidence: Evidence
    ) -> Iterator[VaultAgent]:
        with VaultAgent(vault.addr, role.role_id, role.secret_id(), tmp_path) as agent:
            yield agent
        evidence.keep("bao agent", agent.log())

    def test_reads_without_any_credential(self, vault: VaultServer, agent: VaultAgent) -> None:
        source = backend(agent.addr, auth={"method": "agent"})
        source.read()
        with vault.client() as admin:
            admin.secrets.kv.v2.create_or_update_secret("demoapp", {"token": "rotated"})
        assert value(source) == "rotated"
        asked = vault.requests("secret/data/demoapp")
        assert len({request["client_token"] for request in asked}) == 2, "the agent's; the admin's"
        login = login_from({"method": "agent"})
        assert not login.owns_token
        assert not login.has_changed()

    def test_reads_with_the_token_in_its_sink(self, vault: VaultServer, agent: VaultAgent) -> None:
        auth = {"token_file": agent.sink}
        assert value(backend(vault.addr, auth=auth)) == "t0ken"

    def test_one_that_may_not_read(self, agent: VaultAgent) -> None:
        error = refusal(backend(agent.addr, auth={"method": "agent"}, path="secret/payroll"))
        assert "does not let this login read the secret 'secret/payroll'" in error.problem
        assert "proxies with its own token" in login_from({"method": "agent"}).remedy


def test_many_threads_unwrap_once(vault: VaultServer, role: Role, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    auth = {"role_id": role.role_id, "wrapped_secret_id": role.wrapped(), "folder": folder}
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(lambda _: value(Vault(addr=vault.addr, auth=auth)), range(8)))
    assert read == ["t0ken"] * 8
    assert len(vault.requests("sys/wrapping/unwrap")) == 1


class TestChoice:
    """The method follows from the credentials that are there; contradictions are told."""

    @pytest.mark.parametrize(
        ("auth", "meant"),
        [
            ({"username": "u", "password": "p"}, "userpass as 'u'"),
            ({"role_id": "r", "secret_id": "s"}, "approle"),
            ({"role_id": "r", "wrapped_secret_id": "s"}, "approle"),
            ({"token": "t"}, "the token of VAULT_TOKEN"),
            ({"token_file": "/run/token"}, "the token in '/run/token'"),
            ({"role": "r", "jwt_file": "/run/jwt"}, "jwt as 'r' (auth/jwt)"),
            ({"role": "r"}, "kubernetes as 'r'"),
            ({"method": "kubernetes", "role": "r", "jwt_file": "j"}, "kubernetes as 'r'"),
            (
                {"method": "jwt", "role": "r", "jwt_file": "j", "mount": "ci"},
                "jwt as 'r' (auth/ci)",
            ),
            ({"method": "agent"}, "the agent at VAULT_ADDR"),
            ({"method": "userpass", **AUTH, "token": "t"}, "userpass as 'demoapp'"),
        ],
    )
    def test_means(self, auth: dict[str, Any], meant: str) -> None:
        nothing = {"method": "", "token": Secret(""), "role": "", "jwt_file": ""}
        assert str(login_from({**nothing, **auth})).startswith(meant)

    @pytest.mark.parametrize(
        ("auth", "has_certificate", "message"),
        [
            ({}, False, "no credential is set"),
            ({"method": "cert"}, False, "VAULT_CLIENT_CERT is not set"),
            ({"role_id": "r"}, False, "VAULT_SECRET_ID or VAULT_WRAPPED_SECRET_ID is not set"),
            ({"secret_id": "s"}, False, "VAULT_ROLE_ID is not set"),
            ({"jwt_file": "j"}, False, "VAULT_ROLE is not set"),
            (
                {"method": "approle", **AUTH},
                False,
                (
                    "VAULT_ROLE_ID and VAULT_SECRET_ID or VAULT_WRAPPED_SECRET_ID are not set, "
                    "while VAULT_USER and VAULT_PASS are"
                ),
            ),
            (
                {"method": "jwt", "role": "r", "token": "t"},
                False,
                "VAULT_JWT_FILE is not set, while VAULT_TOKEN is",
            ),
            (
                {"token": "t", **AUTH},
                False,
                (
                    "VAULT_USER, VAULT_PASS and VAULT_TOKEN mean more than one login: "
                    "userpass, token"
                ),
            ),
            ({"role": "r"}, True, "VAULT_ROLE means more than one login: kubernetes, cert"),
            (
                {"role_id": "r", "secret_id": "s", "wrapped_secret_id": "w"},
                False,
                "VAULT_SECRET_ID and VAULT_WRAPPED_SECRET_ID are both set",
            ),
            (
                {"method": "token", "token": "t", "token_file": "f"},
                False,
                "VAULT_TOKEN and VAULT_TOKEN_FILE are both set",
            ),
            ({"usrname": "u"}, False, "auth has 'usrname', which no login takes"),
            ({"method": "pigeon"}, False, "VAULT_AUTH_METHOD is 'pigeon'"),
        ],
    )
    def test_contradicts_itself(
        self, auth: dict[str, Any], has_certificate: bool, message: str
    ) -> None:
        with pytest.raises(ConfigurationError) as caught:
            login_from(auth, has_certificate=has_certificate)
        assert message in caught.value.problem
        assert caught.value.remedy
        assert PASSWORD not in str(caught.value)

    def test_shows_no_credential(self) -> None:
        for name in ("username", "password", "role_id", "secret_id", "token"):
            auth = {"username": "u", "password": PASSWORD, "role_id": PASSWORD}
            auth |= {"secret_id": PASSWORD, "token": PASSWORD}
            for method in ("userpass", "approle", "token"):
                login = login_from({**auth, "method": method})
                shown = json.dumps([repr(login), str(login), login.remedy])
                assert PASSWORD not in shown, name
