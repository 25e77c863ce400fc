"""Client tokens: created, listed and revoked as Flipt does, and known by their hash alone."""

import base64
import datetime as dt
import hashlib
import secrets
import threading
import uuid

from resident.testing.flipt.message import (
    Message,
    integer,
    mapping,
    messages,
    namespace_key,
    stamps,
    text,
    timestamp,
)
from resident.testing.flipt.status import not_found, unauthenticated

_METADATA = "io.flipt.auth.token."
_DEFAULT_LIMIT, _HIGHEST_LIMIT = 25, 100


class Tokens:
    """Lives as long as its server's contents.

    Args:
        bootstrap: the token that is there from the start; None where no request needs one.
        scheme: how it is sent: "Bearer" or "JWT".
    """

    def __init__(self, bootstrap: str | None, scheme: str = "Bearer") -> None:
        self.required = bootstrap is not None
        self._scheme = scheme
        self._bootstrap = b"" if bootstrap is None else _digest(bootstrap)
        self._lock = threading.Lock()
        self._by_hash: dict[bytes, Message] = {}
        if bootstrap is not None:
            described = {
                "name": "initial_bootstrap_token",
                "description": "Initial token created when bootstrapping authentication",
            }
            self._described = _authentication(described)
            self._keep(bootstrap, self._described)

    def create(self, message: Message) -> Message:
        """A new token. This is the only answer that ever shows it."""
        client_token = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        authentication = _authentication(message)
        self._keep(client_token, authentication)
        return {"clientToken": client_token, "authentication": authentication}

    def listed(self, message: Message) -> Message:
        """A page of what is known about the tokens, without the tokens. 25 unless told."""
        limit = min(integer(message, "limit") or _DEFAULT_LIMIT, _HIGHEST_LIMIT)
        page_token = text(message, "pageToken")
        offset = int(page_token) if page_token.isdigit() else 0
        everything = list(self._by_hash.values())
        end = offset + limit
        return {
            "authentications": everything[offset:end],
            "nextPageToken": str(end) if end < len(everything) else "",
        }

    def get(self, message: Message) -> Message:
        """What is known about one token."""
        for authentication in list(self._by_hash.values()):
            if authentication["id"] == text(message, "id"):
                return authentication
        raise not_found("getting authentication by token: resource")

    def delete(self, message: Message) -> Message:
        """Nothing. The token is worth nothing from now on."""
        gone = text(message, "id")
        with self._lock:
            self._by_hash = {
                digest: authentication
                for digest, authentication in self._by_hash.items()
                if authentication["id"] != gone
            }
        return {}

    def authenticate(self, authorization: str) -> Message | None:
        """What is known about the token of an Authorization header, None where it isn't valid."""
        scheme, _, client_token = authorization.partition(" ")
        if scheme != self._scheme:
            return None
        authentication = self._by_hash.get(_digest(client_token))
        return None if authentication is None or _expired(authentication) else authentication

    def rotate(self, bootstrap: str) -> None:
        """Put another token in the place of the one that was there from the start."""
        with self._lock:
            former, self._bootstrap = self._bootstrap, _digest(bootstrap)
            kept = {key: known for key, known in self._by_hash.items() if key != former}
            self._by_hash = {**kept, self._bootstrap: self._described}

    def _keep(self, client_token: str, authentication: Message) -> None:
        with self._lock:
            self._by_hash[_digest(client_token)] = authentication


def check_scope(authentication: Message, message: Message, *, scoped: bool) -> None:
    """Refuse a token of one namespace where no such token may go, or in another namespace."""
    namespace = authentication["metadata"].get(f"{_METADATA}namespace")
    if namespace is None:
        return
    asked = messages(message, "requests") or [message]
    namespaces = {namespace_key(each) for each in asked}
    if not scoped or namespaces != {namespace}:
        raise unauthenticated()


def _authentication(message: Message) -> Message:
    fields = {"name": text(message, "name")}
    fields["description"] = text(message, "description")
    fields["namespace"] = text(message, "namespaceKey")
    given = {name: value for name, value in fields.items() if value or name == "name"}
    return {
        "id": str(uuid.uuid4()),
        "method": "METHOD_TOKEN",
        "expiresAt": timestamp(message, "expiresAt"),
        **stamps(),
        "metadata": {
            **mapping(message, "metadata"),
            **{f"{_METADATA}{name}": value for name, value in given.items()},
        },
    }


def _expired(authentication: Message) -> bool:
    expiry = authentication["expiresAt"]
    return expiry is not None and dt.datetime.fromisoformat(expiry) < dt.datetime.now(dt.UTC)


def _digest(client_token: str) -> bytes:
    return hashlib.sha256(client_token.encode()).digest()
