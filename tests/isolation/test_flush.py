"""What RESIDENT_FLUSH names is after each request as it was when the worker started."""

import functools
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache as django_cache
from django.test import override_settings

from resident.exceptions import ConfigurationError
from resident.isolation.flush import NamedState, named_state
from resident.isolation.request import Request
from resident.isolation.resetters import ResetterNotUsed

current: Any = None
prices = {"hat": 1}
visits: list[str] = ["first"]
seen = {1, 2}
last = deque([1, 2], maxlen=2)


@functools.lru_cache
def price(item: str) -> object:
    return object()


def basket(item: str, items: list[str] = [], *, by: dict[str, int] = {}) -> list[str]:  # noqa: B006 - what it tests
    items.append(item)
    by[item] = 1
    return items


class Catalogue:
    items: dict[str, int] = {}  # noqa: RUF012 - what it tests
    language = "en"

    class Meta:
        found: list[str] = []  # noqa: RUF012 - what it tests


class Memo:
    """A cache of a kind that nobody here has heard of."""

    def __init__(self) -> None:
        self.entries = ["at start"]

    def clear(self) -> None:
        self.entries = []


memo = Memo()


def leave(name: str, value: object) -> Callable[[], None]:
    return lambda: globals().__setitem__(name, value)


@pytest.mark.parametrize(
    ("path", "request_leaves", "found", "expected"),
    [
        ("current", leave("current", "alice"), lambda: current, None),
        ("prices", lambda: prices.update(hat=2, shoe=3), lambda: prices, {"hat": 1}),
        ("prices", leave("prices", {}), lambda: prices, {"hat": 1}),
        ("prices", lambda: globals().pop("prices"), lambda: prices, {"hat": 1}),
        ("visits", lambda: visits.append("second"), lambda: visits, ["first"]),
        ("seen", seen.clear, lambda: seen, {1, 2}),
        ("last", lambda: last.append(3), lambda: list(last), [1, 2]),
        ("price", lambda: price("hat"), lambda: price.cache_info().currsize, 0),
        ("basket", lambda: basket("hat"), lambda: basket("shoe"), ["shoe"]),
        ("Catalogue.items", lambda: Catalogue.items.update(a=1), lambda: Catalogue.items, {}),
        ("Catalogue.Meta.found", lambda: Catalogue.Meta.found.append("a"),
            lambda: Catalogue.Meta.found, []),
        ("Catalogue.language", lambda: setattr(Catalogue, "language", "de"),
            lambda: Catalogue.language, "en"),
        ("memo", lambda: None, lambda: memo.entries, []),
    ],
)  # fmt: skip
def test_named_state(
    path: str, request_leaves: Callable[[], object], found: Callable[[], object], expected: object
) -> None:
    with override_settings(RESIDENT_FLUSH=[f"{__name__}.{path}"]):
        named = NamedState()
    for _ in range(2):
        request_leaves()
        named.reset(Request({}), None)
        assert found() == expected
        named.reset(Request({}), None)


def test_a_cache_of_djangos() -> None:
    restore = named_state("django.core.cache.cache")
    django_cache.set("price", 1)
    restore()
    assert django_cache.get("price") is None


def test_defaults_by_keyword() -> None:
    restore = named_state(f"{__name__}.basket")
    basket("hat")
    restore()
    assert basket.__kwdefaults__ == {"by": {}}


def test_a_class_stays_itself() -> None:
    """A class may have a `clear` for its instances, which is not for the class."""
    named_state(f"{__name__}.Memo")()
    assert memo.entries is not None


def test_nothing_is_named() -> None:
    with override_settings(RESIDENT_FLUSH=[]), pytest.raises(ResetterNotUsed):
        NamedState()


@pytest.mark.parametrize("path", ["prices", "shop.prices", f"{__name__}.no_such", "", "a b.c"])
def test_what_is_not_there(path: str) -> None:
    with pytest.raises(ConfigurationError, match="is not there") as raised:
        named_state(path)
    assert f"RESIDENT_FLUSH names {path!r}" in str(raised.value)
