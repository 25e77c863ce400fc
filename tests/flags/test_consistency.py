"""A response is of one snapshot, from its first question to its last byte, however flags flip."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import Any

import pytest
import requests
from django.test import RequestFactory, override_settings

from resident.flags.resource import flags
from resident.secrets import Secret
from resident.testing import FakeFlipt
from resident.worker import worker
from resident.wsgi import get_wsgi_application
from tests.evidence import BOOTSTRAP_TOKEN, Evidence
from tests.flags import flipping
from tests.flags.flipping import READS, features
from tests.granian import Granian, eventually

THREADS, RESPONSES = 4, 12
FLIP_SECONDS = 0.01


@pytest.fixture
def flipt() -> Iterator[FakeFlipt]:
    with FakeFlipt(version="2.11.0", token=BOOTSTRAP_TOKEN) as running:
        running.load(features(on=False))
        yield running


@contextmanager
def flipped(flipt: FakeFlipt) -> Iterator[None]:
    """The flags flip every 10 ms, all of them at once."""
    ended = threading.Event()

    def flip() -> None:
        on = False
        while not ended.wait(FLIP_SECONDS):
            on = not on
            flipt.load(features(on=on))

    flipping = threading.Thread(target=flip)
    flipping.start()
    try:
        yield
    finally:
        ended.set()
        flipping.join()


def responses(get: Callable[[], str]) -> list[list[str]]:
    """What so many threads are answered, each so often."""

    def ask(_: int) -> list[list[str]]:
        return [get().split() for _ in range(RESPONSES)]

    with ThreadPoolExecutor(THREADS) as pool:
        return list(chain.from_iterable(pool.map(ask, range(THREADS))))


def check(seen: list[list[str]]) -> None:
    assert {len(answers) for answers in seen} == {READS}
    mixed = [answers for answers in seen if len(set(answers)) > 1]
    assert mixed == []
    assert {answers[0] for answers in seen} == {"on", "off"}


def test_no_response_mixes(flipt: FakeFlipt) -> None:
    with override_settings(
        ROOT_URLCONF=flipping.__name__,
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[],
        RESIDENT_SECRETS={
            "OPTIONS": {
                "values": {
                    "flipt_api_host": Secret(flipt.url),
                    "flipt_api_token": Secret(BOOTSTRAP_TOKEN),
                }
            }
        },
        RESIDENT_FLAGS={"INTERVAL": 30},
    ):
        application = get_wsgi_application()
        client = worker.get(flags)
        assert eventually(lambda: client.state().mode == "stream")
        with flipped(flipt):
            seen = responses(lambda: get(application))
        # Far more often than there were responses: flags flipped while each was under way.
        assert client.state().swaps > THREADS * RESPONSES
        worker.close()
    check(seen)


def test_nor_does_one_of_a_real_server(flipt: FakeFlipt, evidence: Evidence) -> None:
    environment = {
        "DJANGO_SETTINGS_MODULE": flipping.__name__,
        "FLIPT_API_HOST": flipt.url,
        "FLIPT_API_TOKEN": BOOTSTRAP_TOKEN,
    }
    options = ("--workers", "1", "--blocking-threads", str(THREADS))
    application = f"{flipping.__name__}:application"
    with Granian(evidence, environment, application=application, options=options) as granian:
        granian.serving()
        url = f"http://127.0.0.1:{granian.port}/stream"
        assert eventually(lambda: granian.get("/state").json()["mode"] == "stream")
        with flipped(flipt):
            seen = responses(lambda: requests.get(url, timeout=20).text)
        assert granian.get("/state").json()["swaps"] > THREADS * RESPONSES
    check(seen)


def get(application: Callable[..., Iterable[bytes]]) -> str:
    body: Any = application(RequestFactory().get("/stream").environ, lambda *_: None)
    try:
        return b"".join(body).decode()
    finally:
        body.close()
