"""Something at Vault's address that means no good."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from typing import Self

__all__ = ["GOOD", "Hostile", "Misbehaviour", "answered", "dripping", "endless", "redirecting"]

Misbehaviour = Callable[[socket.socket, threading.Event], None]
"""Writes to the connection, until it is over."""

TOKEN = "hvs.CAESIhostileClientToken0123456789"

GOOD = {
    "login": {"auth": {"client_token": TOKEN, "lease_duration": 3600, "renewable": True}},
    "mounts": {"data": {"type": "kv", "path": "secret/", "options": {"version": "2"}}},
    "data": {"data": {"data": {"token": "t0ken"}, "metadata": {"version": 1}}},
    "renew-self": {"auth": {"client_token": TOKEN, "lease_duration": 3600, "renewable": True}},
    "revoke-self": {},
}
"""What Vault would answer, by a part of the path that is asked."""


class Hostile:
    """Answers as Vault does, but for one step; lives as long as its `with`.

    Args:
        step: the part of the path at which it misbehaves: a key of `GOOD`.
        misbehave: what it does then.
    """

    def __init__(self, step: str, misbehave: Misbehaviour) -> None:
        self.asked: list[str] = []
        self._step = step
        self._misbehave = misbehave
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in (self._accepting, *self._threads):
            thread.join()
        self._listener.close()

    @property
    def addr(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.5)
        with connection, contextlib.suppress(OSError):
            while not self._over.is_set() and (request := self._request(connection)):
                self.asked.append(request)
                if self._step in request.split("/"):
                    self._misbehave(connection, self._over)
                    return
                step = next((it for it in GOOD if it in request.split("/")), "")
                connection.sendall(answered(GOOD.get(step, {})))

    def _request(self, connection: socket.socket) -> str:
        """The path of the next request, once all of it has come."""
        received = b""
        while b"\r\n\r\n" not in received:
            try:
                received += connection.recv(65536) or b"\r\n\r\n"
            except TimeoutError:
                return ""
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(
            (int(it.split(b":")[1]) for it in head.split(b"\r\n") if b"ontent-Length" in it), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        return head.split(b" ")[1].decode() if head else ""


def answered(
    body: object, *, status: str = "200 OK", headers: str = "", length: int | None = None
) -> bytes:
    """An answer of HTTP: bytes as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    length = len(content) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    return head.encode() + headers.encode() + b"\r\n" + content


def once(content: bytes) -> Misbehaviour:
    """Send this, and nothing more."""
    return lambda connection, _: connection.sendall(content)


def redirecting(location: str, status: str) -> Misbehaviour:
    """Send the client elsewhere."""
    return once(answered({}, status=status, headers=f"Location: {location}/v1/x\r\n"))


def dripping(start: bytes, drop: bytes) -> Misbehaviour:
    """One drop after the other, each in time for any timeout that counts per read."""

    def drip(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.wait(0.02):
            connection.sendall(drop)

    return drip


def endless(start: bytes, more: bytes) -> Misbehaviour:
    """As much as the client takes, as fast as it can."""

    def flood(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.is_set():
            connection.sendall(more)

    return flood
