"""Evaluations, by Flipt's own engine over the store's contents."""

import base64
import json
import time
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

from resident.testing.flipt.document import Audience, describe
from resident.testing.flipt.flags import BOOLEAN
from resident.testing.flipt.message import Message, mapping, messages, namespace_key, now, text
from resident.testing.flipt.status import StatusError, invalid
from resident.testing.flipt.store import Flag, Store, find

_NEVER = timedelta(days=3650)
_NO_VARIANT = "\0"


class Evaluator:
    """Lives as long as its server, and holds one engine per namespace while that listens."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._engines: dict[str, tuple[int, Any]] = {}

    def boolean(self, message: Message) -> Message:
        """Whether the boolean flag is on for the entity."""
        flag = self._flag(message)
        if flag.type != BOOLEAN:
            raise invalid(f"flag type {flag.type} invalid")
        return self._boolean(message, _request_id(message))

    def variant(self, message: Message) -> Message:
        """Which variant of the flag the entity gets."""
        flag = self._flag(message)
        if flag.type == BOOLEAN:
            raise invalid(f"flag type {flag.type} invalid")
        return self._variant(message, _request_id(message))

    def batch(self, message: Message) -> Message:
        """An answer for each request, an error for those of unknown flags."""
        started = time.perf_counter()
        responses = [self._response(request) for request in messages(message, "requests")]
        return {
            "requestId": _request_id(message),
            "responses": responses,
            "requestDurationMillis": (time.perf_counter() - started) * 1000,
        }

    def close(self) -> None:
        """Let go of the engines. Later evaluations build new ones."""
        self._engines = {}

    def _response(self, message: Message) -> Message:
        try:
            flag = self._flag(message)
        except StatusError:
            return _missing(message)
        identity = text(message, "requestId")
        if flag.type == BOOLEAN:
            answer = self._boolean(message, identity)
            return {"type": "BOOLEAN_EVALUATION_RESPONSE_TYPE", "booleanResponse": answer}
        answer = self._variant(message, identity)
        return {"type": "VARIANT_EVALUATION_RESPONSE_TYPE", "variantResponse": answer}

    def _boolean(self, message: Message, identity: str) -> Message:
        result = self._engine(message).evaluate_boolean(*_question(message))
        answer = {
            "enabled": result.enabled,
            "reason": result.reason,
            "requestId": identity,
            "requestDurationMillis": result.request_duration_millis,
            "timestamp": now(),
            "flagKey": result.flag_key,
        }
        if self._store.version.names_segments_of_rollouts:
            answer["segmentKeys"] = result.segment_keys
        return answer

    def _variant(self, message: Message, identity: str) -> Message:
        result = self._engine(message).evaluate_variant(*_question(message))
        answer = {
            "match": result.match,
            "segmentKeys": result.segment_keys,
            "reason": result.reason,
            "variantKey": result.variant_key,
            "variantAttachment": result.variant_attachment or "",
            "requestId": identity,
            "requestDurationMillis": result.request_duration_millis,
            "timestamp": now(),
            "flagKey": result.flag_key,
        }
        if result.variant_key == _NO_VARIANT:
            answer.update(self._unmatched(self._flag(message)))
        return answer

    def _unmatched(self, flag: Flag) -> Message:
        """What the server says of an entity that a rule matches and no distribution."""
        default = find(flag.variants, flag.default_variant)
        answer = {"match": False, "variantKey": "", "variantAttachment": ""}
        if default is None:
            return {**answer, "reason": "UNKNOWN_EVALUATION_REASON"}
        return {
            **answer,
            "reason": "DEFAULT_EVALUATION_REASON",
            "variantKey": default["key"],
            "variantAttachment": default["attachment"],
        }

    def _flag(self, message: Message) -> Flag:
        return self._store.flag(message)

    def _engine(self, message: Message) -> Any:
        """The engine of the namespace's present revision.

        An engine that was replaced closes itself once its last evaluation has returned.
        """
        key = namespace_key(message)
        revision, engine = self._engines.get(key, (-1, None))
        if revision != self._store.namespaces[key].revision:
            with self._store.lock:
                revision = self._store.namespaces[key].revision
                engine = build_engine(describe(self._store, message, Audience()))
                self._engines[key] = (revision, engine)
        return engine


def build_engine(document: Message) -> Any:
    """An engine that holds the document and asks no server."""
    # The double is of use without the engine, too: only evaluations need it.
    from flipt_client import FliptClient  # noqa: PLC0415
    from flipt_client.models import ClientOptions, ErrorStrategy  # noqa: PLC0415

    snapshot = json.dumps(_snapshot(document)).encode()
    return FliptClient(
        ClientOptions(
            url="",
            namespace=document["namespace"]["key"],
            snapshot=base64.b64encode(snapshot).decode(),
            error_strategy=ErrorStrategy.FALLBACK,
            update_interval=_NEVER,
        )
    )


def _question(message: Message) -> tuple[str, str, Message]:
    entity = text(message, "entityId")
    if not entity.strip():
        # The server evaluates for nobody, too; its engine outside the server doesn't.
        raise invalid("this double evaluates for an entityId only")
    context = mapping(message, "context")
    return text(message, "flagKey"), entity, {name: text(context, name) for name in context}


def _request_id(message: Message) -> str:
    return text(message, "requestId") or str(uuid.uuid4())


def _missing(message: Message) -> Message:
    error = {
        "flagKey": text(message, "flagKey"),
        "namespaceKey": text(message, "namespaceKey"),
        "reason": "NOT_FOUND_ERROR_EVALUATION_REASON",
    }
    return {"type": "ERROR_EVALUATION_RESPONSE_TYPE", "errorResponse": error}


def _snapshot(document: Message) -> Message:
    """The document in the form that the engine reads."""
    flags = document["flags"]
    rules = {flag["key"]: _distinct(flag["rules"]) for flag in flags}
    times = Counter(rule["id"] for flag in flags for rule in flag["rules"])
    return {
        "version": 1,
        "namespace": {
            "key": document["namespace"]["key"],
            "flags": {flag["key"]: _flag(flag) for flag in flags},
            "eval_rules": {key: [_rule(key, rule) for rule in each] for key, each in rules.items()},
            "eval_rollouts": {
                flag["key"]: [_rollout(rollout) for rollout in flag["rollouts"]] for flag in flags
            },
            "eval_distributions": {
                rule["id"]: _distributions(rule, times[rule["id"]])
                for each in rules.values()
                for rule in each
            },
        },
    }


def _distinct(rules: list[Message]) -> list[Message]:
    """The rules of a document, once each."""
    return list({rule["id"]: rule for rule in rules}.values())


def _flag(flag: Message) -> Message:
    shown = {name: flag[name] for name in ("key", "enabled", "type", "description")}
    if "defaultVariant" in flag:
        shown["default_variant"] = flag["defaultVariant"]
    return shown


def _rule(flag_key: str, rule: Message) -> Message:
    return {
        "id": rule["id"],
        "flag_key": flag_key,
        "rank": rule["rank"],
        "segment_operator": rule["segmentOperator"],
        "segments": _segments(rule),
    }


def _rollout(rollout: Message) -> Message:
    shown = {"rollout_type": rollout["type"], "rank": rollout["rank"]}
    if "threshold" in rollout:
        return {**shown, "threshold": rollout["threshold"]}
    segment = {
        "value": rollout["segment"]["value"],
        "segment_operator": rollout["segment"]["segmentOperator"],
        "segments": _segments(rollout["segment"]),
    }
    return {**shown, "segment": segment}


def _segments(use: Message) -> Message:
    return {
        segment["key"]: {
            "segment_key": segment["key"],
            "match_type": segment["matchType"],
            "constraints": segment["constraints"],
        }
        for segment in use["segments"]
    }


def _distributions(rule: Message, times: int) -> list[Message]:
    """The distributions of a rule, once each: v1 repeats them as often as the rule.

    Shares below 100 percent in all are filled up: the server leaves the rest of the entities
    without a variant, and the engine would stretch the shares until nobody is left.
    """
    count = len(rule["distributions"]) // times
    distributions = rule["distributions"][:count]
    rest = 100 - sum(distribution["rollout"] for distribution in distributions)
    if distributions and rest > 0:
        nobody = {"variantKey": _NO_VARIANT, "variantAttachment": "", "rollout": rest}
        distributions = [*distributions, nobody]
    return [
        {
            "rule_id": rule["id"],
            "rollout": distribution["rollout"],
            "variant_key": distribution["variantKey"],
            "variant_attachment": distribution["variantAttachment"],
        }
        for distribution in distributions
    ]
