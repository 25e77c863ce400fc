"""What can be wrong with a server that answers."""

import itertools
import json
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from resident.testing.flipt.reply import Reply
from resident.testing.flipt.streams import Stream, chunk

Misbehaviour: TypeAlias = Literal[
    "hang",
    "silent",
    "drip",
    "half",
    "truncated",
    "garbage",
    "empty",
    "error",
    "foreign",
    "huge",
    "redirect",
    "cut",
    "frozen",
]
"""What happens to a request for a snapshot, and to one for a stream.

| | |
| --- | --- |
| `hang` | no byte ever comes |
| `silent` | the head comes, and nothing after it |
| `drip` | a document begins, then a blank comes every 50 milliseconds, for ever |
| `half` | a document begins, and nothing comes after that |
| `truncated` | a document begins, and the connection closes |
| `garbage` | HTML that calls itself JSON: as the body, as a line of a stream that stays open |
| `empty` | a body of no bytes; an empty line and an empty message of a stream that stays open |
| `error` | an error's object where a document should be; it ends a stream |
| `foreign` | the document of another namespace, "another", without flags; a stream stays open |
| `huge` | a valid document of 200 MB whose length isn't announced |
| `redirect` | to /redirected on the same server |
| `cut` | a stream as usual, whose connection breaks off again and again; snapshots as usual |
| `frozen` | a stream that tells no change after its first message; snapshots as usual |
"""

ENDLESS_SECONDS = 0.1

_DRIP_SECONDS = 0.05
_HUGE_CHUNKS = 3052
_CHUNK = b" " * 65536
_BEGINNING = b'{"namespace":{"key":"default"},"flags":['
_FOREIGN = b'{"namespace":{"key":"another"},"flags":[]}'
_GRPC_UNAVAILABLE = 14


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request. `over` is set once nothing should wait for it any longer."""

    how: str | int
    after: float
    over: threading.Event

    def answer(self, url: str) -> Reply | Generator[bytes] | None:
        """A wrong reply, or the pieces of none, after which the connection closes.

        None where it concerns only streams.
        """
        if isinstance(self.how, int):
            status = {"code": _GRPC_UNAVAILABLE, "message": "misbehaving", "details": []}
            return Reply(self.how, json.dumps(status).encode())
        if self.how in _PIECES:
            return _PIECES[self.how](self.over)
        return {
            "garbage": Reply(200, b"<html>It works!</html>"),
            "empty": Reply(200, b""),
            "error": Reply.of({"error": {"code": _GRPC_UNAVAILABLE, "message": "misbehaving"}}),
            "foreign": Reply(200, _FOREIGN),
            "redirect": Reply(302, b"", (("Location", f"{url}/redirected"),)),
        }.get(self.how)

    def stream(self, stream: Stream, url: str) -> Reply | Generator[bytes]:
        """As `answer`, for a request that asked for this stream."""
        if isinstance(self.how, str) and self.how in _STREAMED:
            return _STREAMED[self.how](self, stream)
        answer = self.answer(url)
        assert answer is not None
        return answer


class Faults:
    """What is wrong at the moment, and where."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._how: str | int | None = None
        self._after = ENDLESS_SECONDS
        self._paths: tuple[str, ...] = ()
        self._left: int | None = None
        self._over = threading.Event()

    def set(self, how: str | int, paths: tuple[str, ...], times: int | None, after: float) -> None:
        """Let requests below the paths fail, that many of them or all.

        Raises:
            ValueError: there is no such misbehaviour.
        """
        if not isinstance(how, int) and how not in get_args(Misbehaviour):
            known = ", ".join(get_args(Misbehaviour))
            raise ValueError(f"{how!r} is neither an HTTP status nor one of {known}.")
        with self._lock:
            self._how, self._paths, self._left, self._after = how, paths, times, after
            self._over.set()
            self._over = threading.Event()

    def clear(self) -> None:
        """Let nothing fail, and end what hangs."""
        with self._lock:
            self._how = None
            self._over.set()

    def suspend(self) -> None:
        """End what hangs, and let nothing hang until `resume`."""
        self._over.set()

    def resume(self) -> None:
        """Let requests fail as before `suspend`."""
        with self._lock:
            self._over = threading.Event()

    def take(self, path: str) -> Fault | None:
        """The fault that meets a request to the path."""
        if self._how is None:
            return None
        with self._lock:
            if self._how is None or not path.startswith(self._paths) or self._left == 0:
                return None
            self._left = None if self._left is None else self._left - 1
            return Fault(self._how, self._after, self._over)


