"""An answer of lines that has no end, over a connection of its own."""

import functools
import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlsplit

from urllib3.util.wait import wait_for_read

from resident.transport import CHUNK, TooLarge

__all__ = ["Idle", "Lines"]

Idle = Callable[[], float]
"""What is done while nothing comes: it gives the seconds until it wants to be called again."""


class Lines:
    """The lines of one answer; lives until the server, or somebody here, cuts it.

    Redirects are not followed, and the proxy variables of the environment not read.

    Args:
        url: what is asked for.
        headers: of the request.
        tls: whom to trust, where the URL is one of https.
        seconds: for the connection, and again for the headers of the answer.
        max_bytes: how long a line may be.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        tls: ssl.SSLContext | None,
        seconds: float,
        max_bytes: int,
    ) -> None:
        parts = urlsplit(url)
        self._target = parts.path
        self._headers = headers
        self._max_bytes = max_bytes
        self._connection = _connection(parts.hostname or "", parts.port, tls, seconds)
        self._socket: socket.socket | None = None
        self._answer: _Answer | None = None

    def begin(self) -> int:
        """Ask, and give the status of the answer. Raises OSError and `http.client`'s errors."""
        self._connection.connect()
        self._socket = self._connection.sock
        self._connection.request("GET", self._target, headers=dict(self._headers))
        answer = self._answer = cast("_Answer", self._connection.getresponse())
        return answer.status

    def read(self, idle: Idle) -> Iterator[bytes]:
        """The lines as they come, until the server ends them. Raises as `begin`; `TooLarge`."""
        answer = self._answer
        assert answer is not None  # noqa: S101 - begin() comes first
        answer.reader.idle = idle
        line = bytearray()
        while chunk := answer.read1(CHUNK):
            first, *others = chunk.split(b"\n")
            line += first
            for other in others:
                yield bytes(line)
                line = bytearray(other)
            if len(line) > self._max_bytes:
                raise TooLarge(f"a line of more than {self._max_bytes:,} bytes")

    def cut(self) -> None:
        """End it from another thread: who reads comes to the end."""
        if self._socket is not None:
            with suppress(OSError):  # it has ended by itself
                # Not the method of a TLS socket, which would drop what the reader is using.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        if self._answer is not None:
            self._answer.close()
        self._connection.close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, seconds: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.reader = _Reader(self.fp.detach(), sock, seconds)
        self.fp = io.BufferedReader(self.reader)


class _Reader(io.RawIOBase):
    """A socket's bytes: against the clock for the headers; then `idle` is told while none come."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        self.idle: Idle | None = None
        self._raw = raw
        self._sock = sock
        self._seconds = seconds
        self._ends = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.idle is None:
            self._sock.settimeout(max(self._ends - time.monotonic(), 0.001))
        else:
            self._wait(self.idle)
            self._sock.settimeout(self._seconds)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()

    def _wait(self, idle: Idle) -> None:
        # Asked also where bytes come all the time, and no line is ever complete.
        seconds = idle()
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return
        while not wait_for_read(self._sock, seconds):
            seconds = idle()


def _connection(
    host: str, port: int | None, tls: ssl.SSLContext | None, seconds: float
) -> http.client.HTTPConnection:
    connection = (
        http.client.HTTPSConnection(host, port, timeout=seconds, context=tls)
        if tls
        else http.client.HTTPConnection(host, port, timeout=seconds)
    )
    connection.response_class = functools.partial(_Answer, seconds=seconds)  # type: ignore[assignment] # a class that is told its time
    return connection
