"""Flipt's rules of evaluation, stated a second time: what the engine's answers are held against.

Stated over a features file as it is parsed, after the server's sources (v1.61.1). Where the engine
departs from the server, `test_engine.py` says so.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

__all__ = ["boolean", "holds", "variant"]

Part = Mapping[str, Any]
Context = Mapping[str, str]

TRUE = {"1", "t", "T", "true", "True", "TRUE"}
FALSE = {"0", "f", "F", "false", "False", "FALSE"}


def boolean(features: Part, key: str, entity: str, context: Context) -> bool:
    """The first rollout that matches decides; else whether the flag is enabled."""
    flag = _named(features["flags"], key)
    for rollout in flag.get("rollouts", []):
        step = rollout.get("threshold") or rollout["segment"]
        if "percentage" in step:
            matches = crc32(f"{entity}{key}".encode()) % 100 < step["percentage"]
        else:
            matches = _matches(features, step, entity, context)
        if matches:
            return bool(step.get("value", False))
    return bool(flag.get("enabled", False))


def variant(features: Part, key: str, entity: str, context: Context) -> tuple[str, Any] | None:
    """The variant's key and attachment: of the first rule that matches, else of the default."""
    flag = _named(features["flags"], key)
    variants = {variant["key"]: variant.get("attachment") for variant in flag.get("variants", [])}
    chosen = next((each["key"] for each in flag.get("variants", []) if each.get("default")), None)
    if flag.get("enabled", False):
        for rule in flag.get("rules", []):
            segment = rule["segment"]
            choice = {"key": segment} if isinstance(segment, str) else segment
            if _matches(features, choice, entity, context):
                bucket = crc32(f"{key}{entity}".encode()) % 1000
                chosen = _share(rule.get("distributions", []), bucket) or chosen
                break
    return None if chosen is None else (chosen, variants[chosen])


def holds(constraint: Part, entity: str, context: Context) -> bool:
    """Whether one constraint holds; what can't be compared doesn't."""
    operator, value = constraint["operator"], constraint.get("value", "")
    given = context.get(constraint["property"], "")
    if constraint["type"] == "ENTITY_ID_COMPARISON_TYPE":
        given = entity
    if operator in {"empty", "notpresent"}:
        return not given.strip()
    if operator in {"notempty", "present"}:
        return bool(given.strip())
    try:
        return given != "" and _COMPARED[constraint["type"]](operator, given, value)
    except ValueError:
        return False


def _named(parts: list[Part], key: str) -> Part:
    return next(part for part in parts if part["key"] == key)


def _share(distributions: list[Part], bucket: int) -> str | None:
    # Of shares with two decimals the server cuts the border off, and the engine rounds it.
    border = 0.0
    for distribution in distributions:
        border += distribution["rollout"] * 10
        if bucket < round(border):
            return str(distribution["variant"])
    return None


def _matches(features: Part, choice: Part, entity: str, context: Context) -> bool:
    keys = [choice["key"]] if "key" in choice else choice["keys"]
    members = [_member(_named(features["segments"], key), entity, context) for key in keys]
    every = choice.get("operator") == "AND_SEGMENT_OPERATOR"
    return all(members) if every else any(members)


def _member(segment: Part, entity: str, context: Context) -> bool:
    held = [holds(constraint, entity, context) for constraint in segment.get("constraints", [])]
    return all(held) if segment["match_type"] == "ALL_MATCH_TYPE" or not held else any(held)


def _strings(operator: str, given: str, value: str) -> bool:
    return {
        "eq": lambda: given == value,
        "neq": lambda: given != value,
        "prefix": lambda: given.strip().startswith(value),
        "suffix": lambda: given.strip().endswith(value),
        "contains": lambda: value in given,
        "notcontains": lambda: value not in given,
        "isoneof": lambda: given in json.loads(value),
        "isnotoneof": lambda: given not in json.loads(value),
    }[operator]()


def _numbers(operator: str, given: str, value: str) -> bool:
    if operator in {"isoneof", "isnotoneof"}:
        return (float(given) in json.loads(value)) == (operator == "isoneof")
    return _in_order(operator, float(given), float(value))


def _booleans(operator: str, given: str, value: str) -> bool:
    return given in (TRUE if operator == "true" else FALSE)


def _moments(operator: str, given: str, value: str) -> bool:
    return _in_order(operator, _moment(given), _moment(value))


def _moment(text: str) -> datetime:
    # RFC 3339, or a day, which is its midnight.
    parsed = datetime.fromisoformat(text)
    if "T" in text and parsed.tzinfo is None:
        raise ValueError
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _in_order(operator: str, given: Any, value: Any) -> bool:
    return bool(
        {
            "eq": given == value,
            "neq": given != value,
            "lt": given < value,
            "lte": given <= value,
            "gt": given > value,
            "gte": given >= value,
        }[operator]
    )


_COMPARED = {
    "STRING_COMPARISON_TYPE": _strings,
    "ENTITY_ID_COMPARISON_TYPE": _strings,
    "NUMBER_COMPARISON_TYPE": _numbers,
    "BOOLEAN_COMPARISON_TYPE": _booleans,
    "DATETIME_COMPARISON_TYPE": _moments,
}
