"""Where flags come from: Flipt's server, or a features file."""

from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

import requests

from resident.exceptions import FlagsError
from resident.flags import features
from resident.flags.document import Document, parse
from resident.secrets import Secret
from resident.transport import BoundedSession, NoHttp, Redirected, TooLarge

__all__ = ["FeaturesFile", "Flipt", "Source"]

MAX_BYTES = 64 * 1024 * 1024


class Source(Protocol):
    """A place that has a document of flags, and may have another one later."""

    def __str__(self) -> str:
        """The place, for people."""
        ...

    def read(self) -> Document | None:
        """The document; None where it is the one that was read last. Raises `FlagsError`."""
        ...

    def close(self) -> None:
        """End what `read` opened."""
        ...


class Flipt:
    """A namespace of a Flipt server, asked over HTTP; lives as long as the flag client.

    Args:
        url: where Flipt is: "http://flipt:8080".
        token: a client token; None where Flipt asks for none.
        namespace: whose flags.
        environment: of Flipt v2; v1 has none.
        timeout: seconds for a connection, and again for an answer.
    """

    def __init__(
        self,
        *,
        url: str,
        token: Secret | None = None,
        namespace: str = "default",
        environment: str = "default",
        timeout: float = 5.0,
    ) -> None:
        self._url = _checked_url(url)
        self._timeout = timeout
        self._path = f"/internal/v1/evaluation/snapshot/namespace/{quote(namespace, safe='')}"
        self._session = BoundedSession(seconds=timeout, max_bytes=MAX_BYTES)
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
            self._session.headers["Authorization"] = f"Bearer {_checked_token(token)}"
        self._etag = ""
        self._document: Document | None = None

    def __str__(self) -> str:
        return f"Flipt at {self._url}"

    def read(self) -> Document | None:
        """The document, unless it is still the last one: by its ETag, or by what it says."""
        answer = self._get()
        if answer.status_code == requests.codes.not_modified:
            return None
        if answer.status_code != requests.codes.ok:
            raise self._refusal(answer.status_code)
        document = parse(answer.content, source=str(self))
        is_news = document != self._document
        self._etag, self._document = answer.headers.get("ETag", ""), document
        return document if is_news else None

    def close(self) -> None:
        """Close the connections to Flipt."""
        self._session.close()

    def _get(self) -> requests.Response:
        failure = None
        headers = {"If-None-Match": self._etag} if self._etag else {}
        try:
            return self._session.get(self._url + self._path, headers=headers, timeout=self._timeout)
        except requests.RequestException as error:
            failure = self._absence(error)
        # Raised out here, where it has no context: the request in it holds the token.
        raise failure

    def _absence(self, error: requests.RequestException) -> FlagsError:
        for kind, meaning, passing in _ABSENCES:
            if isinstance(error, kind):
                return self._error(meaning, _CHECK_HOST, passing=passing)
        return self._error(f"can't be asked ({type(error).__name__})", _CHECK_HOST)

    def _refusal(self, status: int) -> FlagsError:
        if status in {requests.codes.unauthorized, requests.codes.forbidden}:
            return self._error(
                f"refuses the token ({status})",
                "check flipt_api_token: a client token that is not limited to a namespace.",
            )
        if status == requests.codes.not_found:
            return self._error("has no such namespace (404)", "check FLIPT_NAMESPACE.")
        passing = (
            status == requests.codes.too_many_requests or status >= requests.codes.server_error
        )
        return self._error(f"answers with status {status}", "see Flipt's own log.", passing=passing)

    def _error(self, meaning: str, remedy: str, *, passing: bool = False) -> FlagsError:
        return FlagsError(
            f"{self} {meaning}.",
            tried=f"GET {self._path}",
            remedy=remedy,
            passing=passing,
        )


class FeaturesFile:
    """A features file in Flipt's format; lives as long as the flag client.

    Args:
        path: the file.
        namespace: which of its namespaces.
    """

    def __init__(self, path: Path, *, namespace: str = "default") -> None:
        self._path = path
        self._namespace = namespace
        self._seen: tuple[int, int, int] | None = None
        self._fault: FlagsError | None = None

    def __str__(self) -> str:
        return f"the features file {self._path}"

    def read(self) -> Document | None:
        """The document, unless the file is as it was; then a fault is as it was, too."""
        state = self._state()
        if state == self._seen:
            if self._fault is not None:
                raise self._fault.with_traceback(None)  # which would grow with every look
            return None
        self._seen, self._fault = state, None
        try:
            return features.load(self._path, namespace=self._namespace)
        except FlagsError as fault:
            self._fault = fault
            raise

    def close(self) -> None:
        """There is nothing to close."""

    def _state(self) -> tuple[int, int, int]:
        # Editors replace a file as often as they write into it.
        try:
            stat = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


_CHECK_HOST = "check that Flipt runs, and that flipt_api_host is its URL as seen from here."

_ABSENCES: tuple[tuple[type[Exception], str, bool], ...] = (
    (requests.exceptions.SSLError, "has no TLS certificate that is trusted here", False),
    (Redirected, "redirects elsewhere, and the token is not sent elsewhere", False),
    (NoHttp, "is something else: what answers speaks no HTTP", False),
    (TooLarge, f"sends more than {MAX_BYTES:,} bytes", False),
    (requests.Timeout, "does not answer in time", True),
    (requests.ConnectionError, "can't be reached", True),
    (requests.exceptions.ChunkedEncodingError, "cuts its answer off", True),
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
