"""The WSGI environ of a rehearsed request, as granian gives it to the application.

It carries the request's token wherever a browser or a proxy puts something of its own, and wherever
the caller writes `{token}`.
"""

import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode
from uuid import uuid4

from resident.exceptions import LeaksError

__all__ = ["Address", "Data", "Tokens", "new_environ", "repeated_environ"]

Data = Mapping[str, Any] | str | bytes | None
PLACEHOLDER = "{token}"
IN_QUERY = ("GET", "HEAD")
"""The methods whose data go into the query, as those of Django's test client do."""

FORM = "application/x-www-form-urlencoded"
NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
UNPREFIXED = ("CONTENT_TYPE", "CONTENT_LENGTH")


class Tokens:
    """What is random in a request, and of this request alone.

    `word` has the form in which packages accept an identifier that a proxy has given.
    """

    def __init__(self) -> None:
        self.word = uuid4().hex
        self.address = "127." + ".".join(str(1 + secrets.randbelow(254)) for _ in range(3))

    def fill(self, text: str) -> str:
        """The text with the word wherever `{token}` is written."""
        return text.replace(PLACEHOLDER, self.word)


@dataclass(frozen=True)
class Address:
    """Where requests go to: what a client connects to, and names in its Host."""

    host: str
    scheme: str = "http"

    @property
    def port(self) -> str:
        return "443" if self.scheme == "https" else "80"


def new_environ(
    tokens: Tokens,
    address: Address,
    path: str,
    *,
    method: str = "GET",
    data: Data = None,
    headers: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The environ of a request to this path, with its query.

    Raises:
        LeaksError: the path is none, a header's name or value can't be sent.
    """
    body = _body(data, tokens)
    where, query = _target(tokens.fill(path))
    if method in IN_QUERY and body:
        query, body = "&".join(filter(None, (query, body.decode()))), b""
    return {
        **_server(address, tokens),
        "REQUEST_METHOD": method,
        "PATH_INFO": where,
        "QUERY_STRING": query,
        **_traces(tokens, address),
        **_content(body),
        **_headers(headers or {}, tokens),
        "HTTP_COOKIE": _cookies(tokens, headers or {}, cookies or {}),
    }


def repeated_environ(tokens: Tokens, environ: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """The environ of a request like that one, with a token wherever it brought nothing.

    Its cookies are as they were.
    """
    host = environ.get("HTTP_HOST") or environ["SERVER_NAME"]
    address = Address(host, environ["wsgi.url_scheme"])
    again = {**_traces(tokens, address), **environ}
    return again | {"REMOTE_ADDR": tokens.address, "wsgi.input": BytesIO(body)}


def _server(address: Address, tokens: Tokens) -> dict[str, Any]:
    return {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": address.port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "Granian",
        "REMOTE_ADDR": tokens.address,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": address.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "HTTP_HOST": address.host,
        "HTTP_ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8",
    }


def _traces(tokens: Tokens, address: Address) -> dict[str, str]:
    """What a client and a proxy say of themselves."""
    return {
        "HTTP_USER_AGENT": f"Mozilla/5.0 ({tokens.word})",
        "HTTP_REFERER": f"{address.scheme}://{address.host}/?{tokens.word}",
        "HTTP_X_REQUEST_ID": tokens.word,
        "HTTP_X_CORRELATION_ID": tokens.word,
    }


def _target(path: str) -> tuple[str, str]:
    where, _, query = path.partition("#")[0].partition("?")
    if not where.startswith("/"):
        raise LeaksError(
            f"The path {path!r} does not begin with '/'.",
            remedy="give the path of a page of this project, such as '/prices?page=2'.",
        )
    # WSGI hands bytes over as latin-1 (PEP 3333).
    return unquote_to_bytes(where).decode("latin-1"), query


def _body(data: Data, tokens: Tokens) -> bytes:
    if isinstance(data, bytes):
        return data.replace(PLACEHOLDER.encode(), tokens.word.encode())
    if isinstance(data, Mapping):
        pairs = urlencode(data, doseq=True)
        return tokens.fill(pairs.replace(urlencode({"": PLACEHOLDER})[1:], PLACEHOLDER)).encode()
    return tokens.fill(data or "").encode()


def _content(body: bytes) -> dict[str, Any]:
    content: dict[str, Any] = {"wsgi.input": BytesIO(body)}
    if body:
        content |= {"CONTENT_TYPE": FORM, "CONTENT_LENGTH": str(len(body))}
    return content


def _headers(headers: Mapping[str, str], tokens: Tokens) -> dict[str, str]:
    return {_key(name): _sendable(name, tokens.fill(text)) for name, text in headers.items()}


def _key(name: str) -> str:
    if not NAME.fullmatch(name):
        raise LeaksError(
            f"{name!r} is no name of a header.", remedy="write it as in 'Accept-Language: de'."
        )
    key = name.upper().replace("-", "_")
    return key if key in UNPREFIXED else f"HTTP_{key}"


def _sendable(name: str, text: str) -> str:
    try:
        if not set("\r\n\0") & set(text):
            return text.encode().decode("latin-1")
    except UnicodeEncodeError:
        pass
    # Its value may be a credential.
    raise LeaksError(
        f"The value of the header {name!r} can't be sent: it holds a line break, a NUL or half of "
        "a character.",
        remedy="leave that out.",
    )


def _cookies(tokens: Tokens, headers: Mapping[str, str], cookies: Mapping[str, str]) -> str:
    given = [tokens.fill(text) for name, text in headers.items() if _key(name) == "HTTP_COOKIE"]
    made = [f"{name}={text}" for name, text in {"visit": tokens.word, **cookies}.items()]
    return "; ".join([*given, *made])
