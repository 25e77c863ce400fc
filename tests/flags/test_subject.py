"""Who is asked about: strings, because Flipt compares strings."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from resident.flags.subject import Subject

MIDDAY = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("shoes", "shoes"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (1.5, "1.5"),
        (MIDDAY, "2026-11-25T12:00:00+00:00"),
        (MIDDAY.astimezone(timezone(timedelta(hours=2))), "2026-11-25T14:00:00+02:00"),
        (date(2026, 11, 25), "2026-11-25T00:00:00Z"),
    ],
)
def test_everything_becomes_a_string(value: object, text: str) -> None:
    assert Subject("1", {"it": value}).context == {"it": text}


def test_a_date_time_without_a_zone_is_of_this_machines() -> None:
    local = MIDDAY.astimezone().replace(tzinfo=None)
    assert datetime.fromisoformat(Subject("1", {"it": local}).context["it"]) == MIDDAY


def test_what_is_none_is_left_out() -> None:
    assert Subject("1", {"it": None}).context == {}


def test_an_id_becomes_a_string_too() -> None:
    assert Subject(7).entity_id == "7"


def test_equal_ones_are_one_key() -> None:
    one, same = Subject(1, {"a": 1, "b": 2}), Subject("1", {"b": "2", "a": "1"})
    assert one == same
    assert len({one, same}) == 1
    assert Subject("1", {"a": "1"}) not in {one, Subject("2", one.context)}
    assert one != ("1", one.context)


def test_it_is_immutable() -> None:
    given: dict[str, Any] = {"a": "1"}
    subject = Subject("1", given)
    given["a"] = "2"
    assert subject.context == {"a": "1"}
    assert isinstance(subject.context, Mapping)
    with pytest.raises(AttributeError, match="a subject is immutable"):
        subject.entity_id = "2"
    with pytest.raises(TypeError):
        subject.context["a"] = "2"  # type: ignore[index] # which is what is tried


def test_it_shows_itself() -> None:
    assert repr(Subject(1, {"a": True})) == "Subject('1', {'a': 'true'})"
