"""A features file: what Flipt takes is taken, and what it refuses is refused, by name and place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resident.exceptions import FlagsError
from resident.flags import features
from resident.flags.document import Document, Flag
from tests.flags.answers import SAMPLES

SEGMENTS = """
segments:
  - {key: staff, name: Staff, match_type: ALL_MATCH_TYPE}
  - {key: beta, name: Beta, match_type: ANY_MATCH_TYPE}
"""
BOOLEAN = "type: BOOLEAN_FLAG_TYPE"
VARIANTS = "variants: [{key: loud}, {key: plain}]"
Load = Callable[..., Document]


def flag(*settings: str, head: str = "") -> str:
    """A features file with a flag that has these settings."""
    return f"{head}\nflags:\n  - {{{', '.join(('key: f', 'name: F', *settings))}}}\n{SEGMENTS}"


def share(rollout: str, variant: str = "loud") -> tuple[str, str]:
    """The settings of a flag with a variant that has this share."""
    distributions = f"distributions: [{{variant: {variant}, rollout: {rollout}}}]"
    return VARIANTS, f"rules: [{{segment: staff, {distributions}}}]"


def constraint(*settings: str) -> str:
    """A features file with a segment that has this constraint."""
    written = f"constraints: [{{{', '.join(settings)}}}]"
    return f"segments:\n  - {{key: s, name: S, match_type: ALL_MATCH_TYPE, {written}}}\n"


def comparing(kind: str, *settings: str) -> str:
    return constraint(f"type: {kind}_COMPARISON_TYPE", "property: p", *settings)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "features.yml"


@pytest.fixture
def load(path: Path) -> Load:
    def load(text: str, **options: Any) -> Document:
        path.write_text(text, encoding="utf-8")
        return features.load(path, **options)

    return load


@pytest.fixture
def loaded(load: Load) -> Callable[[str], Flag]:
    """The first flag of a features file with that text."""
    return lambda text: load(text).flags[0]


@pytest.fixture
def problem(load: Load, path: Path) -> Callable[[str], str]:
    """What is wrong with a features file with that text."""

    def problem(text: str) -> str:
        with pytest.raises(FlagsError) as caught:
            load(text)
        assert caught.value.passing is False
        assert "FLIPT_FEATURES" in caught.value.remedy
        return caught.value.problem.removeprefix(f"The features file {path} ")

    return problem


class TestAccepts:
    @pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3", "1.4"])
    def test_every_version(self, load: Load, version: str) -> None:
        assert load(flag(head=f'version: "{version}"')).flags[0].key == "f"

    def test_a_version_without_quotation_marks(self, load: Load) -> None:
        # As `flipt import` does; the server that reads the file itself is stricter.
        assert load(flag(head="version: 1.4")).flags

    @pytest.mark.parametrize(
        ("text", "count"),
        [
            ("", 0),
            ("# nothing yet\n", 0),
            ("---\n", 0),
            ("{}", 0),
            ("flags: []\nsegments: []\n", 0),
            ("\ufeffflags: []\n", 0),
            ("---\n" + flag() + "---\n", 1),
            (flag() + "...\n", 1),
            (flag().replace("\n", "\r\n"), 1),
            ('{"flags": [{"key": "f", "name": "F"}]}', 1),
        ],
    )
    def test_files_that_say_little(self, load: Load, text: str, count: int) -> None:
        document = load(text)
        assert document.namespace.key == "default"
        assert len(document.flags) == count

    @pytest.mark.parametrize(
        ("head", "key"),
        [
            ("namespace: shop", "shop"),
            ("namespace: {key: shop, name: Shop, description: All of it}", "shop"),
            ("namespace: {name: Default}", "default"),
            ("", "default"),
        ],
    )
    def test_a_namespace_by_key_or_with_details(self, load: Load, head: str, key: str) -> None:
        assert load(flag(head=head), namespace=key).namespace.key == key

    def test_several_documents_of_several_namespaces(self, load: Load) -> None:
        text = "---\n".join([flag(), flag("enabled: true", head="namespace: shop")])
        assert [flag.enabled for flag in load(text).flags] == [False]
        assert [flag.enabled for flag in load(text, namespace="shop").flags] == [True]

    def test_several_documents_of_one_namespace(self, load: Load) -> None:
        more = "flags: [{key: g, name: G, rules: [{segment: staff}]}]\n"
        text = "---\n".join([flag(head='version: "1.2"'), "namespace: shop\n", more])
        document = load(text)
        assert [flag.key for flag in document.flags] == ["f", "g"]
        assert document.flags[1].rules[0].segments[0].key == "staff"

    @pytest.mark.parametrize(
        ("segment", "keys", "operator"),
        [
            ("staff", ["staff"], "OR_SEGMENT_OPERATOR"),
            ("{keys: [staff]}", ["staff"], "OR_SEGMENT_OPERATOR"),
            ("{keys: [staff, beta], operator: null}", ["beta", "staff"], "OR_SEGMENT_OPERATOR"),
            (
                "{keys: [staff, beta], operator: AND_SEGMENT_OPERATOR}",
                ["beta", "staff"],
                "AND_SEGMENT_OPERATOR",
            ),
        ],
    )
    def test_the_segments_of_a_rule(
        self, loaded: Callable[[str], Flag], segment: str, keys: list[str], operator: str
    ) -> None:
        [rule] = loaded(flag(f"rules: [{{segment: {segment}, rank: 1}}]")).rules
        assert [segment.key for segment in rule.segments] == keys
        assert rule.segment_operator == operator

    @pytest.mark.parametrize(
        ("segment", "keys", "operator", "value"),
        [
            ("{key: staff}", ["staff"], "OR_SEGMENT_OPERATOR", False),
            ("{key: staff, operator: null, value: true}", ["staff"], "OR_SEGMENT_OPERATOR", True),
            (
                "{keys: [beta, staff], operator: AND_SEGMENT_OPERATOR, value: true}",
                ["beta", "staff"],
                "AND_SEGMENT_OPERATOR",
                True,
            ),
        ],
    )
    def test_the_segments_of_a_rollout(
        self,
        loaded: Callable[[str], Flag],
        segment: str,
        keys: list[str],
        operator: str,
        value: bool,
    ) -> None:
        [rollout] = loaded(flag(BOOLEAN, f"rollouts: [{{segment: {segment}}}]")).rollouts
        assert rollout.segment is not None
        assert [segment.key for segment in rollout.segment.segments] == keys
        assert (rollout.segment.segment_operator, rollout.segment.value) == (operator, value)

    @pytest.mark.parametrize(
        ("percentage", "number"),
        [("25", 25), ("2.5", 2.5), (".5", 0.5), ("1e1", 10), ("0x10", 16), ("0o10", 8), ("0", 0)],
    )
    def test_numbers_as_yaml_1_2_has_them(
        self, loaded: Callable[[str], Flag], percentage: str, number: float
    ) -> None:
        threshold = f"rollouts: [{{threshold: {{percentage: {percentage}, value: true}}}}]"
        [rollout] = loaded(flag(BOOLEAN, threshold)).rollouts
        assert rollout.threshold is not None
        assert (rollout.threshold.percentage, rollout.threshold.value) == (number, True)

    @pytest.mark.parametrize("word", ["on", "off", "yes", "no", "y", "2024-03-29", "12:30", "="])
    def test_words_that_older_yaml_took_for_something_else(self, load: Load, word: str) -> None:
        compared = comparing("STRING", "operator: eq", f"value: {word}")
        flags = f"flags: [{{key: f, name: {word}, rules: [{{segment: s}}]}}]\n"
        [read] = load(flags + compared).flags
        assert read.name == word
        assert read.rules[0].segments[0].constraints[0].value == word

    def test_a_variant_called_on(self, loaded: Callable[[str], Flag]) -> None:
        distributions = "distributions: [{variant: on, rollout: 50}, {variant: off, rollout: 50}]"
        rules = f"rules: [{{segment: staff, {distributions}}}]"
        [rule] = loaded(flag("variants: [{key: on}, {key: off}]", rules)).rules
        assert [share.variant_key for share in rule.distributions] == ["on", "off"]

    @pytest.mark.parametrize(
        ("attachment", "written"),
        [
            ("{mark: ü, on: [1, 2.5, true, null]}", '{"mark":"ü","on":[1,2.5,true,null]}'),
            ("[]", "[]"),
            ("{day: 2024-03-29}", '{"day":"2024-03-29"}'),
            ("null", ""),
        ],
    )
    def test_attachments(
        self, loaded: Callable[[str], Flag], attachment: str, written: str
    ) -> None:
        variants = f"variants: [{{key: a, default: true, attachment: {attachment}}}]"
        default = loaded(flag(variants)).default_variant
        assert default is not None
        assert default.attachment == written

    def test_the_last_of_several_defaults(self, loaded: Callable[[str], Flag]) -> None:
        default = loaded(flag("variants: [{key: a, default: true}, {key: b, default: true}]"))
        assert default.default_variant is not None
        assert default.default_variant.key == "b"

    def test_metadata(self, load: Load) -> None:
        metadata = "metadata: {team: shop, since: 2024, ratio: 0.5, kept: true, on: 2024-03-29}"
        assert load(flag(metadata)).flags

    @pytest.mark.parametrize(
        ("kind", "operators"),
        [
            ("STRING", "eq neq empty notempty prefix suffix isoneof isnotoneof"),
            ("STRING", "contains notcontains"),
            ("ENTITY_ID", "eq neq empty notempty prefix suffix isoneof isnotoneof"),
            ("ENTITY_ID", "contains notcontains"),
            ("NUMBER", "eq neq present notpresent lt lte gt gte isoneof isnotoneof"),
            ("DATETIME", "eq neq present notpresent lt lte gt gte"),
            ("BOOLEAN", "'true' 'false' present notpresent"),
        ],
    )
    def test_every_operator(self, load: Load, kind: str, operators: str) -> None:
        for operator in operators.split():
            assert load(comparing(kind, f"operator: {operator}", "description: x")).flags == []

    def test_what_is_shared_by_anchors(self, load: Load) -> None:
        flags = "flags:\n  - &f {key: f, name: &n N}\n  - {<<: *f, key: g, description: *n}\n"
        assert [flag.name for flag in load(flags).flags] == ["N", "N"]

    def test_the_file_of_the_greeting(self) -> None:
        path = Path(__file__).parents[2] / "greeting" / "features.yml"
        assert "show_reverse_greeting" in {flag.key for flag in features.load(path).flags}

    def test_both_samples(self) -> None:
        for name in ("features-v1.39.yml", "features-v2.yml"):
            assert len(features.load(SAMPLES / name).flags) == 9


class TestRefuses:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("owner: me\n", "owner: Extra inputs are not permitted"),
            (flag("owner: me"), "flags.0.owner: Extra inputs are not permitted"),
            (flag(head='version: "1.5"'), "version: Input should be '1.0', '1.1'"),
            (flag(head="version: 1"), "version: Input should be '1.0', '1.1'"),
            ("null: []\n", "None: Keys should be strings"),
            ("hello\n", "the file: Input should be"),
            ("[]\n", "the file: Input should be"),
            ("0\n", "the file: Input should be"),
            ("flags:\n", "flags: Input should be a valid list"),
            ("flags: {}\n", "flags: Input should be a valid list"),
            ("flags: [null]\n", "flags.0: Input should be"),
        ],
    )
    def test_files_of_another_form(
        self, problem: Callable[[str], str], text: str, told: str
    ) -> None:
        assert problem(text).startswith(f"is not in Flipt's format: {told}")

    @pytest.mark.parametrize(
        ("namespace", "told"),
        [
            ('""', "namespace.key: String should match pattern"),
            ("null", "namespace: Input should be"),
            ("12", "namespace: Input should be"),
            ('"my shop"', "namespace.key: String should match pattern"),
            ("{key: shop, owner: me}", "namespace.owner: Extra inputs are not permitted"),
            ('{key: shop, name: ""}', "namespace.name: String should match pattern"),
        ],
    )
    def test_namespaces(self, problem: Callable[[str], str], namespace: str, told: str) -> None:
        assert told in problem(flag(head=f"namespace: {namespace}"))

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ("{name: F}", "flags.0.key: Field required"),
            ('{key: "", name: F}', "flags.0.key: String should match pattern"),
            ("{key: a b, name: F}", "flags.0.key: String should match pattern"),
            ("{key: a.b, name: F}", "flags.0.key: String should match pattern"),
            ("{key: grün, name: F}", "flags.0.key: String should match pattern"),
            ('{key: "f\\n", name: F}', "flags.0.key: String should match pattern"),
            ("{key: 7, name: F}", "flags.0.key: Input should be a valid string"),
            ("{key: true, name: F}", "flags.0.key: Input should be a valid string"),
            ("{key: f}", "flags.0.name: Field required"),
            ('{key: f, name: ""}', "flags.0.name: String should match pattern"),
            ('{key: f, name: "a\\nb"}', "flags.0.name: String should match pattern"),
        ],
    )
    def test_flags_without_good_names(
        self, problem: Callable[[str], str], settings: str, told: str
    ) -> None:
        assert told in problem(f"flags: [{settings}]\n")

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            (["enabled: yes"], "flags.0.enabled: Input should be a valid boolean"),
            (["enabled: 1"], "flags.0.enabled: Input should be a valid boolean"),
            (["enabled: null"], "flags.0.enabled: Input should be a valid boolean"),
            (["description: null"], "flags.0.description: Input should be a valid string"),
            (["type: BOOLEAN"], "flags.0.type: Input should be 'BOOLEAN_FLAG_TYPE'"),
            (["metadata: {a: {b: c}}"], "flags.0.metadata.a"),
            (["metadata: {a: null}"], "flags.0.metadata.a"),
            (["metadata: []"], "flags.0.metadata: Input should be a valid dict"),
            (["rules: null"], "flags.0.rules: Input should be a valid list"),
            # Flipt would take it for a flag with variants, and never look at the rollouts.
            (
                ["rollouts: [{threshold: {percentage: 1}}]"],
                "flags.0: flag 'f' has rollouts, and no type: BOOLEAN_FLAG_TYPE",
            ),
        ],
    )
    def test_flags(self, problem: Callable[[str], str], settings: list[str], told: str) -> None:
        assert f"is not in Flipt's format: {told}" in problem(flag(*settings))

    @pytest.mark.parametrize(
        ("variants", "told"),
        [
            ("[{name: A}]", "variants.0.key: Field required"),
            ('[{key: ""}]', "variants.0.key: String should match pattern"),
            ('[{key: a, name: ""}]', "variants.0.name: String should match pattern"),
            ("[{key: a, weight: 1}]", "variants.0.weight: Extra inputs are not permitted"),
            ("[{key: a, default: null}]", "variants.0.default: Input should be a valid boolean"),
            # Flipt's server would take the first; its import refuses.
            ("[{key: a}, {key: a}]", "variant 'a' stands twice"),
            ("[{key: a, attachment: x}]", "variants.0.attachment: an attachment is an object or"),
            ("[{key: a, attachment: 1}]", "variants.0.attachment: an attachment is an object or"),
            ("[{key: a, attachment: {1: x}}]", "variants.0.attachment.dict.1"),
            ("[{key: a, attachment: {x: {~: x}}}]", "variants.0.attachment.dict.x"),
            ("[{key: a, attachment: [.nan]}]", "variants.0.attachment: Out of range float"),
            ("[{key: a, attachment: [!!binary aGk=]}]", "not a valid JSON value"),
            ("[{key: a, attachment: &a [*a]}]", "cyclic reference"),
            ('[{key: a, attachment: ["\\ud83d"]}]', "variants.0.attachment: 'utf-8' codec can't"),
        ],
    )
    def test_variants(self, problem: Callable[[str], str], variants: str, told: str) -> None:
        assert told in problem(flag(f"variants: {variants}"))

    @pytest.mark.parametrize(
        ("rule", "told"),
        [
            ("{}", "rules.0.segment: Field required"),
            ("{segment: null}", "rules.0.segment: Input should be"),
            # Flipt's server would not mind these two; its import does.
            ("{segment: {}}", "rules.0.segment.keys: Field required"),
            ("{segment: {keys: []}}", "rules.0.segment.keys: List should have at least 1 item"),
            ("{segment: {key: staff}}", "rules.0.segment.keys: Field required"),
            ("{segment: {keys: [staff], value: true}}", "rules.0.segment.value: Extra inputs"),
            ('{segment: ""}', "rules.0.segment.keys.0: String should match pattern"),
            ("{segment: nobody}", "flag 'f' names the segment 'nobody', which is none"),
            ("{segment: {keys: [staff, nobody]}}", "flag 'f' names the segment 'nobody', which is"),
            (
                "{segment: {keys: [staff], operator: XOR_SEGMENT_OPERATOR}}",
                "rules.0.segment.operator: Input should be 'OR_SEGMENT_OPERATOR'",
            ),
            ("{segment: staff, rank: -1}", "rules.0.rank: Input should be greater than or equal"),
            ("{segment: staff, rank: 1.0}", "rules.0.rank: Input should be a valid integer"),
        ],
    )
    def test_rules(self, problem: Callable[[str], str], rule: str, told: str) -> None:
        assert told in problem(flag(f"rules: [{rule}]"))

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            (share("101"), "distributions.0.rollout: Input should be less than or equal to 100"),
            (share("-1"), "distributions.0.rollout: Input should be greater than or equal to 0"),
            (share(".nan"), "distributions.0.rollout: Input should be"),
            (share("true"), "distributions.0.rollout: Input should be a valid number"),
            (share("1:30"), "distributions.0.rollout: Input should be a valid number"),
            (share("50", "soft"), "flag 'f' has no variant 'soft'"),
        ],
    )
    def test_shares(
        self, problem: Callable[[str], str], settings: tuple[str, str], told: str
    ) -> None:
        assert told in problem(flag(*settings))

    @pytest.mark.parametrize(
        ("rollout", "told"),
        [
            # Flipt's server would not mind this one; its import does.
            ("{}", "rollouts.0: a rollout has either a 'segment' or a 'threshold'"),
            (
                "{segment: {key: staff}, threshold: {percentage: 1}}",
                "rollouts.0: a rollout has either a 'segment' or a 'threshold'",
            ),
            ("{rank: 1, threshold: {percentage: 1}}", "rollouts.0.rank: Extra inputs"),
            ("{segment: staff}", "rollouts.0.segment: Input should be"),
            ("{segment: {value: true}}", "rollouts.0.segment.keys: Field required"),
            ("{segment: {key: staff, keys: [beta]}}", "rollouts.0.segment.key: Extra inputs"),
            ("{segment: {key: nobody}}", "flag 'f' names the segment 'nobody', which is none"),
            ("{threshold: {value: true}}", "rollouts.0.threshold.percentage: Field required"),
            # Flipt's server would not mind these two; its import and its API do.
            ("{threshold: {percentage: 150}}", "percentage: Input should be less than or equal"),
            ("{threshold: {percentage: -1}}", "percentage: Input should be greater than or equal"),
        ],
    )
    def test_rollouts(self, problem: Callable[[str], str], rollout: str, told: str) -> None:
        assert told in problem(flag(BOOLEAN, f"rollouts: [{rollout}]"))

    @pytest.mark.parametrize(
        ("segment", "told"),
        [
            ("{key: s, name: S}", "segments.0.match_type: Field required"),
            (
                "{key: s, name: S, match_type: SOME_MATCH_TYPE}",
                "segments.0.match_type: Input should be 'ALL_MATCH_TYPE' or 'ANY_MATCH_TYPE'",
            ),
            ("{key: s, match_type: ALL_MATCH_TYPE}", "segments.0.name: Field required"),
            ("{key: s!, name: S, match_type: ALL_MATCH_TYPE}", "segments.0.key: String should"),
        ],
    )
    def test_segments(self, problem: Callable[[str], str], segment: str, told: str) -> None:
        assert told in problem(f"segments: [{segment}]\n")

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (comparing("WORD", "operator: eq"), "type 'WORD_COMPARISON_TYPE' is none of STRING_"),
            (comparing("STRING", "operator: lt"), "operator 'lt' is none of eq, neq, empty,"),
            (comparing("STRING", "operator: EQ"), "operator 'EQ' is none of eq, neq, empty,"),
            (comparing("DATETIME", "operator: isoneof"), "operator 'isoneof' is none of eq, neq"),
            # Flipt's schema says `le` where its API and its engine say `lt`.
            (comparing("NUMBER", "operator: le"), "operator 'le' is none of eq, neq, present,"),
            (comparing("BOOLEAN", "operator: true"), "operator: Input should be a valid string"),
            (comparing("STRING"), "constraints.0.operator: Field required"),
            (comparing("NUMBER", "operator: eq", "value: 1"), "value: Input should be a valid str"),
            (comparing("STRING", "operator: eq", "value: null"), "value: Input should be a valid"),
            (comparing("STRING", "operator: eq", "unit: cm"), "constraints.0.unit: Extra inputs"),
            (
                constraint("type: STRING_COMPARISON_TYPE", "operator: eq"),
                "constraints.0.property: Field required",
            ),
            (
                constraint("type: STRING_COMPARISON_TYPE", 'property: ""', "operator: eq"),
                "constraints.0.property: String should match pattern",
            ),
        ],
    )
    def test_constraints(self, problem: Callable[[str], str], text: str, told: str) -> None:
        message = problem(text)
        assert "segments.0.constraints.0" in message
        assert told in message

    @pytest.mark.parametrize(
        ("version", "setting", "told"),
        [
            ("1.0", BOOLEAN, "flag 'f' uses 'type', new in version 1.1"),
            ("1.0", "rollouts: []", "flag 'f' uses 'rollouts', new in version 1.1"),
            ("1.2", "metadata: {}", "flag 'f' uses 'metadata', new in version 1.3"),
            (
                "1.2",
                "variants: [{key: a}, {key: b, default: false}]",
                "flag 'f' uses 'default', new in version 1.3",
            ),
        ],
    )
    def test_what_came_with_a_later_version(
        self, load: Load, problem: Callable[[str], str], version: str, setting: str, told: str
    ) -> None:
        assert told in problem(flag(setting, head=f'version: "{version}"'))
        later = told.rpartition(" ")[-1]
        assert load(flag(setting, head=f'version: "{later}"')).flags

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("flags: [{key: f, name: F}, {key: f, name: G}]\n", "flag 'f' stands twice"),
            (f"{flag()}---\n{flag()}", "flag 'f' stands twice"),
            (f"{SEGMENTS}---\n{SEGMENTS}", "segment 'staff' stands twice"),
        ],
    )
    def test_what_stands_twice(self, problem: Callable[[str], str], text: str, told: str) -> None:
        # The server takes the last one; its import refuses.
        assert told in problem(text)

    def test_a_segment_that_only_a_later_document_has(self, problem: Callable[[str], str]) -> None:
        early = "flags: [{key: g, name: G, rules: [{segment: staff}]}]\n"
        told = problem(f"{early}---\n{flag()}")
        assert "flag 'g' names the segment 'staff', which is none" in told

    def test_a_segment_of_another_namespace(self, problem: Callable[[str], str]) -> None:
        other = "namespace: shop\nflags: [{key: g, name: G, rules: [{segment: staff}]}]\n"
        assert "names the segment 'staff'" in problem(f"{flag()}---\n{other}")

    def test_a_fault_in_a_later_document(self, problem: Callable[[str], str]) -> None:
        told = problem(f"{flag()}---\nnamespace: shop\nflags: [{{key: g}}]\n")
        assert "document 2, flags.0.name: Field required" in told
        assert "document 2: Input should be" in problem(f"{flag()}---\n[]\n")

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("flags: [\n", "is not YAML: while parsing a flow node"),
            ("flags: a: b\n", "is not YAML: mapping values are not allowed here"),
            ("flags: *unheard\n", "is not YAML: found undefined alias 'unheard'"),
            ("flags: !!python/object:os.system []\n", "is not YAML: could not determine"),
            ("flags: \x07\n", "is not YAML: unacceptable character"),
            ("? {a: b}\n: c\n", "is not YAML: while constructing a mapping"),
            ("flags:\n  - key: f\n    name: F\n    key: g\n", "is not YAML: the key 'key' stands"),
            (flag("variants: [{key: a, attachment: {x: 1, x: 1}}]"), "the key 'x' stands twice"),
            ("[" * 500, "is nested too deeply"),
        ],
    )
    def test_what_is_no_yaml(self, problem: Callable[[str], str], text: str, told: str) -> None:
        assert told in problem(text)

    def test_what_is_no_yaml_is_told_with_its_line(self, problem: Callable[[str], str]) -> None:
        assert "line 4" in problem("flags:\n  - key: f\n    name: F\n    key: g\n")


class TestFile:
    def test_that_is_not_there(self, path: Path) -> None:
        with pytest.raises(FlagsError, match=r"features.yml can't be read: No such file"):
            features.load(path)

    def test_that_is_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FlagsError, match="can't be read: Is a directory"):
            features.load(tmp_path)

    @pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
    def test_that_is_not_utf_8(self, path: Path, encoding: str) -> None:
        path.write_text("# für später\n", encoding=encoding)
        with pytest.raises(FlagsError, match="is not text in UTF-8"):
            features.load(path)

    def test_that_lacks_the_namespace(self, load: Load) -> None:
        text = f"{flag(head='namespace: shop')}---\n{flag(head='namespace: stock')}"
        with pytest.raises(FlagsError, match="has no namespace 'default', but 'shop', 'stock'"):
            load(text)
        with pytest.raises(FlagsError, match="has no namespace 'shop', but 'default'"):
            load("", namespace="shop")
