"""The middleware that looks for leaks while a project is developed."""

import asyncio
import gc
import logging
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest
import requests
from django.core.exceptions import MiddlewareNotUsed
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, RequestFactory, override_settings

from resident.admin.leak import LEAK_DETECTION
from resident.leaks.detection import Detection
from resident.leaks.journal import Journal, journal
from resident.leaks.leak import Leak
from resident.leaks.visit import REHEARSED, Visit
from resident.middleware import LeakDetectionMiddleware
from tests.evidence import Evidence
from tests.granian import ROOT, clean_environment, eventually
from tests.leaks import shop
from tests.leaks.examples import CACHE, SEEN
from tests.leaks.test_admin import Text
from tests.servers import free_port

# At its end each request looks whether its connections are still good.
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_empty_journal")]


class Told:
    """A watch that is told what to find after each request, in turn; keeps what it was asked."""

    def __init__(self, *found: list[Leak] | Exception) -> None:
        self._found = list(found)
        self.asked: list[tuple[Visit, str]] = []

    def after(self, visit: Visit, path: str) -> list[Leak]:
        self.asked.append((visit, path))
        found = self._found.pop(0) if self._found else []
        if isinstance(found, Exception):
            raise found
        return found

    @property
    def paths(self) -> list[str]:
        return [path for _, path in self.asked]


class Thing:
    """Something that can be held weakly, as a request."""


def end_of(detection: Detection, path: str = "/prices") -> Callable[[], None]:
    return detection.begin(Thing(), "GET", path)


# When it looks


def test_it_looks_when_the_next_request_begins() -> None:
    """By then the server has let go of the one before, and what resets has run."""
    watch = Told()
    detection = Detection(watch, Journal())
    for path in ("/one", "/two", "/three"):
        end_of(detection, path)()
    assert watch.paths == ["/one", "/two"]


def test_it_does_not_look_after_a_request_that_is_not_over() -> None:
    watch = Told()
    detection = Detection(watch, Journal())
    end = end_of(detection, "/slow")
    end_of(detection, "/fast")
    assert watch.paths == []
    end()
    end_of(detection)
    end_of(detection)
    assert watch.paths == ["/slow"]


def test_it_keeps_no_request_alive() -> None:
    watch = Told()
    detection = Detection(watch, Journal())
    thing = Thing()
    detection.begin(thing, "GET", "/")()
    alive = weakref.ref(thing)
    del thing
    end_of(detection)
    ((visit, _),) = watch.asked
    assert visit.request is not None
    assert visit.request() is alive() is None


def test_one_thread_looks_and_no_other_waits_for_it() -> None:
    looks, let_go = threading.Event(), threading.Event()

    class Slow(Told):
        def after(self, visit: Visit, path: str) -> list[Leak]:
            looks.set()
            let_go.wait(10)
            return super().after(visit, path)

    watch = Slow()
    detection = Detection(watch, Journal())
    end_of(detection, "/one")()
    looking = threading.Thread(target=end_of, args=[detection])
    looking.start()
    assert looks.wait(10)
    began = time.monotonic()
    end_of(detection, "/two")()
    end_of(detection, "/three")
    assert time.monotonic() - began < 2
    let_go.set()
    looking.join(10)
    end_of(detection)
    assert watch.paths == ["/one", "/two"]


# What it tells


def test_each_leak_is_logged_once_and_counted_each_time(caplog: pytest.LogCaptureFixture) -> None:
    kept = Journal()
    detection = Detection(Told([CACHE], [CACHE, SEEN], [CACHE]), kept)
    for path in ("/prices", "/prices", "/pri\nces", "/"):
        end_of(detection, path)()
    place = "/srv/shop/pricing.py:12"
    assert [record.getMessage() for record in caplog.records] == [
        f"Leak after GET '/prices': module global, {CACHE.name}, {place}",
        f"Leak after GET '/prices': closure, {SEEN.name}, {place}",
    ]
    assert {(record.name, record.levelno) for record in caplog.records} == {
        ("resident.leaks", logging.WARNING)
    }
    seen, cache = kept.entries()
    assert (seen.leak, seen.count) == (SEEN, 1)
    assert (cache.count, cache.path, cache.method) == (3, "/pri\nces", "GET")
    assert kept.requests == 3


def test_a_path_forges_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    detection = Detection(Told([CACHE]), Journal())
    end_of(detection, "/\nCRITICAL all is lost")()
    end_of(detection)
    assert "\n" not in caplog.text.rstrip("\n")


