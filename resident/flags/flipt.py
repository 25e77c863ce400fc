"""Flipt's server as the source of a namespace's flags: asked, or listened to."""

import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from typing import Literal
from urllib.parse import quote, urlsplit

import requests

from resident.exceptions import ConfigurationError, FlagsError
from resident.flags.document import NO_FLAGS, Document, Flag, parse, parse_message
from resident.flags.snapshot import Origin
from resident.flags.sources import Fetch, NoStreamError, Reading
from resident.flags.state import Mode
from resident.flags.stream import Idle, Lines
from resident.secrets import Secret
from resident.transport import BoundedSession, NoHttp, Redirected, TooLarge

__all__ = ["Flipt", "TokenType"]

TokenType = Literal["client", "jwt"]

MAX_BYTES = 64 * 1024 * 1024
SCHEMES = {"client": "Bearer", "jwt": "JWT"}
NO_STREAM = {404, 405, 501}


class Flipt:
    """A namespace of a Flipt server; lives as long as the flag client.

    Args:
        url: where Flipt is: "http://flipt:8080".
        token: a token; None where Flipt asks for none.
        token_type: "client" for a client token, "jwt" for a JSON web token.
        namespace: whose flags.
        environment: of Flipt v2; v1 has none.
        timeout: seconds for a connection, and again for an answer.
        fetch: whether to listen to it, which v2 has: "auto" where it has that, "poll", "stream".
        ca: a file with the CA that signed Flipt's certificate; "" for certifi's.
        client_cert: a file with this client's certificate, for TLS that asks for one.
        client_key: its key, where that is in a file of its own.

    Raises:
        FlagsError: the URL or the token can't be one.
        ConfigurationError: a file of a certificate can't be used.
    """

    origin: Origin = "server"
    mode: Mode = "poll"

    def __init__(
        self,
        *,
        url: str,
        token: Secret | None = None,
        token_type: TokenType = "client",  # noqa: S107 - a kind, no token
        namespace: str = "default",
        environment: str = "default",
        timeout: float = 5.0,
        fetch: Fetch = "auto",
        ca: str = "",
        client_cert: str = "",
        client_key: str = "",
    ) -> None:
        self.namespace = namespace
        self.fetch: Fetch = fetch
        self._url = _checked_url(url)
        self._timeout = timeout
        within = quote(namespace, safe="")
        self._path = f"/internal/v1/evaluation/snapshot/namespace/{within}"
        self._stream_path = (
            f"/client/v2/environments/{quote(environment, safe='')}/namespaces/{within}/stream"
        )
        self._tls = _tls(ca, client_cert, client_key) if url.startswith("https") else None
        self._session = BoundedSession(seconds=timeout, max_bytes=MAX_BYTES)
        self._session.verify = ca or True
        self._session.cert = (client_cert, client_key or client_cert) if client_cert else None
        self._session.headers.update(
            {
                "Accept": "application/json",
                "X-Flipt-Accept-Server-Version": "1.47.0",
                # The gateway of v1.39 hands on only this one; without it there are no entity ids.
                "Grpc-Metadata-X-Flipt-Accept-Server-Version": "1.47.0",
                "X-Flipt-Environment": environment,
            }
        )
        if token:
            authorization = f"{SCHEMES[token_type]} {_checked_token(token)}"
            self._session.headers["Authorization"] = authorization
        self._etag, self._body = "", b""
        self._document: Document | None = None
        self._lines: Lines | None = None
        self._is_closed = False

    def __str__(self) -> str:
        return f"Flipt at {self._url}"

    def read(self) -> Reading | None:
        """The flags, unless they are still the last ones: by their ETag, or by what they are."""
        answer = self._get()
        if answer.status_code == requests.codes.not_modified:
            return None
        if answer.status_code != requests.codes.ok:
            raise self._refusal(answer.status_code)
        # Before v1.45 there are no ETags: what is the same to the byte is not read again.
        etag, body = answer.headers.get("ETag", ""), sha256(answer.content).digest()
        if body == self._body:
            return None
        document = parse(answer.content, source=str(self), before=self._flags)
        reading = self._news(document, version=etag.strip('"'))
        self._etag, self._body = etag, body
        return reading

    def listen(self, idle: Idle) -> Iterator[Reading | None]:
        """The flags, at once and whenever they change, until the stream is cut.

        Raises:
            NoStreamError: this Flipt has no streams.
            FlagsError: it refuses, sends something else, or cuts the stream.
        """
        lines = self._lines = Lines(
            self._url + self._stream_path,
            headers={name: str(value) for name, value in self._session.headers.items()},
            tls=self._tls,
            seconds=self._timeout,
            max_bytes=MAX_BYTES,
        )
        failure = None
        with closing(lines):
            try:
                self._begin(lines)
                for line in lines.read(idle):
                    if line.strip():
                        yield self._told(line)
                failure = self._absence(ConnectionResetError(), path=self._stream_path)
            except (OSError, http.client.HTTPException) as error:
                failure = self._absence(error, path=self._stream_path)
        # Raised out here, as in `_get`.
        raise failure

    def forget(self) -> None:
        """Take what was sent last for not sent."""
        self._etag, self._body, self._document = "", b"", None

    def close(self) -> None:
        """Close the connections to Flipt."""
        self._is_closed = True
        if self._lines is not None:
            self._lines.cut()
        self._session.close()

    def _begin(self, lines: Lines) -> None:
        status = lines.begin()
        if self._is_closed:  # while it connected, there was nothing to cut
            lines.cut()
        if status in NO_STREAM:
            raise NoStreamError(
                f"{self} has no streams ({status}): it is asked every so often instead.",
                kind=str(status),
                remedy="streams need Flipt v2; FLIPT_FETCH=poll asks for none.",
            )
        if status in REDIRECTS:
            raise Redirected(f"{status}, which is not followed")
        if status != requests.codes.ok:
            raise self._refusal(status, path=self._stream_path)

    def _told(self, line: bytes) -> Reading | None:
        document, digest = parse_message(line, source=str(self), before=self._flags)
        reading = self._news(document, version=digest)
        self._etag = digest  # Flipt v2's ETag is the digest of the document
        return reading

    @property
    def _flags(self) -> Mapping[str, Flag]:
        return self._document.by_key if self._document else NO_FLAGS

    def _news(self, document: Document, version: str = "") -> Reading | None:
        if document.namespace.key != self.namespace:
            raise self._error(
                f"sent the flags of namespace {document.namespace.key!r} for {self.namespace!r}",
                "see what stands between here and Flipt.",
            )
        if document == self._document:
            return None
        # ETag and body are of an answer, and of no message of a stream: Flipt v2 gives the same
        # ones again to flags that are changed back.
        self._etag, self._body, self._document = "", b"", document
        return Reading(document, version)

    def _get(self) -> requests.Response:
        failure = None
        headers = {"If-None-Match": self._etag} if self._etag else {}
        try:
            return self._session.get(self._url + self._path, headers=headers, timeout=self._timeout)
        except requests.RequestException as error:
            failure = self._absence(error)
        # Raised out here, where it has no context: the request in it holds the token.
        raise failure

    def _absence(self, error: Exception, *, path: str = "") -> FlagsError:
        for kinds, meaning, kind, passing in _ABSENCES:
            if isinstance(error, kinds):
                return self._error(meaning, _CHECK_HOST, kind, passing=passing, path=path)
        if isinstance(error, requests.RequestException):
            return self._error(f"can't be asked ({type(error).__name__})", _CHECK_HOST)
        return self._error("can't be reached", _CHECK_HOST, "refused", passing=True, path=path)

    def _refusal(self, status: int, *, path: str = "") -> FlagsError:
        kind = str(status)
        if status in {requests.codes.unauthorized, requests.codes.forbidden}:
            return self._error(
                f"refuses the token ({status})",
                "check flipt_api_token: a client token that is not limited to a namespace.",
                kind,
                path=path,
            )
        if status == requests.codes.not_found:
            # Flipt v1 answers for any namespace; a path before that of Flipt leads nowhere, too.
            return self._error(
                f"has no namespace {self.namespace!r} in that environment (404)",
                "check FLIPT_NAMESPACE, FLIPT_ENVIRONMENT and the path in flipt_api_host.",
                kind,
            )
        passing = (
            status == requests.codes.too_many_requests or status >= requests.codes.server_error
        )
        meaning, remedy = f"answers with status {status}", "see Flipt's own log."
        return self._error(meaning, remedy, kind, passing=passing, path=path)

    def _error(
        self,
        meaning: str,
        remedy: str,
        kind: str = "invalid",
        *,
        passing: bool = False,
        path: str = "",
    ) -> FlagsError:
        return FlagsError(
            f"{self} {meaning}.",
            tried=f"GET {path or self._path}",
            remedy=remedy,
            kind=kind,
            passing=passing,
        )


