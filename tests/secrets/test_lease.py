"""When a token is renewed, and how long a failure is waited out."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resident.secrets.lease import Lease, Pauses


def granted(seconds: int, began: float = 100.0, **more: Any) -> Lease:
    before = more.pop("before", None)
    auth = {"lease_duration": seconds, "renewable": True, "token_type": "service", **more}
    return Lease.granted(auth, began, before=before)


@given(st.integers(1, 10**7))
def test_is_due_in_the_third_third_and_not_at_its_end(seconds: int) -> None:
    lease = granted(seconds)
    assert (lease.due - 100.0) / seconds == pytest.approx(0.7, abs=0.0334)


def test_is_due_for_each_worker_at_another_moment() -> None:
    assert len({granted(3600).due for _ in range(20)}) > 10


def test_a_short_one_is_no_hot_loop() -> None:
    lease = Lease.granted({"lease_duration": 0.01}, 100.0)
    assert lease.due == 100.5


def test_without_end() -> None:
    lease = granted(0)
    assert (lease.due, lease.left(10**9)) == (math.inf, math.inf)


def test_tells_how_much_is_left() -> None:
    lease = granted(60)
    assert lease.left(130.0) == 30.0
    assert lease.left(1000.0) == 0.0


def test_a_renewal_that_gives_less_ends_renewing() -> None:
    """As a server does where the end that it allows comes near: 3, 3, 3, 2 seconds."""
    login = granted(3)
    renewed = granted(3, 102.0, before=login)
    assert renewed.is_to_be_renewed(104.0)
    short = granted(2, 104.0, before=renewed)
    assert short.is_short
    assert not short.is_to_be_renewed(105.0)


def test_a_renewal_that_gives_nothing_is_not_one_for_ever() -> None:
    over = granted(0, 102.0, before=granted(3))
    assert (over.seconds, over.left(102.0), over.due) == (0.0, 0.0, 102.5)
    assert over.is_short
    assert granted(0, 102.0, before=granted(0)).due == math.inf


@pytest.mark.parametrize("auth", [{"renewable": False}, {"token_type": "batch"}])
def test_what_is_never_renewed(auth: dict[str, Any]) -> None:
    assert not granted(60, **auth).is_to_be_renewed(101.0)


def test_past_the_threshold_a_login_is_better_than_another_renewal() -> None:
    lease = granted(100)
    assert lease.is_to_be_renewed(189.0)
    assert not lease.is_to_be_renewed(191.0)


def test_pauses_double_up_to_five_minutes_and_start_again() -> None:
    pauses = Pauses(1.0, 300.0)
    for expected in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
        assert expected <= pauses.next() <= expected * 1.2
    for _ in range(2000):
        assert 300 <= pauses.next() <= 360
    pauses.end()
    assert 1 <= pauses.next() <= 1.2
