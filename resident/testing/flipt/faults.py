"""What can be wrong with a server that answers."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from resident.testing.flipt.reply import Reply

Misbehaviour: TypeAlias = Literal[
    "hang", "drip", "garbage", "truncated", "empty", "redirect", "huge"
]
"""`hang` never answers; `drip` sends a byte every 50 milliseconds and never ends; `garbage` is
HTML that calls itself JSON; `truncated` closes in the middle of the body; `empty` is a body of
no bytes; `redirect` points to /redirected on the same server; `huge` is a valid document of
64 MiB whose length isn't announced."""

_DRIP_SECONDS = 0.05
_HUGE_CHUNKS = 1024
_CHUNK = b" " * 65536
_BEGINNING = b'{"namespace":{"key":"default"},"flags":['
_GRPC_UNAVAILABLE = 14


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request. `over` is set once nothing should wait for it any longer."""

    how: str | int
    over: threading.Event

    def answer(self, url: str) -> Reply | Iterator[bytes]:
        """A wrong reply, or the pieces of none, after which the connection closes."""
        if isinstance(self.how, int):
            status = {"code": _GRPC_UNAVAILABLE, "message": "misbehaving", "details": []}
            return Reply(self.how, json.dumps(status).encode())
        if self.how in _PIECES:
            return _PIECES[self.how](self.over)
        return {
            "garbage": Reply(200, b"<html>It works!</html>"),
            "empty": Reply(200, b""),
            "redirect": Reply(302, b"", (("Location", f"{url}/redirected"),)),
        }[self.how]


class Faults:
    """What is wrong at the moment, and where."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._how: str | int | None = None
        self._path = ""
        self._left: int | None = None
        self._over = threading.Event()

    def set(self, how: str | int, path: str, times: int | None) -> None:
        """Let requests below the path fail, that many of them or all.

        Raises:
            ValueError: there is no such misbehaviour.
        """
        if not isinstance(how, int) and how not in get_args(Misbehaviour):
            known = ", ".join(get_args(Misbehaviour))
            raise ValueError(f"{how!r} is neither an HTTP status nor one of {known}.")
        with self._lock:
            self._how, self._path, self._left = how, path, times
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
            if self._how is None or not path.startswith(self._path) or self._left == 0:
                return None
            self._left = None if self._left is None else self._left - 1
            return Fault(self._how, self._over)


def _hang(over: threading.Event) -> Iterator[bytes]:
    over.wait()
    yield b""


def _drip(over: threading.Event) -> Iterator[bytes]:
    yield _head("Content-Length: 1000000") + _BEGINNING
    while not over.wait(_DRIP_SECONDS):
        yield b" "


def _truncate(_over: threading.Event) -> Iterator[bytes]:
    yield _head("Content-Length: 1000") + _BEGINNING


def _swell(_over: threading.Event) -> Iterator[bytes]:
    yield _head("Transfer-Encoding: chunked") + _chunk(_BEGINNING)
    for _ in range(_HUGE_CHUNKS):
        yield _chunk(_CHUNK)
    yield _chunk(b"]}") + _chunk(b"")


_PIECES: dict[str, Callable[[threading.Event], Iterator[bytes]]] = {
    "hang": _hang,
    "drip": _drip,
    "truncated": _truncate,
    "huge": _swell,
}


def _head(length: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{length}\r\n\r\n".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
