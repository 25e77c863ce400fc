"""The flag client follows its source, and no fault of the source is a fault of a request."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from resident.exceptions import FlagsError
from resident.flags.client import FlagClient
from resident.flags.document import Document, Rollout, ThresholdRollout
from resident.flags.snapshot import Origin
from resident.flags.sources import Fetch, Nowhere, Reading
from resident.flags.state import Mode
from resident.flags.stream import Idle
from resident.flags.subject import Subject
from tests.granian import eventually

Answer = Document | Exception | None


def document(*, on: bool) -> Document:
    flags = [
        {"key": "on", "type": "BOOLEAN_FLAG_TYPE", "enabled": on},
        {
            "key": "half",
            "type": "BOOLEAN_FLAG_TYPE",
            "enabled": False,
            "rollouts": [{"threshold": {"percentage": 50, "value": True}}],
        },
        {
            "key": "style",
            "enabled": on,
            "defaultVariant": {"key": "plain", "attachment": '{"mark":"."}'},
        },
        {"key": "bare", "enabled": True},
    ]
    return Document.model_validate({"namespace": {"key": "default"}, "flags": flags})


class Script:
    """A source that answers as a list says, and the last entry from then on."""

    origin: Origin = "server"
    mode: Mode = "poll"

    def __init__(self, *answers: Answer, namespace: str = "default") -> None:
        self.namespace = namespace
        self.answers = list(answers)
        self.forgotten = 0
        self.asked = 0
        self.closed = False

    def __str__(self) -> str:
        return "the script"

    def read(self) -> Reading | None:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return None if answer is None else Reading(answer)

    def forget(self) -> None:
        self.forgotten += 1

    def close(self) -> None:
        self.closed = True


def is_on(client: FlagClient, namespace: str = "default") -> bool:
    return client.snapshots[namespace].boolean("on", lambda: Subject("somebody"), False)


@pytest.fixture
def clients() -> Iterator[list[FlagClient]]:
    started: list[FlagClient] = []
    yield started
    for client in started:
        client.close()


@pytest.fixture
def start(clients: list[FlagClient]) -> Callable[..., FlagClient]:
    def start(*sources: Script, interval: float = 0.01, **more: Any) -> FlagClient:
        client = FlagClient(sources, interval=interval, deadline=0.3, **more)
        clients.append(client)
        client.start()
        return client

    return start


Start = Callable[..., FlagClient]


def test_follows_its_source(start: Start) -> None:
    client = start(Script(document(on=False), None, document(on=True), None))
    assert eventually(lambda: is_on(client))


def test_keeps_its_flags_through_every_fault_and_says_so_once(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "resident.flags")
    away = FlagsError("the script is away.", passing=True)
    faults = [away, away, away, ZeroDivisionError("a fault of ours"), away]
    source = Script(document(on=True), *faults, None)
    client = start(source)
    assert eventually(lambda: source.asked > len(faults) + 2)
    assert is_on(client)
    messages = [record.message for record in caplog.records]
    assert messages.count("The flags stay as they are: the script is away.") == 1
    assert messages.count("The flags stay as they are") == 1
    assert messages.count("the script is back") == 1


def test_does_not_start_without_flags(start: Start) -> None:
    source = Script(FlagsError("the script is away.", tried="to ask", passing=True))
    with pytest.raises(FlagsError, match=r"Tried: to ask, \d+ times in"):
        start(source)
    assert source.asked > 1


def test_a_fallback_is_for_absence_alone(start: Start) -> None:
    away = FlagsError("the script is away.", passing=True)
    fallback = {"default": Script(document(on=True))}
    client = start(Script(away), fallbacks=fallback)
    assert is_on(client)
    with pytest.raises(FlagsError, match="wrong token"):
        start(Script(FlagsError("wrong token")), fallbacks=fallback)


def test_an_unchanged_first_answer_is_no_flags(start: Start) -> None:
    assert start(Script(None)).snapshots["default"].flags == {}


def test_closing_stops_following(start: Start) -> None:
    source = Script(document(on=True))
    start(source).close()
    assert source.closed
    assert eventually(lambda: not named_threads())


def named_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "resident-flags"]


def test_before_its_start_it_has_nothing() -> None:
    client = FlagClient([Script(None)], interval=1, deadline=1)
    assert client.snapshots == {}
    with pytest.raises(FlagsError, match="the script has not been read yet"):
        client.state()


def test_namespaces_are_apart(start: Start) -> None:
    away = FlagsError("shop is away.", kind="refused", passing=True)
    shop = Document.empty("shop")
    client = start(Script(document(on=True)), Script(shop, away, namespace="shop"))
    assert client.snapshots.keys() == {"default", "shop"}
    assert eventually(lambda: client.state("shop").last_error == "refused")
    assert client.state().last_error == ""
    assert client.states.keys() == {"default", "shop"}
    assert is_on(client)


def test_a_snapshot_is_replaced_and_never_changed(start: Start) -> None:
    client = start(Script(document(on=False), document(on=True), None))
    first = client.snapshots
    assert eventually(lambda: is_on(client))
    assert client.snapshots is not first
    assert not first["default"].boolean("on", lambda: Subject("somebody"), True)


def test_what_the_engine_does_not_take_is_asked_for_again(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    bad = document(on=False)
    rollout = Rollout(threshold=ThresholdRollout(percentage=float("inf")))
    bad = bad.model_copy(
        update={"flags": [bad.flags[0].model_copy(update={"rollouts": [rollout]})]}
    )
    source = Script(document(on=True), bad, bad, None)
    client = start(source)
    assert eventually(lambda: source.asked > 4)
    assert is_on(client)
    assert source.forgotten == 2
    assert caplog.text.count("Flipt's engine took") == 1


def test_a_look_is_never_later_than_its_interval(start: Start) -> None:
    looked: list[float] = []

    class Noting(Script):
        def read(self) -> Reading | None:
            looked.append(time.monotonic())
            return super().read()

    start(Noting(document(on=True), None), interval=0.1)
    assert eventually(lambda: len(looked) > 10)
    pauses = [after - before for before, after in pairwise(looked)]
    assert 0.08 < median(pauses) < 0.11  # each, on a machine that has nothing else to do


def test_one_that_is_away_is_asked_at_leisure(start: Start) -> None:
    away = FlagsError("the script is away.", passing=True)
    source = Script(away)
    start(source, interval=20.0, fallbacks={"default": Script(document(on=True))})
    tried = source.asked
    time.sleep(1.2)
    assert tried + 1 <= source.asked <= tried + 5


def test_the_age_is_that_of_the_last_confirmation(start: Start) -> None:
    client = start(Script(document(on=True), None), interval=0.05)
    time.sleep(0.3)
    assert client.state().age < 0.1
    away = start(Script(document(on=True), FlagsError("away.", passing=True)), interval=0.05)
    time.sleep(0.3)
    assert 0.2 < away.state().age < 1
    assert away.state().failures > 0


class Speaker(Script):
    """A source that tells its changes, too: each as a list says; an error ends it."""

    fetch: Fetch = "auto"

    def __init__(self, *answers: Answer, told: Sequence[Answer]) -> None:
        super().__init__(*answers)
        self.told = list(told)
        self.heard = 0

    def listen(self, idle: Idle) -> Iterator[Reading | None]:
        self.heard += 1
        for answer in self.told:
            if isinstance(answer, Exception):
                raise answer
            yield None if answer is None else Reading(answer)


def test_no_fault_of_a_stream_ends_the_following(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    source = Speaker(
        document(on=False), None, told=[None, document(on=True), ZeroDivisionError("ours")]
    )
    client = start(source, interval=5)
    assert eventually(lambda: source.heard > 1)
    assert is_on(client)
    assert "The stream of flags is left" in caplog.text
    assert eventually(lambda: client.state().mode == "poll")


def test_a_stream_that_ends_is_had_again(start: Start) -> None:
    source = Speaker(document(on=False), None, told=[document(on=True)])
    client = start(source, interval=5)
    assert eventually(lambda: source.heard > 1)
    assert is_on(client)


def test_what_stands_in_comes_too_late_where_the_source_has_answered(start: Start) -> None:
    client = start(Script(document(on=True), None))
    before = client.snapshots
    follower = client._followers["default"]
    follower._publish(Reading(document(on=False)), Nowhere())
    assert client.snapshots is before
    assert client.state().swaps == 0
