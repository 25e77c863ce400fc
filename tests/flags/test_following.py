"""The flag client is made from two secrets: when they are rotated, another one takes over."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from resident.flags import flag_enabled
from resident.flags.resource import flags
from resident.secrets import Secret, Secrets
from resident.testing import FakeFlipt
from resident.worker import worker
from tests.evidence import BOOTSTRAP_TOKEN, WRONG_PASSWORD

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
