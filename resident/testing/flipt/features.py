"""Features files: Flipt's declarative format, imported as `flipt import` does."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from resident.testing.flipt import flags, namespaces, rollouts, rules, segments
from resident.testing.flipt.message import DEFAULT_NAMESPACE, Message
from resident.testing.flipt.status import StatusError
from resident.testing.flipt.store import Store

_VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
_FIELDS = {
    "document": {"version", "namespace", "flags", "segments"},
    "namespace": {"key", "name", "description"},
    "flag": {
        *("key", "name", "type", "description", "enabled"),
        *("metadata", "variants", "rules", "rollouts"),
    },
    "variant": {"default", "key", "name", "description", "attachment"},
    "rule": {"segment", "rank", "distributions"},
    "rule segment": {"keys", "operator"},
    "distribution": {"variant", "rollout"},
    "rollout": {"description", "segment", "threshold"},
    "rollout segment": {"key", "keys", "operator", "value"},
    "threshold": {"percentage", "value"},
    "segment": {"key", "name", "description", "constraints", "match_type"},
    "constraint": {"type", "property", "operator", "value", "description"},
}


def load(store: Store, source: str | Path | Mapping[str, Any]) -> None:
    """Put what the features file says in the place of what its namespaces held.

    Raises:
        OSError: the file can't be read.
        ValueError: it isn't a features file that Flipt would import. The store is as before.
    """
    name = "features" if isinstance(source, Mapping) else str(source)
    fresh = Store(store.version)
    try:
        keys = {_import(fresh, document) for document in _documents(source)}
    except (StatusError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = str(error) if isinstance(error, StatusError | ValueError) else repr(error)
        raise ValueError(f"{name}: {reason}") from error
    with store.lock:
        for key in keys:
            store.namespaces[key] = fresh.namespaces[key]
            store.changed({"namespaceKey": key})


def _documents(source: str | Path | Mapping[str, Any]) -> Iterable[Any]:
    if isinstance(source, Mapping):
        return [source]
    return list(yaml.safe_load_all(Path(source).read_text(encoding="utf-8")))


def _import(store: Store, document: Any) -> str:
    """Import one document and return its namespace's key."""
    _check(document, "document")
    version = str(document.get("version", _VERSIONS[-1]))
    if version not in _VERSIONS:
        raise ValueError(f"unsupported version: {version}")
    place = {"namespaceKey": _namespace(store, document.get("namespace", DEFAULT_NAMESPACE))}
    for flag in document.get("flags") or ():
        _flag(store, place, flag)
    for segment in document.get("segments") or ():
        _segment(store, place, segment)
    # Rules and rollouts name segments, so that these come first.
    for flag in document.get("flags") or ():
        _rules(store, {**place, "flagKey": flag["key"]}, flag)
        _rollouts(store, {**place, "flagKey": flag["key"]}, flag)
    return place["namespaceKey"]


def _namespace(store: Store, given: Any) -> str:
    described = {"key": given, "name": given} if isinstance(given, str) else given
    _check(described, "namespace")
    key: str = described.get("key", DEFAULT_NAMESPACE)
    if key not in store.namespaces:
        namespaces.create(store, {"name": key, **described})
    return key


def _flag(store: Store, place: Message, flag: Message) -> None:
    _check(flag, "flag")
    message = {**place, **_only(flag, "key", "name", "description", "enabled", "metadata", "type")}
    created = flags.create(store, message)
    default = ""
    for variant in flag.get("variants") or ():
        added = _variant(store, {**place, "flagKey": created["key"]}, variant)
        default = added["id"] if variant.get("default") else default
    if default:
        flags.update(store, {**message, "defaultVariantId": default})


def _variant(store: Store, place: Message, variant: Message) -> Message:
    _check(variant, "variant")
    attachment = variant.get("attachment")
    return flags.create_variant(
        store,
        {
            **place,
            **_only(variant, "key", "name", "description"),
            "attachment": "" if attachment is None else json.dumps(attachment, sort_keys=True),
        },
    )


def _segment(store: Store, place: Message, segment: Message) -> None:
    _check(segment, "segment")
    message = {**place, **_only(segment, "key", "name", "description")}
    segments.create(store, {**message, "matchType": segment.get("match_type")})
    for constraint in segment.get("constraints") or ():
        _check(constraint, "constraint")
        fields = {name: _scalar(value) for name, value in constraint.items()}
        segments.create_constraint(store, {**place, "segmentKey": segment["key"], **fields})


def _rules(store: Store, place: Message, flag: Message) -> None:
    for position, rule in enumerate(flag.get("rules") or (), start=1):
        _check(rule, "rule")
        created = rules.create(
            store,
            {**place, **_rule_segment(rule["segment"]), "rank": rule.get("rank") or position},
        )
        for distribution in rule.get("distributions") or ():
            _check(distribution, "distribution")
            message = {**place, "ruleId": created["id"], "rollout": distribution["rollout"]}
            variant = _variant_id(store, place, distribution["variant"])
            rules.create_distribution(store, {**message, "variantId": variant})


def _rule_segment(given: Any) -> Message:
    if isinstance(given, str):
        return {"segmentKey": given}
    _check(given, "rule segment")
    return {"segmentKeys": given.get("keys"), "segmentOperator": given.get("operator")}


def _variant_id(store: Store, place: Message, key: str) -> str:
    for variant in store.flag(place).variants:
        if variant["key"] == key:
            return str(variant["id"])
    raise ValueError(f"finding variant: {key}; flag: {place['flagKey']}")


def _rollouts(store: Store, place: Message, flag: Message) -> None:
    for rank, rollout in enumerate(flag.get("rollouts") or (), start=1):
        _check(rollout, "rollout")
        message = {**place, "rank": rank, "description": rollout.get("description")}
        rollouts.create(store, {**message, **_target(rollout)})


def _target(rollout: Message) -> Message:
    target: Message = {}
    if "threshold" in rollout:
        _check(rollout["threshold"], "threshold")
        target["threshold"] = rollout["threshold"]
    if "segment" in rollout:
        segment = rollout["segment"]
        _check(segment, "rollout segment")
        target["segment"] = {
            "segmentKey": segment.get("key"),
            "segmentKeys": segment.get("keys"),
            "segmentOperator": segment.get("operator"),
            "value": segment.get("value"),
        }
    if len(target) == len(("threshold", "segment")):
        raise ValueError("a rollout cannot have both segment and threshold")
    return target


def _check(given: Any, kind: str) -> None:
    if not isinstance(given, Mapping):
        raise TypeError(f"a {kind} is a mapping, not {given!r}")
    unknown = ", ".join(sorted(str(name) for name in given.keys() - _FIELDS[kind]))
    if unknown:
        raise ValueError(f"a {kind} has no {unknown}")


def _only(given: Mapping[str, Any], *names: str) -> Message:
    return {name: given[name] for name in names if name in given}


def _scalar(value: Any) -> str:
    """What YAML reads as a number, a boolean or a date where Flipt means its text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
