"""What the keeper makes of a backend: a third party's, which only reads and closes."""

import logging
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from resident.exceptions import SecretsError
from resident.secrets import MissingKeyError, Secret, Secrets
from resident.secrets.keeper import Keeper
from tests.evidence import PASSWORD
from tests.granian import eventually


class Drawer:
    """A backend as somebody else would write it."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.error: Exception | None = None
        self.reads = 0
        self.closed = 0
        self.version: int | None = None

    def read(self) -> Secrets:
        self.reads += 1
        if self.error is not None:
            raise self.error
        values = {key: Secret(value) for key, value in self.values.items()}
        return Secrets(values, source="The drawer", version=self.version)

    def close(self) -> None:
        self.closed += 1


@contextmanager
def kept(drawer: Any, **options: Any) -> Iterator[Keeper]:
    keeper = Keeper(drawer, **{"interval": 0.05, **options})
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.close()


def test_takes_up_what_has_changed_and_only_that() -> None:
    drawer, taken = Drawer(token="one"), []

    def take_up(secrets: Secrets) -> Collection[str]:
        taken.append(secrets["token"].reveal())
        return ()

    with kept(drawer, take_up=take_up) as keeper:
        assert keeper.contents["token"].reveal() == "one"
        assert eventually(lambda: drawer.reads > 3, seconds=2)
        assert taken == []
        drawer.values = {"token": "two"}
        assert eventually(lambda: taken == ["two"], seconds=2)
        assert eventually(lambda: keeper.contents["token"].reveal() == "two", seconds=2)
        assert keeper.state.rotations == 1
    assert drawer.closed == 1


def test_another_version_with_the_same_values_is_told() -> None:
    drawer = Drawer(token="one")
    drawer.version = 1
    with kept(drawer) as keeper:
        drawer.version = 2
        assert eventually(lambda: keeper.state.version == 2, seconds=2)
        assert keeper.state.rotations == 1


@pytest.mark.slow
def test_keeps_the_last_good_value_says_so_once_and_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    drawer = Drawer(token="one")
    failures: list[SecretsError] = []
    with kept(drawer, failed=failures.append) as keeper:
        drawer.error = SecretsError("The drawer is stuck.", kind="stuck")
        assert eventually(lambda: len(failures) == 2, seconds=5)
        assert keeper.contents["token"].reveal() == "one"
        state = keeper.state
        assert (state.last_error, state.failures, state.rotations) == ("stuck", 2, 0)
        assert state.age > 1
        drawer.error = None
        assert eventually(lambda: keeper.state.last_error == "", seconds=5)
        assert keeper.state.age < 1
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("The secrets stay as they were 0 s ago: The drawer is stuck.")
    assert "The secrets are fresh again: The drawer" in caplog.text


def test_another_problem_is_said_too(caplog: pytest.LogCaptureFixture) -> None:
    drawer = Drawer(token="one")
    with kept(drawer):
        drawer.error = SecretsError("The drawer is stuck.", kind="stuck")
        assert eventually(lambda: "is stuck" in caplog.text, seconds=2)
        drawer.error = MissingKeyError("The drawer has no key 'token'.", kind="missing key")
        assert eventually(lambda: "no key 'token'" in caplog.text, seconds=5)


@pytest.mark.slow
def test_pauses_longer_after_each_failure() -> None:
    moments: list[float] = []
    drawer = Drawer(token="one")
    with kept(drawer, failed=lambda _: moments.append(time.monotonic())):
        drawer.error = SecretsError("The drawer is stuck.")
        assert eventually(lambda: len(moments) == 3, seconds=6)
    first, second = moments[1] - moments[0], moments[2] - moments[1]
    assert 0.9 < first < 1.6
    assert 1.9 < second < 2.8


def test_what_a_backend_raises_unexpectedly_is_named_and_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    drawer = Drawer(token="one")
    failures: list[SecretsError] = []
    with kept(drawer, failed=failures.append) as keeper:
        drawer.error = RuntimeError(f"denied: {PASSWORD}")
        assert eventually(lambda: bool(failures), seconds=2)
        assert keeper.state.last_error == "RuntimeError"
        drawer.error = None
        assert eventually(lambda: keeper.state.last_error == "", seconds=3)
    assert "ended in RuntimeError" in caplog.text
    assert PASSWORD not in caplog.text + str(failures[0])


@pytest.mark.slow
def test_what_was_not_taken_up_is_tried_again_at_the_next_look() -> None:
    drawer, left = Drawer(token="one"), [["mail"], ["mail"], []]
    failures: list[SecretsError] = []
    with kept(drawer, take_up=lambda _: left.pop(0), failed=failures.append) as keeper:
        drawer.values = {"token": "two"}
        assert eventually(lambda: not left, seconds=8)
        assert eventually(lambda: keeper.state.last_error == "", seconds=2)
        assert keeper.state.rotations == 1
    assert [failure.kind for failure in failures] == ["not taken up", "not taken up"]
    assert "mail can't be made from The drawer" in str(failures[0])


def test_a_start_that_fails_raises_and_leaves_no_thread() -> None:
    drawer = Drawer()
    drawer.error = SecretsError("The drawer is stuck.")
    before = threading.active_count()
    keeper = Keeper(drawer)
    with pytest.raises(SecretsError, match="stuck"):
        keeper.start()
    keeper.close()
    assert drawer.closed == 1
    assert threading.active_count() == before


def test_stops_at_once_in_whatever_it_is() -> None:
    released = threading.Event()

    class Slow(Drawer):
        def read(self) -> Secrets:
            secrets = super().read()
            if self.reads > 1:
                released.wait()
            return secrets

    drawer = Slow(token="one")
    with kept(drawer, interval=0.01) as keeper:
        assert eventually(lambda: drawer.reads == 2, seconds=2)
        keeper.close()
        assert keeper._thread.is_alive()  # in the middle of a read
        released.set()
    with kept(Drawer(token="one"), interval=3600) as keeper:
        keeper.close()
        assert not keeper._thread.is_alive()
