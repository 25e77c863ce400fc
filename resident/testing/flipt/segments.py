"""The management of segments and their constraints."""

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Iterator

from resident.testing.flipt.message import (
    Message,
    choice,
    namespace_key,
    now,
    required,
    stamps,
    text,
    texts,
)
from resident.testing.flipt.namespaces import new_key
from resident.testing.flipt.status import empty_field, invalid, invalid_field, not_found
from resident.testing.flipt.store import Flag, Store, find, page
from resident.testing.flipt.version import Version

MATCH_TYPES = ("ALL_MATCH_TYPE", "ANY_MATCH_TYPE")
OPERATORS = ("OR_SEGMENT_OPERATOR", "AND_SEGMENT_OPERATOR")

_ONE_OF = frozenset({"isoneof", "isnotoneof"})
_VALUELESS = frozenset({"true", "false", "empty", "notempty", "present", "notpresent"})
_NUMBER = frozenset({"eq", "neq", "lt", "lte", "gt", "gte", "present", "notpresent"}) | _ONE_OF
_STRING = frozenset({"eq", "neq", "empty", "notempty", "prefix", "suffix"}) | _ONE_OF
_SEARCH = frozenset({"contains", "notcontains"})
_COMPARISONS = {
    "STRING_COMPARISON_TYPE": ("string", _STRING),
    "NUMBER_COMPARISON_TYPE": ("number", _NUMBER),
    "BOOLEAN_COMPARISON_TYPE": (
        "boolean",
        frozenset({"true", "false", "present", "notpresent"}),
    ),
    # Flipt accepts isoneof for date-times, too, and no engine evaluates it.
    "DATETIME_COMPARISON_TYPE": ("datetime", _NUMBER),
    "ENTITY_ID_COMPARISON_TYPE": ("entityId", frozenset({"eq", "neq"}) | _ONE_OF),
}
_SEARCHABLE = frozenset({"string", "entityId"})
_UNKNOWN = "UNKNOWN_COMPARISON_TYPE"
_MOST_VALUES = 100


def get(store: Store, message: Message) -> Message:
    """The segment with its constraints."""
    key = required(message, "key")
    segment = store.segments(message).get(key)
    if segment is None:
        raise not_found(f'segment "{namespace_key(message)}/{key}"')
    return segment


def listed(store: Store, message: Message) -> Message:
    """A page of segments, oldest first."""
    return page("segments", list(store.segments(message).values()), message)


def create(store: Store, message: Message) -> Message:
    """A new segment."""
    key = new_key(message)
    segment = {
        "key": key,
        "name": required(message, "name"),
        "description": text(message, "description"),
        **stamps(),
        "constraints": [],
        "matchType": choice(message, "matchType", MATCH_TYPES),
        "namespaceKey": namespace_key(message),
    }
    segments = store.namespace(message).segments
    if key in segments:
        raise invalid(f'segment "{segment["namespaceKey"]}/{key}" is not unique')
    segments[key] = segment
    store.changed(message)
    return segment


def update(store: Store, message: Message) -> Message:
    """The segment, with every field replaced."""
    name, match_type = required(message, "name"), choice(message, "matchType", MATCH_TYPES)
    segment = get(store, message)
    segment.update(
        name=name,
        description=text(message, "description"),
        matchType=match_type,
        updatedAt=now(),
    )
    store.changed(message)
    return segment


def delete(store: Store, message: Message) -> Message:
    """Nothing. Newer versions refuse while it is in use, older ones delete its uses with it."""
    key = required(message, "key")
    for use in list(_uses(store.flags(message).values(), key)):
        if store.version.keeps_used_segments:
            raise invalid(f'segment "{namespace_key(message)}/{key}" is in use')
        name_segments(use, [each for each in segment_keys(use) if each != key])
    store.segments(message).pop(key, None)
    store.changed(message)
    return {}


def create_constraint(store: Store, message: Message) -> Message:
    """A new constraint."""
    key = required(message, "segmentKey")
    fields = _constraint(message, store.version)
    segment = store.segments(message).get(key)
    if segment is None:
        raise not_found(f'segment "{namespace_key(message)}/{key}"')
    constraint = {
        "id": str(uuid.uuid4()),
        "segmentKey": key,
        **fields,
        **stamps(),
        "namespaceKey": namespace_key(message),
    }
    segment["constraints"].append(constraint)
    store.changed(message)
    return constraint


