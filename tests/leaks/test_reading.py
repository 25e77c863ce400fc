"""What an object is made of, who holds it, and where the source says so, case by case."""

import fnmatch
import gc
import json
import sys
import threading
import types
from collections import deque
from functools import lru_cache, partial
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
import requests

from resident.definitions import is_installed
from resident.leaks.anatomy import ENTRY, Anatomy
from resident.leaks.holders import _is_running, holder_of
from resident.leaks.hunt import _is_nothing, _thawed_afterwards
from resident.leaks.look import Look, Looker, Root, uncollected
from resident.leaks.places import Places
from resident.leaks.remedies import remedy_for
from resident.leaks.roots import MOST_STRAYS, of_process, of_strays, target_of
from resident.leaks.scope import Scope
from resident.leaks.source import Sources
from resident.leaks.telling import Suspect, Teller, _rendered, common_path, described
from resident.leaks.trail import Held
from resident.leaks.watch import Watch

pytestmark = pytest.mark.usefixtures("whole_heap")

KEPT: list[int] = []


class Drawer:
    kept: Any = None


class Shelf:
    def put(self) -> None: ...


def shown() -> None: ...


class Refusing(threading.local):
    def __init__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("not here")
        self.user = "ada"


@pytest.mark.parametrize(
    ("whole", "step", "part"),
    [
        ({"a": 1}, ("key", "a"), 1),
        ({"a": 1}, ("key", "b"), None),
        ([1, 2], ENTRY, 2),
        ([], ENTRY, None),
        (deque([3]), ENTRY, 3),
        ({}, ENTRY, None),
        ({"a": 1, "b": 2}, ENTRY, 2),
        ({1, 2}, ENTRY, None),
        (Drawer, ("attribute", "kept"), None),
        (types.SimpleNamespace(a=5), ("attribute", "a"), 5),
        (types.SimpleNamespace(a=5), ("attribute", "b"), None),
    ],
)
def test_a_part_is_read_by_the_step_to_it(whole: Any, step: Any, part: Any) -> None:
    assert Anatomy(type(whole)).part(whole, step) == part


def test_a_thread_local_that_refuses_has_no_parts() -> None:
    refusing, found = Refusing(), []
    thread = threading.Thread(target=lambda: found.append(list(Anatomy(Refusing).parts(refusing))))
    thread.start()
    thread.join()
    assert found == [[]]
    assert list(Anatomy(Refusing).parts(refusing)) == [(("attribute", "user"), "ada")]


@pytest.mark.parametrize(("buffer", "size"), [(StringIO("four"), 4), (BytesIO(b"three"), 5)])
def test_a_buffer_is_as_large_as_what_is_in_it(buffer: Any, size: int) -> None:
    measure = Anatomy(type(buffer)).measure
    assert measure(buffer) == size
    buffer.close()
    assert measure(buffer) == 0


def test_what_a_cache_holds() -> None:
    @lru_cache(maxsize=2)
    def double(number: str) -> str:
        return number * 2

    anatomy = Anatomy(type(double))
    before = anatomy.state(double)
    double("a")
    assert {part for _, part in anatomy.parts(double)} >= {"a", "aa"}
    assert anatomy.state(double) != before
    assert described(double) == "cache of 1 results"


def test_who_holds_an_object() -> None:
    kept = Drawer()
    Drawer.kept = {"some": [kept]}
    try:
        holder = holder_of(kept)
        assert holder
        assert holder.name == f"{__name__}.Drawer.kept['…']"
        assert holder.module == __name__
        assert holder.chain[-1] is kept
    finally:
        Drawer.kept = None


def test_what_a_function_or_a_module_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in ((shown, f"{__name__}.shown"), (sys.modules[__name__], __name__)):
        kept = Drawer()
        monkeypatch.setattr(owner, "kept", kept, raising=False)
        holder = holder_of(kept)
        assert holder
        assert (holder.name, holder.module) == (f"{name}.kept", __name__)