@pytest.mark.parametrize(
    ("file", "told"), [("", ""), ("/srv/shop/pricing.py", ", /srv/shop/pricing.py")]
)
def test_where_nobody_knows_the_line_none_is_told(
    caplog: pytest.LogCaptureFixture, file: str, told: str
) -> None:
    detection = Detection(Told([replace(CACHE, file=file, line=0)]), Journal())
    end_of(detection)()
    end_of(detection)
    assert caplog.messages == [f"Leak after GET '/prices': module global, {CACHE.name}{told}"]
    assert vars(caplog.records[0])["place"] == CACHE.name
    assert vars(caplog.records[0])["line"] == file


def test_a_look_that_fails_is_logged_once_and_the_next_may_succeed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = Journal()
    fails = RuntimeError("a hostile object")
    detection = Detection(Told(fails, fails, [CACHE]), kept)
    for _ in range(4):
        end_of(detection)()
    failed, found = caplog.records
    assert failed.getMessage() == "Looking for leaks failed. This is said once."
    assert failed.levelno == logging.ERROR
    assert failed.exc_info
    assert "module global" in found.getMessage()
    assert kept.requests == 1


# The middleware


@pytest.mark.parametrize("debug", [False, True])
def test_it_withdraws_itself_unless_debug(debug: bool, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(DEBUG=debug):
        if debug:
            assert LeakDetectionMiddleware(lambda _: HttpResponse())
        else:
            with pytest.raises(MiddlewareNotUsed):
                LeakDetectionMiddleware(lambda _: HttpResponse())
            handler = handler_with(LEAK_DETECTION)
            assert not isinstance(handler._middleware_chain, LeakDetectionMiddleware)
    assert not caplog.records


def handler_with(*middleware: str) -> Any:
    with override_settings(MIDDLEWARE=list(middleware)):
        return WSGIHandler()


@override_settings(DEBUG=True)
def test_under_asgi_it_steps_aside() -> None:
    async def view(_: HttpRequest) -> HttpResponse:
        return HttpResponse()

    with pytest.raises(MiddlewareNotUsed):
        LeakDetectionMiddleware(view)


@override_settings(DEBUG=True)
def test_where_a_request_is_rehearsed_it_steps_aside() -> None:
    middleware = LeakDetectionMiddleware(lambda _: HttpResponse())
    rehearsed = RequestFactory().get("/")
    rehearsed.META[REHEARSED] = object()
    for _ in range(3):
        middleware(rehearsed).close()
    assert journal.requests == 0
    for _ in range(3):
        middleware(RequestFactory().get("/")).close()
    assert journal.requests == 2


NOT_LOADED = """
import sys, django
from django.conf import settings
settings.configure(MIDDLEWARE=["resident.middleware.LeakDetectionMiddleware"], DEBUG={debug})
django.setup()
from django.core.handlers.wsgi import WSGIHandler
WSGIHandler()
print(sorted(name for name in sys.modules if name.startswith("resident.leaks")))
"""


def test_where_debug_is_off_nothing_of_it_is_in_memory() -> None:
    def loaded(debug: bool) -> str:
        program = NOT_LOADED.format(debug=debug)
        command = [sys.executable, "-c", program]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
        return ran.stdout

    assert loaded(debug=False) == "[]\n"
    assert "resident.leaks.watch" in loaded(debug=True)


@pytest.fixture
def middleware() -> tuple[LeakDetectionMiddleware, Told]:
    """The middleware around a view that answers as the request's path says, and its watch."""

    def view(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        if request.path == "/exit":
            raise SystemExit
        if request.path == "/stream":
            return StreamingHttpResponse(iter(["a", "b"]))
        return HttpResponse("ab")

    with override_settings(DEBUG=True):
        made = LeakDetectionMiddleware(view)
    watch = Told()
    made._detection = Detection(watch, journal)
    return made, watch


def test_it_looks_after_the_last_byte_of_a_stream(
    middleware: tuple[LeakDetectionMiddleware, Told],
) -> None:
    answer, watch = middleware
    request = RequestFactory().get
    response = answer(request("/stream"))
    answer(request("/other"))
    assert b"".join(response) == b"ab"
    answer(request("/other"))
    assert watch.paths == []
    response.close()
    answer(request("/other"))
    assert watch.paths == ["/stream"]


def test_it_looks_after_a_request_that_ended_in_an_exit(
    middleware: tuple[LeakDetectionMiddleware, Told],
) -> None:
    answer, watch = middleware
    with pytest.raises(SystemExit):
        answer(RequestFactory().post("/exit", {"password": "of a query no log should hold"}))
    answer(RequestFactory().get("/other"))
    assert watch.paths == ["/exit"]


def test_the_request_is_gone_when_it_looks(
    middleware: tuple[LeakDetectionMiddleware, Told],
) -> None:
    answer, watch = middleware
    answer(RequestFactory().get("/plain")).close()
    gc.collect()
    answer(RequestFactory().get("/other"))
    ((visit, _),) = watch.asked
    assert visit.request is not None
    assert visit.request() is None


def test_a_path_is_told_without_its_query(
    middleware: tuple[LeakDetectionMiddleware, Told],
) -> None:
    answer, watch = middleware
    answer(RequestFactory().get("/plain?token=secret", SCRIPT_NAME="/shop")).close()
    answer(RequestFactory().get("/"))
    assert watch.paths == ["/shop/plain"]


# All of it


@pytest.mark.slow
@pytest.mark.parametrize(("path", "name"), [("/prices/{}", "CACHE['…']"), ("/remember", "LAST[…]")])
def test_a_leak_is_found_while_requests_are_served(path: str, name: str) -> None:
    with override_settings(
        DEBUG=True,
        ROOT_URLCONF=shop,
        MIDDLEWARE=["resident.middleware.ResetStateMiddleware", LEAK_DETECTION],
    ):
        handler = WSGIHandler()
        for number in until(journal.entries):
            serve(handler, path.format(number))
            serve(handler, "/clean")
    (found,) = journal.entries()
    assert found.leak.name == f"tests.leaks.shop.{name}"
    assert Path(found.leak.file) == Path(shop.__file__)
    place = ("module global", shop.line_of(name.partition("[")[0]))
    assert (found.leak.kind, found.leak.line) == place
    shop.CACHE.clear()
    shop.LAST.clear()


def serve(handler: WSGIHandler, path: str) -> None:
    """One request as a server makes it: the test client would leave finalizers behind."""
    said: list[str] = []

    def start_response(status: str, *_: Any) -> Callable[[bytes], object]:
        said.append(status)
        return print

    response = handler(RequestFactory().get(path).environ, start_response)
    assert b"".join(response)
    response.close()
    assert said == ["200 OK"]


def until(found: Callable[[], object], seconds: float = 300) -> Iterator[int]:
    """Numbers, until something is found; fails the test where that takes too long."""
    deadline = time.monotonic() + seconds
    for number in count():
        if found():
            return
        assert time.monotonic() < deadline
        yield number


@override_settings(DEBUG=True, ROOT_URLCONF=shop, MIDDLEWARE=[LEAK_DETECTION])
def test_the_asynchronous_stack_works_with_it() -> None:
    async def story() -> Any:
        return await AsyncClient().get("/clean")

    assert asyncio.run(story()).status_code == 200
    assert journal.requests == 0


class DevelopmentServer:
    """`manage.py runserver` of the shop with the leak; lives as long as its `with`."""

    def __init__(self, evidence: Evidence, folder: Path) -> None:
        self._port = free_port()
        self._evidence = evidence
        self._log = folder / "log"
        self._folder = folder

    def __enter__(self) -> Self:
        environment = clean_environment(
            DJANGO_SETTINGS_MODULE="tests.leaks.shop_settings", TEST_FOLDER=str(self._folder)
        )
        django = [sys.executable, "-m", "django"]
        subprocess.run([*django, "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*django, "runserver", "--noreload", f"127.0.0.1:{self._port}"],
                cwd=ROOT,
                env=environment | {"PYTHONUNBUFFERED": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        assert eventually(self._answers), self.log()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._evidence.keep("runserver", self.log())

    def get(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self._port}{path}", timeout=20)

    def log(self) -> str:
        return self._log.read_text()

    def _answers(self) -> bool:
        try:
            return self.get("/clean").ok
        except requests.ConnectionError:
            return False


@pytest.mark.slow
def test_the_development_server_says_it_and_the_admin_lists_it(
    evidence: Evidence, tmp_path: Path
) -> None:
    with DevelopmentServer(evidence, tmp_path) as server:
        for number in until(lambda: "Leak after" in server.log()):
            assert server.get(f"/prices/{number}").ok
        said = [line for line in server.log().splitlines() if "Leak after" in line]
        expected = f"tests.leaks.shop.CACHE['…'], {shop.__file__}:{shop.line_of('CACHE')}"
        assert len(said) == 1, server.log()
        assert said[0].endswith(expected)
        page = str(Text(server.get("/admin/resident/leak/").text))
        assert "tests.leaks.shop.CACHE['…'] " in page
        assert f"tests/leaks/shop.py:{shop.line_of('CACHE')} " in page
        assert server.get("/exit").status_code == 500
        assert server.get("/clean").ok
