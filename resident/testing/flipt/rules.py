"""The management of rules, which decide variant flags, and their distributions."""

import uuid
from collections.abc import Sequence

from resident.testing.flipt.message import (
    Message,
    choice,
    integer,
    namespace_key,
    now,
    number,
    required,
    stamps,
    text,
    texts,
)
from resident.testing.flipt.segments import OPERATORS, asked_segments, name_segments
from resident.testing.flipt.status import invalid_field, not_found
from resident.testing.flipt.store import Flag, Store, find, page


def get(store: Store, message: Message) -> Message:
    """The rule with its distributions."""
    rule = find(_rules(store, message), required(message, "id"))
    if rule is None:
        raise not_found(f'rule "{namespace_key(message)}/{text(message, "id")}"')
    return rule


def listed(store: Store, message: Message) -> Message:
    """A page of rules, by rank."""
    return page("rules", _rules(store, message), message)


def create(store: Store, message: Message) -> Message:
    """A new rule. Two rules may have one rank: Flipt doesn't mind."""
    keys, rank = asked_segments(message), integer(message, "rank")
    if rank <= 0:
        raise invalid_field("rank", "must be greater than 0")
    operator = choice(message, "segmentOperator", OPERATORS)
    flag = store.flags(message).get(text(message, "flagKey"))
    if flag is None or not _known(store, message, keys):
        namespace = namespace_key(message)
        flag_place = f'"{namespace}/{text(message, "flagKey")}"'
        segment_place = f'"{namespace}/{text(message, "segmentKey")}"'
        raise not_found(f"flag {flag_place} or segment {segment_place}")
    rule = {
        "id": str(uuid.uuid4()),
        "flagKey": flag.key,
        "segmentKey": "",
        "distributions": [],
        "rank": rank,
        **stamps(),
        "namespaceKey": flag.namespace,
        "segmentKeys": [],
        "segmentOperator": operator,
    }
    name_segments(rule, keys)
    flag.rules.append(rule)
    sort(flag.rules)
    store.changed(message)
    return rule


def update(store: Store, message: Message) -> Message:
    """The rule with other segments. Its rank changes by ordering alone."""
    keys = asked_segments(message)
    operator = choice(message, "segmentOperator", OPERATORS)
    rule = get(store, message)
    if not _known(store, message, keys):
        raise not_found(f'rule "{namespace_key(message)}/{rule["id"]}"')
    rule.update(segmentOperator=operator, updatedAt=now())
    name_segments(rule, keys)
    store.changed(message)
    return rule


def delete(store: Store, message: Message) -> Message:
    """Nothing. The rules that stay move up."""
    flag = store.flags(message).get(text(message, "flagKey"))
    if flag is not None:
        remove(flag.rules, text(message, "id"))
    store.changed(message)
    return {}


def order(store: Store, message: Message) -> Message:
    """Nothing. The rules take the order of their ids in the message."""
    reorder(_rules(store, message), message, "ruleIds")
    store.changed(message)
    return {}


def create_distribution(store: Store, message: Message) -> Message:
    """A new distribution. Flipt doesn't check that those of a rule sum to 100 percent."""
    share = _share(message)
    flag, rule = _checked_rule(store, message)
    distribution = {
        "id": str(uuid.uuid4()),
        "ruleId": rule["id"],
        "variantId": text(message, "variantId"),
        "rollout": share,
        **stamps(),
    }
    rule["distributions"].append(distribution)
    store.changed({"namespaceKey": flag.namespace})
    return distribution


def update_distribution(store: Store, message: Message) -> Message:
    """The distribution with another share or variant."""
    share = _share(message)
    _, rule = _checked_rule(store, message)
    distribution = find(rule["distributions"], text(message, "id"))
    if distribution is None:
        raise not_found(f'distribution "{text(message, "id")}"')
    distribution.update(rollout=share, variantId=text(message, "variantId"), updatedAt=now())
    store.changed(message)
    return distribution


def delete_distribution(store: Store, message: Message) -> Message:
    """Nothing. The variant must be named, too: it comes in the query."""
    variant = required(message, "variantId")
    rule = find(_rules(store, message), text(message, "ruleId"))
    if rule is not None:
        gone = (text(message, "id"), variant)
        rule["distributions"] = [
            each for each in rule["distributions"] if (each["id"], each["variantId"]) != gone
        ]
    store.changed(message)
    return {}


def sort(ranked: list[Message]) -> None:
    """Put rules or rollouts in order of rank."""
    ranked.sort(key=lambda each: int(each["rank"]))


def remove(ranked: list[Message], identity: str) -> None:
    """Take a rule or rollout out, and number the others anew from 1."""
    ranked[:] = [each for each in ranked if each["id"] != identity]
    _number(ranked)


def reorder(ranked: list[Message], message: Message, named: str) -> None:
    """Number rules or rollouts in the order of the ids in the message."""
    identities = texts(message, named)
    if len(identities) < 2:
        raise invalid_field(named, "must contain atleast 2 elements")
    found = (find(ranked, identity) for identity in identities)
    _number([each for each in found if each is not None])
    sort(ranked)


def _number(ranked: Sequence[Message]) -> None:
    for rank, each in enumerate(ranked, start=1):
        each.update(rank=rank, updatedAt=now())


def _rules(store: Store, message: Message) -> list[Message]:
    flag = store.flags(message).get(required(message, "flagKey"))
    return flag.rules if flag else []


def _known(store: Store, message: Message, keys: list[str]) -> bool:
    return set(keys) <= store.segments(message).keys()


def _share(message: Message) -> float:
    required(message, "variantId")
    share = number(message, "rollout")
    if share < 0:
        raise invalid_field("rollout", "must be greater than or equal to '0'")
    if share > 100:
        raise invalid_field("rollout", "must be less than or equal to '100'")
    return share


def _checked_rule(store: Store, message: Message) -> tuple[Flag, Message]:
    """The flag and the rule of a distribution. Its variant may be any of the namespace."""
    variant, flags = text(message, "variantId"), store.flags(message)
    flag = flags.get(text(message, "flagKey"))
    rule = find(flag.rules, text(message, "ruleId")) if flag else None
    known = any(find(each.variants, variant) for each in flags.values())
    if flag is None or rule is None or not known:
        raise not_found(
            f'variant "{variant}", rule "{text(message, "ruleId")}",'
            f' flag "{text(message, "flagKey")}" in namespace "{namespace_key(message)}"'
        )
    return flag, rule
