"""What the whole process shares: a request that changes it is named, and its change is undone."""

import gc
import locale
import logging
import os
import random
import socket
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from resident.isolation import process
from resident.isolation.process import ProcessState
from resident.isolation.report import Leak, Reports
from resident.isolation.request import Request
from resident.worker import worker

Change = Callable[[Path], object]

ours = logging.getLogger("shop.process")


def set_time_zone(_: Path) -> None:
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


def remove_folder(folder: Path) -> None:
    os.chdir(folder)
    folder.rmdir()


CHANGES: dict[str, tuple[Change, set[str]]] = {
    "a variable": (lambda _: os.environ.update(SHOP="a"), {"os.environ['SHOP']"}),
    "another value": (lambda _: os.environ.update(PATH="a"), {"os.environ['PATH']"}),
    "a variable less": (lambda _: os.environ.pop("PATH"), {"os.environ['PATH']"}),
    "folder": (os.chdir, {"os.getcwd()"}),
    "folder that is gone": (remove_folder, {"os.getcwd()"}),
    "umask": (lambda _: os.umask(0o070), {"os.umask()"}),
    "locale": (lambda _: locale.setlocale(locale.LC_CTYPE, "C"), {"locale.setlocale()"}),
    "time zone": (set_time_zone, {"os.environ['TZ']", "time.tzname"}),
    "warnings": (lambda _: warnings.simplefilter("ignore"), {"warnings.filters"}),
    "path": (lambda folder: sys.path.insert(0, str(folder)), {"sys.path"}),
    "timeout": (lambda _: socket.setdefaulttimeout(7), {"socket.getdefaulttimeout()"}),
    "recursion": (
        lambda _: sys.setrecursionlimit(sys.getrecursionlimit() + 1),
        {"sys.getrecursionlimit()"},
    ),
    "collector": (lambda _: gc.disable(), {"gc.isenabled()"}),
    "level": (lambda _: ours.setLevel(7), {"logging.getLogger('shop.process').level"}),
    "handler": (
        lambda _: ours.addHandler(logging.NullHandler()),
        {"logging.getLogger('shop.process').handlers"},
    ),
    "filter": (
        lambda _: ours.addFilter(lambda _: True),
        {"logging.getLogger('shop.process').filters"},
    ),
    "root's level": (lambda _: logging.root.setLevel(7), {"logging.root.level"}),
    "a setting": (lambda _: setattr(settings, "LANGUAGE_CODE", "de"), {"settings.LANGUAGE_CODE"}),
    "a setting more": (lambda _: setattr(settings, "SHOP", "a"), {"settings.SHOP"}),
    "other settings": (
        lambda _: override_settings(LANGUAGE_CODE="de").enable(),
        {"settings"},
    ),
}


def state() -> dict[str, Any]:
    """All that the changes touch."""
    mask = os.umask(0o077)
    os.umask(mask)
    return {
        "environment": dict(os.environ) | {"PYTEST_CURRENT_TEST": ""},
        "folder": os.getcwd(),  # noqa: PTH109 - as it is
        "umask": mask,
        "locale": locale.setlocale(locale.LC_ALL),
        "time zone": time.tzname,
        "warnings": list(warnings.filters),
        "path": list(sys.path),
        "timeout": socket.getdefaulttimeout(),
        "recursion": sys.getrecursionlimit(),
        "collector": gc.isenabled(),
        "logger": (ours.level, list(ours.handlers), list(ours.filters), logging.root.level),
        "settings": (settings.LANGUAGE_CODE, hasattr(settings, "SHOP"), settings._wrapped),  # type: ignore[misc]
    }


@dataclass
class Worker:
    """A worker's process state and what it reports; lives as long as its test."""

    state: ProcessState
    leaks: list[Leak] = field(default_factory=list)

    def tell_once(self, leak: Leak) -> None:
        self.leaks.append(leak)

    def request(self, change: Callable[[], object], path: str = "/") -> None:
        """A request that changes this, and is alone."""
        begun = self.state.begin()
        change()
        self.state.reset(Request({"REQUEST_METHOD": "GET", "PATH_INFO": path}), begun)

    def told(self) -> dict[str, str]:
        return {leak.place: leak.became for leak in self.leaks}


@pytest.fixture
def make_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Worker]]:
    def make(*, serves: bool = True, **configuration: Any) -> Worker:
        worker.serves = serves
        configured.enter_context(override_settings(**configuration))
        made = Worker(ProcessState())
        monkeypatch.setattr(process, "reports", made)
        return made

    with override_settings(LANGUAGE_CODE="de"):
        pass  # what hears of it is imported now, and not in a request
    before = state()
    with ExitStack() as configured:
        yield make
    assert state() == before