def update_constraint(store: Store, message: Message) -> Message:
    """The constraint, with every field replaced."""
    key, identity = required(message, "segmentKey"), required(message, "id")
    fields = _constraint(message, store.version)
    segment = store.segments(message).get(key)
    constraint = find(segment["constraints"], identity) if segment else None
    if constraint is None:
        raise not_found(f'constraint "{identity}"')
    constraint.update(fields, updatedAt=now())
    store.changed(message)
    return constraint


def delete_constraint(store: Store, message: Message) -> Message:
    """Nothing, also where there was nothing to delete."""
    segment = store.segments(message).get(required(message, "segmentKey"))
    if segment is not None:
        gone = text(message, "id")
        segment["constraints"] = [each for each in segment["constraints"] if each["id"] != gone]
    store.changed(message)
    return {}


def asked_segments(message: Message) -> list[str]:
    """The keys of the segments that a rule or rollout is about to use."""
    one, many = text(message, "segmentKey"), texts(message, "segmentKeys")
    if not one and not many:
        raise empty_field("segmentKey or segmentKeys")
    if one and many:
        raise invalid_field("segmentKey or segmentKeys", "only one can be present")
    return many or [one]


def segment_keys(use: Message) -> list[str]:
    """The keys of the segments that a rule, or a rollout's segment, uses."""
    return [use["segmentKey"]] if use["segmentKey"] else list(use["segmentKeys"])


def name_segments(use: Message, keys: list[str]) -> None:
    """Note the segments in a rule, or in a rollout's segment.

    One segment is shown as `segmentKey`, and takes the operator OR; several as `segmentKeys`.
    """
    alone = len(keys) == 1
    use["segmentKey"], use["segmentKeys"] = (keys[0], []) if alone else ("", keys)
    if alone:
        use["segmentOperator"] = OPERATORS[0]


def _uses(flags: Iterable[Flag], key: str) -> Iterator[Message]:
    for flag in flags:
        targets = [rollout["segment"] for rollout in flag.rollouts if "segment" in rollout]
        yield from (use for use in [*flag.rules, *targets] if key in segment_keys(use))


def _constraint(message: Message, version: Version) -> Message:
    kind = choice(message, "type", (_UNKNOWN, *_COMPARISONS))
    name = required(message, "property")
    operator = required(message, "operator")
    _check_operator(kind, name, operator, version)
    operator = operator.lower()
    return {
        "type": kind,
        "property": name,
        "operator": operator,
        "value": "" if operator in _VALUELESS else _checked_value(message, kind, operator),
        "description": text(message, "description"),
    }


def _check_operator(kind: str, name: str, operator: str, version: Version) -> None:
    if kind == _UNKNOWN:
        raise invalid(f'invalid constraint type: "{kind}"')
    label, operators = _COMPARISONS[kind]
    if label == "entityId" and name != "entityId":
        raise invalid(f'property is {name} instead of "entityId"')
    if label in _SEARCHABLE and version.searches_text:
        operators |= _SEARCH
    if operator.lower() not in operators:
        raise invalid(f'constraint operator "{operator}" is not valid for type {label}')


def _checked_value(message: Message, kind: str, operator: str) -> str:
    value = required(message, "value")
    if kind == "DATETIME_COMPARISON_TYPE":
        return _moment(value)
    if operator in _ONE_OF:
        _check_list(value, kind, text(message, "property"))
    return value


def _moment(value: str) -> str:
    """A date, or a point in time in UTC."""
    try:
        if "T" not in value:
            return dt.date.fromisoformat(value).isoformat()
        moment = dt.datetime.fromisoformat(value).astimezone(dt.UTC)
    except ValueError:
        raise invalid(f'parsing datetime from "{value}"') from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_list(value: str, kind: str, name: str) -> None:
    label, _ = _COMPARISONS[kind]
    expected = int | float if label == "number" else str
    try:
        values = json.loads(value)
    except ValueError:
        values = None
    if not isinstance(values, list) or not all(isinstance(each, expected) for each in values):
        raise invalid(f'invalid value provided for property "{name}" of type {label}')
    if len(values) > _MOST_VALUES:
        raise invalid(
            f'too many values provided for property "{name}" of type {label}'
            f" (maximum {_MOST_VALUES})"
        )
