"""A snapshot answers, remembers what it answered, and counts it; it changes nothing else."""

import gc
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from resident.exceptions import FlagsError
from resident.flags import Variant
from resident.flags.document import Document
from resident.flags.engine import Engine
from resident.flags.snapshot import MOST_SAID, Origin, Snapshot
from resident.flags.subject import LARGE, Subject

STAFF = {
    "key": "staff",
    "matchType": "ALL_SEGMENT_MATCH_TYPE",
    "constraints": [
        {
            "type": "BOOLEAN_CONSTRAINT_COMPARISON_TYPE",
            "property": "is_staff",
            "operator": "true",
        }
    ],
}
FOR_STAFF = {"segment": {"value": True, "segments": [STAFF]}}
FOR_HALF = {"threshold": {"percentage": 50, "value": True}}
FLAGS: dict[str, dict[str, Any]] = {
    "on": {"type": "BOOLEAN_FLAG_TYPE", "enabled": True},
    "half": {"type": "BOOLEAN_FLAG_TYPE", "rollouts": [FOR_STAFF, FOR_HALF]},
    "style": {
        "enabled": True,
        "defaultVariant": {"key": "plain", "attachment": '{"mark":["."]}'},
        "rules": [
            {
                "id": "1",
                "segments": [STAFF],
                "distributions": [
                    {"variantKey": "loud", "rollout": 50},
                    {"variantKey": "quiet", "rollout": 50},
                ],
            }
        ],
    },
    "bare": {"enabled": True},
}


def document(flags: dict[str, dict[str, Any]] = FLAGS) -> Document:
    listed = [{"key": key, **flag} for key, flag in flags.items()]
    return Document.model_validate({"namespace": {"key": "default"}, "flags": listed})


def snapshot(
    flags: dict[str, dict[str, Any]] = FLAGS, *, origin: Origin = "server", **more: Any
) -> Snapshot:
    return Snapshot(document(flags), origin=origin, place="the test", **more)


def nobody() -> Subject:
    raise AssertionError("a constant flag asks nobody who they are")


def user(number: int, **context: Any) -> Callable[[], Subject]:
    return lambda: Subject(number, context)


