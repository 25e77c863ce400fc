"""Looks come within their interval, and what fails again and again is tried at leisure."""

import pytest

from resident.flags.pace import LONGEST, SHORTEST, STEADY, Pace


def test_everything_is_due_at_first() -> None:
    pace = Pace(30, listens=True)
    assert (pace.pause, pace.until_look) == (0, 0)


def test_a_look_is_within_the_interval() -> None:
    pace = Pace(30, listens=False)
    for _ in range(100):
        pace.look_later()
        assert 26.9 < pace.until_look <= 30


def test_a_source_that_is_away_is_not_listened_to() -> None:
    pace = Pace(30, listens=True)
    pace.missed()
    assert 0 < pace.pause <= SHORTEST
    pace.well()
    pace.look_later()
    assert pace.pause == 0, "it may have streams now"


def test_misses_double_up_to_the_interval() -> None:
    pace = Pace(10, listens=False)
    waits = []
    for _ in range(2000):
        pace.missed()
        waits.append(pace.until_look)
    assert waits[0] <= SHORTEST
    assert min(waits[10:]) > 4.9
    assert max(waits) <= 10


@pytest.mark.parametrize(("interval", "longest"), [(3600, LONGEST), (2, 2), (0.01, SHORTEST)])
def test_cuts_double_too_and_the_first_is_told(interval: float, longest: float) -> None:
    pace = Pace(interval, listens=True)
    pace.look_later()
    firsts = [pace.cut(0.1) for _ in range(50)]
    assert firsts == [True] + [False] * 49
    assert pace.pause <= longest


def test_a_stream_that_lasted_begins_anew() -> None:
    pace = Pace(3600, listens=True)
    pace.look_later()
    for _ in range(10):
        pace.cut(0.1)
    assert pace.cut(STEADY + 1)
    assert pace.pause <= SHORTEST