def test_what_everybody_holds_has_no_holder() -> None:
    shared = Drawer()
    held = [[shared] for _ in range(300)]
    assert holder_of(shared, {id(it) for it in held[:50]}) is None


def test_what_a_running_call_holds_is_not_held() -> None:
    def call() -> Any:
        mine = Drawer()
        frame = sys._getframe()  # so that the call has a frame to be found
        return holder_of(mine) or frame is None or None

    assert call() is None


def test_a_call_runs_until_it_returns() -> None:
    def call() -> types.FrameType:
        frame = sys._getframe()
        assert _is_running(frame)
        return frame

    assert not _is_running(call())
    assert not _is_running("anything else")


def test_a_key_is_shown_that_stands_in_the_source() -> None:
    assert _rendered(("key", "user"), is_literal=True) == "['user']"
    assert _rendered(("key", "ada"), is_literal=False) == "['…']"


def test_what_is_too_far_from_a_name_has_no_holder() -> None:
    far = Drawer()
    chain: list[Any] = [far]
    for _ in range(20):
        chain = [chain]
    Drawer.kept = chain
    try:
        assert holder_of(far) is None
    finally:
        Drawer.kept = None


def test_what_runs_in_a_thread() -> None:
    class Poller(threading.Thread):
        def run(self) -> None: ...

    assert target_of(Poller())[0].endswith("Poller.run")

    class Odd(threading.Thread, list[int]):
        __hash__ = threading.Thread.__hash__  # type: ignore[assignment] # a list has none

    odd = Odd(target=partial(shown))
    odd.append(7)
    assert target_of(odd) == (f"{__name__}.shown", shown)
    assert target_of(threading.Thread(target=Shelf().put))[0].endswith("Shelf.put")
    assert target_of(threading.Timer(1, gc.collect))[0] == "threading.Timer.run"
    assert target_of(threading.Thread(target=Drawer().__init__))[0] == "threading.Thread.run"  # type: ignore[misc]


def test_the_process_has_its_names() -> None:
    names = {root.name for root in of_process()}
    assert {"os.environ", "sys.path", "logging.root.handlers", "atexit.register()"} <= names


def test_what_there_are_too_many_of_is_data() -> None:
    drawers = [Drawer()]

    def strays() -> int:
        found = [id(root.value) for root in of_strays(Scope(), seen=())]
        return sum(id(drawer) in found for drawer in drawers)

    assert strays() == 1
    drawers += [Drawer() for _ in range(MOST_STRAYS)]
    assert strays() == 0


def test_the_places_above() -> None:
    places = Places()
    root = places.root("module global", "shop.CACHE")
    entry = places.part(root, ("key", "ada"))
    name = places.part(entry, ("attribute", "name"))
    assert list(places.above(name)) == [entry, root]
    assert places.container(name) == root
    assert places.container(places.root("module global", "shop.LAST")) != root
    assert places.part(root, ("key", "ada")) == entry


def test_whose_a_module_is(tmp_path: Path) -> None:
    scope = Scope(besides=["shop.tests"])
    assert not scope.covers(None)
    assert not scope.covers("shop.tests")
    assert not scope.covers("json")
    assert not scope.covers("no.such.module")
    assert scope.covers(__name__)
    assert scope.may_hold("json")
    assert scope.is_of_tests("shop.tests")
    assert not scope.is_of_tests("shop")


def test_what_is_installed() -> None:
    """A package without an `__init__` is where its folder is."""
    ours, theirs, builtin = (types.ModuleType(name) for name in ("ours", "theirs", "builtin"))
    ours.__path__ = ["/srv/shop"]
    theirs.__path__ = ["/usr/lib/python3/dist-packages/theirs"]
    assert not is_installed(ours)
    assert is_installed(theirs)
    assert is_installed(builtin)
    assert is_installed("what is no module")


