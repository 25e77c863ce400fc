"""Flipt's engine gives Flipt's answers, and is a good guest in the process."""

import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count, product
from typing import Any
from zlib import crc32

import psutil
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from resident.exceptions import FlagsError
from resident.flags import features
from resident.flags.document import Document, parse
from resident.flags.engine import NOBODY, Engine, EngineError, Variant
from resident.flags.flipt import Flipt
from resident.testing import FakeFlipt
from tests.flags import answers, strategies
from tests.flags.answers import SAMPLES
from tests.flags.bucketing import holds
from tests.granian import ROOT

ENTITIES = [*(f"user-{number}" for number in range(100)), "7", NOBODY, "Jürgen Groß", "用户"]
EVENING, MORNING = "2024-03-29T20:00:00+01:00", "2024-03-28T09:30:00Z"
CONTEXTS = [
    {},
    {"is_staff": "true"},
    {"is_staff": "false", "plan": "pro"},
    {"plan": "basic", "language": "de-AT", "age": "18"},
    {"language": "de", "age": "17", "now": EVENING},
    {"language": "de", "age": "42", "now": EVENING},
    {"language": "en", "age": "42", "now": MORNING, "unheard": "of"},
]

STRINGS = ["", "pro", "pro-plus", "plus-pro", "Pro", "übung", "18", "0"]
NUMBERS = ["", "1", "-3", "18", "+18", "007", "2147483647", "many", "1e"]
TRUTHS = ["", "true", "false", "maybe"]
MOMENTS = [
    "",
    "2024-03-29T00:00:00Z",
    "2024-03-29T01:00:00+01:00",
    "2024-03-28T23:59:59Z",
    "2024-03-29T00:00:01-00:00",
    "2024-03-29T00:00:00",
    "tomorrow",
]
COMPARED = [
    ("STRING", "eq neq prefix suffix contains notcontains", ["pro", "ü", "", "absent"], STRINGS),
    ("STRING", "isoneof isnotoneof", ['["pro","18"]', "[]"], STRINGS),
    ("STRING", "empty notempty", [""], STRINGS),
    ("NUMBER", "eq neq lt lte gt gte", ["18", "-3", "many", ""], NUMBERS),
    ("NUMBER", "isoneof isnotoneof", ["[1,18]", "[]", "none"], NUMBERS),
    ("NUMBER", "present notpresent", [""], NUMBERS),
    ("BOOLEAN", "true false present notpresent", [""], TRUTHS),
    ("DATETIME", "eq neq lt lte gt gte", ["2024-03-29T00:00:00Z", "2024-03-29", "?"], MOMENTS),
    ("DATETIME", "present notpresent", [""], MOMENTS),
]


def _constraint(kind: str, operator: str, value: str) -> dict[str, str]:
    return {
        "type": f"{kind}_COMPARISON_TYPE",
        "property": "given",
        "operator": operator,
        "value": value,
    }


def _flag_for(constraints: list[dict[str, str]], match_type: str = "ALL") -> dict[str, Any]:
    """A features file whose flag is on for those for whom the constraints hold."""
    return {
        "flags": [
            {
                "key": "f",
                "name": "F",
                "type": "BOOLEAN_FLAG_TYPE",
                "rollouts": [{"segment": {"key": "s", "value": True}}],
            }
        ],
        "segments": [
            {
                "key": "s",
                "name": "S",
                "match_type": f"{match_type}_MATCH_TYPE",
                "constraints": constraints,
            }
        ],
    }


def _shared(*shares: float, default: str | None = None, enabled: bool = True) -> dict[str, Any]:
    """A features file with the flag "f", whose variants "0", "1", … have these shares."""
    keys = [str(place) for place in range(len(shares))]
    named = [*keys, *([default] if default else [])]
    return {
        "flags": [
            {
                "key": "f",
                "name": "F",
                "enabled": enabled,
                "variants": [{"key": key, "default": key == default} for key in named],
                "rules": [
                    {
                        "segment": "all",
                        "distributions": [
                            {"variant": key, "rollout": share}
                            for key, share in zip(keys, shares, strict=True)
                        ],
                    }
                ],
            }
        ],
        "segments": [{"key": "all", "name": "All", "match_type": "ALL_MATCH_TYPE"}],
    }


def _one_of_each(buckets: int, hashed: Callable[[str], int]) -> Iterable[str]:
    """Entities of which each is in another bucket, until there is one in every bucket."""
    found: dict[int, str] = {}
    numbers = count()
    while len(found) < buckets:
        entity = str(next(numbers))
        found.setdefault(hashed(entity) % buckets, entity)
    return found.values()