def _hang(over: threading.Event) -> Generator[bytes]:
    yield from _wait(over)


def _keep_silent(over: threading.Event) -> Generator[bytes]:
    yield _head("Content-Length: 1000000")
    yield from _wait(over)


def _drip(over: threading.Event) -> Generator[bytes]:
    yield _head("Content-Length: 1000000") + _BEGINNING
    while not over.wait(_DRIP_SECONDS):
        yield b" "


def _stop_halfway(over: threading.Event) -> Generator[bytes]:
    yield _head("Content-Length: 1000000") + _BEGINNING
    yield from _wait(over)


def _truncate(_over: threading.Event) -> Generator[bytes]:
    yield _head("Content-Length: 1000") + _BEGINNING


def _swell(_over: threading.Event) -> Generator[bytes]:
    yield _head("Transfer-Encoding: chunked") + chunk(_BEGINNING)
    for _ in range(_HUGE_CHUNKS):
        yield chunk(_CHUNK)
    yield chunk(b"]}") + chunk(b"")


_PIECES: dict[str, Callable[[threading.Event], Generator[bytes]]] = {
    "hang": _hang,
    "silent": _keep_silent,
    "drip": _drip,
    "half": _stop_halfway,
    "truncated": _truncate,
    "huge": _swell,
}


def _silence(fault: Fault, stream: Stream) -> Generator[bytes]:
    yield stream.head()
    yield from _wait(fault.over)


def _drip_message(fault: Fault, stream: Stream) -> Generator[bytes]:
    yield stream.part(b'{"result":' + _BEGINNING)
    while not fault.over.wait(_DRIP_SECONDS):
        yield stream.part(b" ")


def _half_message(fault: Fault, stream: Stream) -> Generator[bytes]:
    yield stream.part(b'{"result":' + _BEGINNING)
    yield from _wait(fault.over)


def _truncate_message(_fault: Fault, stream: Stream) -> Generator[bytes]:
    yield stream.part(b'{"result":' + _BEGINNING)


def _garbage_line(fault: Fault, stream: Stream) -> Generator[bytes]:
    yield stream.line(b"<html>It works!</html>")
    yield from _wait(fault.over)


def _empty_message(fault: Fault, stream: Stream) -> Generator[bytes]:
    yield stream.line(b"")
    yield stream.result(b"{}")
    yield from _wait(fault.over)


def _fail(_fault: Fault, stream: Stream) -> Generator[bytes]:
    yield stream.error(_GRPC_UNAVAILABLE, "misbehaving")
    yield chunk(b"")


def _foreign_message(fault: Fault, stream: Stream) -> Generator[bytes]:
    yield stream.result(_FOREIGN)
    yield from _wait(fault.over)


def _huge_message(_fault: Fault, stream: Stream) -> Generator[bytes]:
    yield stream.part(b'{"result":' + _BEGINNING)
    for _ in range(_HUGE_CHUNKS):
        yield stream.part(_CHUNK)
    yield stream.line(b"]}}") + chunk(b"")


def _cut(fault: Fault, stream: Stream) -> Generator[bytes]:
    cutting = threading.Timer(fault.after, stream.over.set)
    cutting.start()
    try:
        yield from stream.pieces()
    finally:
        cutting.cancel()


def _freeze(fault: Fault, stream: Stream) -> Generator[bytes]:
    yield from itertools.islice(filter(None, stream.pieces()), 1)
    yield from _wait(fault.over)


_STREAMED: dict[str, Callable[[Fault, Stream], Generator[bytes]]] = {
    "silent": _silence,
    "drip": _drip_message,
    "half": _half_message,
    "truncated": _truncate_message,
    "garbage": _garbage_line,
    "empty": _empty_message,
    "error": _fail,
    "foreign": _foreign_message,
    "huge": _huge_message,
    "cut": _cut,
    "frozen": _freeze,
}


def _wait(over: threading.Event) -> Generator[bytes]:
    """Nothing, until it is over or the client has gone."""
    while not over.wait(_DRIP_SECONDS):
        yield b""


def _head(length: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{length}\r\n\r\n".encode()