class TestAnswers:
    def test_a_constant_asks_nobody(self) -> None:
        taken = snapshot()
        assert taken.boolean("on", nobody, False)
        assert taken.variant("bare", nobody, None) is None

    def test_a_percentage_asks_who_it_is(self) -> None:
        taken = snapshot()
        answers = {taken.boolean("half", user(number), False) for number in range(50)}
        assert answers == {True, False}

    def test_a_variant_with_its_attachment(self) -> None:
        variant = snapshot().variant("style", user(1), None)
        assert variant == "plain"
        assert variant is not None
        assert variant.attachment == {"mark": ["."]}

    def test_what_one_request_does_to_an_attachment_no_other_sees(self) -> None:
        taken = snapshot()
        for _ in range(2):
            variant = taken.variant("style", user(1), None)
            assert variant is not None
            assert variant.attachment == {"mark": ["."]}
            variant.attachment["mark"].append("!")

    def test_no_variant_is_the_default(self) -> None:
        assert snapshot().variant("bare", nobody, Variant("loud")) == "loud"

    def test_what_is_unknown_gives_its_default_and_is_told_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        taken = snapshot()
        for following in (taken, snapshot(before=taken)):
            assert following.boolean("unknown", nobody, True)
            assert following.variant("other", nobody, None) is None
        assert [record.message for record in caplog.records] == [
            "flag 'unknown' is unknown to the test; it gives its default",
            "flag 'other' is unknown to the test; it gives its default",
        ]

    def test_one_of_the_other_type_gives_its_default_and_is_told_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        taken = snapshot()
        for _ in range(3):
            assert taken.boolean("style", nobody, True)
            assert taken.variant("on", nobody, Variant("loud")) == "loud"
        assert [record.message for record in caplog.records] == [
            "flag 'style' gives its default: it is no boolean flag",
            "flag 'on' gives its default: it is no flag with variants",
        ]

    @pytest.mark.parametrize("entity_id", ["", " ", "half a surrogate: \ud800"])
    def test_whoever_the_engine_does_not_know_gets_the_default(
        self, entity_id: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        taken = snapshot()
        assert taken.boolean("half", lambda: Subject(entity_id), True)
        assert taken.variant("style", lambda: Subject(entity_id), Variant("loud")) == "loud"
        assert caplog.text.count("gives its default: it can't be evaluated") == 2

    def test_what_fails_in_asking_is_not_the_flags_fault(self) -> None:
        def broken() -> Subject:
            raise ValueError("no user")

        with pytest.raises(ValueError, match="no user"):
            snapshot().boolean("half", broken, True)

    def test_what_was_told_does_not_grow_with_what_is_asked(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        taken = snapshot()
        for number in range(MOST_SAID + 50):
            taken.boolean(f"unknown-{number}", nobody, False)
        assert len(caplog.records) == MOST_SAID

    def test_a_flag_that_the_engine_can_never_evaluate(self) -> None:
        assert snapshot({" ": FLAGS["on"]}).boolean(" ", user(1), True)


class TestMemo:
    def asked(self, taken: Snapshot, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The entity ids that the engine was asked for from now on."""
        asked: list[str] = []
        told = taken._engine._client.told

        def noting(ask: Any, key: str, entity_id: str, context: dict[str, str]) -> Any:
            asked.append(entity_id)
            return told(ask, key, entity_id, context)

        monkeypatch.setattr(taken._engine._client, "told", noting)
        return asked

    def test_the_same_is_not_evaluated_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        taken = snapshot()
        asked = self.asked(taken, monkeypatch)
        answers = {taken.boolean("half", user(1, is_staff=True), False) for _ in range(3)}
        assert answers == {True}
        taken.boolean("half", user(1, is_staff=False), False)
        taken.boolean("half", user(2, is_staff=True), False)
        assert asked == ["1", "1", "2"]

    def test_it_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        taken = snapshot(memo=2)
        asked = self.asked(taken, monkeypatch)
        for number in (1, 2, 3, 3, 1):
            taken.boolean("half", user(number), False)
        assert asked == ["1", "2", "3", "1"]

    def test_what_is_large_is_not_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Strangers choose paths and headers: ten thousand of 8 kB would fill the memory.
        taken = snapshot()
        asked = self.asked(taken, monkeypatch)
        long = LARGE * "x"
        for _ in range(2):
            taken.boolean("half", lambda: Subject(long), False)
            taken.boolean("half", lambda: Subject("1", {"is_staff": long}), False)
        assert asked == [long, "1", "1"]

    def test_nothing_of_it_outlives_its_snapshot(self) -> None:
        taken = snapshot()
        taken.boolean("half", user(1, is_staff=True), False)
        following = snapshot({**FLAGS, "half": FLAGS["on"] | {"enabled": False}}, before=taken)
        assert not following.boolean("half", user(1, is_staff=True), True)


class TestAnswer:
    def test_tells_why(self) -> None:
        answer = snapshot().answer("half", Subject("1", {"is_staff": True}))
        assert (answer.value, answer.reason, answer.segments) == (True, "MATCH", ("staff",))
        assert answer.rank == 1

    def test_tells_where_in_the_percentage_somebody_is(self) -> None:
        taken = snapshot()
        answers = [taken.answer("half", Subject(number)) for number in range(40)]
        assert {(it.value, it.bucket is not None and it.bucket < 50) for it in answers} == {
            (True, True),
            (False, False),
        }
        assert {(it.value, it.reason, it.rank) for it in answers} == {
            (True, "MATCH", 2),
            (False, "DEFAULT", None),
        }

    def test_tells_of_variants(self) -> None:
        taken = snapshot()
        for number in range(20):
            answer = taken.answer("style", Subject(number, {"is_staff": True}))
            assert answer.bucket is not None
            assert answer.value == ("loud" if answer.bucket < 500 else "quiet")
            assert (answer.rank, answer.segments) == (1, ("staff",))
        assert taken.answer("style", Subject("1")).value == "plain"

    def test_an_id_that_decides_nothing_has_no_bucket(self) -> None:
        assert snapshot().answer("on", Subject("1")).bucket is None

    def test_is_not_counted(self) -> None:
        taken = snapshot()
        taken.answer("on", Subject("1"))
        assert set(taken.counts["on"].values()) == {0}

    def test_an_unknown_flag_is_an_error(self) -> None:
        with pytest.raises(FlagsError, match=r"The test|the test has no flag 'of'") as caught:
            snapshot().answer("of", Subject("1"))
        assert "'bare', 'half', 'on', 'style'" in caught.value.remedy

    def test_so_is_one_that_cannot_be_evaluated(self) -> None:
        with pytest.raises(FlagsError, match="'half' can't be evaluated: the entity's id is blank"):
            snapshot().answer("half", Subject(""))


class TestCounts:
    def test_say_what_was_answered(self) -> None:
        taken = snapshot()
        taken.boolean("on", nobody, False)
        taken.boolean("style", nobody, False)
        for number in range(10):
            taken.boolean("half", user(number), False)
            taken.variant("style", user(number, is_staff=True), None)
        taken.variant("style", user(1), None)
        taken.variant("bare", nobody, Variant("loud"))
        assert taken.counts["on"] == {"on": 1, "off": 0, "default": 0}
        assert taken.counts["half"]["on"] + taken.counts["half"]["off"] == 10
        style = dict(taken.counts["style"])
        assert style.pop("loud") + style.pop("quiet") == 10
        assert style == {"plain": 1, "no variant": 0, "default": 1}
        assert taken.counts["bare"] == {"no variant": 1, "default": 0}

    def test_go_on_from_snapshot_to_snapshot(self) -> None:
        taken = snapshot()
        taken.boolean("on", nobody, False)
        following = snapshot({"on": FLAGS["on"], "new": FLAGS["on"]}, before=taken)
        following.boolean("on", nobody, False)
        taken.boolean("on", nobody, False)  # a request that began on it
        assert following.counts["on"]["on"] == 3
        assert following.counts.keys() == {"on", "new"}

    def test_another_attachment_is_another_answer(self) -> None:
        """A variant equals its key, whatever is attached to it."""
        taken = snapshot()
        other = {"key": "plain", "attachment": '{"mark":["!"]}'}
        off = {"style": FLAGS["style"] | {"enabled": False}}
        before = snapshot(off, before=taken)
        style = {"style": off["style"] | {"defaultVariant": other}}
        following = snapshot(style, before=before)
        answers = [it.variant("style", nobody, None) for it in (before, following)]
        assert [answer and answer.attachment for answer in answers] == [
            {"mark": ["."]},
            {"mark": ["!"]},
        ]
        assert following.counts["style"]["plain"] == 2

    def test_what_is_shared_with_the_snapshot_before_is_not_folded_anew(self) -> None:
        first = document()
        taken = Snapshot(first, origin="server", place="Flipt")
        flipped = {"on": FLAGS["on"] | {"enabled": False}}
        shared = [it for it in first.flags if it.key not in flipped]
        second = Document(namespace=first.namespace, flags=[*document(flipped).flags, *shared])
        following = Snapshot(second, origin="server", place="Flipt", before=taken)
        assert following._booleans["half"] is taken._booleans["half"]
        assert following._variants["style"] is taken._variants["style"]
        assert taken.boolean("on", nobody, False)
        assert not following.boolean("on", nobody, False)

    def test_are_exact_with_four_threads(self) -> None:
        taken = snapshot()
        times = 50_000

        def ask() -> None:
            one = Subject("1")
            for _ in range(times):
                taken.boolean("on", nobody, False)
                taken.boolean("half", lambda: one, False)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert taken.counts["on"]["on"] == 4 * times
        assert sum(taken.counts["half"].values()) == 4 * times


class TestChanges:
    def test_are_those_that_this_worker_saw(self) -> None:
        taken = snapshot()
        assert taken.changed == {}
        flipped = {**FLAGS, "on": FLAGS["on"] | {"enabled": False}}
        second = snapshot(flipped, before=taken)
        third = snapshot({**flipped, "new": FLAGS["on"]}, before=second)
        assert second.changed == {"on": second.taken}
        assert third.changed == {"on": second.taken, "new": third.taken}

    def test_another_id_of_a_rule_is_no_change(self) -> None:
        # Flipt v2 makes them up whenever it reads its files.
        style = FLAGS["style"]
        renamed = style | {"rules": [style["rules"][0] | {"id": "2"}]}
        taken = snapshot()
        second = snapshot({**FLAGS, "style": renamed}, before=taken)
        assert second.changed == {}
        off = {**FLAGS, "style": renamed | {"enabled": False}}
        assert snapshot(off, before=second).changed.keys() == {"style"}

    def test_what_replaces_a_stand_in_has_not_changed(self) -> None:
        assert snapshot(before=snapshot({}, origin="defaults")).changed == {}
        assert snapshot(before=snapshot({}, origin="features file")).changed == {}

    def test_what_replaces_last_known_flags_may_have(self) -> None:
        known = snapshot({**FLAGS, "on": FLAGS["bare"]}, origin="last known")
        assert snapshot(before=known).changed.keys() == {"on"}


class TestOrigin:
    def test_is_told(self) -> None:
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        taken = snapshot(version="v1", as_of=hour_ago)
        assert (taken.namespace, taken.version, taken.as_of) == ("default", "v1", hour_ago)
        assert (taken.origin, taken.place) == ("server", "the test")
        assert taken.taken > hour_ago
        assert repr(taken) == "<Snapshot 'default', version 'v1', from the server>"

    def test_a_version_that_nobody_gave_is_the_contents(self) -> None:
        assert snapshot().version == snapshot().version
        assert snapshot().version != snapshot({"on": FLAGS["on"]}).version


def swapped(times: int, before: Snapshot | None = None) -> Snapshot | None:
    """What is left of so many snapshots, each of which takes the place of the last."""
    read = document()
    for number in range(times):
        before = Snapshot(read, origin="server", place="the test", version="1", before=before)
        before.boolean("half", user(number), False)
    return before


def test_a_snapshot_that_is_not_used_any_more_is_gone_at_once() -> None:
    def alive() -> int:
        return sum(type(it) in {Snapshot, Engine} for it in gc.get_objects())

    gc.collect()
    gc.disable()  # it is no part of a cycle, which would live until the collector comes
    try:
        before = alive()
        last = swapped(100)
        assert alive() - before == 2, "the last one, and its engine"
        del last
        assert alive() == before
    finally:
        gc.enable()


@pytest.mark.slow
def test_ten_thousand_swaps_leave_nothing() -> None:
    process = psutil.Process()
    last = swapped(1_000)
    gc.collect()
    rss, objects = process.memory_info().rss, len(gc.get_objects())
    swapped(10_000, last)
    gc.collect()
    assert len(gc.get_objects()) - objects < 100
    assert process.memory_info().rss - rss < 5_000_000