SOURCE = """
from json import loads as loads

def outer(word="x"):
    def inner():
        return word
    bound = []
    def other():
        return bound
    return inner, other

class Basket:
    items = []
    def __init__(self):
        self.owner = "ada"

def late():
    global LATE
    LATE = 1

if True:
    try:
        NESTED = 1
    except ValueError:
        HANDLED = 2

match 1:
    case 1:
        MATCHED = 3

def remember():
    remember.last = 1

late_one = lambda: NESTED

def make():
    class Local:
        pass
    return Local
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    file = tmp_path / "shop_of_a_test.py"
    file.write_text(SOURCE)
    module = types.ModuleType("shop_of_a_test")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "shop_of_a_test", module)
    exec(compile(SOURCE, str(file), "exec"), vars(module))  # noqa: S102 - it is the test's
    return module


def line_of(text: str) -> int:
    return SOURCE.splitlines().index(text) + 1


def test_where_the_source_binds_a_name(shop: types.ModuleType) -> None:
    sources, name = Sources(), shop.__name__

    def line(variable: str) -> int | None:
        found = sources.variable(name, variable)
        return found.line if found else None

    assert line("loads") is None  # it is imported
    assert line("LATE") == line_of("    LATE = 1")
    assert line("NESTED") == line_of("        NESTED = 1")
    assert line("HANDLED") == line_of("        HANDLED = 2")
    assert line("MATCHED") == line_of("        MATCHED = 3")
    assert line("nothing") is None
    assert sources.variable("no.such.module", "x") is None
    assert sources.home_of(shop.loads, name, "loads") == ("json", "loads")
    assert sources.home_of(object(), name, "loads") == (name, "loads")
    vars(shop)["again"] = shop.Basket
    assert sources.home_of(shop.Basket, name, "again") == (name, "Basket")


def test_where_the_source_binds_an_attribute(shop: types.ModuleType) -> None:
    sources = Sources()
    basket = shop.Basket

    def line(found: Any) -> int | None:
        return found.line if found else None

    assert line(sources.attribute(basket, ["items"])) == line_of("    items = []")
    assert line(sources.attribute(basket, ["nothing"])) == line_of("class Basket:")
    assert line(sources.own_attribute(basket, "owner")) == line_of('        self.owner = "ada"')
    assert sources.own_attribute(basket, "nothing") is None
    assert line(sources.class_(basket)) == line_of("class Basket:")
    assert line(sources.class_(shop.make())) == line_of("    class Local:")
    assert sources.class_(type("Ghost", (), {"__module__": shop.__name__})) is None
    assert line(sources.set_on(shop.remember, "last")) == line_of("    remember.last = 1")
    assert sources.set_on(shop.remember, "nothing") is None


def test_where_the_source_binds_what_is_closed_over(shop: types.ModuleType) -> None:
    sources = Sources()
    inner, other = shop.outer()

    def line(found: Any) -> int | None:
        return found.line if found else None

    assert line(sources.closed_over(inner, "word")) == line_of('def outer(word="x"):')
    assert line(sources.closed_over(other, "bound")) == line_of("    bound = []")
    assert sources.closed_over(other, "nothing") is None
    assert line(sources.function(shop.late_one)) == line_of("late_one = lambda: NESTED")
    assert sources.function(len) is None


def test_a_source_that_is_gone(shop: types.ModuleType) -> None:
    Path(str(shop.__file__)).unlink()
    sources = Sources()
    inner, _ = shop.outer()
    assert sources.variable(shop.__name__, "NESTED") is None
    assert sources.attribute(shop.Basket, ["items"]) is None
    assert sources.own_attribute(shop.Basket, "owner") is None
    assert sources.class_(shop.Basket) is None
    assert sources.closed_over(inner, "word") is None
    assert sources.set_on(shop.remember, "last") is None
    found = sources.function(shop.remember)
    assert found
    assert found.line == line_of("def remember():")


def test_the_path_of_many_files() -> None:
    assert common_path(["/srv/prices.csv"] * 3) == "/srv/prices.csv"
    assert common_path(["/srv/shop-ab.csv", "/srv/shop-cd.csv"]) == "/srv/shop-….csv"
    assert common_path(["/srv/a.csv", "/srv/b.txt"]) == "/srv/…"


def test_what_is_said_of_a_value() -> None:
    assert described("secret") == "str of 6 characters"
    assert described(b"secret") == "bytes of 6 bytes"
    assert described([Drawer(), Drawer()]) == "list of 2 Drawer"
    assert described({"a": 1, "b": "x"}) == "dict of 2"
    assert described(Drawer()) == "Drawer"


def test_every_kind_has_a_remedy() -> None:
    assert "shop.CACHE" in remedy_for("module global", "shop.CACHE['…']")
    assert "shop.add" in remedy_for("function default", "shop.add(items)[…]")
    assert remedy_for("kept object", "x")


def test_what_somebody_has_set_on_an_instance_is_told_by_its_class() -> None:
    places, drawer = Places(), Drawer()
    root = places.root("instance attribute", f"{__name__}.Drawer")
    place = places.part(root, ("attribute", "added"))
    held: Held = {root: [(None, drawer)], place: [(drawer, [1])]}
    teller = Teller("/", places, Sources(), Scope(), held)
    leak = teller.leak(Suspect(place, (1, 2), is_container=True), None)
    assert leak.name == f"{__name__}.Drawer.added[…]"
    assert Path(leak.file).read_text().splitlines()[leak.line - 1] == "class Drawer:"


def test_what_means_nothing() -> None:
    assert all(map(_is_nothing, (None, False, ..., "", [], {})))
    assert not any(map(_is_nothing, (True, 0, "x", [0], Drawer())))


def test_a_look_leaves_the_collector_as_it_was() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_others_have_frozen_stays_frozen() -> None:
    gc.freeze()
    try:
        with _thawed_afterwards():
            gc.freeze()
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()
    with _thawed_afterwards():
        gc.freeze()
    assert not gc.get_freeze_count()


def test_what_is_of_others_is_not_entered() -> None:
    session = requests.Session()
    session.headers = {"of": "a package"}
    places = Places()
    looker = Looker(Scope(), places)
    caches = Root("module global", "shop.compiled", fnmatch._compile_pattern)  # type: ignore[attr-defined]
    handlers = Root("logging handler", "shop.handlers", [session], is_of_all=True)
    look = looker.look([caches, handlers])
    assert dict(look.sizes) == {places.root("logging handler", "shop.handlers"): 1}


class Request:
    """Django's, as far as a watch is concerned."""


def test_a_request_that_others_keep_is_told_if_the_project_may_have_told_them_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = Watch()

    def told(request: Request) -> list[Any]:
        found = [list(watch._keeping(request, Look())) for _ in range(4)]
        return [len(suspects) for suspects in found]

    kept_by_python, kept_by_a_package, kept_by_all = Request(), Request(), Request()
    all_ = [[kept_by_all] for _ in range(300)]
    monkeypatch.setattr(json, "kept", [kept_by_python], raising=False)
    monkeypatch.setattr(requests, "kept", [kept_by_a_package], raising=False)
    assert told(kept_by_python) == [0, 0, 1, 0]
    assert told(kept_by_a_package) == [0, 0, 0, 0]
    assert told(kept_by_all) == [0, 0, 0, 0]
    assert all_


def test_a_watch_does_not_tell_what_may_be_anybodys() -> None:
    watch = Watch()
    anybodys = watch._places.root("finalizer", "weakref.finalize()")
    assert watch._leak("/", Suspect(anybodys, (1, 2), is_container=True)) is None
    own = watch._places.root("module global", f"{__name__}.KEPT")
    assert watch._leak("/", Suspect(own, (1, 2), is_container=True))
