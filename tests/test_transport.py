"""An answer is bounded in time and in size, whatever the server does."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from resident.exceptions import FlagsError
from resident.transport import BoundedSession, NoHttp, Redirected, TooLarge, retried
from tests.servers import Impostor, Raw

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def dripping(start: bytes, drop: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """One drop after the other, each well within any read's timeout."""

    def send(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.wait(0.02):
            connection.sendall(drop)

    return send


@pytest.fixture
def session() -> Iterator[BoundedSession]:
    with BoundedSession(seconds=0.5, max_bytes=1000) as session:
        yield session


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        pytest.param(b"HTTP/1.1 ", b"2", id="a status line without end"),
        pytest.param(HEAD, b"x", id="a header without end"),
        pytest.param(HEAD + b"Content-Length: 900\r\n\r\n", b"x", id="a body that drips"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", id="chunks"),
    ],
)
@pytest.mark.parametrize("timeout", [5, None])
def test_what_drips_is_late(
    session: BoundedSession, start: bytes, drop: bytes, timeout: float | None
) -> None:
    with Raw(dripping(start, drop)) as url, pytest.raises(requests.Timeout):
        session.get(url, timeout=timeout)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
        pytest.param(HEAD + b"X: x\r\n" * 101 + b"\r\n", id="too many headers"),
        pytest.param(HEAD + b"X: " + b"x" * 70_000, id="a header that is too long"),
    ],
)
def test_what_speaks_no_http(session: BoundedSession, sent: bytes) -> None:
    with Raw(lambda connection, _: connection.sendall(sent)) as url, pytest.raises(NoHttp):
        session.get(url)


def test_whoever_hangs_up_may_come_back(session: BoundedSession) -> None:
    with Raw(lambda *_: None) as url, pytest.raises(requests.ConnectionError):
        session.get(url)


def test_silence_is_late_by_the_timeout_of_a_read() -> None:
    def silent(_: socket.socket, over: threading.Event) -> None:
        over.wait()

    with (
        BoundedSession(seconds=60, max_bytes=1000) as session,
        Raw(silent) as url,
        pytest.raises(requests.Timeout),
    ):
        session.get(url, timeout=0.2)


def test_endless_headers_are_refused(session: BoundedSession) -> None:
    def send(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(HEAD)
        while not over.is_set():
            connection.sendall(b"X-More: and more\r\n" * 50)

    with Raw(send) as url, pytest.raises(requests.RequestException):
        session.get(url, timeout=5)


def test_a_body_that_is_too_large(session: BoundedSession) -> None:
    with Impostor(body=b"x" * 1001) as server, pytest.raises(TooLarge, match="1,000 bytes"):
        session.get(server.addr)
    with Impostor(body=b"x" * 1000) as server:
        assert session.get(server.addr).text == "x" * 1000


def test_a_body_that_is_cut_off(session: BoundedSession) -> None:
    def send(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(HEAD + b"Content-Length: 900\r\n\r\nonly this")

    with Raw(send) as url, pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(url, timeout=5)


def test_a_redirect_is_not_followed(session: BoundedSession) -> None:
    with (
        Impostor() as elsewhere,
        Impostor(302, headers={"Location": elsewhere.addr}) as server,
        pytest.raises(Redirected),
    ):
        session.get(server.addr)
    assert not elsewhere.asked


def test_connections_are_kept(session: BoundedSession) -> None:
    with Impostor(body={"answer": 42}) as server:
        for _ in range(3):
            assert session.get(server.addr).json() == {"answer": 42}


def test_neither_netrc_nor_proxies_are_read(
    session: BoundedSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with Impostor(body=b"here") as server:
        response = session.get(server.addr)
    assert "Authorization" not in response.request.headers


class TestRetried:
    def test_what_passes_is_tried_again(self) -> None:
        left: list[float] = []

        def attempt(seconds_left: float) -> str:
            left.append(seconds_left)
            if len(left) < 3:
                raise FlagsError("away", tried="to ask", passing=True)
            return "here"

        assert retried(attempt, deadline=30) == "here"
        assert sorted(left, reverse=True) == left

    def test_what_does_not_pass_is_tried_once(self) -> None:
        tries: list[float] = []

        def attempt(seconds_left: float) -> None:
            tries.append(seconds_left)
            raise FlagsError("wrong token", tried="to ask")

        with pytest.raises(FlagsError, match=r"wrong token\nTried: to ask, once in \d"):
            retried(attempt, deadline=30)
        assert len(tries) == 1

    def test_a_fault_of_ours_is_not_retried(self) -> None:
        def attempt(_: float) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            retried(attempt, deadline=30)
