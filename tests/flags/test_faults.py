"""No fault of Flipt is a fault of the worker: not at its start, not later, and it recovers."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path

import pytest
from django.test import override_settings

from resident.exceptions import FlagsError
from resident.flags import flag_enabled, follower, known, snapshot
from resident.flags.client import FlagClient
from resident.flags.resource import flags
from resident.secrets import Secret, Secrets
from resident.worker import worker
from tests.evidence import BOOTSTRAP_TOKEN, WRONG_PASSWORD
from tests.flags.faults import (
    DEADLINE,
    FAULTS,
    FLAG,
    INTERVAL,
    NOTHING,
    OFF,
    ON,
    SERVERS,
    TIMEOUT,
    Answers,
    Fault,
    Scene,
    Server,
    answers,
    quiet,
    until,
)
from tests.granian import ROOT

MoveClock = Callable[[timedelta, str], None]
QUICK = [SERVERS[3]]
BIG = "huge"  # it takes a processor: apart from the others


def each_server(quick: list[Server] = QUICK) -> pytest.MarkDecorator:
    slow = pytest.mark.slow
    marked = [pytest.param(it, id=str(it), marks=() if it in quick else slow) for it in SERVERS]
    return pytest.mark.parametrize("server", marked)


@pytest.fixture(autouse=True)
def _in_silence() -> Iterator[None]:
    with quiet():
        yield


@pytest.fixture
def move_clock() -> Iterator[MoveClock]:
    """Sets the clock on the wall, by so much, and the time zone; afterwards they are right."""
    with pytest.MonkeyPatch.context() as patch:
        yield partial(_move_clock, patch)
    time.tzset()


def all_at_once(
    play: Callable[[Scene, Fault], None], server: Server, folder: Path, *names: str
) -> None:
    """Play the scene with each fault, each with a server and a client of its own."""
    faults = [it for it in FAULTS if (it.name in names if names else it.name != BIG)]
    faults = [it for it in faults if server.mode == "stream" or not it.of_streams]

    def one(fault: Fault) -> None:
        own = folder / fault.name
        own.mkdir(mode=0o700)
        with Scene(server, own) as scene:
            play(scene, fault)

    with ThreadPoolExecutor(len(faults)) as pool:
        played = {fault.name: pool.submit(one, fault) for fault in faults}
    failures = []
    for name, future in played.items():
        if error := future.exception():
            error.add_note(f"the fault is {name!r}, of {server}")
            failures.append(error)
    if failures:
        raise BaseExceptionGroup("faults that were not survived", failures)


def in_the_middle(scene: Scene, fault: Fault) -> None:
    with scene.client() as client:
        client.start()
        until(lambda: client.state().mode == scene.server.mode, client, ON)
        fault.begin(scene.flipt)
        if not fault.of_streams:
            until(lambda: client.state().last_error in fault.kinds, client, ON)
        scene.flipt.disable(FLAG)
        if fault.of_streams:
            until(lambda: answers(client) == OFF, client, ON, OFF)
            return
        failures = client.state().failures
        until(lambda: client.state().failures > failures + 1, client, ON)
        state = client.state()
        assert (state.origin, state.swaps) == ("server", 0)
        assert state.last_error in fault.kinds
        fault.end(scene.flipt)
        recovers(client, scene, ON)


def at_boot_with_last_known_flags(scene: Scene, fault: Fault) -> None:
    with scene.client() as before:
        before.start()
    fault.begin(scene.flipt)
    with scene.client() as client:
        client.start()
        state = client.state()
        assert answers(client) == ON
        if not fault.of_streams:
            assert (state.origin, state.swaps) == ("last known", 0)
            assert state.last_error in fault.kinds
            assert 0 <= state.age < 60
        scene.flipt.disable(FLAG)
        fault.end(scene.flipt)
        recovers(client, scene, ON)


def at_boot_without(scene: Scene, fault: Fault) -> None:
    fault.begin(scene.flipt)
    with scene.client(keeps=False, defaults=True) as client:
        if not (fault.passing or fault.of_streams):
            with pytest.raises(FlagsError) as refused:
                client.start()
            assert refused.value.kind in fault.kinds
            fault.end(scene.flipt)
            with scene.client(keeps=False) as another:
                another.start()
                assert answers(another) == ON
            return
        client.start()
        if not fault.of_streams:
            assert answers(client) == NOTHING
            assert client.state().origin == "defaults"
            assert client.state().last_error in fault.kinds
        scene.flipt.disable(FLAG)
        fault.end(scene.flipt)
        recovers(client, scene, NOTHING, ON)


def on_streams_alone(scene: Scene, fault: Fault) -> None:
    """Changes are had by asking, at any time; the stream is taken again when it is well."""
    with scene.client() as client:
        client.start()
        until(lambda: client.state().mode == "stream", client, ON)
        fault.begin_on_streams(scene.flipt)
        scene.flipt.disable(FLAG)
        until(lambda: answers(client) == OFF, client, ON, OFF)
        scene.flipt.enable(FLAG)
        until(lambda: answers(client) == ON, client, ON, OFF)
        scene.flipt.disable(FLAG)
        fault.end(scene.flipt)
        recovers(client, scene, ON, OFF)


def recovers(client: FlagClient, scene: Scene, *before: Answers) -> None:
    """What changed meanwhile is taken up, and the state says that all is well."""
    until(lambda: answers(client) == OFF, client, *before, OFF)
    until(lambda: client.state().last_error == "", client, OFF)
    until(lambda: client.state().mode == scene.server.mode, client, OFF)
    assert client.state().origin == "server"
    scene.flipt.enable(FLAG)
    until(lambda: answers(client) == ON, client, OFF, ON)


@each_server()
@pytest.mark.parametrize("play", [in_the_middle, at_boot_with_last_known_flags, at_boot_without])
def test_of_every_kind(
    play: Callable[[Scene, Fault], None], server: Server, tmp_path: Path
) -> None:
    all_at_once(play, server, tmp_path)


@pytest.mark.slow
def test_of_the_stream_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "RARELY", INTERVAL)
    names = {it.name for it in FAULTS} - {BIG, "refused", "token"}
    all_at_once(on_streams_alone, SERVERS[3], tmp_path, *names)


@pytest.mark.slow
@each_server()
def test_of_the_clock_on_the_wall(server: Server, tmp_path: Path, move_clock: MoveClock) -> None:
    with Scene(server, tmp_path) as scene, scene.client() as client:
        client.start()
        until(lambda: client.state().mode == server.mode, client, ON)
        for years, zone in ((10, "Pacific/Kiritimati"), (-20, "Etc/GMT+12")):
            move_clock(timedelta(days=365 * years), zone)
            scene.flipt.disable(FLAG)
            until(lambda: answers(client) == OFF, client, ON, OFF)
            scene.flipt.enable(FLAG)
            until(lambda: answers(client) == ON, client, ON, OFF)
            assert 0 <= client.state().age < 60
            assert client.state().last_error == ""
    # What is known was written by a clock that is years ahead of this one.
    move_clock(timedelta(days=-365 * 40), "UTC")
    with scene.client() as client:
        client.start()
        assert answers(client) == ON
        assert client.state().origin == "last known"
        assert 0 <= client.state().age < 60


def test_of_a_token_that_is_rotated_in_vault_too(tmp_path: Path) -> None:
    with Scene(SERVERS[3], tmp_path) as scene, at_work(scene) as client:
        until(lambda: client.state().mode == "stream", client, ON)
        scene.flipt.rotate_token(WRONG_PASSWORD)
        scene.flipt.misbehave("error", times=0)
        until(lambda: client.state().last_error == "401", client, ON)
        assert flag_enabled(FLAG)
        scene.flipt.disable(FLAG)
        assert worker.take_up(secrets(scene.flipt.url, WRONG_PASSWORD)) == []
        assert not flag_enabled(FLAG)
        after = worker.get(flags)
        until(lambda: after.state().mode == "stream", after, OFF)
        scene.flipt.enable(FLAG)
        until(lambda: answers(after) == ON, after, OFF, ON)
        assert flag_enabled(FLAG)


@pytest.mark.slow
def test_with_backtraces_of_rust(tmp_path: Path) -> None:
    """Where the engine itself went to the network, each of them would abort the process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.flags.test_faults", tmp_path],
        cwd=ROOT,
        env={**os.environ, "RUST_BACKTRACE": "1", "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@each_server(quick=[])
@pytest.mark.parametrize("play", [in_the_middle, at_boot_with_last_known_flags, at_boot_without])
def test_of_200_megabytes(
    play: Callable[[Scene, Fault], None], server: Server, tmp_path: Path
) -> None:
    all_at_once(play, server, tmp_path, BIG)


def _move_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta, zone: str) -> None:
    """Set the clock on the wall, and the time zone, as far as Python code sees them."""

    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Moved":
            moved = datetime.now(UTC) + by
            return cls.fromtimestamp(moved.timestamp(), tz)

    monkeypatch.setattr(time, "time", lambda: Moved.now().timestamp())
    for module in (known, snapshot):
        monkeypatch.setattr(module, "datetime", Moved)
    monkeypatch.setenv("TZ", zone)
    time.tzset()


@contextmanager
def at_work(scene: Scene) -> Iterator[FlagClient]:
    """The worker of this process, with that server's flags."""
    values = dict(secrets(scene.flipt.url, BOOTSTRAP_TOKEN))
    with override_settings(
        RESIDENT_SECRETS={"OPTIONS": {"values": values}},
        RESIDENT_FLAGS={"INTERVAL": INTERVAL, "TIMEOUT": TIMEOUT, "DEADLINE": DEADLINE},
    ):
        yield worker.get(flags)
        worker.close()


def secrets(url: str, token: str) -> Secrets:
    values = {"flipt_api_host": Secret(url), "flipt_api_token": Secret(token)}
    return Secrets(values, source="The test")


def main(folder: Path) -> None:
    """Every fault, in a process of its own."""
    logging.disable()
    for play in (in_the_middle, at_boot_with_last_known_flags, at_boot_without):
        place = folder / play.__name__
        place.mkdir()
        all_at_once(play, SERVERS[3], place)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
