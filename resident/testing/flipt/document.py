"""The document of a namespace: what the snapshot endpoint sends."""

import gzip
import hashlib
import json
import threading
import uuid
from dataclasses import dataclass
from typing import Any

from resident.testing.flipt.flags import BOOLEAN, VARIANT
from resident.testing.flipt.message import Message, namespace_key
from resident.testing.flipt.rollouts import SEGMENT
from resident.testing.flipt.segments import segment_keys
from resident.testing.flipt.status import Code, StatusError
from resident.testing.flipt.store import Flag, Store, find
from resident.testing.flipt.version import Version

# What Flipt takes a client for that doesn't say which version it accepts.
_SILENT_CLIENT = Version(1, 37, 1)
_KNOWS_ENTITY_IDS = Version(1, 38, 0)
_KNOWS_DEFAULT_VARIANTS = Version(1, 47, 0)
_NOT_IN_FILES = frozenset({"id", "ruleId", "createdAt", "updatedAt"})


@dataclass(frozen=True, slots=True)
class Document:
    """A namespace at one revision, as bytes."""

    body: bytes
    compressed: bytes
    etag: str | None


@dataclass(frozen=True, slots=True)
class Audience:
    """What the client understands."""

    entity_ids: bool = True
    default_variants: bool = True

    @classmethod
    def accepting(cls, text: str) -> "Audience":
        """The audience that says so in X-Flipt-Accept-Server-Version."""
        try:
            accepted = Version.parse(text)
        except ValueError:
            accepted = _SILENT_CLIENT
        return cls(accepted >= _KNOWS_ENTITY_IDS, accepted >= _KNOWS_DEFAULT_VARIANTS)


class Documents:
    """The documents of a store, each rendered once per revision and audience.

    Attributes:
        news: waits for a change, with the store's lock.
    """

    def __init__(self, store: Store) -> None:
        self.news: threading.Condition = store.news
        self._store = store
        self._rendered: dict[tuple[str, Audience], tuple[int, Document]] = {}

    def find(self, message: Message) -> Document | None:
        """The document for a client of today; None where there is no such namespace."""
        with self._store.lock:
            known = namespace_key(message) in self._store.namespaces
            return self.get(message, Audience()) if known else None

    def get(self, message: Message, audience: Audience) -> Document:
        """The document of the namespace that the message names.

        A namespace that doesn't exist has an empty one, without an ETag: Flipt with a database
        answers 200 for it.
        """
        key = namespace_key(message)
        with self._store.lock:
            namespace = self._store.namespaces.get(key)
            if namespace is None:
                return _render(self._store, message, audience, None)
            revision, document = self._rendered.get((key, audience), (-1, None))
            if document is None or revision != namespace.revision:
                document = _render(self._store, message, audience, namespace.etag)
                self._rendered[key, audience] = (namespace.revision, document)
            return document


def describe(store: Store, message: Message, audience: Audience) -> Message:
    """The document of the namespace, parsed."""
    writer = _Writer(store, message, audience)
    document: Message = {
        "namespace": {"key": namespace_key(message)},
        "flags": [writer.flag(flag) for flag in store.flags(message).values()],
    }
    if store.version.has_environments:
        document["digest"] = _digest(store, message, document)
    return document


def _render(store: Store, message: Message, audience: Audience, etag: str | None) -> Document:
    document = describe(store, message, audience)
    body = json.dumps(document, separators=(",", ":")).encode()
    etag = document.get("digest", etag) if store.version.sends_etag else None
    return Document(body, gzip.compress(body), etag)


