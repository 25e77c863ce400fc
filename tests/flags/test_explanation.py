"""A flag in words, and why somebody got an answer."""

from itertools import product
from typing import Any
from zlib import crc32

import pytest

from resident.flags import features
from resident.flags.document import Document, Flag, parse
from resident.flags.explanation import Explanation, Verdict
from resident.flags.snapshot import Snapshot
from resident.flags.standing import Standing, duration
from resident.flags.state import State
from resident.flags.subject import Subject
from tests.flags import answers
from tests.flags.answers import SAMPLES

SHOP = features.load(SAMPLES / "shop.yml")


def explained(key: str, document: Document = SHOP) -> Explanation:
    return Explanation(next(flag for flag in document.flags if flag.key == key))


def flag_of(**more: Any) -> Flag:
    """A flag whose segments are "staff", "pro" and "all"; a boolean one, unless it has variants."""
    written = {
        "flags": [{"key": "f", "name": "F", "type": "BOOLEAN_FLAG_TYPE", **more}],
        "segments": [
            _segment("staff", "BOOLEAN", "is_staff", "true"),
            _segment("pro", "STRING", "plan", "eq", "pro"),
            {"key": "all", "name": "All", "match_type": "ANY_MATCH_TYPE"},
        ],
    }
    return answers.read(written).flags[0]


def _segment(key: str, kind: str, name: str, operator: str, value: str = "") -> dict[str, Any]:
    constraint = {
        "type": f"{kind}_COMPARISON_TYPE",
        "property": name,
        "operator": operator,
        "value": value,
    }
    return {"key": key, "name": key, "match_type": "ALL_MATCH_TYPE", "constraints": [constraint]}


def told(flag: Flag) -> list[str]:
    return [str(step) for step in Explanation(flag).steps]


def test_a_boolean_flag_in_words() -> None:
    assert str(explained("new_basket")).splitlines() == [
        "new_basket: boolean, partly on, segments and percentage",
        "  The basket with suggestions, which keeps what was put aside.",
        "  1. staff: on",
        "  2. beta and germany: on",
        "  3. 25 % of all: on",
        "  else: off",
        "  staff: is_staff is true",
        '  beta: plan is one of "pro", "beta" or entity id is one of "7", "42"',
        '  germany: language begins with "de" and age is at least 18',
    ]


def test_a_flag_with_variants_in_words() -> None:
    assert str(explained("checkout_button")).splitlines() == [
        "checkout_button: variant, on, segments and percentage",
        "  Which words the button has.",
        "  1. staff: order",
        "  2. everyone: 50 % buy, 30 % order, 20 % go",
        "  else: buy (never reached)",
        "  staff: is_staff is true",
        "  everyone: everybody",
    ]


def test_flags_that_answer_the_same_to_everybody() -> None:
    assert str(Explanation(flag_of())) == "f: boolean, off, everybody alike\n  everybody: off"
    assert told(flag_of(enabled=True)) == ["everybody: on"]
    assert told(flag_of(type="VARIANT_FLAG_TYPE")) == ["everybody: no variant"]
    assert explained("free_shipping").depends_on == "everybody alike"
    assert explained("maintenance").state == "off"


def test_what_is_left_of_shares_gets_the_default_variant_or_none() -> None:
    rules = [{"segment": "pro", "distributions": [{"variant": "a", "rollout": 12.5}]}]
    flag = {"type": "VARIANT_FLAG_TYPE", "enabled": True, "rules": rules}
    without = flag_of(variants=[{"key": "a"}], **flag)
    assert told(without) == ["1. pro: 12.5 % a, 87.5 % no variant", "else: no variant"]
    having = flag_of(variants=[{"key": "a"}, {"key": "b", "default": True}], **flag)
    assert told(having) == ["1. pro: 12.5 % a, 87.5 % b", "else: b"]


STAFF: dict[str, Any] = {"segment": {"key": "staff", "value": True}}


