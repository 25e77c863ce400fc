"""A namespace gets back to what it was, and its containers to what they contained."""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from resident.isolation.snapshot import Snapshot

Change = Callable[[dict[str, Any]], object]


def restored(namespace: dict[str, Any], change: Change) -> list[str]:
    """The names that the change changed; and it is undone."""
    snapshot = Snapshot(namespace)
    change(namespace)
    names = snapshot.changes(namespace)
    for name in names:
        snapshot.restore(namespace, name)
    assert snapshot.changes(namespace) == []
    return names


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda it: None, []),
        (lambda it: it.update(user="alice"), ["user"]),
        (lambda it: it.update(tenant="hers"), ["tenant"]),
        (lambda it: it.pop("tenant"), ["tenant"]),
        (lambda it: it.update(list=[1, 2]), ["list"]),
        (lambda it: it["list"].append(3), ["list"]),
        (lambda it: it["list"].reverse(), ["list"]),
        (lambda it: it["dict"].update(a=2), ["dict"]),
        (lambda it: it["dict"].clear(), ["dict"]),
        (lambda it: it["set"].add(2), ["set"]),
        (lambda it: it["deque"].pop(), ["deque"]),
        (lambda it: it["ordered"].move_to_end("a"), ["ordered"]),
        (lambda it: it["pairs"].append((3, 4)), ["pairs"]),
    ],
)
def test_change(change: Change, names: list[str]) -> None:
    namespace: dict[str, Any] = {
        "tenant": "public",
        "list": [1, 2],
        "dict": {"a": 1},
        "set": {1},
        "deque": deque([1, 2]),
        "ordered": OrderedDict(a=1, b=2),
        "pairs": [(1, 2)],
    }
    containers = {name: value for name, value in namespace.items() if name != "tenant"}
    assert restored(namespace, change) == names
    assert namespace == {
        "tenant": "public",
        "list": [1, 2],
        "dict": {"a": 1},
        "set": {1},
        "deque": deque([1, 2]),
        "ordered": OrderedDict(a=1, b=2),
        "pairs": [(1, 2)],
    }
    assert all(namespace[name] is value for name, value in containers.items())


def test_all_values_of_a_query_come_back() -> None:
    """It shows the last one for each key, and refuses to be changed: that is its own affair."""
    namespace: dict[str, Any] = {"query": QueryDict("size=s&size=m", mutable=True)}
    assert restored(namespace, lambda it: it["query"].setlist("size", ["l"])) == ["query"]
    assert namespace["query"].getlist("size") == ["s", "m"]


def test_nothing_is_evaluated() -> None:
    """Neither what is lazy nor any `__eq__`: both may ask a database."""

    class Wary:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    namespace: dict[str, Any] = {"user": Wary(), "all": [Wary()], "by name": {"a": Wary()}}

    def exchange(it: dict[str, Any]) -> None:
        it["user"] = Wary()
        it["all"][0] = Wary()
        it["by name"]["a"] = Wary()

    assert restored(namespace, lambda _: None) == []
    assert restored(namespace, exchange) == ["user", "all", "by name"]


def test_adopted_name() -> None:
    """What is adopted is as it is now; gone, where it is gone."""
    namespace: dict[str, Any] = {"a": [1], "b": [2]}
    snapshot = Snapshot(namespace)
    namespace["a"].append(2)
    del namespace["b"]
    snapshot.adopt("a", namespace)
    snapshot.adopt("b", namespace)
    assert snapshot.changes(namespace) == []
    namespace["a"].clear()
    snapshot.restore(namespace, "a")
    assert namespace == {"a": [1, 2]}


VALUES = st.recursive(
    st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner),
    max_leaves=5,
)
NAMESPACES = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


@given(NAMESPACES, NAMESPACES)
def test_any_namespace(before: dict[str, Any], after: dict[str, Any]) -> None:
    namespace = dict(before)

    def become_other(it: dict[str, Any]) -> None:
        it.clear()
        it.update(after)

    restored(namespace, become_other)
    assert namespace == before
    assert all(namespace[name] is value for name, value in before.items())