class TestSamples:
    """What two versions of the server send, and the same as features files."""

    @pytest.fixture(params=["v1.39", "v2"])
    def sample(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def test_document_and_features_file_get_flipts_answers(self, sample: str) -> None:
        path = SAMPLES / f"features-{sample}.yml"
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
        body = (SAMPLES / f"document-{sample}.json").read_bytes()
        from_server, from_file = Engine(parse(body, source="Flipt")), Engine(features.load(path))
        for entity, context in product(ENTITIES, CONTEXTS):
            answer = answers.given(from_server, entity, context)
            assert answer == answers.given(from_file, entity, context)
            assert answer == answers.expected(written, entity, context)

    def test_every_kind_of_answer_is_in_the_grid(self, sample: str) -> None:
        engine = Engine(features.load(SAMPLES / f"features-{sample}.yml"))
        asked = list(product(ENTITIES, CONTEXTS))
        styles = {engine.variant("greeting_style", *each) for each in asked}
        assert styles == {"plain", "loud", "moin", *([None] if sample == "v1.39" else [])}
        assert {engine.boolean("show_reverse_greeting", *each) for each in asked} == {True, False}
        assert {engine.boolean("retired", *each) for each in asked} == {True, False}

    @pytest.mark.parametrize("version", ["1.39.2", "1.61.1"])
    def test_a_features_file_that_went_through_a_server(self, version: str) -> None:
        # v1.39 knows no default variant.
        path = SAMPLES / f"features-{'v1.39' if version == '1.39.2' else 'v2'}.yml"
        with FakeFlipt(version=version, token=None) as flipt:
            flipt.load(path)
            source = Flipt(url=flipt.url)
            reading = source.read()
            source.close()
        assert reading is not None
        from_server, from_file = Engine(reading.document), Engine(features.load(path))
        for entity, context in product(ENTITIES[::5], CONTEXTS):
            answer = answers.given(from_server, entity, context)
            assert answer == answers.given(from_file, entity, context)


class TestConstraints:
    @pytest.mark.parametrize(
        ("kind", "operator", "value", "given_values"),
        [
            (kind, operator, value, values)
            for kind, operators, constraint_values, values in COMPARED
            for operator in operators.split()
            for value in constraint_values
        ],
    )
    def test_hold_as_flipt_says(
        self, kind: str, operator: str, value: str, given_values: list[str]
    ) -> None:
        constraint = _constraint(kind, operator, value)
        engine = Engine(answers.read(_flag_for([constraint])))
        for context in ({}, *({"given": text} for text in given_values)):
            held = holds(constraint, "entity", context)
            assert engine.boolean("f", "entity", context) is held, context

    @pytest.mark.parametrize(
        "operator", ["eq", "neq", "prefix", "suffix", "contains", "notcontains"]
    )
    def test_on_an_entitys_id_are_like_those_on_a_string(self, operator: str) -> None:
        constraint = _constraint("ENTITY_ID", operator, "pro")
        engine = Engine(answers.read(_flag_for([constraint])))
        for entity in filter(None, STRINGS):
            # The context is not looked at.
            context = {"given": "pro", "entityId": "pro"}
            assert engine.boolean("f", entity, context) is holds(constraint, entity, context)

    @pytest.mark.parametrize("operator", ["isoneof", "isnotoneof", "empty", "notempty"])
    def test_on_an_entitys_id_may_be_lists(self, operator: str) -> None:
        constraint = _constraint("ENTITY_ID", operator, '["pro","7"]')
        engine = Engine(answers.read(_flag_for([constraint])))
        for entity in ("pro", "7", "77", "basic"):
            assert engine.boolean("f", entity, {}) is holds(constraint, entity, {})

    @pytest.mark.parametrize("match_type", ["ALL", "ANY"])
    @pytest.mark.parametrize(
        "operators", [[], ["lt"], ["gt"], ["lt", "gt"], ["gt", "gte"]], ids=str
    )
    def test_all_or_any_of_a_segment(self, match_type: str, operators: list[str]) -> None:
        constraints = [_constraint("NUMBER", operator, "17") for operator in operators]
        engine = Engine(answers.read(_flag_for(constraints, match_type)))
        matches = [operator.startswith("gt") for operator in operators]
        expected = any(matches) if match_type == "ANY" and matches else all(matches)
        assert engine.boolean("f", "entity", {"given": "18"}) is expected

    @pytest.mark.parametrize(
        ("constraint", "text"),
        [
            pytest.param(("STRING", "empty", ""), " ", id="blank-is-not-empty"),
            pytest.param(("STRING", "prefix", "pro"), " pro", id="blank-before-a-prefix"),
            pytest.param(("STRING", "suffix", "pro"), "pro ", id="blank-after-a-suffix"),
            pytest.param(("STRING", "isoneof", '["a\\"b"]'), 'a"b', id="escape-in-a-list"),
            pytest.param(("STRING", "isnotoneof", "no list"), "pro", id="not-in-what-is-no-list"),
            pytest.param(("NUMBER", "gt", "1"), "1.5", id="fraction-of-a-number"),
            pytest.param(("NUMBER", "gt", "0.5"), "1", id="fraction-in-a-constraint"),
            pytest.param(("NUMBER", "gt", "1"), "2147483648", id="number-of-more-than-32-bits"),
            pytest.param(("BOOLEAN", "true", ""), "1", id="one-for-true"),
            pytest.param(("BOOLEAN", "false", ""), "FALSE", id="truth-in-capitals"),
            pytest.param(("DATETIME", "eq", "2024-03-29"), "2024-03-29", id="day-in-the-context"),
            pytest.param(
                ("DATETIME", "gt", "2024-03-29"), "2024-03-29T00:00:00.5Z", id="part-of-a-second"
            ),
        ],
    )
    def test_where_the_engine_departs_from_the_server(
        self, constraint: tuple[str, str, str], text: str
    ) -> None:
        """The context must be written so that none of these matters."""
        context = {"given": text}
        engine = Engine(answers.read(_flag_for([_constraint(*constraint)])))
        server_says = holds(_constraint(*constraint), "entity", context)
        assert engine.boolean("f", "entity", context) is not server_says


class TestShares:
    @pytest.mark.parametrize(
        "shares",
        [
            (50, 50),
            (33.33, 33.33, 33.34),
            (0, 100),
            (100, 0),
            (30,),
            (30, 0, 20.5),
            (0.1, 99.9),
            (16.7, 16.7, 66.6),
            (99.99,),
            (99,),
            (90, 90),
            (90.1, 9.9, 50),
            (0,),
            (),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("default", [None, "rest"])
    def test_every_bucket_gets_its_variant(
        self, shares: tuple[float, ...], default: str | None
    ) -> None:
        written = _shared(*shares, default=default)
        engine = Engine(answers.read(written))
        for entity in _one_of_each(1000, lambda entity: crc32(f"f{entity}".encode())):
            assert answers.given(engine, entity, {}) == answers.expected(written, entity, {})

    def test_the_rest_gets_no_variant(self) -> None:
        # Left alone, the engine would give the variant of 30 percent to all.
        engine = Engine(answers.read(_shared(30)))
        variants = [engine.variant("f", str(number), {}) for number in range(1000)]
        assert set(variants) == {"0", None}
        assert 250 < variants.count(Variant("0")) < 350

    def test_a_flag_that_is_off_gives_its_default(self) -> None:
        assert Engine(answers.read(_shared(100, enabled=False))).variant("f", "1", {}) is None
        off = Engine(answers.read(_shared(100, default="rest", enabled=False)))
        assert off.variant("f", "1", {}) == "rest"

    @pytest.mark.parametrize("percentage", [0, 0.5, 1, 25, 37.5, 99, 99.5, 100])
    def test_every_bucket_is_on_its_side_of_a_threshold(self, percentage: float) -> None:
        rollouts = [{"threshold": {"percentage": percentage, "value": True}}]
        flag = {"key": "f", "name": "F", "type": "BOOLEAN_FLAG_TYPE", "rollouts": rollouts}
        written = {"flags": [flag]}
        engine = Engine(answers.read(written))
        for entity in _one_of_each(100, lambda entity: crc32(f"{entity}f".encode())):
            assert answers.given(engine, entity, {}) == answers.expected(written, entity, {})


class TestAnyFeatures:
    @settings(max_examples=100, deadline=None, database=None)
    @given(
        written=strategies.features(),
        asked=st.lists(st.tuples(strategies.entities, strategies.contexts), min_size=1, max_size=5),
    )
    def test_get_flipts_answers_also_by_way_of_a_server(
        self, written: dict[str, Any], asked: list[tuple[str, dict[str, str]]]
    ) -> None:
        document = answers.read(written)
        body = document.model_dump_json(by_alias=True).encode()
        engine, again = Engine(document), Engine(parse(body, source="Flipt"))
        for entity, context in asked:
            answer = answers.given(engine, entity, context)
            assert answer == answers.expected(written, entity, context)
            assert answer == answers.given(again, entity, context)


class TestEngine:
    @pytest.fixture
    def engine(self) -> Engine:
        return Engine(features.load(SAMPLES / "features-v2.yml"))

    def test_knows_what_asks_nobody(self, engine: Engine) -> None:
        assert engine.constants == {
            "open": True,
            "closed": False,
            "everybody_in": True,  # its threshold is 100 percent
            "colour": "on",  # it has no rules
            "without_rules": "only",
        }

    def test_an_unknown_flag_is_an_error(self, engine: Engine) -> None:
        with pytest.raises(EngineError, match="unheard_of"):
            engine.boolean("unheard_of", "1", {})
        with pytest.raises(EngineError, match="unheard_of"):
            engine.variant("unheard_of", "1", {})

    def test_a_flag_of_the_other_type_is_an_error(self, engine: Engine) -> None:
        with pytest.raises(EngineError, match="greeting_style is not a boolean flag"):
            engine.boolean("greeting_style", "1", {})
        with pytest.raises(EngineError, match="open is not a variant flag"):
            engine.variant("open", "1", {})

    @pytest.mark.parametrize("nobody", ["", "  "])
    def test_nobody_is_an_error(self, engine: Engine, nobody: str) -> None:
        with pytest.raises(EngineError, match="entity's id is blank"):
            engine.boolean("retired", nobody, {})

    @pytest.mark.parametrize("namespace", ["default", "shop"])
    def test_of_an_empty_namespace(self, namespace: str) -> None:
        engine = Engine(Document.empty(namespace))
        assert (engine.flags, engine.constants) == ({}, {})

    def test_one_that_fails_among_hundreds_takes_none_of_the_others_along(self) -> None:
        # Constants are worked out many at once; the engine refuses a key that is blank.
        states = {"f" * number or " ": number % 3 == 0 for number in range(250)}
        body = {
            "namespace": {"key": "default"},
            "flags": [
                {"key": key, "type": "BOOLEAN_FLAG_TYPE", "enabled": enabled}
                for key, enabled in states.items()
            ],
        }
        engine = Engine(parse(json.dumps(body).encode(), source="Flipt"))
        assert engine.constants == {key: it for key, it in states.items() if key != " "}

    @pytest.mark.parametrize("namespace", ["default", "shop"])
    def test_notices_that_its_library_did_not_take_the_snapshot(self, namespace: str) -> None:
        # This is how the server writes a number that JSON has no word for.
        threshold = {"percentage": "Infinity", "value": True}
        flag = {"key": "f", "rollouts": [{"threshold": threshold}]}
        body = json.dumps({"namespace": {"key": namespace}, "flags": [flag]}).encode()
        with pytest.raises(FlagsError, match=f"took 0 of the 1 flags of namespace '{namespace}'"):
            Engine(parse(body, source="Flipt"))


class TestVariant:
    def test_is_a_string_with_an_attachment(self) -> None:
        engine = Engine(features.load(SAMPLES / "features-v2.yml"))
        prize = engine.variant("lottery", "1", {})
        assert isinstance(prize, Variant)
        assert f"{prize}!" == "prize!"
        assert prize.attachment == {"sum": 1000}

    @pytest.mark.parametrize("nothing", ["", "null"])
    def test_may_have_nothing_attached(self, nothing: str) -> None:
        assert Variant("plain", nothing).attachment is None


class TestProcess:
    """An engine is native code with threads of its own: what that means for the process."""

    def test_hundreds_of_engines_leave_nothing_behind(self) -> None:
        document = features.load(SAMPLES / "features-v2.yml")
        process = psutil.Process()
        for _ in range(10):
            Engine(document).boolean("open", "1", {})
        gc.collect()
        files, threads = process.num_fds(), process.num_threads()
        memory = process.memory_info().rss
        for _ in range(300):
            assert Engine(document).boolean("open", "1", {})
        assert process.num_fds() <= files
        assert process.num_threads() <= threads
        # Engines that are kept take three times that.
        assert process.memory_info().rss - memory < 6_000_000

    def test_threads_go_on_while_engines_are_replaced(self) -> None:
        document = features.load(SAMPLES / "features-v2.yml")
        engines = [Engine(document)]
        right = answers.given(engines[0], "user-7", CONTEXTS[3])
        stopped, wrong, asked = threading.Event(), [], [0] * 4

        def ask(place: int) -> None:
            while not stopped.is_set():
                answer = answers.given(engines[0], "user-7", CONTEXTS[3])
                asked[place] += 1
                if answer != right:
                    wrong.append(answer)

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(asked))]
        with _running(threads, stopped):
            while min(asked) < 20:
                engines[0] = Engine(document)
        assert wrong == []

    def test_a_forked_child_evaluates_and_ends(self) -> None:
        _run("tests.flags.forked")

    def test_a_wish_for_rust_backtraces_harms_nothing(self) -> None:
        _run("tests.flags.backtraced", RUST_BACKTRACE="1")


@contextmanager
def _running(threads: list[threading.Thread], stopped: threading.Event) -> Iterator[None]:
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _run(module: str, **environment: str) -> None:
    environment = {**os.environ, **environment}
    command = [sys.executable, "-m", module]
    subprocess.run(command, check=True, cwd=ROOT, env=environment, timeout=60)