@pytest.mark.parametrize(
    ("rollouts", "steps", "state", "depends_on"),
    [
        pytest.param(
            [{"threshold": {"percentage": 100, "value": True}}, STAFF],
            ["1. 100 % of all: on", "2. staff: on (never reached)", "else: off (never reached)"],
            "on",
            "everybody alike",
            id="what-is-after-everybody",
        ),
        pytest.param(
            [{"segment": {"key": "all", "value": False}}],
            ["1. all: off", "else: off (never reached)"],
            "off",
            "everybody alike",
            id="a-segment-of-everybody",
        ),
        pytest.param(
            [{"segment": {"keys": ["all", "staff"], "operator": "AND_SEGMENT_OPERATOR"}}],
            ["1. all and staff: off", "else: off"],
            "off",
            "segments",
            id="everybody-who-is-of-the-staff",
        ),
        pytest.param(
            [{"segment": {"keys": ["all", "staff"], "value": True}}],
            ["1. all or staff: on", "else: off (never reached)"],
            "on",
            "everybody alike",
            id="everybody-or-the-staff",
        ),
        pytest.param(
            [
                {"threshold": {"percentage": 0, "value": True}},
                {"threshold": {"percentage": 30, "value": True}},
                {"threshold": {"percentage": 20, "value": False}},
                {"threshold": {"percentage": 40, "value": False}},
            ],
            [
                "1. 0 % of all: on (never reached)",
                "2. 30 % of all: on",
                "3. 20 % of all: off (never reached)",
                "4. 40 % of all: off",
                "else: off",
            ],
            "partly on",
            "percentage",
            id="a-percentage-within-an-earlier-one",
        ),
    ],
)
def test_what_is_never_reached(
    rollouts: list[dict[str, Any]], steps: list[str], state: str, depends_on: str
) -> None:
    explanation = Explanation(flag_of(rollouts=rollouts))
    assert [str(step) for step in explanation.steps] == steps
    assert (explanation.state, explanation.depends_on) == (state, depends_on)


def test_a_flag_that_is_off_looks_at_no_rule() -> None:
    explanation = explained("recommendations")
    assert [str(step) for step in explanation.steps] == [
        "1. beta: v2 (never reached)",
        "else: v1",
    ]
    assert (explanation.state, explanation.depends_on) == ("off", "everybody alike")


def test_what_a_later_server_may_send_is_told_too() -> None:
    body = b"""{"namespace": {"key": "default"}, "flags": [
        {"key": "b", "type": "BOOLEAN_FLAG_TYPE", "rollouts": [{}, {"segment": {}}]},
        {"key": "v", "enabled": true, "rules": [{"segments": [{
            "key": "new", "matchType": "ALL_SEGMENT_MATCH_TYPE", "constraints": [
                {"type": "STRING_CONSTRAINT_COMPARISON_TYPE", "property": "a",
                 "operator": "resembles", "value": "b"}]}]}]}]}"""
    boolean, variant = parse(body, source="Flipt").flags
    assert told(boolean) == ["1. nobody: off", "2. nobody: off", "else: off"]
    assert told(variant) == ["1. new: no variant", "else: no variant"]
    assert [str(group) for group in Explanation(variant).groups] == ['a resembles "b"']


MANY = str(list(range(15)))


