"""A worker that can't have what it needs says so, in one message, and does not start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from resident.testing import FakeFlipt
from tests.evidence import BOOTSTRAP_TOKEN, PASSWORD, ROOT_TOKEN, WRONG_PASSWORD, Evidence
from tests.granian import Granian, eventually
from tests.servers import Impostor, VaultServer, free_port

KEYS = {"flipt_api_host": "http://127.0.0.1:1", "flipt_api_token": BOOTSTRAP_TOKEN}


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    """A Vault as the tutorial leaves it."""
    with VaultServer(root_token=ROOT_TOKEN) as server:
        with server.client() as admin:
            admin.sys.enable_auth_method("userpass")
            admin.auth.userpass.create_or_update_user("demoapp", PASSWORD, policies=["demoapp"])
            admin.sys.create_or_update_policy(
                "demoapp", 'path "secret/data/demoapp" { capabilities = ["read"] }'
            )
            admin.secrets.kv.v2.create_or_update_secret("demoapp", KEYS)
        yield server


def variables(vault: VaultServer, **changes: str) -> dict[str, str]:
    return {
        "VAULT_ADDR": vault.addr,
        "VAULT_USER": "demoapp",
        "VAULT_PASS": PASSWORD,
        "VAULT_DEADLINE": "1",
        "FLIPT_DEADLINE": "1",
        **changes,
    }


def farewell(evidence: Evidence, environment: dict[str, str], *options: str) -> str:
    """What a worker says that does not start; it must say it once, and without a traceback."""
    with Granian(evidence, environment, options=("--workers", "1", *options)) as granian:
        assert granian.ends() == 1
        log = granian.log()
    assert "Traceback" not in log
    assert log.count("this worker does not start") == 1
    for secret in (PASSWORD, WRONG_PASSWORD, BOOTSTRAP_TOKEN, ROOT_TOKEN):
        assert secret not in log
    return log


class TestVault:
    def test_refused(self, evidence: Evidence) -> None:
        addr = f"http://127.0.0.1:{free_port()}"
        log = farewell(
            evidence,
            {"VAULT_ADDR": addr, "VAULT_USER": "u", "VAULT_PASS": PASSWORD, "VAULT_DEADLINE": "1"},
        )
        assert f"Vault at {addr} cannot be reached" in log
        assert "times in" in log
        assert "check that Vault runs" in log

    def test_sealed(self, vault: VaultServer, evidence: Evidence) -> None:
        vault.seal()
        log = farewell(evidence, variables(vault))
        assert f"Vault at {vault.addr} is sealed" in log

    def test_a_wrong_password_is_tried_once(self, vault: VaultServer, evidence: Evidence) -> None:
        log = farewell(evidence, variables(vault, VAULT_PASS=WRONG_PASSWORD))
        assert "refuses the login with userpass as 'demoapp'" in log
        assert "check VAULT_USER and VAULT_PASS" in log
        assert vault.logins() == 1

    def test_without_its_policy(self, vault: VaultServer, evidence: Evidence) -> None:
        with vault.client() as admin:
            admin.sys.delete_policy("demoapp")
        log = farewell(evidence, variables(vault))
        assert "does not let this login read the secret 'secret/demoapp'" in log
        assert 'path "secret/data/demoapp" { capabilities = ["read"] }' in log
        assert vault.logins() == 1

    def test_without_a_key(self, vault: VaultServer, evidence: Evidence) -> None:
        with vault.client() as admin:
            admin.secrets.kv.v2.create_or_update_secret("demoapp", {"flipt_api_host": "x"})
        log = farewell(evidence, variables(vault))
        assert "secret 'secret/demoapp' version 2 has no key 'flipt_api_token'" in log

    def test_without_a_password(self, vault: VaultServer, evidence: Evidence) -> None:
        log = farewell(evidence, variables(vault, VAULT_PASS=""))
        assert "VAULT_PASS is not set" in log
        assert vault.logins() == 0

    def test_something_else_at_its_address(self, evidence: Evidence) -> None:
        with Impostor(body=b"<h1>Welcome</h1>") as website:
            log = farewell(
                evidence,
                {"VAULT_ADDR": website.addr, "VAULT_USER": "u", "VAULT_PASS": PASSWORD},
            )
        assert "is something else" in log


def test_a_worker_that_still_waits_for_vault_can_be_stopped(evidence: Evidence) -> None:
    with Impostor(503, {"errors": []}) as sealed:
        environment = {
            "VAULT_ADDR": sealed.addr,
            "VAULT_USER": "demoapp",
            "VAULT_PASS": PASSWORD,
            "VAULT_DEADLINE": "3600",
        }
        with Granian(evidence, environment) as granian:
            assert eventually(lambda: bool(sealed.asked))
            granian.stop()
            assert "Traceback" not in granian.log()


class TestFlipt:
    def start(self, evidence: Evidence, url: str, **more: str) -> str:
        environment = {
            "FLIPT_API_HOST": url,
            "FLIPT_API_TOKEN": BOOTSTRAP_TOKEN,
            "FLIPT_DEADLINE": "1",
            **more,
        }
        return farewell(evidence, environment)

    def test_refused(self, evidence: Evidence) -> None:
        url = f"http://127.0.0.1:{free_port()}"
        log = self.start(evidence, url)
        assert f"Flipt at {url} can't be reached" in log
        assert "times in" in log

    def test_unauthorized(self, evidence: Evidence) -> None:
        with FakeFlipt(token="another-token") as flipt:
            log = self.start(evidence, flipt.url)
            assert flipt.count("/internal/v1/evaluation/snapshot") == 1
        assert "refuses the token (401)" in log

    def test_garbage(self, evidence: Evidence) -> None:
        with FakeFlipt(token=BOOTSTRAP_TOKEN) as flipt:
            flipt.misbehave("garbage")
            log = self.start(evidence, flipt.url)
        assert "what is not a document of flags" in log

    def test_a_host_that_is_no_url(self, evidence: Evidence) -> None:
        log = self.start(evidence, "flipt:8080")
        assert "flipt_api_host is not the URL of a server" in log

    @pytest.mark.parametrize("fallback", ["features", "defaults"])
    def test_a_fallback_starts_without_it_and_takes_it_up_later(
        self, fallback: str, evidence: Evidence
    ) -> None:
        flipt = FakeFlipt(token=BOOTSTRAP_TOKEN)
        with flipt:
            flipt.load("greeting/features.yml")
            flipt.enable("show_reverse_greeting")
            flipt.stop()
            environment = {
                "FLIPT_API_HOST": flipt.url,
                "FLIPT_API_TOKEN": BOOTSTRAP_TOKEN,
                "FLIPT_DEADLINE": "0.5",
                "FLIPT_INTERVAL": "0.2",
                "FLIPT_FALLBACK": fallback,
            }
            with Granian(evidence, environment) as granian:
                assert granian.serving().get().text == "Hello, world!"
                flipt.start()
                assert granian.eventually("!dlrow ,olleH")

    def test_the_last_known_flags_start_without_it_too(
        self, evidence: Evidence, tmp_path: Path
    ) -> None:
        with FakeFlipt(version="2.11.0", token=BOOTSTRAP_TOKEN) as flipt:
            flipt.load("greeting/features.yml")
            flipt.enable("show_reverse_greeting")
            environment = {
                "FLIPT_API_HOST": flipt.url,
                "FLIPT_API_TOKEN": BOOTSTRAP_TOKEN,
                "FLIPT_LAST_KNOWN": str(tmp_path / "flags"),
            }
            workers = ("--workers", "2", "--blocking-threads", "1")
            with Granian(evidence, environment, options=workers) as granian:
                assert granian.serving().get().text == "!dlrow ,olleH"
                assert eventually(lambda: any((tmp_path / "flags").glob("*.json")))
            flipt.stop()
            flipt.disable("show_reverse_greeting")
            with Granian(evidence, environment) as granian:
                assert granian.serving().get().text == "!dlrow ,olleH"
                state = granian.get("/health/ready").json()["flags"]["default"]
                assert (state["origin"], state["last_error"]) == ("last known", "refused")
                assert "Starting on the last known flags" in granian.log()
                flipt.start()
                assert granian.eventually("Hello, world!")
                state = granian.get("/health/ready").json()["flags"]["default"]
                assert (state["origin"], state["swaps"]) == ("server", 1)
