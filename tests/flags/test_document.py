"""What Flipt's server sends is read with forgiveness for its ways, and for nothing else."""

import gc
import json
from typing import Any

import pytest

from resident.exceptions import FlagsError
from resident.flags.document import Distribution, Document, Flag, Rule, parse
from tests.flags.answers import SAMPLES

VARIANTS = "VARIANT_FLAG_TYPE"
V2 = (SAMPLES / "document-v2.json").read_bytes()


def document(*flags: dict[str, Any]) -> Document:
    return parse(body(*flags), source="Flipt at http://flipt:8080")


def body(*flags: dict[str, Any]) -> bytes:
    return json.dumps({"namespace": {"key": "default"}, "flags": flags}).encode()


def problem(sent: bytes) -> str:
    with pytest.raises(FlagsError) as caught:
        parse(sent, source="Flipt at http://flipt:8080")
    assert caught.value.passing is False
    assert "flipt_api_host" in caught.value.remedy
    return caught.value.problem


def segment(key: str, **changes: Any) -> dict[str, Any]:
    return {"key": key, "matchType": "ALL_SEGMENT_MATCH_TYPE", "constraints": [], **changes}


def rule(**changes: Any) -> dict[str, Any]:
    distributions = [
        {"variantKey": "loud", "rollout": 30, "variantAttachment": ""},
        {"variantKey": "plain", "rollout": 30, "variantAttachment": ""},
    ]
    segments = [segment("staff"), segment("beta")]
    return {"id": "8f3a", "segments": segments, "distributions": distributions, **changes}


