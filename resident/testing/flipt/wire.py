"""HTTP/1.1 with persistent connections, and as little around it as a benchmark asks for."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import cast

from resident.testing.flipt.reply import Reply

_LONGEST_LINE = 65536
_SHUTDOWN_POLL_SECONDS = 0.005
_JOIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came. Names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


Answer = Callable[[Incoming], Reply | Generator[bytes]]
"""Takes a request and returns a whole reply, or what to send before the connection closes.

Of that, a piece without a byte only finds out whether the client is still there.
"""


class Listener(socketserver.ThreadingTCPServer):
    """Lives from start to stop: a port, a thread that accepts, and one per connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, answer: Answer) -> None:
        super().__init__(("127.0.0.1", port), Connection)
        self.answer = answer
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._acceptor = threading.Thread(
            target=self.serve_forever,
            args=(_SHUTDOWN_POLL_SECONDS,),
            name="FakeFlipt",
            daemon=True,
        )
        self._acceptor.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def close(self) -> None:
        """Refuse new connections, cut the present ones, and wait for their threads."""
        self.shutdown()
        self._acceptor.join(_JOIN_SECONDS)
        self.server_close()
        for connection, thread in list(self._connections.items()):
            _cut(connection)
            thread.join(_JOIN_SECONDS)

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Serve a connection in a thread of its own, which `close` can find."""
        connection = cast("socket.socket", request)
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(connection, client_address),
            name="FakeFlipt connection",
            daemon=True,
        )
        self._connections[connection] = thread
        thread.start()

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection that has ended."""
        self._connections.pop(cast("socket.socket", request), None)
        super().shutdown_request(request)


class Connection(socketserver.StreamRequestHandler):
    """Lives as long as a connection."""

    server: Listener
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer one request after the other."""
        # The client went away, or `close` cut the connection.
        with contextlib.suppress(OSError):
            while self._exchange():
                pass

    def _exchange(self) -> bool:
        """Answer one request and return whether another may follow."""
        line = self.rfile.readline(_LONGEST_LINE)
        if not line:
            return False
        try:
            method, target, protocol = line.decode("latin-1").split()
            headers = self._headers()
            body = self.rfile.read(int(headers.get("content-length", "0")))
        except ValueError:
            return self._send(Reply(400, b""), keep=False)
        keep = protocol == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        return self._send(self.server.answer(Incoming(method, target, headers, body)), keep=keep)

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while line := self.rfile.readline(_LONGEST_LINE).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return headers

    def _send(self, answer: Reply | Generator[bytes], *, keep: bool) -> bool:
        if isinstance(answer, Reply):
            self.wfile.write(answer.wire(keep=keep))
            return keep
        with contextlib.closing(answer):
            for piece in answer:
                if piece:
                    self.wfile.write(piece)
                elif self._client_has_left():
                    break
        return False

    def _client_has_left(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        return False


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may have ended by itself
        connection.shutdown(socket.SHUT_RDWR)
