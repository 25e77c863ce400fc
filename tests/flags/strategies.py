"""Features files, entities and contexts as hypothesis makes them up."""

from typing import Any

from hypothesis import strategies as st

__all__ = ["contexts", "entities", "features"]

TEXT = "abcxyzäß€ -_.:@#'\"\\{}[]<&>"
OPERATORS = {
    "eq neq prefix suffix contains notcontains": ["pro", "p", "ü"],
    "isoneof isnotoneof": ['["pro","ü"]', "[]"],
    "empty notempty": [""],
}
COMPARED = {
    "STRING_COMPARISON_TYPE": ("plan", OPERATORS),
    "ENTITY_ID_COMPARISON_TYPE": ("entityId", OPERATORS),
    "NUMBER_COMPARISON_TYPE": (
        "age",
        {
            "eq neq lt lte gt gte": ["18", "-3", "much"],
            "isoneof isnotoneof": ["[1,18]", "[-3]"],
            "present notpresent": [""],
        },
    ),
    "BOOLEAN_COMPARISON_TYPE": ("is_staff", {"true false present notpresent": [""]}),
    "DATETIME_COMPARISON_TYPE": (
        "now",
        {
            "eq neq lt lte gt gte": ["2024-03-29T18:00:00Z", "2024-03-29", "soon"],
            "present notpresent": [""],
        },
    ),
}
CONSTRAINTS = [
    {"type": kind, "property": name, "operator": operator, "value": value}
    for kind, (name, compared) in COMPARED.items()
    for operators, values in compared.items()
    for operator in operators.split()
    for value in values
]
SHARES = [0, 1, 12.5, 16.7, 33.33, 33.34, 50, 66.66, 100]

keys = st.from_regex(r"[-_,A-Za-z0-9]{1,6}", fullmatch=True)
names = st.text(TEXT, min_size=1)
percentages = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)
entities = st.text("0123456789abcprüß@.-", min_size=1)
contexts = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.sampled_from(["", "pro", "pro-plus", "basic", "ü"]),
        "age": st.sampled_from(["", "17", "18", "-3", "1", "old"]),
        "is_staff": st.sampled_from(["", "true", "false", "maybe"]),
        "now": st.sampled_from(
            ["", "2024-03-29T18:00:00Z", "2024-03-29T01:00:00+01:00", "2025-01-01T00:00:00Z", "?"]
        ),
        "unheard_of": st.text(TEXT),
    },
)
attachments = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(TEXT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(TEXT), inner, max_size=3),
    max_leaves=5,
).filter(lambda value: value is None or isinstance(value, list | dict))


@st.composite
def features(draw: st.DrawFn) -> dict[str, Any]:
    """A features file of version 1.4, as it is parsed."""
    segments = draw(st.lists(_segments, min_size=1, max_size=4, unique_by=_key))
    choices = st.lists(st.sampled_from([_key(each) for each in segments]), min_size=1, unique=True)
    flags = st.lists(_booleans(choices) | _variants(choices), max_size=4, unique_by=_key)
    return {"version": "1.4", "flags": draw(flags), "segments": segments}


def _key(part: dict[str, Any]) -> Any:
    return part["key"]


_segments = st.fixed_dictionaries(
    {
        "key": keys,
        "name": names,
        "match_type": st.sampled_from(["ALL_MATCH_TYPE", "ANY_MATCH_TYPE"]),
    },
    optional={"constraints": st.lists(st.sampled_from(CONSTRAINTS), max_size=3)},
)
_operators = st.sampled_from([None, "OR_SEGMENT_OPERATOR", "AND_SEGMENT_OPERATOR"])


def _booleans(choices: st.SearchStrategy[list[str]]) -> st.SearchStrategy[dict[str, Any]]:
    value = {"value": st.booleans()}
    threshold = st.fixed_dictionaries({"percentage": percentages}, optional=value)
    segment = st.fixed_dictionaries({"keys": choices}, optional={"operator": _operators, **value})
    rollout = st.fixed_dictionaries({"threshold": threshold}) | st.fixed_dictionaries(
        {"segment": segment}
    )
    return st.fixed_dictionaries(
        {"key": keys, "name": names, "type": st.just("BOOLEAN_FLAG_TYPE")},
        optional={"enabled": st.booleans(), "rollouts": st.lists(rollout, max_size=4)},
    )


@st.composite
def _variants(draw: st.DrawFn, choices: st.SearchStrategy[list[str]]) -> dict[str, Any]:
    known = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    default = draw(st.none() | st.sampled_from(known))
    share = st.fixed_dictionaries(
        {"variant": st.sampled_from(known), "rollout": st.sampled_from(SHARES)}
    )
    one = choices.map(lambda each: each[0])
    several = st.fixed_dictionaries({"keys": choices}, optional={"operator": _operators})
    rule = st.fixed_dictionaries(
        {"segment": one | several}, optional={"distributions": st.lists(share, max_size=4)}
    )
    return {
        "key": draw(keys),
        "name": draw(names),
        "enabled": draw(st.booleans()),
        "variants": [
            {"key": key, "attachment": draw(attachments), "default": key == default}
            for key in known
        ],
        "rules": draw(st.lists(rule, max_size=3)),
    }
