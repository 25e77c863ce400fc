"""To look runs nobody's code: nothing is evaluated, asked, imported or fetched."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from resident.leaks.leak import Leak
from resident.stage import Stage
from tests.leaks import hostile

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

HERE = hostile.__name__
LEAKS = {
    "list": ("module global", f"{HERE}.LEAKED[…]"),
    "values": ("module global", f"{HERE}.BY_NAME['…']"),
    "keys": ("module global", f"{HERE}.BY_OBJECT['…']"),
    "set": ("module global", f"{HERE}.MEMBERS[…]"),
    "class": ("class attribute", f"{HERE}.Shelf.kept[…]"),
    "instance": ("instance attribute", f"{HERE}.shelf.found[…]"),
    "default": ("function default", f"{HERE}.add(items)[…]"),
    "closure": ("closure", f"{HERE}.keeper.<locals>.<lambda>(kept)[…]"),
    "lru-cache": ("lru_cache", f"{HERE}.remembered"),
    "signal": ("signal receiver", f"{HERE}.signal.receivers[…]"),
    "log": ("logging handler", "logging.getLogger('hostile').handlers[…]"),
    "variable": ("context variable", f"{HERE}.variable"),
    "local": ("thread-local", f"{HERE}.local.kept"),
}
"""What is told of each place."""

RAW = {"log", "variable", "local"}
"""What the resetters put back."""

Run = Callable[..., list[Leak]]


@pytest.fixture
def queries() -> Iterator[list[str]]:
    """What was asked of a table that no page needs."""
    asked: list[str] = []

    def listen(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if "auth_group" in sql:
            asked.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(listen):
        yield asked


@pytest.fixture
def run(queries: list[str]) -> Iterator[Run]:
    """A hunt in which nothing may be asked anything."""

    def run(path: str, *, raw: bool = False) -> list[Leak]:
        with _hostile_handler():
            findings = Stage(raw=raw).find_leaks(path)
        assert findings.status == 200
        return findings.leaks

    hostile.serving.clear()
    hostile.ASKED.clear()
    with override_settings(ROOT_URLCONF=HERE, MIDDLEWARE=[], ALLOWED_HOSTS=["shop.example"]):
        yield run
    try:
        assert hostile.ASKED == []
        assert queries == []
    finally:
        hostile.serving.set()
        _clear()


@contextmanager
def _hostile_handler() -> Iterator[None]:
    """It is gone before pytest's next phase, which looks for its own handlers beside it."""
    before = hostile.log.handlers.copy()
    hostile.log.handlers.append(hostile.Plain())
    try:
        yield
    finally:
        hostile.log.handlers[:] = before


def _clear() -> None:
    hostile.signal.receivers.clear()
    containers: tuple[Any, ...] = (
        hostile.LEAKED,
        hostile.BY_NAME,
        hostile.BY_OBJECT,
        hostile.MEMBERS,
    )
    for container in containers:
        container.clear()
    vars(hostile.local).clear()
    hostile.variable.set(None)


@pytest.fixture
def _everywhere() -> None:
    """They are also where only a running process has them."""
    hostile.signal.receivers.append((("here", None), hostile.Plain(), None, False))
    hostile.variable.set(hostile.each())
    hostile.local.kept = hostile.each()


@pytest.mark.usefixtures("_everywhere")
@pytest.mark.parametrize("raw", [False, True])
def test_what_stays_is_no_leak(run: Run, raw: bool) -> None:
    assert run("/stay", raw=raw) == []


@pytest.mark.parametrize("place", hostile.PLACES)
def test_what_leaks_is_found(place: str, run: Run) -> None:
    (leak,) = run(f"/leak/{place}", raw=place in RAW)
    assert (leak.kind, leak.name) == LEAKS[place]


@pytest.mark.parametrize("kind", hostile.KINDS)
def test_what_is_kept_of_the_last_request_is_found(kind: str, run: Run) -> None:
    (leak,) = run(f"/last/{kind}")
    assert (leak.kind, leak.name) == ("module global", f"{HERE}.LAST")


def test_nothing_is_imported(run: Run) -> None:
    run("/stay")  # after which the finder has what it needs itself
    before = {*sys.modules}
    run("/leak/list")
    run("/last/lazy-module")
    assert {*sys.modules} == before
    assert hostile.LAZY_MODULE not in sys.modules


def test_nothing_lazy_is_evaluated(run: Run) -> None:
    run("/last/queryset")
    assert hostile.LAST[1].__dict__["_result_cache"] is None
    run("/last/lazy-module")
    assert type(hostile.LAST[1]).__name__ == "_LazyModule"
    run("/last/properties")
    assert vars(hostile.LAST[1]) == {}


def test_they_do_mind() -> None:
    """So that it means something that none was asked."""
    hostile.serving.clear()
    try:
        for ask in (len, bool, iter, repr, hash, list, lambda it: it == 7, lambda it: it.name):
            with pytest.raises(hostile.Asked):
                ask(hostile.alone)
        with pytest.raises(hostile.Asked):
            isinstance(hostile.alone, int)
        with pytest.raises(hostile.Asked):
            repr(type(hostile.alone_with_meta))
        assert len(hostile.ASKED) >= 10
    finally:
        hostile.serving.set()
        hostile.ASKED.clear()