def _digest(store: Store, message: Message, document: Message) -> str:
    """Of what the namespace's file would say, with what documents hide and without what they add.

    A change that changes nothing leaves it as it is, and one that is taken back brings it back.
    """
    told = [
        [[flag.name, flag.description, flag.metadata] for flag in store.flags(message).values()],
        [[each["name"], each["description"]] for each in store.segments(message).values()],
        _written(document),
    ]
    text = json.dumps(told, sort_keys=True).encode()
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def _written(part: Any) -> Any:
    """The part of a document without ids and moments, which no file has."""
    if isinstance(part, list):
        return [_written(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {name: _written(value) for name, value in part.items() if name not in _NOT_IN_FILES}


class _Writer:
    """Lives as long as one rendering: a segment looks the same wherever it is used again."""

    def __init__(self, store: Store, message: Message, audience: Audience) -> None:
        self._version = store.version
        self._is_second = store.version.has_environments
        self._namespace = store.namespaces.get(namespace_key(message))
        self._segments = store.segments(message)
        # Of all flags: Flipt lets a distribution name another flag's variant.
        self._variants = {
            variant["id"]: variant
            for flag in store.flags(message).values()
            for variant in flag.variants
        }
        self._audience = audience
        self._written: dict[str, Message] = {}

    def flag(self, flag: Flag) -> Message:
        hides = self._version.hides_names
        written = {
            "key": flag.key,
            "name": "" if hides else flag.name,
            "description": "" if hides else flag.description,
            "enabled": flag.enabled,
            "type": flag.type,
            **self._stamps(flag),
            "rules": self._rules(flag) if flag.type == VARIANT else [],
            "rollouts": self._rollouts(flag) if flag.type == BOOLEAN else [],
        }
        default = find(flag.variants, flag.default_variant) if flag.type == VARIANT else None
        if default is not None and self._audience.default_variants:
            written["defaultVariant"] = self._default(flag, default)
        return written

    def _stamps(self, flag: Flag) -> Message:
        # The files of Flipt v2 have no moments: it takes that at which it read them.
        read = self._namespace.changed if self._is_second and self._namespace else ""
        return {"createdAt": read or flag.created, "updatedAt": read or flag.updated}

    def _rule_id(self, rule: Message) -> str:
        """The id of a rule. Flipt v2 makes up another one whenever it reads its files."""
        if not (self._is_second and self._namespace):
            return str(rule["id"])
        return str(uuid.uuid5(uuid.UUID(rule["id"]), str(self._namespace.revision)))

    def _default(self, flag: Flag, variant: Message) -> Message:
        return {
            "id": f"{flag.key}/{variant['key']}" if self._is_second else variant["id"],
            "key": variant["key"],
            "attachment": self._attachment(variant),
        }

    def _attachment(self, variant: Message) -> str:
        # Flipt v2 reads nothing as null, and writes that.
        return variant["attachment"] or ("null" if self._is_second else "")

    def _rules(self, flag: Flag) -> list[Message]:
        """The rules. v1 writes one with two segments twice, and its distributions each time."""
        rules: list[Message] = []
        for rule in flag.rules:
            keys = segment_keys(rule)
            times = 1 if self._is_second else len(keys)
            rules += [self._rule(rule, keys, times)] * times
        return rules

    def _rule(self, rule: Message, keys: list[str], times: int) -> Message:
        identity = self._rule_id(rule)
        distributions = [self._distribution(each, identity) for each in rule["distributions"]]
        return {
            "id": identity,
            "segments": [self._segment(key) for key in keys],
            "rank": rule["rank"],
            "segmentOperator": rule["segmentOperator"],
            "distributions": distributions * times,
        }

    def _distribution(self, distribution: Message, rule: str) -> Message:
        variant = self._variants[distribution["variantId"]]
        first = {"id": "", "ruleId": "", "variantId": variant["id"]}
        return {
            **({"ruleId": rule} if self._is_second else first),
            "variantKey": variant["key"],
            "variantAttachment": self._attachment(variant),
            "rollout": distribution["rollout"],
        }

    def _rollouts(self, flag: Flag) -> list[Message]:
        return [self._rollout(rollout) for rollout in flag.rollouts]

    def _rollout(self, rollout: Message) -> Message:
        written = {"type": rollout["type"], "rank": rollout["rank"]}
        if rollout["type"] != SEGMENT:
            return {**written, "threshold": rollout["threshold"]}
        keys = segment_keys(rollout["segment"])
        if not keys:
            # An old Flipt trips over a rollout whose segment was deleted.
            raise StatusError(Code.INTERNAL, "runtime error: invalid memory address")
        segment = {
            "value": rollout["segment"]["value"],
            "segmentOperator": rollout["segment"]["segmentOperator"],
            # Flipt doesn't read the constraints' ids here.
            "segments": [self._segment(key, with_ids=False) for key in keys],
        }
        return {**written, "segment": segment}

    def _segment(self, key: str, *, with_ids: bool = True) -> Message:
        if key not in self._written:
            segment = self._segments[key]
            unset = {} if self._version.omits_null else {"createdAt": None, "updatedAt": None}
            self._written[key] = {
                "key": key,
                "name": "",
                "description": "",
                "matchType": segment["matchType"].replace("_MATCH_", "_SEGMENT_MATCH_"),
                **unset,
                "constraints": [
                    self._constraint(constraint, with_ids=with_ids)
                    for constraint in segment["constraints"]
                ],
            }
        return self._written[key]

    def _constraint(self, constraint: Message, *, with_ids: bool) -> Message:
        kind = constraint["type"]
        if kind == "ENTITY_ID_COMPARISON_TYPE" and not self._audience.entity_ids:
            kind = "UNKNOWN_COMPARISON_TYPE"
        identity = {} if self._is_second else {"id": constraint["id"] if with_ids else ""}
        return {
            **identity,
            "type": kind.replace("_COMPARISON_", "_CONSTRAINT_COMPARISON_"),
            "property": constraint["property"],
            "operator": constraint["operator"],
            "value": constraint["value"],
        }
