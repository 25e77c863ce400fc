"""The flag client follows its source, and no fault of the source is a fault of a request."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from resident.exceptions import FlagsError
from resident.flags import Variant
from resident.flags.client import FlagClient, Subject
from resident.flags.document import Document
from resident.flags.snapshot import MOST_SAID
from tests.granian import eventually

Answer = Document | FlagsError | Exception | None


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

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.closed = False

    def __str__(self) -> str:
        return "the script"

    def read(self) -> Document | None:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed = True


def nobody() -> tuple[str, Mapping[str, str]]:
    raise AssertionError("a constant flag asks nobody who they are")


def somebody() -> tuple[str, Mapping[str, str]]:
    return "somebody", {}


@pytest.fixture
def clients() -> Iterator[list[FlagClient]]:
    started: list[FlagClient] = []
    yield started
    for client in started:
        client.close()


@pytest.fixture
def start(clients: list[FlagClient]) -> Callable[..., FlagClient]:
    def start(source: Script, fallback: Callable[[], Document] | None = None) -> FlagClient:
        client = FlagClient(source, interval=0.01, deadline=0.3, fallback=fallback)
        clients.append(client)
        client.start()
        return client

    return start


Start = Callable[..., FlagClient]


def test_follows_its_source(start: Start) -> None:
    client = start(Script(document(on=False), None, document(on=True), None))
    assert eventually(lambda: client.boolean("on", nobody, default=False))


def test_keeps_its_flags_through_every_fault_and_says_so_once(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "resident.flags")
    away = FlagsError("the script is away.", passing=True)
    faults = [away, away, away, ZeroDivisionError("a fault of ours"), away]
    source = Script(document(on=True), *faults, None)
    client = start(source)
    assert eventually(lambda: source.asked > len(faults) + 2)
    assert client.boolean("on", nobody, default=False)
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
    client = start(Script(away), fallback=lambda: document(on=True))
    assert client.boolean("on", nobody, default=False)
    with pytest.raises(FlagsError, match="wrong token"):
        start(Script(FlagsError("wrong token")), fallback=lambda: document(on=True))


def test_an_unchanged_first_answer_is_no_flags(start: Start) -> None:
    assert not start(Script(None)).boolean("on", somebody, default=False)


def test_closing_stops_following(start: Start) -> None:
    source = Script(document(on=True))
    start(source).close()
    assert source.closed
    assert eventually(lambda: not named_threads())


def named_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "resident-flags"]


def test_before_its_start_it_gives_defaults() -> None:
    client = FlagClient(Script(None), interval=1, deadline=1)
    assert client.boolean("on", nobody, default=True)


class TestAnswers:
    @pytest.fixture
    def client(self, start: Start) -> FlagClient:
        return start(Script(document(on=True), None))

    def test_a_percentage_asks_who_it_is(self, client: FlagClient) -> None:
        def user(number: int) -> Subject:
            return lambda: (f"user{number}", {})

        answers = {client.boolean("half", user(number), default=False) for number in range(50)}
        assert answers == {True, False}

    def test_a_variant_with_its_attachment(self, client: FlagClient) -> None:
        variant = client.variant("style", somebody, default=None)
        assert variant == "plain"
        assert variant is not None
        assert variant.attachment == {"mark": "."}

    def test_no_variant_is_the_default(self, client: FlagClient) -> None:
        assert client.variant("bare", somebody, default=None) is None
        assert client.variant("bare", somebody, default=Variant("loud")) == "loud"

    def test_an_unknown_flag_gives_its_default_and_is_told_once(
        self, client: FlagClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(3):
            assert client.boolean("unknown", nobody, default=True)
            assert client.variant("other", nobody, default=None) is None
        assert [record.message for record in caplog.records] == [
            "flag 'unknown' is unknown to the script; it gives its default",
            "flag 'other' is unknown to the script; it gives its default",
        ]

    def test_a_flag_of_the_other_type_gives_its_default_and_is_told_once(
        self, client: FlagClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(3):
            assert client.boolean("style", somebody, default=True)
            assert client.variant("on", somebody, default=Variant("loud")) == "loud"
        assert len(caplog.records) == 2
        assert "is no boolean flag" in caplog.text

    def test_what_was_told_does_not_grow_with_what_is_asked(self, client: FlagClient) -> None:
        for number in range(MOST_SAID + 50):
            client.boolean(f"unknown-{number}", nobody, default=False)
        assert len(client.snapshots["default"]._said) == MOST_SAID