@pytest.mark.parametrize("name", CHANGES)
def test_change(name: str, make_worker: Callable[..., Worker], tmp_path: Path) -> None:
    change, places = CHANGES[name]
    if name == "locale" and locale.setlocale(locale.LC_CTYPE) == "C":
        pytest.skip("needs a locale that is not C's already: unset LC_ALL")
    worker = make_worker()
    before = state()
    worker.request(lambda: change(tmp_path), "/basket")
    assert state() == before
    assert set(worker.told()) == places
    assert {leak.became for leak in worker.leaks} == {"put back"}
    assert {leak.request.path for leak in worker.leaks} == {"/basket"}


def test_nothing_changed(make_worker: Callable[..., Worker]) -> None:
    worker = make_worker()
    worker.request(lambda: logging.getLogger("shop.made.in.a.request"))
    worker.request(lambda: random.gauss(0, 1))
    worker.request(lambda: None)
    assert worker.leaks == []


def test_a_seed_is_drawn_anew(make_worker: Callable[..., Worker]) -> None:
    """So that nobody foresees what the next request draws; nothing tells it from `gauss`."""
    worker = make_worker()
    drawn = []
    for _ in range(2):
        worker.request(lambda: random.seed(1))
        drawn.append(random.random())  # noqa: S311 - what it tests
    assert drawn[0] != drawn[1]
    assert random.Random(1).random() not in drawn  # noqa: S311 - as above
    assert worker.leaks == []


def test_what_an_import_sets_up_stays(
    make_worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = make_worker()

    def import_library() -> None:
        monkeypatch.setitem(sys.modules, "shop.late", types.ModuleType("shop.late"))
        os.environ["SHOP_LATE"] = "set up"

    worker.request(import_library)
    assert os.environ.pop("SHOP_LATE") == "set up"
    (leak,) = worker.leaks
    assert leak.level == logging.INFO
    assert leak.became == "taken for the set-up of a module that it imported"


def test_what_is_kept(make_worker: Callable[..., Worker]) -> None:
    worker = make_worker(RESIDENT_KEEP=["os.environ['SHOP']"])
    worker.request(lambda: os.environ.update(SHOP="kept", OTHER="not kept"))
    assert os.environ.pop("SHOP") == "kept"
    assert worker.told() == {"os.environ['OTHER']": "put back"}


@pytest.mark.parametrize(
    ("undo", "became"),
    [
        ("when alone", "left as it is: other requests ran at the same time"),
        ("never", "left as it is"),
        ("always", "put back"),
    ],
)
def test_where_another_request_runs(
    undo: str, became: str, make_worker: Callable[..., Worker]
) -> None:
    """What is left is the state from then on, and no later request is blamed for it."""
    worker = make_worker(RESIDENT_UNDO=undo)
    other = worker.state.begin()
    worker.request(lambda: os.environ.update(SHOP="hers"))
    worker.state.reset(Request({}), other)
    worker.request(lambda: None)
    assert worker.told() == {"os.environ['SHOP']": became}
    assert os.environ.pop("SHOP", "") == ("" if undo == "always" else "hers")


def test_never_undone(make_worker: Callable[..., Worker]) -> None:
    worker = make_worker(RESIDENT_UNDO="never")
    worker.request(lambda: os.environ.update(SHOP="hers"))
    assert os.environ.pop("SHOP") == "hers"
    assert worker.told() == {"os.environ['SHOP']": "left as it is"}


def test_alone_again_after_others(make_worker: Callable[..., Worker]) -> None:
    worker = make_worker()
    other = worker.state.begin()
    worker.request(lambda: None)
    worker.state.reset(Request({}), other)
    worker.request(lambda: os.environ.update(SHOP="hers"))
    assert worker.told() == {"os.environ['SHOP']": "put back"}


def test_outside_of_a_worker_others_change_it(
    make_worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test, a shell: what changes between two requests is no request's."""
    made = make_worker(serves=False)
    with monkeypatch.context() as test:
        test.setenv("SHOP", "a test's")
        made.request(lambda: None)
        assert os.environ["SHOP"] == "a test's"
    made.request(lambda: None)
    assert made.leaks == []


def test_in_a_worker_a_thread_of_its_own_is_found_out(make_worker: Callable[..., Worker]) -> None:
    """It changed the process between two requests; the next one to end says so, and undoes it."""
    made = make_worker()
    os.environ["SHOP"] = "a thread's"
    made.request(lambda: None)
    assert made.told() == {"os.environ['SHOP']": "put back"}


def test_reports_name_no_value(
    make_worker: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = make_worker()
    monkeypatch.setattr(process, "reports", Reports())
    made.request(lambda: os.environ.update(SHOP_TOKEN="s3cret"))
    made.request(lambda: setattr(settings, "SHOP_TOKEN", "s3cret"))
    assert "os.environ['SHOP_TOKEN']; put back." in caplog.text
    assert "settings.SHOP_TOKEN; put back." in caplog.text
    assert "s3cret" not in caplog.text
