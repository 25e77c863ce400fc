"""The tutorial from end to end: a real Vault, Flipt's contract, a real granian with two workers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from resident.provisioning import FliptTarget, VaultTarget, provision
from resident.testing import FakeFlipt
from tests.evidence import BOOTSTRAP_TOKEN, PASSWORD, ROOT_TOKEN, Evidence
from tests.granian import ROOT, Granian, eventually
from tests.servers import VaultServer

FEATURES = Path(ROOT / "greeting" / "features.yml")
SNAPSHOT = "/internal/v1/evaluation/snapshot"


@pytest.fixture(params=["1.39.2", "1.61.1"])
def flipt(request: pytest.FixtureRequest) -> Iterator[FakeFlipt]:
    with FakeFlipt(version=request.param, token=BOOTSTRAP_TOKEN) as server:
        yield server


@pytest.fixture
def vault(flipt: FakeFlipt, evidence: Evidence) -> Iterator[VaultServer]:
    """A Vault that `provision` has set up, together with Flipt."""
    with VaultServer(root_token=ROOT_TOKEN) as server:
        set_up(server, flipt)
        with server.client() as admin:
            stored = admin.secrets.kv.v2.read_secret_version(
                "demoapp", raise_on_deleted_version=True
            )
        evidence.secret(stored["data"]["data"]["flipt_api_token"])
        yield server


def set_up(vault: VaultServer, flipt: FakeFlipt) -> None:
    target = VaultTarget(addr=vault.addr, token=ROOT_TOKEN, username="demoapp", password=PASSWORD)
    features = list(yaml.safe_load_all(FEATURES.read_text()))
    list(provision(target, FliptTarget(url=flipt.url, token=BOOTSTRAP_TOKEN), features))


def test_the_tutorial(vault: VaultServer, flipt: FakeFlipt, evidence: Evidence) -> None:
    logins = vault.logins()
    environment = {
        "VAULT_HOST": vault.addr,
        "VAULT_USER": "demoapp",
        "VAULT_PASS": PASSWORD,
        "FLIPT_INTERVAL": "0.2",
    }
    options = ("--workers", "2", "--blocking-threads", "2")
    with Granian(evidence, environment, options=options) as granian:
        assert granian.serving().get().text == "Hello, world!"

        flipt.enable("show_reverse_greeting")
        assert granian.eventually("!dlrow ,olleH")
        flipt.disable("show_reverse_greeting")
        assert eventually(lambda: answers_of_both(granian) == {"Hello, world!"})

        ask_a_thousand_times(granian)
        assert vault.logins() - logins == 2, "one login per worker, however many requests"
        assert flipt.evaluations == 0
        assert flipt.count(SNAPSHOT) >= 2
        log = granian.log()
        assert log.count("secret 'secret/demoapp' version 1") == 2
        assert granian.stop() == 0
        assert granian.log().count("flags closed") == 2
        assert granian.log().count("secrets closed") == 2


def answers_of_both(granian: Granian) -> set[str]:
    """A connection is one worker's: each question has another."""
    return {granian.get(headers={"Connection": "close"}).text for _ in range(20)}


def ask_a_thousand_times(granian: Granian) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: granian.get().text, range(1000)))
    assert answers == ["Hello, world!"] * 1000


def test_flipt_goes_away_and_comes_back(flipt: FakeFlipt, evidence: Evidence) -> None:
    """What a worker once knew it goes on to serve; when Flipt is back it catches up."""
    flipt.load(FEATURES)
    flipt.enable("show_reverse_greeting")
    environment = {
        "FLIPT_API_HOST": flipt.url,
        "FLIPT_API_TOKEN": BOOTSTRAP_TOKEN,
        "FLIPT_INTERVAL": "0.1",
    }
    with Granian(evidence, environment) as granian:
        assert granian.serving().get().text == "!dlrow ,olleH"
        flipt.stop()
        assert all(granian.get().text == "!dlrow ,olleH" for _ in range(50))
        flipt.start()
        flipt.misbehave("garbage")
        assert all(granian.get().text == "!dlrow ,olleH" for _ in range(50))
        flipt.behave()
        flipt.disable("show_reverse_greeting")
        assert granian.eventually("Hello, world!")
        assert "is back" in granian.log()
