"""What was left behind is said once, in fields that a program can read, and never with a value."""

import logging
import os
from collections.abc import Iterator

import pytest
from django.dispatch import receiver

from resident.isolation import report
from resident.isolation.report import Leak, Reports, leaked
from resident.isolation.request import Request

REQUEST = Request({"REQUEST_METHOD": "POST", "PATH_INFO": "/basket", "QUERY_STRING": "token=1"})
LEAK = Leak("a thread-local", "shop.current.user", "put back", REQUEST)


@pytest.fixture
def heard() -> Iterator[list[Leak]]:
    leaks: list[Leak] = []

    @receiver(leaked)
    def hear(*, leak: Leak, **_: object) -> None:
        leaks.append(leak)

    yield leaks
    leaked.disconnect(hear)


def test_record_and_signal(heard: list[Leak], caplog: pytest.LogCaptureFixture) -> None:
    reports = Reports()
    reports.tell(LEAK)
    (record,) = caplog.records
    assert record.getMessage() == (
        "POST '/basket' left behind: a thread-local, shop.current.user; put back."
    )
    assert (record.name, record.levelno) == ("resident.isolation", logging.WARNING)
    assert {name: value for name, value in vars(record).items() if name in FIELDS} == {
        "kind": "a thread-local",
        "place": "shop.current.user",
        "became": "put back",
        "request_method": "POST",
        "request_path": "/basket",
        "worker": os.getpid(),
    }
    assert heard == [LEAK]
    assert reports.counts == {"a thread-local": 1}


FIELDS = {"kind", "place", "became", "request_method", "request_path", "worker"}


def test_one_place_is_told_once_and_counted_each_time(heard: list[Leak]) -> None:
    reports = Reports()
    other = Leak(LEAK.kind, "shop.current.tenant", "put back", REQUEST)
    for leak in (LEAK, LEAK, other, LEAK):
        reports.tell_once(leak)
    assert heard == [LEAK, other]
    assert reports.counts == {"a thread-local": 4}


def test_places_that_a_user_makes_up(heard: list[Leak], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted for ever, and told up to a number: memory stays bounded."""
    monkeypatch.setattr(report, "MOST_PLACES", 3)
    reports = Reports()
    for number in range(10):
        reports.tell_once(Leak("process state", f"os.environ['{number}']", "put back", REQUEST))
    assert len(heard) == 3
    assert reports.counts == {"process state": 10}


def test_what_is_only_counted(heard: list[Leak], caplog: pytest.LogCaptureFixture) -> None:
    reports = Reports()
    reports.count("execute wrappers")
    reports.count("execute wrappers")
    assert reports.counts == {"execute wrappers": 2}
    assert not heard
    assert not caplog.records


def test_a_path_forges_no_line(caplog: pytest.LogCaptureFixture) -> None:
    request = Request({"REQUEST_METHOD": "GET", "PATH_INFO": "/\nERROR all is lost"})
    Reports().tell(Leak("a thread-local", "a", "put back", request))
    assert "\n" not in caplog.records[0].getMessage()


def test_a_handler_of_the_signal_that_fails(heard: list[Leak]) -> None:
    @receiver(leaked)
    def fail(**_: object) -> None:
        raise RuntimeError("in a handler of the project's")

    Reports().tell(LEAK)
    leaked.disconnect(fail)
    assert heard == [LEAK]
