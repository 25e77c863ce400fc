"""Every flag, entity and context, from a features file and from what servers make of it.

The answers are the same whichever way the flags took, and they are those of Flipt's rules.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
import requests

from resident.flags.document import Document, parse
from resident.flags.engine import NOBODY, Engine
from resident.testing import FakeFlipt
from tests.flags import answers

KINDS = {
    "STRING": ("plan", {"eq neq prefix suffix": "pro", "isoneof isnotoneof": '["pro","basic"]'}),
    "ENTITY_ID": (
        "entityId",
        {"eq neq": "user-7", "isoneof isnotoneof": '["user-7","7"]'},
    ),
    "NUMBER": ("age", {"eq neq lt lte gt gte": "18", "isoneof isnotoneof": "[17,42]"}),
    "BOOLEAN": ("is_staff", {"true false": ""}),
    "DATETIME": ("now", {"eq neq lt lte gt gte": "2024-03-29T18:00:00Z"}),
}
PRESENCE = {"STRING": "empty notempty", "ENTITY_ID": ""}  # an entity always has an id
SEARCH = {"STRING": ("plan", "ro"), "ENTITY_ID": ("entityId", "er-7")}
PERCENTAGES = [0, 1, 37.5, 50, 99, 100]
SHARES: list[list[float]] = [[100], [50, 50], [33.33, 33.33, 33.34], [20, 15.5], [0, 100], []]

ENTITIES = [*(f"user-{number}" for number in range(12)), "7", NOBODY, "用户"]
CONTEXTS: list[dict[str, str]] = [
    {},
    {"plan": "pro", "age": "18", "is_staff": "true", "now": "2024-03-29T18:00:00Z"},
    {"plan": "basic", "age": "17", "is_staff": "false", "now": "2024-03-29T18:00:01Z"},
    {"plan": "pro-plus", "age": "42", "is_staff": "maybe", "now": "2024-03-29T20:00:00+02:00"},
    {"plan": "plus-pro", "age": "-3", "now": "2024-03-28T00:00:00Z", "unheard": "of"},
    {"plan": "", "age": "", "is_staff": "", "now": ""},
    {"plan": "Pro", "age": "many", "is_staff": "yes", "now": "tomorrow"},
]

V1_OLD, V1, V2 = "1.39.2", "1.61.1", "2.11.0"
Part = dict[str, Any]


def constraints(*, search: bool) -> list[Part]:
    """One for each operator of each type."""
    found = [
        _constraint(kind, name, operator, value)
        for kind, (name, compared) in KINDS.items()
        for operators, value in compared.items()
        for operator in operators.split()
    ]
    found += [
        _constraint(kind, name, operator, "")
        for kind, (name, _) in KINDS.items()
        for operator in PRESENCE.get(kind, "present notpresent").split()
    ]
    if search:
        found += [
            _constraint(kind, name, operator, value)
            for kind, (name, value) in SEARCH.items()
            for operator in ("contains", "notcontains")
        ]
    return found


def features(version: str) -> Part:
    """A features file with a flag for all that a flag can have, as far as the version knows it."""
    alone = constraints(search=version != V1_OLD)
    segments = [_segment(f"s{place}", [each]) for place, each in enumerate(alone)]
    segments += [
        _segment("nobody_in_particular", []),
        _segment("all_of", [alone[0], alone[-1]]),
        _segment("any_of", [alone[0], alone[-1]], match_type="ANY"),
    ]
    keys = [segment["key"] for segment in segments]
    flags = [*_thresholds(), *_memberships(keys), *_shared(with_default=version != V1_OLD)]
    return {"version": "1.4", "flags": flags, "segments": segments}


def _constraint(kind: str, name: str, operator: str, value: str) -> Part:
    written = {"type": f"{kind}_COMPARISON_TYPE", "property": name, "operator": operator}
    return {**written, "value": value} if value else written


def _segment(key: str, constraints: list[Part], *, match_type: str = "ALL") -> Part:
    match = {"match_type": f"{match_type}_MATCH_TYPE"}
    return {"key": key, "name": key, "constraints": constraints, **match}


def _boolean(key: str, rollouts: list[Part], *, enabled: bool = False) -> Part:
    named = {"key": key, "name": key, "type": "BOOLEAN_FLAG_TYPE"}
    return {**named, "enabled": enabled, "rollouts": rollouts}


def _thresholds() -> list[Part]:
    return [
        _boolean(
            f"threshold-{percentage:.0f}-{value}-{enabled}",
            [{"threshold": {"percentage": percentage, "value": value}}],
            enabled=enabled,
        )
        for percentage, value, enabled in product(PERCENTAGES, [True, False], [True, False])
    ]


def _memberships(keys: list[str]) -> list[Part]:
    """Flags for each segment, and for pairs of them by both operators."""
    flags = [_boolean(f"in-{key}", [{"segment": {"key": key, "value": True}}]) for key in keys]
    for operator, (one, other) in product(("OR", "AND"), zip(keys, keys[5:], strict=False)):
        segment = {"keys": [one, other], "operator": f"{operator}_SEGMENT_OPERATOR"}
        rollouts: list[Part] = [
            {"segment": {**segment, "value": False}},
            {"threshold": {"percentage": 50, "value": True}},
            {"segment": {"key": other, "value": True}},
        ]
        flags.append(_boolean(f"{one}-{operator}-{other}", rollouts))
    return flags


def _shared(*, with_default: bool) -> list[Part]:
    """Flags with variants: on and off, with a default and without, for all and for some."""
    segments: list[str | Part] = [
        "nobody_in_particular",
        "s0",
        {"keys": ["s1", "s2"]},
        {"keys": ["s0", "s3"], "operator": "AND_SEGMENT_OPERATOR"},
    ]
    return [
        _variants(place, shares, enabled=enabled, default=default, segment=segment)
        for (place, shares), enabled, default, segment in product(
            enumerate(SHARES),
            [True, False],
            [False, True] if with_default else [False],
            segments,
        )
    ]


def _variants(
    place: int, shares: list[float], *, enabled: bool, default: bool, segment: str | Part
) -> Part:
    keys = [f"variant-{number}" for number in range(len(shares))]
    distributions = [
        {"variant": key, "rollout": share} for key, share in zip(keys, shares, strict=True)
    ]
    for_whom = segment if isinstance(segment, str) else "-".join(segment["keys"])
    key = f"shares-{place}-{for_whom}-{enabled}-{default}"
    rest: Part = {"key": "rest", "attachment": {"left": True}}
    return {
        "key": key,
        "name": key,
        "enabled": enabled,
        "variants": [*({"key": each} for each in keys), {**rest, "default": default}],
        "rules": [{"segment": segment, "distributions": distributions}],
    }


def sent(version: str, written: Mapping[str, Any]) -> Document:
    """The document that a server of that version sends of those features."""
    heard = ("X-Flipt-Accept-Server-Version", "Grpc-Metadata-X-Flipt-Accept-Server-Version")
    with FakeFlipt(version=version) as flipt:
        flipt.load(written)
        url = f"{flipt.url}/internal/v1/evaluation/snapshot/namespace/default"
        body = requests.get(url, headers=dict.fromkeys(heard, "1.47.0"), timeout=10).content
    return parse(body, source=version)


@pytest.mark.parametrize("version", [V1_OLD, V1, V2])
def test_the_way_makes_no_difference_and_flipts_rules_hold(version: str) -> None:
    written = features(version)
    from_server, from_file = Engine(sent(version, written)), Engine(answers.read(written))
    seen: dict[str, set[Any]] = {key: set() for key in from_file.flags}
    for entity, context in product(ENTITIES, CONTEXTS):
        answer = answers.given(from_file, entity, context)
        assert answer == answers.given(from_server, entity, context), (entity, context)
        assert answer == answers.expected(written, entity, context), (entity, context)
        for key, value in answer.items():
            seen[key].add(str(value))
    one_sided = [key for key, values in seen.items() if len(values) == 1]
    # A constraint that holds for everybody, or for nobody, would prove nothing.
    assert [key for key in one_sided if key.startswith("in-s")] == []
