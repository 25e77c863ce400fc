"""Thread-locals are found wherever a project keeps them, and are after a request as before it."""

import contextlib
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import requests
from asgiref.local import Local
from django.core.cache.backends.locmem import LocMemCache
from django.db import connections
from django.test import override_settings
from django.utils.functional import SimpleLazyObject

from resident.isolation import threadlocals
from resident.isolation.report import Leak
from resident.isolation.request import Request
from resident.isolation.search import Search
from resident.isolation.threadlocals import ThreadLocals

REQUEST = Request({"REQUEST_METHOD": "GET", "PATH_INFO": "/"})
MODULE = "a_package_nobody_knows"

SOURCE = """
import contextvars, functools, threading
from asgiref.local import Local

class Slots:
    __slots__ = ("local",)

class Meta(type):
    kept = threading.local()

class Request:
    current = threading.local()
    def __init__(self):
        self.state = threading.local()

class Own(threading.local):
    language = "en"
    def __init__(self):
        self.stack = []

def remembering(place=threading.local()):
    store = threading.local()
    def remember(value):
        store.value = value
    return remember

plain = threading.local()
own = Own()
critical = Local(thread_critical=True)
bound = Local()
request = Request()
remember = remembering()
by_name = {"a": [(threading.local(),)]}
many = dict.fromkeys(range(2000)) | {"a": threading.local()}
slots = Slots()
number = 7
deep = {"1": {"2": {"3": {"4": {"5": {"6": threading.local()}}}}}}

def empty_cell():
    def inner():
        return later
    return inner
    later = None

inner = empty_cell()
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A package of the project's, which is imported when a test asks for it."""
    (tmp_path / f"{MODULE}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)

    def imported() -> ModuleType:
        return __import__(MODULE)

    yield imported
    if module := sys.modules.pop(MODULE, None):
        for kind in (module.Request, module.Own):
            kind.__module__ = "gone"  # no other test finds its instances


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Leak]:
    leaks: list[Leak] = []
    monkeypatch.setattr(threadlocals, "reports", SimpleNamespace(tell_once=leaks.append))
    return leaks


def request(thread_locals: ThreadLocals, leave: Callable[[], object]) -> None:
    begun = thread_locals.begin()
    leave()
    thread_locals.reset(REQUEST, begun)


def places(search: Search) -> set[str]:
    return {found.place for found in search.new() if found.place.startswith(MODULE)}


def test_places(package: Callable[[], ModuleType]) -> None:
    """A module's, a class's, an instance's, a closure's, a default's, a container's."""
    package()
    search = Search([])
    assert places(search) == {
        f"{MODULE}.plain",
        f"{MODULE}.own",
        f"{MODULE}.critical",
        f"{MODULE}.Meta.kept",
        f"{MODULE}.Request.current",
        f"{MODULE}.request.state",
        f"{MODULE}.remembering",
        f"{MODULE}.remembering.<locals>.remember",
        f"{MODULE}.by_name[…][…][…]",
    }
    assert places(search) == set()


def test_an_instance_that_no_module_refers_to(package: Callable[[], Any]) -> None:
    """As those of middleware, which only the handler has."""
    module = package()
    search = Search([])
    places(search)
    instance = module.Request()
    assert places(search) == {f"{MODULE}.Request.state"}
    assert instance