REDIRECTS = {301, 302, 303, 307, 308}

_CHECK_HOST = "check that Flipt runs, and that flipt_api_host is its URL as seen from here."

_ABSENCES: tuple[tuple[tuple[type[Exception], ...], str, str, bool], ...] = (
    (
        (requests.exceptions.SSLError, ssl.SSLCertVerificationError),
        "has no TLS certificate that is trusted here",
        "certificate",
        False,
    ),
    ((Redirected,), "redirects elsewhere, and the token is not sent elsewhere", "redirect", False),
    ((NoHttp,), "is something else: what answers speaks no HTTP", "no HTTP", False),
    ((TooLarge,), f"sends more than {MAX_BYTES:,} bytes", "too large", False),
    ((requests.Timeout, TimeoutError), "does not answer in time", "timeout", True),
    ((requests.exceptions.ChunkedEncodingError,), "cuts its answer off", "cut off", True),
    (
        (http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionResetError),
        "cuts the stream",
        "cut off",
        True,
    ),
    (
        (http.client.HTTPException,),
        "is something else: what answers speaks no HTTP",
        "no HTTP",
        False,
    ),
    ((ssl.SSLError,), "breaks off its TLS", "cut off", True),
    ((requests.ConnectionError,), "can't be reached", "refused", True),
)


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        # The value is a secret's, and may be the wrong one: it is not shown.
        raise FlagsError(
            "The value of flipt_api_host is not the URL of a server.",
            remedy="write it as http://host:8080 or https://host, without credentials.",
        )
    return url.rstrip("/")


def _checked_token(token: Secret) -> str:
    value = token.reveal().strip()
    return value if value.isascii() and value.isprintable() else _malformed_token()


def _malformed_token() -> str:
    # In a frame of its own, where no variable holds the token.
    raise FlagsError(
        "The value of flipt_api_token can't be a token: it has characters that no header takes.",
        remedy="store the token alone, in one line.",
    )


def _tls(ca: str, client_cert: str, client_key: str) -> ssl.SSLContext:
    """Whom to trust, and who this is. Raises `ConfigurationError`."""
    name, path = "CA", ca or requests.utils.DEFAULT_CA_BUNDLE_PATH
    try:
        context = ssl.create_default_context(cafile=path)
        if client_cert:
            name, path = "CLIENT_CERT", client_cert
            context.load_cert_chain(client_cert, client_key or None)
    except OSError as error:  # a certificate that is none is one, too
        raise ConfigurationError(
            f"RESIDENT_FLAGS[{name!r}] is {path!r}, which can't be used: {error}.",
            remedy="name a file in PEM format that this process may read.",
        ) from None
    return context
