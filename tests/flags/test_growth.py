"""However long it runs, forks and swaps, a worker has no more than it had, and it stops at once."""

import gc
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.test import override_settings

from resident.flags import flag_enabled
from resident.flags.client import FlagClient
from resident.flags.resource import flags
from resident.secrets import Secret, Secrets
from resident.testing import FakeFlipt
from resident.testing.flipt import Misbehaviour
from resident.worker import worker
from tests.evidence import BOOTSTRAP_TOKEN, WRONG_PASSWORD, Evidence
from tests.flags import flipping
from tests.flags.faults import FLAG, OFF, ON, SERVERS, Scene, answers, quiet, until
from tests.flags.flipping import features
from tests.granian import ROOT, Granian, clean_environment, eventually

WARM_UP = 200
STOP_SECONDS = 2.0


@pytest.fixture(autouse=True)
def _in_silence() -> Iterator[None]:
    """Pytest keeps what is logged: that would be growth."""
    with quiet():
        yield


@contextmanager
def no_growth(megabytes: int) -> Iterator[None]:
    """The process has as many descriptors and threads as before, and hardly more memory."""
    gc.collect()
    process = psutil.Process()
    files, threads = process.num_fds(), process.num_threads()
    memory = process.memory_info().rss
    yield
    gc.collect()
    assert eventually(lambda: process.num_threads() <= threads, seconds=5)
    assert eventually(lambda: process.num_fds() <= files, seconds=5)
    assert process.memory_info().rss - memory < megabytes << 20


def swap(scene: Scene, client: FlagClient, times: int) -> None:
    """Change a flag so often, each time once the last change has come into use."""
    for number in range(times):
        expected = ON if number % 2 else OFF
        (scene.flipt.enable if number % 2 else scene.flipt.disable)(FLAG)
        deadline = time.monotonic() + 10
        while answers(client) != expected:
            assert time.monotonic() < deadline
            time.sleep(0.0005)


@pytest.mark.parametrize(
    # A client that kept its snapshots would take several times that.
    ("times", "megabytes"),
    [(300, 4), pytest.param(10_000, 16, marks=pytest.mark.slow)],
)
def test_hundreds_of_changes(times: int, megabytes: int, tmp_path: Path) -> None:
    with Scene(SERVERS[3], tmp_path) as scene, scene.client(keeps=times < 1000) as client:
        client.start()
        until(lambda: client.state().mode == "stream", client, ON)
        swap(scene, client, WARM_UP)
        with no_growth(megabytes):
            swap(scene, client, times)
        assert client.state().swaps == WARM_UP + times


@pytest.mark.slow
def test_dozens_of_other_tokens() -> None:
    with FakeFlipt(version="2.11.0", token=BOOTSTRAP_TOKEN) as flipt:
        flipt.load(features(on=True))
        with override_settings(
            RESIDENT_SECRETS={"OPTIONS": {"values": dict(secrets(flipt, BOOTSTRAP_TOKEN))}},
            RESIDENT_FLAGS={"INTERVAL": 5},
        ):
            assert flag_enabled("constant")
            rotate(flipt, 4)
            with no_growth(4):
                rotate(flipt, 30)
            assert flag_enabled("constant")
            assert eventually(lambda: flipt.streams == 1)
            worker.close()


def rotate(flipt: FakeFlipt, times: int) -> None:
    for number in range(times):
        token = BOOTSTRAP_TOKEN if number % 2 else WRONG_PASSWORD
        flipt.rotate_token(token)
        assert worker.take_up(secrets(flipt, token)) == []
        client = worker.get(flags)
        assert eventually(lambda: client.state().mode == "stream")  # noqa: B023 - called at once


def secrets(flipt: FakeFlipt, token: str) -> Secrets:
    values = {"flipt_api_host": Secret(flipt.url), "flipt_api_token": Secret(token)}
    return Secrets(values, source="The test")


def test_forks_in_the_middle() -> None:
    with FakeFlipt(version="2.11.0", token=BOOTSTRAP_TOKEN) as flipt:
        flipt.load(features(on=True))
        with subprocess.Popen(
            # From Python 3.12 on a process with threads is warned not to fork.
            [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.flags.forked_worker"],
            cwd=ROOT,
            env=environment(flipt),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "forked\n"
            flipt.load(features(on=False))
            _, said = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, "")


def environment(flipt: FakeFlipt, **more: str) -> dict[str, str]:
    return clean_environment(
        DJANGO_SETTINGS_MODULE=flipping.__name__,
        FLIPT_API_HOST=flipt.url,
        FLIPT_API_TOKEN=BOOTSTRAP_TOKEN,
        **more,
    )


@pytest.mark.slow
class TestStop:
    """A granian stops its workers within a second whatever Flipt does; slow machines have two."""

    @pytest.fixture
    def flipt(self) -> Iterator[FakeFlipt]:
        with FakeFlipt(version="2.11.0", token=BOOTSTRAP_TOKEN) as flipt:
            flipt.load(features(on=True))
            yield flipt

    def granian(self, evidence: Evidence, flipt: FakeFlipt) -> Granian:
        application = f"{flipping.__name__}:application"
        patient = {"FLIPT_TIMEOUT": "60", "FLIPT_DEADLINE": "60", "FLIPT_INTERVAL": "1"}
        return Granian(evidence, environment(flipt, **patient), application=application)

    @pytest.mark.parametrize("how", ["hang", "silent", "drip"])
    def test_at_its_start(self, evidence: Evidence, flipt: FakeFlipt, how: Misbehaviour) -> None:
        flipt.misbehave(how)
        with self.granian(evidence, flipt) as granian:
            assert eventually(lambda: flipt.count("/internal/") > 0)
            assert stopping(granian) < STOP_SECONDS

    @pytest.mark.parametrize("how", [None, "hang", "silent", "drip", "cut", "frozen"])
    def test_later(self, evidence: Evidence, flipt: FakeFlipt, how: Misbehaviour | None) -> None:
        with self.granian(evidence, flipt) as granian:
            granian.serving()
            assert eventually(lambda: granian.get("/state").json()["mode"] == "stream")
            flipt.forget()
            if how is not None:
                flipt.misbehave(how)
                assert eventually(lambda: flipt.count("/client/") + flipt.count("/internal/") > 0)
            assert granian.get("/").text == "on"
            assert stopping(granian) < STOP_SECONDS


def stopping(granian: Granian) -> float:
    """How many seconds it takes to end."""
    began = time.monotonic()
    granian.stop()
    return time.monotonic() - began
