"""The flag client is made from two secrets: when they are rotated, another one takes over."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import override_settings

from resident.exceptions import ConfigurationError, FlagsError
from resident.flags import flag_enabled
from resident.flags.resource import current, flags
from resident.secrets import Secret, Secrets
from resident.testing import FakeFlipt
from resident.worker import worker
from tests.evidence import BOOTSTRAP_TOKEN, WRONG_PASSWORD
from tests.granian import eventually

FLAG = "show_reverse_greeting"


@pytest.fixture
def flipt() -> Iterator[FakeFlipt]:
    with FakeFlipt(token=BOOTSTRAP_TOKEN) as server:
        server.load("greeting/features.yml")
        server.enable(FLAG)
        yield server


def of(url: str, token: str = BOOTSTRAP_TOKEN) -> Secrets:
    values = {"flipt_api_host": Secret(url), "flipt_api_token": Secret(token)}
    return Secrets(values, source="The test")


def settings(flipt: FakeFlipt, **more: Any) -> Any:
    return override_settings(
        RESIDENT_SECRETS={"OPTIONS": {"values": dict(of(flipt.url))}},
        RESIDENT_FLAGS={"INTERVAL": 60, "DEADLINE": 0.3, **more},
    )


def test_another_flipt_takes_over(flipt: FakeFlipt) -> None:
    with settings(flipt), FakeFlipt(token=WRONG_PASSWORD) as other:
        other.load("greeting/features.yml")
        assert flag_enabled(FLAG)
        before = worker.get(flags)
        assert worker.take_up(of(other.url, WRONG_PASSWORD)) == []
        assert not flag_enabled(FLAG)
        assert worker.get(flags) is not before
        worker.close()


@pytest.mark.parametrize("fallback", ["", "defaults"])
def test_one_that_refuses_or_is_away_does_not(
    fallback: str, flipt: FakeFlipt, caplog: pytest.LogCaptureFixture
) -> None:
    """A fallback is for a start: here the flags that are in use are better."""
    with settings(flipt, FALLBACK=fallback):
        assert flag_enabled(FLAG)
        caplog.set_level(logging.ERROR)
        assert worker.take_up(of(flipt.url, WRONG_PASSWORD)) == ["flags"]
        assert "flags stays as it is: Flipt at" in caplog.text
        assert "refuses the token (401)" in caplog.text
        assert worker.take_up(of("http://127.0.0.1:1")) == ["flags"]
        assert flag_enabled(FLAG)
        worker.close()


def test_what_does_not_concern_it_leaves_it_alone(flipt: FakeFlipt) -> None:
    with settings(flipt):
        before = worker.get(flags)
        more = {**of(flipt.url), "mail_password": Secret(WRONG_PASSWORD)}
        assert worker.take_up(Secrets(more, source="The test")) == []
        assert worker.get(flags) is before
        worker.close()


def test_what_was_counted_and_seen_to_change_goes_on(flipt: FakeFlipt) -> None:
    with settings(flipt, INTERVAL=0.05):
        assert flag_enabled(FLAG)
        flipt.disable(FLAG)
        assert eventually(lambda: not flag_enabled(FLAG))
        before = current()["default"]
        token = flipt_token(flipt)
        assert worker.take_up(of(flipt.url, token)) == []
        after = current()["default"]
        assert after is not before
        assert dict(after.changed) == dict(before.changed) != {}
        assert after.counts[FLAG]["on"] >= 1
        assert after.counts[FLAG] is before.counts[FLAG]
        worker.close()


def test_one_that_takes_over_does_not_begin_on_last_known_flags(
    flipt: FakeFlipt, tmp_path: Path
) -> None:
    """Those that the client before it has are better."""
    with settings(flipt, LAST_KNOWN=tmp_path / "flags"):
        assert flag_enabled(FLAG)
        assert eventually(lambda: any((tmp_path / "flags").glob("*.json")))
        before = worker.get(flags)
        assert worker.take_up(of(flipt.url, WRONG_PASSWORD)) == ["flags"]
        assert worker.get(flags) is before
        assert before.state().origin == "server"
        worker.close()


def test_further_namespaces_and_a_jwt(tmp_path: Path) -> None:
    with FakeFlipt(version="2.11.0", token=BOOTSTRAP_TOKEN, token_type="jwt") as flipt:
        flipt.load("greeting/features.yml")
        flipt.load({"namespace": "shop", "flags": []})
        with settings(flipt, NAMESPACES=["shop"], TOKEN_TYPE="jwt"):
            assert current().keys() == {"default", "shop"}
            client = worker.get(flags)
            assert client.state("shop").namespace == "shop"
            assert client.state().namespace == "default"
            with pytest.raises(FlagsError, match="namespace 'mail' is not followed"):
                client.state("mail")
            worker.close()


def test_defaults_serve_a_project_that_names_no_source() -> None:
    with override_settings(RESIDENT_FLAGS={"NAMESPACE": "shop"}):
        assert flag_enabled(FLAG, default=True)
        state = worker.get(flags).state()
        assert (state.origin, state.mode, state.namespace) == ("defaults", "none", "shop")
        worker.close()


def test_a_features_file_stands_in_only_where_there_is_one(flipt: FakeFlipt) -> None:
    with settings(flipt, FALLBACK="features"), pytest.raises(ConfigurationError, match="FEATURES"):
        worker.get(flags)
    worker.close()
    with settings(flipt, FALLBACK="features", FEATURES="greeting/features.yml"):
        flipt.stop()
        assert not flag_enabled(FLAG)
        assert worker.get(flags).state().origin == "features file"
        worker.close()


def flipt_token(flipt: FakeFlipt) -> str:
    """Another token that the server takes."""
    made = requests.post(
        f"{flipt.url}/auth/v1/method/token",
        json={"name": "another"},
        headers={"Authorization": f"Bearer {BOOTSTRAP_TOKEN}"},
        timeout=5,
    )
    return str(made.json()["clientToken"])
