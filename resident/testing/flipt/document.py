"""The document of a namespace: what the snapshot endpoint sends."""

import gzip
import json
from dataclasses import dataclass

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
    """The documents of a store, each rendered once per revision and audience."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rendered: dict[tuple[str, Audience], tuple[int, Document]] = {}

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
    return {
        "namespace": {"key": namespace_key(message)},
        "flags": [writer.flag(flag) for flag in store.flags(message).values()],
    }


def _render(store: Store, message: Message, audience: Audience, etag: str | None) -> Document:
    body = json.dumps(describe(store, message, audience), separators=(",", ":")).encode()
    return Document(body, gzip.compress(body), etag if store.version.sends_etag else None)


class _Writer:
    """Lives as long as one rendering: a segment looks the same wherever it is used again."""

    def __init__(self, store: Store, message: Message, audience: Audience) -> None:
        self._version = store.version
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
        written = {
            "key": flag.key,
            "name": flag.name,
            "description": flag.description,
            "enabled": flag.enabled,
            "type": flag.type,
            "createdAt": flag.created,
            "updatedAt": flag.updated,
            "rules": self._rules(flag) if flag.type == VARIANT else [],
            "rollouts": self._rollouts(flag) if flag.type == BOOLEAN else [],
        }
        default = find(flag.variants, flag.default_variant) if flag.type == VARIANT else None
        if default is not None and self._audience.default_variants:
            written["defaultVariant"] = {
                name: default[name] for name in ("id", "key", "attachment")
            }
        return written

    def _rules(self, flag: Flag) -> list[Message]:
        """The rules. Flipt writes one with two segments twice, and its distributions each time."""
        rules: list[Message] = []
        for rule in flag.rules:
            keys = segment_keys(rule)
            rules += [self._rule(rule, keys)] * len(keys)
        return rules

    def _rule(self, rule: Message, keys: list[str]) -> Message:
        distributions = [self._distribution(each) for each in rule["distributions"]]
        return {
            "id": rule["id"],
            "segments": [self._segment(key) for key in keys],
            "rank": rule["rank"],
            "segmentOperator": rule["segmentOperator"],
            "distributions": distributions * len(keys),
        }

    def _distribution(self, distribution: Message) -> Message:
        variant = self._variants[distribution["variantId"]]
        return {
            "id": "",
            "ruleId": "",
            "variantId": variant["id"],
            "variantKey": variant["key"],
            "variantAttachment": variant["attachment"],
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
        return {
            "id": constraint["id"] if with_ids else "",
            "type": kind.replace("_COMPARISON_", "_CONSTRAINT_COMPARISON_"),
            "property": constraint["property"],
            "operator": constraint["operator"],
            "value": constraint["value"],
        }
