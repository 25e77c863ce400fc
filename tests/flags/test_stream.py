"""Flipt v2 tells its changes by a stream; whatever happens to that, polling goes on."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resident.exceptions import FlagsError
from resident.flags.client import FlagClient
from resident.flags.document import Document, parse_message
from resident.flags.flipt import Flipt
from resident.flags.sources import NoStreamError
from resident.secrets import Secret
from resident.testing import FakeFlipt
from tests.evidence import BOOTSTRAP_TOKEN
from tests.granian import eventually
from tests.servers import Impostor, free_port

FLAG = "show_reverse_greeting"
STREAMS = "/client/v2"
SNAPSHOTS = "/internal/v1"
SOON = 5.0

Start = Callable[..., FlagClient]


@pytest.fixture
def flipt() -> Iterator[FakeFlipt]:
    with FakeFlipt(version="2.11.0", token=BOOTSTRAP_TOKEN) as server:
        server.load("greeting/features.yml")
        yield server


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[FlagClient] = []

    def start(flipt: FakeFlipt, *, interval: float = 30.0, **options: Any) -> FlagClient:
        options = {"token": Secret(BOOTSTRAP_TOKEN), "timeout": 0.5, **options}
        client = FlagClient([Flipt(url=flipt.url, **options)], interval=interval, deadline=0.3)
        started.append(client)
        client.start()
        return client

    yield start
    for client in started:
        client.close()


def is_on(client: FlagClient) -> bool:
    return client.snapshots["default"].flags[FLAG].enabled


def streams(client: FlagClient) -> bool:
    return client.state().mode == "stream"


def test_a_change_is_here_at_once(flipt: FakeFlipt, start: Start) -> None:
    client = start(flipt)
    assert eventually(lambda: streams(client))
    took = []
    for switch in (flipt.enable, flipt.disable, flipt.enable):
        before = client.snapshots
        began = time.monotonic()
        switch(FLAG)
        while client.snapshots is before:
            time.sleep(0.0005)
        took.append(time.monotonic() - began)
    assert is_on(client)
    assert min(took) < 0.1
    assert client.state().swaps == 3


def test_its_first_message_is_nothing_new(flipt: FakeFlipt, start: Start) -> None:
    client = start(flipt)
    before = client.snapshots
    assert eventually(lambda: streams(client))
    assert client.snapshots is before


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_flipt_without_streams_is_polled(flipt: FakeFlipt, start: Start, status: int) -> None:
    flipt.misbehave(status, path=STREAMS)
    client = start(flipt, interval=0.05)
    assert eventually(lambda: flipt.count(SNAPSHOTS) > 3)
    flipt.enable(FLAG)
    assert eventually(lambda: is_on(client))
    assert flipt.count(STREAMS) == 1
    assert (client.state().mode, client.state().last_error) == ("poll", "")


@pytest.mark.parametrize(("fetch", "level"), [("auto", logging.INFO), ("stream", logging.WARNING)])
def test_that_there_is_none_is_said(
    start: Start, caplog: pytest.LogCaptureFixture, fetch: str, level: int
) -> None:
    caplog.set_level(logging.INFO, "resident.flags")
    with FakeFlipt(version="1.61.1", token=BOOTSTRAP_TOKEN) as flipt:
        flipt.load("greeting/features.yml")
        start(flipt, fetch=fetch)
        assert eventually(lambda: "has no streams (404)" in caplog.text)
        said = [it.levelno for it in caplog.records if "has no streams" in it.message]
    assert said == [level]


def test_nobody_listens_who_is_told_to_poll(flipt: FakeFlipt, start: Start) -> None:
    start(flipt, interval=0.02, fetch="poll")
    assert eventually(lambda: flipt.count(SNAPSHOTS) > 3)
    assert flipt.count(STREAMS) == 0


def test_a_stream_that_was_cut_is_had_again_and_nothing_is_missed(
    flipt: FakeFlipt, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    client = start(flipt)
    assert eventually(lambda: streams(client))
    flipt.stop()
    assert eventually(lambda: client.state().last_error != "")
    assert not is_on(client)
    flipt.enable(FLAG)
    flipt.start()
    assert eventually(lambda: streams(client) and is_on(client), seconds=SOON)
    assert client.state().last_error == ""
    assert caplog.text.count("The stream of flags is over") == 1


@pytest.mark.slow
def test_one_that_is_cut_all_the_time_is_asked_for_at_leisure(
    flipt: FakeFlipt, start: Start
) -> None:
    flipt.misbehave("cut", path=STREAMS, after=0.1)
    client = start(flipt, interval=1.0)
    threads = threading.active_count()
    time.sleep(3.0)
    assert 2 <= flipt.count(STREAMS) <= 9
    assert threading.active_count() <= threads + 2  # the server's
    flipt.enable(FLAG)
    assert eventually(lambda: is_on(client), seconds=1.5)


def test_one_that_is_dead_without_a_word_is_noticed(flipt: FakeFlipt, start: Start) -> None:
    flipt.misbehave("frozen", path=STREAMS)
    client = start(flipt, interval=0.3)
    assert eventually(lambda: streams(client))
    flipt.enable(FLAG)
    assert eventually(lambda: is_on(client), seconds=SOON)
    flipt.behave()
    assert eventually(lambda: streams(client), seconds=SOON)


def test_a_silent_one_is_checked_by_a_look_that_costs_nothing(
    flipt: FakeFlipt, start: Start
) -> None:
    client = start(flipt, interval=0.1)
    assert eventually(lambda: streams(client))
    flipt.forget()
    time.sleep(0.5)
    looks = [it.status for it in flipt.requests]
    assert 4 <= len(looks) <= 6
    assert set(looks) == {304}
    assert client.state().age < 0.2
    assert streams(client)


@pytest.mark.parametrize(
    "fault", ["garbage", "empty", "error", "foreign", "truncated", "half", "drip", "hang", 503]
)
def test_a_fault_of_the_stream_costs_no_flags(
    flipt: FakeFlipt, start: Start, fault: str | int
) -> None:
    client = start(flipt, interval=0.2)
    assert eventually(lambda: streams(client))
    flipt.misbehave(fault, path=STREAMS)  # type: ignore[arg-type] # each is one
    assert eventually(lambda: not streams(client))
    assert FLAG in client.snapshots["default"].flags
    flipt.enable(FLAG)
    assert eventually(lambda: is_on(client), seconds=SOON)
    flipt.behave()
    assert eventually(lambda: streams(client), seconds=SOON)


def test_a_token_that_is_refused_is_told(flipt: FakeFlipt, start: Start) -> None:
    client = start(flipt, interval=0.1)
    assert eventually(lambda: streams(client))
    flipt.misbehave(401)
    assert eventually(lambda: client.state().last_error == "401", seconds=SOON)
    assert FLAG in client.snapshots["default"].flags
    flipt.behave()
    assert eventually(lambda: streams(client) and not client.state().last_error, seconds=SOON)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [None, "hang", "drip", "silent", "half", "huge"])
def test_it_is_closed_in_under_a_second(flipt: FakeFlipt, start: Start, fault: str | None) -> None:
    client = start(flipt, timeout=20.0)
    assert eventually(lambda: streams(client))
    if fault:
        flipt.misbehave(fault)  # type: ignore[arg-type] # each is one
        time.sleep(0.5)
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < 1


def test_a_closed_one_leaves_no_thread(flipt: FakeFlipt, start: Start) -> None:
    client = start(flipt)
    assert eventually(lambda: streams(client))
    client.close()
    names = [thread.name for thread in threading.enumerate()]
    assert "resident-flags" not in names


class TestListening:
    """The source alone, without anybody who follows it."""

    def listen(self, url: str, **options: Any) -> FlagsError:
        source = Flipt(url=url, **options)
        with pytest.raises(FlagsError) as caught:
            for _ in source.listen(lambda: 10.0):
                pass
        source.close()
        assert caught.value.__context__ is None
        return caught.value

    def test_one_that_is_away(self) -> None:
        error = self.listen(f"http://127.0.0.1:{free_port()}")
        assert (error.kind, error.passing) == ("refused", True)

    def test_one_that_ends(self) -> None:
        body = b'{"result":{"namespace":{"key":"default"}}}\n\n'
        with Impostor(body=body) as server:
            source = Flipt(url=server.addr)
            told = source.listen(lambda: 10.0)
            assert next(told) is not None
            with pytest.raises(FlagsError, match="cuts the stream") as caught:
                next(told)
            source.close()
        assert (caught.value.kind, caught.value.passing) == ("cut off", True)

    def test_a_redirect_is_not_followed(self) -> None:
        with Impostor() as elsewhere, Impostor(302, headers={"Location": elsewhere.addr}) as server:
            assert self.listen(server.addr).kind == "redirect"
        assert not elsewhere.asked

    @pytest.mark.parametrize(("status", "passing"), [(401, False), (403, False), (503, True)])
    def test_one_that_refuses(self, flipt: FakeFlipt, status: int, passing: bool) -> None:
        flipt.misbehave(status, path=STREAMS)
        error = self.listen(flipt.url, token=Secret(BOOTSTRAP_TOKEN))
        assert (error.kind, error.passing) == (str(status), passing)
        assert error.tried == "GET /client/v2/environments/default/namespaces/default/stream"

    def test_one_that_was_closed_before_it_began(self, flipt: FakeFlipt) -> None:
        source = Flipt(url=flipt.url, token=Secret(BOOTSTRAP_TOKEN))
        source.close()
        with pytest.raises(FlagsError, match="cuts the stream"):
            list(source.listen(lambda: 10.0))

    def test_a_line_without_an_end(self, flipt: FakeFlipt, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("resident.flags.flipt.MAX_BYTES", 1_000_000)
        flipt.misbehave("huge", path=STREAMS)
        error = self.listen(flipt.url, token=Secret(BOOTSTRAP_TOKEN))
        assert error.kind == "too large"

    def test_headers_that_never_come(self, flipt: FakeFlipt) -> None:
        flipt.misbehave("hang", path=STREAMS)
        began = time.monotonic()
        error = self.listen(flipt.url, token=Secret(BOOTSTRAP_TOKEN), timeout=0.3)
        assert error.kind == "timeout"
        assert time.monotonic() - began < 4  # where nobody sets it, it is 5

    def test_one_that_has_none(self) -> None:
        with FakeFlipt(version="1.39.2") as flipt:
            assert isinstance(self.listen(flipt.url), NoStreamError)


def test_a_message_is_named_as_an_answer_that_says_the_same(flipt: FakeFlipt, start: Start) -> None:
    """What the stream told need not be sent again to whoever looks whether it is still alive."""
    client = start(flipt, interval=0.2)
    assert eventually(lambda: client.state().mode == "stream")
    flipt.enable(FLAG)
    assert eventually(lambda: client.state().version == flipt.document()["digest"])
    flipt.forget()
    assert eventually(lambda: flipt.count(SNAPSHOTS) > 2)
    looks = [it.status for it in flipt.requests if it.path.startswith(SNAPSHOTS)]
    assert set(looks) == {304}


@pytest.mark.parametrize("digest", ["", "a\\nb", "Z", 65 * "a"])
def test_a_digest_that_is_none_is_no_etag(digest: str) -> None:
    line = f'{{"result":{{"namespace":{{"key":"default"}},"digest":"{digest}"}}}}'
    assert parse_message(line.encode(), source="Flipt") == (Document.empty(), "")