def test_what_is_installed_is_a_library_of_its_own(
    package: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread-locals may be its own connections; an app's are searched all the same."""
    monkeypatch.setattr(package(), "__file__", "/venv/lib/site-packages/a_package/__init__.py")
    assert places(Search([])) == set()
    with override_settings(MIDDLEWARE=[f"{MODULE}.Middleware"]):
        assert f"{MODULE}.plain" in places(Search([]))


@pytest.mark.parametrize("module", [None, 7, "django.db", "threading", "a_package_of_nobody"])
def test_what_is_not_searched(module: object) -> None:
    assert not Search([]).covers(module)


def test_routers_and_urlconfs_that_are_no_paths(package: Callable[[], Any]) -> None:
    package()
    with override_settings(DATABASE_ROUTERS=[object()], ROOT_URLCONF=()):
        assert f"{MODULE}.plain" in places(Search([]))


@pytest.mark.parametrize(
    ("leave", "name"),
    [
        (lambda it: setattr(it.plain, "user", "alice"), "plain.user"),
        (lambda it: delattr(it.plain, "tenant"), "plain.tenant"),
        (lambda it: setattr(it.plain, "tenant", "hers"), "plain.tenant"),
        (lambda it: it.plain.stack.append("alice"), "plain.stack"),
        (lambda it: setattr(it.critical, "user", "alice"), "critical.user"),
        (lambda it: setattr(it.request.state, "user", "alice"), "request.state.user"),
        (lambda it: it.remember("alice"), "remembering.<locals>.remember.value"),
        (lambda it: it.plain.__dict__.clear(), "plain.tenant"),
    ],
)
def test_left_by_a_request(
    leave: Callable[[Any], object], name: str, package: Callable[[], Any], told: list[Leak]
) -> None:
    module = package()
    module.plain.tenant, module.plain.stack = "public", ["public"]
    thread_locals = ThreadLocals()
    request(thread_locals, lambda: leave(module))
    assert (module.plain.tenant, module.plain.stack) == ("public", ["public"])
    found = {it.place: it.namespace() for it in thread_locals._found if it.place.startswith(MODULE)}
    assert "alice" not in str(found)
    assert f"{MODULE}.{name}" in {leak.place for leak in told}


def test_left_in_a_module_that_comes_late(package: Callable[[], Any], told: list[Leak]) -> None:
    """It goes back to what a new thread finds there."""
    thread_locals = ThreadLocals()

    def leave() -> None:
        module = package()
        module.plain.user = "alice"
        module.own.language = "de"
        module.own.stack.append("alice")

    request(thread_locals, leave)
    module = package()
    assert vars(module.plain) == {}
    assert vars(module.own) == {"stack": []}
    assert {leak.place for leak in told} == {
        f"{MODULE}.plain.user",
        f"{MODULE}.own.language",
        f"{MODULE}.own.stack",
    }
    request(thread_locals, lambda: setattr(module.plain, "user", "bob"))
    assert vars(module.plain) == {}


def test_left_in_what_is_made_late(package: Callable[[], Any], told: list[Leak]) -> None:
    """No import tells of it: it is looked for now and then, while the worker is young."""
    module = package()
    thread_locals = ThreadLocals()
    made = module.Request()
    for number in range(5):
        request(thread_locals, partial(setattr, made.state, "user", number))
    assert vars(made.state) == {}


def test_each_thread_has_its_own(package: Callable[[], Any], told: list[Leak]) -> None:
    module = package()
    thread_locals = ThreadLocals()
    module.plain.user = "of this thread"

    def serve() -> Any:
        module.plain.user = "of the worker's"
        request(thread_locals, lambda: setattr(module.plain, "user", "alice"))
        return module.plain.user

    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(serve).result() == "of the worker's"
    assert module.plain.user == "of this thread"


@pytest.mark.parametrize("keep", ["plain.user", "plain", "critical.user"])
def test_kept(keep: str, package: Callable[[], Any], told: list[Leak]) -> None:
    """By the name that the report gives, or by the thread-local's."""
    module = package()
    with override_settings(RESIDENT_KEEP=[f"{MODULE}.{keep}", "sys.path", "no.such", "a b"]):
        thread_locals = ThreadLocals()

    def leave() -> None:
        module.plain.user = module.critical.user = module.own.user = "alice"

    request(thread_locals, leave)
    kept = getattr(module, keep.partition(".")[0])
    others = {module.plain, module.own, module.critical} - {kept}
    assert kept.user == "alice"
    assert not any(hasattr(other, "user") for other in others)
    assert f"{MODULE}.{keep.removesuffix('.user')}.user" not in {leak.place for leak in told}


def test_connections_stay(package: Callable[[], Any], told: list[Leak]) -> None:
    module = package()
    thread_locals = ThreadLocals()
    with requests.Session() as session, contextlib.closing(_Engine()) as engine:
        kept = {"session": session, "cache": LocMemCache("a", {}), "db": connections["default"]}
        request(thread_locals, lambda: vars(module.plain).update(kept, engine=engine))
    assert vars(module.plain) == kept
    assert {leak.place for leak in told} == {f"{MODULE}.plain.engine"}


class _Engine:
    """Of the project's own: what it keeps may be a request's."""

    def close(self) -> None:
        """As a connection has it."""


def test_nothing_lazy_is_evaluated(package: Callable[[], Any], told: list[Leak]) -> None:
    """The user of a request asks the database when somebody looks at it."""

    def ask() -> object:
        raise AssertionError("asked the database")

    module = package()
    thread_locals = ThreadLocals()
    request(thread_locals, lambda: setattr(module.plain, "user", SimpleLazyObject(ask)))
    assert vars(module.plain) == {}
    module.lazy = SimpleLazyObject(ask)
    places(Search([]))


HOSTILE = """
import threading
asked = []

def refuse(*arguments):
    asked.append(arguments)
    raise RuntimeError("nobody may ask")

class Meta(type):
    __module__ = property(refuse)
    __instancecheck__ = __subclasscheck__ = __eq__ = refuse
    __hash__ = type.__hash__

class Hostile(metaclass=Meta):
    __class__ = __dict__ = property(refuse)
    __getattribute__ = __getattr__ = __eq__ = __hash__ = __repr__ = __bool__ = __len__ = refuse

class HostileDict(dict):
    values = items = keys = __iter__ = __len__ = __getitem__ = refuse

class HostileList(list):
    __iter__ = __len__ = __getitem__ = refuse

inside = HostileList([HostileDict(local=threading.local()), Hostile()])
"""


def test_nobody_notices_that_he_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[Leak]
) -> None:
    (tmp_path / "a_hostile_package.py").write_text(HOSTILE)
    monkeypatch.syspath_prepend(tmp_path)
    module: Any = __import__("a_hostile_package")
    try:
        thread_locals = ThreadLocals()
        (local,) = [
            found.local
            for found in thread_locals._found
            if found.place == "a_hostile_package.inside[…][…]"
        ]
        request(thread_locals, partial(setattr, local, "user", module.Hostile()))
        assert not vars(local)
        assert module.asked == []
    finally:
        del sys.modules["a_hostile_package"]


def test_what_has_no_name(package: Callable[[], Any]) -> None:
    """A module's `__name__` may be anything, and what stands in sys.modules no module."""
    package()
    sys.modules["a_package_like_six"] = "lazy"  # type: ignore[assignment]
    try:
        assert f"{MODULE}.plain" in places(Search([]))
    finally:
        del sys.modules["a_package_like_six"]


def test_local_of_asgiref_in_a_request(package: Callable[[], Any]) -> None:
    """The kind that is bound to a context ends with it, and is none of these."""
    module = package()
    assert isinstance(module.bound, Local)
    assert f"{MODULE}.bound" not in places(Search([]))


def test_other_threads_go_on_meanwhile(package: Callable[[], Any]) -> None:
    """Python fails to make a tuple that anybody refers to before it is ready."""
    package()
    has_ended = threading.Event()

    def make_tuples() -> int:
        made = 0
        while not has_ended.is_set():
            made += len(tuple(number for number in range(1000)))
        return made

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(1) as executor:
            made = executor.submit(make_tuples)
            for _ in range(3):
                places(Search([]))
            has_ended.set()
            assert made.result() > 0
    finally:
        sys.setswitchinterval(switch)