@pytest.mark.parametrize(
    ("kind", "operator", "value", "words"),
    [
        ("STRING", "eq", 'a "b"', r'plan is "a \"b\""'),
        ("STRING", "notcontains", "ü", 'plan does not contain "ü"'),
        ("STRING", "empty", "", "plan is empty"),
        ("STRING", "isoneof", '["a","b"]', 'plan is one of "a", "b"'),
        ("STRING", "isnotoneof", "no list", 'plan is none of "no list"'),
        ("STRING", "isoneof", '"a"', r'plan is one of "\"a\""'),
        ("ENTITY_ID", "prefix", "u-", 'entity id begins with "u-"'),
        ("NUMBER", "lte", "5", "plan is at most 5"),
        ("NUMBER", "isoneof", MANY, "plan is one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 5 more"),
        ("NUMBER", "notpresent", "", "plan is not given"),
        ("BOOLEAN", "false", "", "plan is false"),
        ("DATETIME", "gte", "2024-03-29", "plan is not before 2024-03-29"),
        ("DATETIME", "eq", "2024-03-29", "plan is 2024-03-29"),
    ],
)
def test_conditions_in_words(kind: str, operator: str, value: str, words: str) -> None:
    written = {
        "flags": [
            {
                "key": "f",
                "name": "F",
                "type": "BOOLEAN_FLAG_TYPE",
                "rollouts": [{"segment": {"key": "s", "value": True}}],
            }
        ],
        "segments": [_segment("s", kind, "plan", operator, value)],
    }
    explanation = Explanation(answers.read(written).flags[0])
    assert [str(group) for group in explanation.groups] == [words]
    assert explanation.properties == ([] if kind == "ENTITY_ID" else ["plan"])


def test_its_definition_is_the_servers() -> None:
    definition = explained("new_basket").definition
    assert Flag.model_validate_json(definition) == explained("new_basket").flag
    assert '"matchType": "ALL_SEGMENT_MATCH_TYPE"' in definition


# Why


SERVED = Snapshot(SHOP, origin="features file", place="the features file shop.yml")


def verdict(key: str, entity: str = "anonymous", **context: str) -> Verdict:
    return Verdict(explained(key).flag, SERVED.answer(key, Subject(entity, context)))


def test_a_segment_decides() -> None:
    why = verdict("new_basket", "1", is_staff="true")
    assert (why.value, why.decided_by) == ("on", "step 1, staff")
    assert why.bucket == "bucket 95 of 100: it played no part"
    assert why.reason == "a step was about them"
    assert [said for _, said in why.told] == ["decided", *["not looked at"] * 3]


def test_a_percentage_decides() -> None:
    why = verdict("new_basket", "4")
    assert (why.value, why.decided_by) == ("on", "step 3, 25 % of all")
    assert why.bucket == "bucket 17 of 100: below 25, so on"
    assert [said for _, said in why.told] == [
        "passed over",
        "passed over",
        "decided",
        "not looked at",
    ]


def test_nothing_decides_but_what_is_else() -> None:
    why = verdict("new_basket", "1")
    assert (why.value, why.decided_by) == ("off", "else: none of the steps was about them")
    assert why.bucket == "bucket 95 of 100: not below 25"
    assert [said for _, said in why.told] == [*["passed over"] * 3, "decided"]


def test_a_share_of_a_rule_decides() -> None:
    why = verdict("checkout_button", "kim")
    assert (why.value, why.decided_by) == ("go", "step 2, everyone")
    assert why.bucket == "bucket 860 of 1000: 800 to 999 get go"
    assert why.attachment == '{"label": "Go"}'
    assert verdict("checkout_button", "kim", is_staff="true").bucket.endswith("it played no part")


def test_a_flag_that_is_the_same_for_everybody() -> None:
    why = verdict("free_shipping")
    assert (why.value, why.bucket, why.attachment) == ("on", "", "")
    assert why.decided_by == "nothing: it answers the same to everybody"


def test_a_flag_that_is_off() -> None:
    why = verdict("recommendations", plan="pro")
    assert (why.value, why.reason) == ("v1", "the flag is off")
    assert why.decided_by == "the flag itself, which is off: its rules are not looked at"
    assert [said for _, said in why.told] == ["not looked at", "decided"]


def test_no_variant() -> None:
    rules = [{"segment": "pro", "distributions": [{"variant": "a", "rollout": 100}]}]
    flag = flag_of(type="VARIANT_FLAG_TYPE", enabled=True, variants=[{"key": "a"}], rules=rules)
    document = Document.empty().model_copy(update={"flags": [flag]})
    served = Snapshot(document, origin="server", place="Flipt")
    why = Verdict(flag, served.answer("f", Subject("7")))
    assert why.value == "no variant"
    assert why.reason == "no rule was about them, and there is no default variant"


