"""The management of rollouts, which decide boolean flags."""

import uuid

from resident.testing.flipt.message import (
    Message,
    boolean,
    choice,
    integer,
    mapping,
    namespace_key,
    now,
    number,
    required,
    stamps,
    text,
)
from resident.testing.flipt.rules import remove, reorder, sort
from resident.testing.flipt.segments import (
    OPERATORS,
    asked_segments,
    name_segments,
    segment_keys,
)
from resident.testing.flipt.status import Code, StatusError, invalid, invalid_field, not_found
from resident.testing.flipt.store import Store, find, page

SEGMENT, THRESHOLD = "SEGMENT_ROLLOUT_TYPE", "THRESHOLD_ROLLOUT_TYPE"


def get(store: Store, message: Message) -> Message:
    """The rollout."""
    rollout = find(_rollouts(store, message), text(message, "id"))
    if rollout is None:
        raise not_found(f'rollout "{namespace_key(message)}/{text(message, "id")}"')
    return rollout


def listed(store: Store, message: Message) -> Message:
    """A page of rollouts, by rank. Flipt names the list `rules`, here too."""
    return page("rules", _rollouts(store, message), message, needs_limit=False)


def create(store: Store, message: Message) -> Message:
    """A new rollout. Each rank is taken once."""
    required(message, "flagKey")
    target = _target(message)
    rank = integer(message, "rank")
    if any(rollout["rank"] == rank for rollout in _rollouts(store, message)):
        raise invalid(f"rank number: {rank} already exists")
    if not target:
        raise invalid("rollout rule is missing")
    _check_places(store, message, target)
    flag = store.flag(message)
    rollout = {
        "id": str(uuid.uuid4()),
        "namespaceKey": flag.namespace,
        "flagKey": flag.key,
        "type": SEGMENT if "segment" in target else THRESHOLD,
        "rank": rank,
        "description": text(message, "description"),
        **stamps(),
        **target,
    }
    flag.rollouts.append(rollout)
    sort(flag.rollouts)
    store.changed(message)
    return rollout


def update(store: Store, message: Message) -> Message:
    """The rollout with another target of the same type. Its rank changes by ordering alone."""
    target = _target(message)
    rollout = get(store, message)
    if not target:
        raise invalid_field("rule", "invalid rollout rule type")
    attempted = SEGMENT if "segment" in target else THRESHOLD
    if attempted != rollout["type"]:
        raise invalid(
            f'cannot change type of rollout: have "{rollout["type"]}" attempted "{attempted}"'
        )
    if not _known(store, message, target):
        # Flipt has no better word for it.
        raise StatusError(Code.INTERNAL, "FOREIGN KEY constraint failed")
    rollout.update(target, description=text(message, "description"), updatedAt=now())
    store.changed(message)
    return rollout


def delete(store: Store, message: Message) -> Message:
    """Nothing. The rollouts that stay move up."""
    remove(_rollouts(store, message), text(message, "id"))
    store.changed(message)
    return {}


def order(store: Store, message: Message) -> Message:
    """Nothing. The rollouts take the order of their ids in the message."""
    reorder(_rollouts(store, message), message, "rolloutIds")
    store.changed(message)
    return {}


def _rollouts(store: Store, message: Message) -> list[Message]:
    flag = store.flags(message).get(text(message, "flagKey"))
    return flag.rollouts if flag else []


def _target(message: Message) -> Message:
    """What the rollout is about: a threshold, segments, or nothing where neither is given."""
    if message.get("threshold") is not None:
        return {"threshold": _threshold(mapping(message, "threshold"))}
    if message.get("segment") is not None:
        return {"segment": _segment(mapping(message, "segment"))}
    return {}


def _threshold(given: Message) -> Message:
    percentage = number(given, "percentage")
    if not 0 <= percentage <= 100:
        raise invalid_field("threshold.percentage", "must be within range [0, 100]")
    return {"percentage": percentage, "value": boolean(given, "value")}


def _segment(given: Message) -> Message:
    segment: Message = {
        "segmentKey": "",
        "value": boolean(given, "value"),
        "segmentKeys": [],
        "segmentOperator": choice(given, "segmentOperator", OPERATORS),
    }
    name_segments(segment, asked_segments(given))
    return segment


def _known(store: Store, message: Message, target: Message) -> bool:
    keys = segment_keys(target["segment"]) if "segment" in target else []
    return set(keys) <= store.segments(message).keys()


def _check_places(store: Store, message: Message, target: Message) -> None:
    flag = f"{namespace_key(message)}/{text(message, 'flagKey')}"
    known = text(message, "flagKey") in store.flags(message)
    if "segment" in target and not (known and _known(store, message, target)):
        raise not_found(f'flag "{flag} or segment {target["segment"]["segmentKey"]}"')
    if not known:
        raise not_found(f'flag "{flag}"')
