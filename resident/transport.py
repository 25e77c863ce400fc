"""Outbound HTTP, bounded in time and in size, and what is tried again: for Vault and Flipt."""

import functools
import http.client
import io
import math
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

import requests
import tenacity
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from resident.exceptions import ResidentError

__all__ = ["CHUNK", "BoundedSession", "NoHttp", "Redirected", "TooLarge", "retried"]

CHUNK = 65_536

T = TypeVar("T")


def retried(attempt: Callable[[float], T], *, deadline: float) -> T:
    """Try until it succeeds, fails for good, or `deadline` seconds have passed.

    What is `passing` is tried again, after a random pause that grows to 4 seconds.

    Args:
        attempt: one try, which is told how many seconds are left.
        deadline: seconds for all tries together, pauses included.

    Raises:
        ResidentError: of the last try, which says how often and for how long it was tried.
    """
    began = time.monotonic()
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda e: isinstance(e, ResidentError) and e.passing),
        wait=tenacity.wait_random_exponential(multiplier=0.25, max=4.0),
        stop=tenacity.stop_before_delay(deadline),
        reraise=True,
    )
    try:
        return retrying(lambda: attempt(began + deadline - time.monotonic()))
    except ResidentError as error:
        failure = error
    raise failure.after(retrying.statistics["attempt_number"], time.monotonic() - began)


class TooLarge(requests.RequestException):
    """The answer's body has more bytes than the session takes."""


class Redirected(requests.RequestException):
    """The server answered with a redirect; following it would hand the credentials on."""


class NoHttp(requests.RequestException):
    """What answers speaks no HTTP, or headers that have no end."""


class BoundedSession(requests.Session):
    """Connections to one server; lives as long as whoever asks that server.

    `timeout` of requests counts per read, so that a body that drips is never late. Here an
    answer, headers and body together, takes `seconds` at most. Redirects are not followed, and
    neither `.netrc` nor the proxy variables of the environment are read.

    Args:
        seconds: how long an answer may take, from the request's last byte to its own.
        max_bytes: how large an answer's body may be.

    Raises:
        TooLarge, Redirected, NoHttp, and what requests raises: `Timeout` when `seconds` are over.
    """

    def __init__(self, *, seconds: float, max_bytes: int) -> None:
        super().__init__()
        self.seconds = seconds
        self.max_bytes = max_bytes
        self.trust_env = False
        self.headers["Accept-Encoding"] = "identity"
        self.mount("http://", _BoundedAdapter(self))
        self.mount("https://", _BoundedAdapter(self))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        with self._sent(request, {**kwargs, "stream": True, "allow_redirects": False}) as response:
            if response.is_redirect:
                raise Redirected(f"{response.status_code}, which is not followed")
            response._content = self._read(response)  # noqa: SLF001 - requests has no public way
        return response

    def _sent(
        self, request: requests.PreparedRequest, arguments: dict[str, Any]
    ) -> requests.Response:
        try:
            return super().send(request, **arguments)
        except requests.ConnectionError as error:
            if not _is_no_http(error):
                raise
        raise NoHttp("what answers speaks no HTTP")

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        try:
            for chunk in response.iter_content(CHUNK):
                body += chunk
                if len(body) > self.max_bytes:
                    raise TooLarge(f"an answer of more than {self.max_bytes:,} bytes")
        except requests.ConnectionError:
            # So requests calls a body that is late; a connection that breaks is another error.
            raise requests.ReadTimeout("the body took too long") from None
        return bytes(body)


def _is_no_http(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, http.client.HTTPException):
            # A server that hangs up before it answers is one of these, too.
            return not isinstance(error, http.client.RemoteDisconnected)
        error = error.__context__
    return False


class _BoundedAdapter(HTTPAdapter):
    def __init__(self, session: BoundedSession) -> None:
        self._session = session
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _bounded(HTTPConnectionPool, HTTPConnection, self._session),
            "https": _bounded(HTTPSConnectionPool, HTTPSConnection, self._session),
        }


def _bounded(pool: type[Any], connection: type[Any], session: BoundedSession) -> type[Any]:
    """The pool class whose connections read their answers against the session's clock."""

    class BoundedConnection(connection):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.response_class = functools.partial(_BoundedResponse, session=session)

    return type(f"Bounded{pool.__name__}", (pool,), {"ConnectionCls": BoundedConnection})


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, session: BoundedSession, **kw: Any) -> None:
        super().__init__(sock, *args, **kw)
        reader = _DeadlineReader(self.fp.detach(), sock, time.monotonic() + session.seconds)
        self.fp = io.BufferedReader(reader)


class _DeadlineReader(io.RawIOBase):
    """A socket's bytes until a moment of the monotonic clock; what comes later is late."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, ends: float) -> None:
        self._raw = raw
        self._sock = sock
        self._ends = ends
        self._patience = sock.gettimeout() or math.inf

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = max(self._ends - time.monotonic(), 0.001)
        self._sock.settimeout(min(left, self._patience))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