@pytest.mark.parametrize("sample", ["shop", "features-v1.39", "features-v2"])
def test_the_words_agree_with_the_engine(sample: str) -> None:
    """Whatever decided, what its words say that it gives is what the engine gave."""
    served = Snapshot(
        features.load(SAMPLES / f"{sample}.yml"), origin="features file", place="the file"
    )
    contexts: list[dict[str, str]] = [
        {},
        {"is_staff": "true"},
        {"language": "de", "age": "42", "now": "2024-03-29T20:00:00+01:00", "plan": "pro"},
    ]
    for key, flag in served.flags.items():
        explanation = Explanation(flag)
        for entity, context in product(map(str, range(60)), contexts):
            answer = served.answer(key, Subject(entity, context))
            why = Verdict(flag, answer)
            assert why.step.is_reached
            assert why.value in {share.answer for share in why.step.shares}
            if why.step.is_shared:
                assert why.bucket.endswith(f"get {why.value}")
            if explanation.state != "partly on" and flag.is_boolean:
                assert why.value == explanation.state


@pytest.mark.parametrize(
    "shares", [(33.33, 33.33, 33.34), (12.55, 12.4, 75.05), (0.25, 99.75), (0.05, 0.2, 99.75)]
)
def test_the_borders_of_shares_are_the_engines(shares: tuple[float, ...]) -> None:
    """For an entity in each of the thousand buckets."""
    keys = "abc"[: len(shares)]
    distributions = [
        {"variant": key, "rollout": share} for key, share in zip(keys, shares, strict=True)
    ]
    flag = flag_of(
        type="VARIANT_FLAG_TYPE",
        enabled=True,
        variants=[{"key": key} for key in keys],
        rules=[{"segment": "all", "distributions": distributions}],
    )
    served = Snapshot(
        Document.empty().model_copy(update={"flags": [flag]}), origin="server", place="Flipt"
    )
    entities = {crc32(f"f{number}".encode()) % 1000: str(number) for number in range(20_000)}
    assert len(entities) == 1000
    for bucket, entity in entities.items():
        why = Verdict(flag, served.answer("f", Subject(entity)))
        assert why.bucket.startswith(f"bucket {bucket} of 1000: ")
        assert why.bucket.endswith(f" get {why.value}")


# How current


def state(**more: Any) -> State:
    given: dict[str, Any] = {
        "namespace": "default",
        "origin": "server",
        "place": "Flipt at http://flipt:8080",
        "version": "1",
        "mode": "stream",
        "age": 3.9,
        "taken": SERVED.taken,
        "swaps": 0,
        "failures": 0,
        "last_error": "",
        "process": 7,
    }
    return State(**{**given, **more})


@pytest.mark.parametrize(
    ("given", "served", "makeshift"),
    [
        ({}, "the flags of Flipt at http://flipt:8080", False),
        ({"mode": "poll"}, "the flags of Flipt at http://flipt:8080", False),
        (
            {"origin": "last known", "mode": "poll"},
            "the last known flags of Flipt at http://flipt:8080",
            True,
        ),
        (
            {"origin": "features file", "mode": "file", "place": "the file x"},
            "the flags of the file x",
            False,
        ),
        (
            {"origin": "features file", "mode": "stream", "place": "the file x"},
            "the flags of the file x",
            True,
        ),
        (
            {"origin": "defaults", "mode": "none"},
            "no flags: each question gets its default in code",
            False,
        ),
        (
            {"origin": "defaults", "mode": "poll"},
            "no flags: each question gets its default in code",
            True,
        ),
    ],
)
def test_what_is_served(given: dict[str, str], served: str, makeshift: bool) -> None:
    standing = Standing(state(**given))
    assert standing.served == served
    assert standing.is_makeshift is makeshift
    assert standing.has_source is (given.get("mode") != "none")


def test_how_changes_arrive() -> None:
    standing = Standing(state())
    assert (standing.followed, standing.age) == ("by a stream, at once", "3 s")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7900, "2 h 11 min"),
        (86_400, "1 day"),
        (250_000, "2 days"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