class TestParse:
    def test_reads_what_decides_about_a_flag(self) -> None:
        flags = {flag.key: flag for flag in parse(V2, source="Flipt").flags}
        assert flags["show_reverse_greeting"].is_boolean
        assert not flags["show_reverse_greeting"].is_constant
        assert flags["open"].is_constant
        assert not flags["greeting_style"].is_boolean
        assert not flags["greeting_style"].is_constant
        default = flags["greeting_style"].default_variant
        assert default is not None
        assert (default.key, default.attachment) == ("plain", '{"mark":"."}')

    def test_null_is_an_empty_list(self) -> None:
        assert parse(b'{"namespace": {}, "flags": null}', source="Flipt") == Document.empty()
        flag = {"key": "f", "rules": None, "rollouts": None, "defaultVariant": None}
        assert document(flag).flags == [Flag(key="f")]
        empty = rule(id="", segments=[segment("s", constraints=None)], distributions=None)
        [read] = document({"key": "f", "rules": [empty]}).flags[0].rules
        assert (read.segments[0].constraints, read.distributions) == ([], [])
        nobody = {"segment": {"value": True, "segments": None}, "threshold": None}
        [rollout] = document({"key": "f", "rollouts": [nobody]}).flags[0].rollouts
        assert rollout.segment is not None
        assert rollout.segment.segments == []

    def test_keys_that_a_later_flipt_adds_are_passed_over(self) -> None:
        later = {"key": "f", "enabled": True, "owner": {"team": "shop"}, "createdAt": None}
        assert document(later) == document({"key": "f", "enabled": True})

    def test_a_flag_that_equals_the_one_before_is_that(self) -> None:
        sent = body({"key": "a", "type": "BOOLEAN_FLAG_TYPE"}, {"key": "b", "type": VARIANTS})
        before = parse(sent, source="Flipt").by_key
        changed = sent.replace(b'"b"', b'"b", "enabled": true')
        again = parse(changed, source="Flipt", before=before).by_key
        assert again["a"] is before["a"]
        assert again["b"].enabled
        assert again == parse(changed, source="Flipt").by_key

    def test_thousands_that_did_not_change_do_not_call_the_garbage_collector(self) -> None:
        sent = body(*({"key": str(number), "type": VARIANTS} for number in range(3000)))
        before = parse(sent, source="Flipt").by_key
        collections: list[int] = []

        def noting(phase: str, info: dict[str, int]) -> None:
            if phase == "stop":
                collections.append(info["generation"])

        gc.collect()
        gc.callbacks.append(noting)
        try:
            parse(sent, source="Flipt", before=before)
            for_one_more = len(collections)
            parse(sent, source="Flipt")
        finally:
            gc.callbacks.remove(noting)
        assert for_one_more <= 1
        assert len(collections) > for_one_more, "they would, were they all made anew"

    def test_what_only_looks_like_a_flag_stays_what_it_is(self) -> None:
        metadata = {"type": VARIANTS, "key": ["no", "key"]}
        [flag] = document({"key": "f", "type": VARIANTS, "metadata": metadata}).flags
        assert flag == Flag(key="f")

    def test_a_document_is_the_same_in_whatever_order_its_segments_come(self) -> None:
        one, other = [segment("staff"), segment("beta")], [segment("beta"), segment("staff")]
        flags = [{"key": "f", "rules": [rule(segments=segments)]} for segments in (one, other)]
        assert document(flags[0]) == document(flags[1])

    @pytest.mark.parametrize(
        ("sent", "place"),
        [
            (b"", "the body: Invalid JSON"),
            (b"\x00\xff garbage", "the body: Invalid JSON"),
            (V2[: len(V2) // 2], "the body: Invalid JSON"),
            (b"<!doctype html><title>Sign in</title>", "the body: Invalid JSON"),
            (b"null", "the body: Input should be an object"),
            (b"[]", "the body: Input should be an object"),
            (b'"ok"', "the body: Input should be an object"),
            (b"{}", "namespace: Field required"),
            (b'{"status": "SERVING"}', "namespace: Field required"),
            (b'{"namespace": "default"}', "namespace: Input should be an object"),
            (b'{"namespace": {}, "flags": {}}', "flags: Input should be a valid array"),
            (b'{"namespace": {}, "flags": [null]}', "flags.0: Input should be an object"),
            (body({"enabled": True}), "flags.0.key: Field required"),
            (body({"key": "f", "enabled": None}), "flags.0.enabled: Input should be a valid bool"),
            (body({"key": "f", "enabled": "perhaps"}), "flags.0.enabled: Input should be a valid"),
            (
                body({"key": "f", "rules": [rule(distributions=[{}])]}),
                "flags.0.rules.0.distributions.0.variantKey: Field required",
            ),
            (
                body({"key": "f", "rollouts": [{"threshold": {"percentage": "half"}}]}),
                "flags.0.rollouts.0.threshold.percentage: Input should be a valid number",
            ),
        ],
    )
    def test_refuses_what_is_no_document(self, sent: bytes, place: str) -> None:
        start = "Flipt at http://flipt:8080 sent what is not a document of flags: "
        assert problem(sent).startswith(start + place)

    @pytest.mark.parametrize(
        ("flag", "place", "values"),
        [
            ({"type": "PERHAPS_FLAG_TYPE"}, "flags.0.type", "BOOLEAN_FLAG_TYPE"),
            (
                {"rules": [rule(segmentOperator="XOR_SEGMENT_OPERATOR")]},
                "flags.0.rules.0.segmentOperator",
                "AND_SEGMENT_OPERATOR",
            ),
            (
                {"rules": [rule(segments=[segment("s", matchType="SOME_SEGMENT_MATCH_TYPE")])]},
                "flags.0.rules.0.segments.0.matchType",
                "ANY_SEGMENT_MATCH_TYPE",
            ),
            (
                {"rules": [rule(segments=[segment("s", constraints=[{"type": "UNKNOWN"}])])]},
                "flags.0.rules.0.segments.0.constraints.0.type",
                "ENTITY_ID_CONSTRAINT_COMPARISON_TYPE",
            ),
        ],
    )
    def test_a_word_that_it_does_not_know_is_named(
        self, flag: dict[str, Any], place: str, values: str
    ) -> None:
        message = problem(body({"key": "f", **flag}))
        assert f"{place}: Input should be" in message
        assert values in message


class TestRulesOfSeveralSegments:
    """Flipt v1 writes such a rule once for each segment, and all its distributions as often."""

    def test_are_read_once(self) -> None:
        repeated = rule(distributions=rule()["distributions"] * 2)
        after = rule(id="77c1", segments=[segment("staff")])
        [flag] = document({"key": "f", "rules": [repeated, repeated, after]}).flags
        assert [len(read.segments) for read in flag.rules] == [len(repeated["segments"]), 1]
        shares = [Distribution(variant_key=key, rollout=30) for key in ("loud", "plain")]
        assert [read.distributions for read in flag.rules] == [shares, shares]

    def test_keep_shares_that_are_the_same_on_purpose(self) -> None:
        twice = rule(distributions=rule()["distributions"][:1] * 2)
        [flag] = document({"key": "f", "rules": [twice]}).flags
        assert [share.variant_key for share in flag.rules[0].distributions] == ["loud", "loud"]

    def test_keep_shares_that_are_not_repeated(self) -> None:
        [flag] = document({"key": "f", "rules": [rule(), rule()]}).flags
        assert [share.variant_key for share in flag.rules[0].distributions] == ["loud", "plain"]

    def test_have_no_ids_afterwards(self) -> None:
        """Flipt v2 makes up others whenever it reads its files: that is no change."""
        one, other = (document({"key": "f", "rules": [rule(id=it)]}) for it in ("8f3a", "77c1"))
        assert one == other

    def test_are_all_kept_where_they_have_no_ids(self) -> None:
        [flag] = document({"key": "f", "rules": [rule(id=""), rule(id="")]}).flags
        assert len(flag.rules) == 2


class TestSnapshot:
    def test_has_every_key_that_the_engine_misses_otherwise(self) -> None:
        assert json.loads(document({"key": "f"}).snapshot()) == {
            "version": 1,
            "namespace": {
                "key": "default",
                "flags": {
                    "f": {
                        "key": "f",
                        "enabled": False,
                        "type": "VARIANT_FLAG_TYPE",
                        "description": "",
                    }
                },
                "eval_rules": {"f": []},
                "eval_rollouts": {"f": []},
                "eval_distributions": {},
            },
        }

    def test_says_all_that_the_document_says(self) -> None:
        constraint = {
            "type": "BOOLEAN_CONSTRAINT_COMPARISON_TYPE",
            "property": "is_staff",
            "operator": "true",
        }
        staff = segment("staff", constraints=[constraint])
        default = {"id": "plain", "key": "plain", "attachment": "[1]"}
        loud = {"variantKey": "loud", "variantAttachment": "{}", "rollout": 60}
        both = "AND_SEGMENT_OPERATOR"
        rules = [{"segments": [staff], "segmentOperator": both, "distributions": [loud]}]
        rollouts = [
            {"type": "UNKNOWN_ROLLOUT_TYPE"},
            {"segment": {"segments": [staff], "segmentOperator": both, "value": True}},
            {"threshold": {"percentage": 25, "value": True}},
        ]
        v = {"key": "v", "enabled": True, "defaultVariant": default, "rules": rules}
        b = {"key": "b", "type": "BOOLEAN_FLAG_TYPE", "rollouts": rollouts}
        written = json.loads(document(v, b).snapshot())["namespace"]
        segments = {
            "staff": {
                "segment_key": "staff",
                "match_type": "ALL_SEGMENT_MATCH_TYPE",
                "constraints": [{**constraint, "value": ""}],
            }
        }
        assert written["flags"]["v"]["default_variant"] == default
        assert written["eval_rules"]["v"] == [
            {
                "id": "v-1",
                "flag_key": "v",
                "rank": 1,
                "segment_operator": both,
                "segments": segments,
            }
        ]
        assert written["eval_distributions"]["v-1"] == [
            {
                "rule_id": "v-1",
                "variant_key": "loud",
                "variant_attachment": "{}",
                "rollout": 60,
            },
            # What nobody has a share in is the default's; the engine would stretch the 60.
            {
                "rule_id": "v-1",
                "variant_key": "plain",
                "variant_attachment": "[1]",
                "rollout": 40,
            },
        ]
        assert written["eval_rollouts"]["b"] == [
            {
                "rollout_type": "SEGMENT_ROLLOUT_TYPE",
                "rank": 2,
                "segment": {"value": True, "segment_operator": both, "segments": segments},
            },
            {
                "rollout_type": "THRESHOLD_ROLLOUT_TYPE",
                "rank": 3,
                "threshold": {"percentage": 25, "value": True},
            },
        ]

    @pytest.mark.parametrize(
        ("shares", "written"),
        [
            ([], [100]),
            ([30, 30], [30, 30, 40]),
            ([100], [100]),
            ([33.33, 33.33, 33.34], [33.33, 33.33, 33.34]),
            ([99], [99, 1]),
            ([99.99], [99.99]),
            ([90.1, 9.9, 50], [90.1, 9.9, 0]),
            ([90, 90, 5], [90, 10, 0]),
        ],
        ids=str,
    )
    def test_shares_are_a_hundred_percent_in_all(
        self, shares: list[float], written: list[float]
    ) -> None:
        distributions = [Distribution(variant_key="v", rollout=share) for share in shares]
        flag = Flag(key="f", rules=[Rule(distributions=distributions)])
        snapshot = Document.empty().model_copy(update={"flags": [flag]}).snapshot()
        in_snapshot = json.loads(snapshot)["namespace"]["eval_distributions"]["f-1"]
        assert [share["rollout"] for share in in_snapshot] == written

    @pytest.mark.parametrize(
        ("kind", "value", "written"),
        [
            ("DATETIME", "2024-03-29", "2024-03-29T00:00:00Z"),
            ("DATETIME", "2024-03-29T10:00:00+01:00", "2024-03-29T10:00:00+01:00"),
            ("DATETIME", "29.3.2024", "29.3.2024"),
            ("STRING", "2024-03-29", "2024-03-29"),
        ],
    )
    def test_a_day_is_its_midnight(self, kind: str, value: str, written: str) -> None:
        kind = f"{kind}_CONSTRAINT_COMPARISON_TYPE"
        constraint = {"type": kind, "property": "now", "operator": "gt", "value": value}
        late = rule(segments=[segment("late", constraints=[constraint])])
        snapshot = document({"key": "f", "rules": [late]}).snapshot()
        [in_snapshot] = json.loads(snapshot)["namespace"]["eval_rules"]["f"][0]["segments"]["late"][
            "constraints"
        ]
        assert in_snapshot["value"] == written


def test_an_empty_namespace() -> None:
    assert Document.empty("shop").namespace.key == "shop"
    assert json.loads(Document.empty().snapshot())["namespace"]["flags"] == {}
