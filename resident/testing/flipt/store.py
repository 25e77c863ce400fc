"""What the server holds: namespaces, and in them flags and segments."""

import base64
import hashlib
import itertools
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from resident.testing.flipt.message import (
    DEFAULT_NAMESPACE,
    Message,
    integer,
    namespace_key,
    now,
    text,
)
from resident.testing.flipt.status import invalid, not_found
from resident.testing.flipt.version import Version


@dataclass
class Flag:
    """A flag with everything that hangs on it, and goes with it."""

    namespace: str
    key: str
    name: str
    description: str
    enabled: bool
    type: str
    metadata: Message = field(default_factory=dict)
    default_variant: str = ""
    variants: list[Message] = field(default_factory=list)
    rules: list[Message] = field(default_factory=list)
    rollouts: list[Message] = field(default_factory=list)
    created: str = field(default_factory=now)
    updated: str = ""

    def __post_init__(self) -> None:
        self.updated = self.created

    def __str__(self) -> str:
        return f'"{self.namespace}/{self.key}"'


@dataclass
class Namespace:
    """A namespace. Its ETag is None until something in it changed, as on a fresh server."""

    key: str
    name: str
    description: str = ""
    protected: bool = False
    flags: dict[str, Flag] = field(default_factory=dict)
    segments: dict[str, Message] = field(default_factory=dict)
    created: str = field(default_factory=now)
    updated: str = ""
    revision: int = 0
    changed: str = ""
    etag: str | None = None

    def __post_init__(self) -> None:
        self.updated = self.changed = self.created


class Store:
    """Lives as long as its server's contents. Hold `lock` to read or change more than one thing.

    Whoever waits for `news` is woken by each change.
    """

    def __init__(self, version: Version) -> None:
        self.version = version
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.namespaces = {
            DEFAULT_NAMESPACE: Namespace(
                DEFAULT_NAMESPACE, "Default", "Default namespace", protected=True
            )
        }
        self._revisions = itertools.count(1)

    def namespace(self, message: Message) -> Namespace:
        """The namespace that the message names, or 404."""
        key = namespace_key(message)
        try:
            return self.namespaces[key]
        except KeyError:
            raise not_found(f'namespace "{key}"') from None

    def flag(self, message: Message, named: str = "flagKey") -> Flag:
        """The flag that the message names, or 404."""
        namespace, key = namespace_key(message), text(message, named)
        found = self.flags(message).get(key)
        if found is None:
            raise not_found(f'flag "{namespace}/{key}"')
        return found

    def flags(self, message: Message) -> dict[str, Flag]:
        """The flags of the namespace, none where there is no such namespace."""
        found = self.namespaces.get(namespace_key(message))
        return found.flags if found else {}

    def segments(self, message: Message) -> dict[str, Message]:
        """The segments of the namespace, none where there is no such namespace."""
        found = self.namespaces.get(namespace_key(message))
        return found.segments if found else {}

    def changed(self, message: Message) -> None:
        """Note that something in the namespace changed: its snapshot has a new version."""
        namespace = self.namespaces.get(namespace_key(message))
        if namespace is not None:
            namespace.revision, namespace.changed = next(self._revisions), now()
            version = f"{namespace.changed} {namespace.revision}"
            namespace.etag = hashlib.sha1(version.encode(), usedforsecurity=False).hexdigest()
        with self.news:
            self.news.notify_all()


def find(records: Sequence[Message], key: str, by: str = "id") -> Message | None:
    """The record with that id, or key."""
    return next((record for record in records if record[by] == key), None)


def page(
    name: str, records: Sequence[Message], message: Message, *, needs_limit: bool = True
) -> Message:
    """One page of a list. Without a limit, all of it: Flipt has no default here."""
    limit, token = integer(message, "limit"), text(message, "pageToken")
    offset = _offset(token) if token else integer(message, "offset")
    if needs_limit and not limit and offset:
        raise invalid("limit must be set when offset or pageToken is set")
    end = offset + limit if limit else len(records)
    return {
        name: list(records[offset:end]),
        "nextPageToken": _token(records[end], end) if end < len(records) else "",
        "totalCount": len(records),
    }


def _token(record: Message, offset: int) -> str:
    key = record.get("id") or record["key"]
    return base64.b64encode(_compact({"key": key, "offset": offset})).decode()


def _offset(token: str) -> int:
    try:
        return int(json.loads(base64.b64decode(token, validate=True))["offset"])
    except (ValueError, KeyError, TypeError):
        raise invalid(f'pageToken is not valid: "{token}"') from None


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
