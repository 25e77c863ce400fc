"""A worker opens each resource once, in order, and closes in reverse."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from django.test import override_settings

from resident.exceptions import ConfigurationError
from resident.secrets import MissingKeyError
from resident.worker import Resource, Worker
from tests.evidence import Evidence
from tests.granian import ROOT, Granian, clean_environment


class Diary:
    """What was opened and closed, in order."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def resource(self, name: str, *, close_fails: bool = False) -> Resource[str]:
        def resource(worker: Worker) -> Iterator[str]:
            self.entries.append(f"open {name}")
            yield name
            self.entries.append(f"close {name}")
            if close_fails:
                raise RuntimeError(f"{name} won't close")

        resource.__name__ = name
        return resource


@pytest.fixture
def diary() -> Diary:
    return Diary()


def failing(worker: Worker) -> Iterator[str]:
    yield connect("search.example")


def connect(host: str) -> str:
    raise ConnectionError("the search engine is away")


def test_closes_in_reverse_order_each_once(diary: Diary) -> None:
    worker = Worker()
    first, second = diary.resource("first"), diary.resource("second")
    worker.open(first, second)
    worker.open(first, second)
    assert worker.get(first) == "first"
    worker.close()
    worker.close()
    assert diary.entries == ["open first", "open second", "close second", "close first"]
    assert not worker.is_open(first)


def test_a_failing_close_is_logged_and_the_rest_is_closed(
    diary: Diary, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker()
    worker.open(diary.resource("first"), diary.resource("second", close_fails=True))
    worker.close()
    assert diary.entries[-1] == "close first"
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "second failed to close" in record.message


def test_opens_all_or_none(diary: Diary) -> None:
    worker = Worker()
    before, first = diary.resource("before"), diary.resource("first")
    worker.get(before)
    with pytest.raises(ConnectionError, match="search engine"):
        worker.open(first, failing)
    assert diary.entries == ["open before", "open first", "close first"]
    assert worker.is_open(before)
    assert not worker.is_open(failing)
    worker.close()


def test_a_resource_may_be_built_from_another(diary: Diary) -> None:
    below = diary.resource("below")

    def above(worker: Worker) -> Iterator[str]:
        yield f"above {worker.get(below)}"

    worker = Worker()
    assert worker.get(above) == "above below"
    worker.close()
    assert diary.entries == ["open below", "close below"]


def test_threads_that_ask_at_the_same_moment_get_the_same_one(diary: Diary) -> None:
    worker = Worker()
    started = threading.Barrier(8)
    given: list[object] = []

    def resource(worker: Worker) -> Iterator[object]:
        time.sleep(0.2)  # the others come to wait meanwhile
        diary.entries.append("open")
        yield object()

    def ask() -> None:
        started.wait()
        given.append(worker.get(resource))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, given))) == 1
    assert diary.entries == ["open"]
    worker.close()


def test_a_forked_child_starts_with_none_and_leaves_its_parents_open() -> None:
    """The child exits as a program does: its interpreter takes every object down."""
    story = """
        import os, sys
        from resident.worker import worker

        def connection(worker):
            try:
                yield os.getpid()
            finally:
                print("closed by", "parent" if os.getpid() == parent else "child", flush=True)

        parent = os.getpid()
        assert worker.get(connection) == parent
        child = os.fork()
        if not child:
            assert not worker.is_open(connection)
            if len(sys.argv) > 1:
                assert worker.get(connection) == os.getpid()
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        assert worker.get(connection) == parent
    """
    lines = "\n".join(line[8:] for line in story.splitlines())
    for arguments, closed in (
        ([], "closed by parent\n"),
        (["its own"], "closed by child\nclosed by parent\n"),
    ):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", lines, *arguments],
            cwd=ROOT,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout == closed, done.stderr


def test_a_child_finds_an_open_lock_whoever_held_it() -> None:
    worker, held, go_on = Worker(), threading.Event(), threading.Event()

    def slow(worker: Worker) -> Iterator[str]:
        held.set()
        go_on.wait()
        yield "slow"

    opening = threading.Thread(target=worker.get, args=(slow,))
    opening.start()
    held.wait()
    worker.leave_to_parent()
    assert worker.get(lambda _: iter_of("quick")) == "quick"
    go_on.set()
    opening.join()
    worker.close()


def iter_of(value: str) -> Iterator[str]:
    yield value


def search(worker: Worker) -> Iterator[str]:
    """A project's own resource, which tells that it was closed."""
    yield f"search with {len(worker.secrets)} secrets"
    sys.stderr.write(f"search closed by {os.getpid()}\n")


def test_a_projects_own_resource_is_closed_when_granian_stops_the_worker(
    evidence: Evidence,
) -> None:
    environment = {"DJANGO_SETTINGS_MODULE": "tests.worker_settings"}
    with Granian(evidence, environment, options=("--workers", "2")) as granian:
        state = granian.serving().get("/health/ready").json()
        assert state["resources"] == {"secrets": "open", "flags": "open", "search": "open"}
        workers = granian.workers()
        assert granian.stop() == 0
        log = granian.log()
    for pid in workers:
        lines = [
            line for line in log.splitlines() if f" {pid} " in line or line.endswith(f" {pid}")
        ]
        closings = [line for line in lines if "closed" in line]
        assert [line.rpartition(": ")[2] for line in closings] == [
            f"search closed by {pid}",
            "search closed",
            "flags closed",
            "secrets closed",
            "keeper closed",
        ]


class TestSecrets:
    def test_the_first_resource_is_the_secrets(self) -> None:
        worker = Worker()
        options = {"values": {"search_token": "t0ken"}, "required": ["search_token"]}
        with override_settings(RESIDENT_SECRETS={"OPTIONS": options}):
            assert worker.secrets["search_token"].reveal() == "t0ken"
        worker.close()

    def test_nothing_configured_is_no_secret(self) -> None:
        worker = Worker()
        with override_settings(), pytest.raises(MissingKeyError, match="has no key 'x'"):
            worker.secrets["x"]
        worker.close()

    def test_an_unknown_backend(self) -> None:
        secrets = {"BACKEND": "shop.secrets.Keychain"}
        with (
            override_settings(RESIDENT_SECRETS=secrets),
            pytest.raises(ConfigurationError, match=r"'shop.secrets.Keychain', which can't be"),
        ):
            Worker().secrets  # noqa: B018

    def test_an_unknown_option(self) -> None:
        with (
            override_settings(RESIDENT_SECRETS={"OPTIONS": {"values": {}, "valuess": {}}}),
            pytest.raises(ConfigurationError, match="unexpected keyword argument 'valuess'"),
        ):
            Worker().secrets  # noqa: B018
