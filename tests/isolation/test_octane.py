"""Two requests pushed through one application, as Octane, FrankenPHP and RoadRunner test theirs.

Each test is named by what would leak, and each says what bare Django's second request finds.
"""

import contextvars
import gc
import json
import locale
import logging
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.test import RequestFactory, override_settings

from resident.handler import Handler
from resident.isolation.context import IsolatedApplication
from resident.isolation.resetters import Resetters
from tests.evidence import Evidence
from tests.granian import Granian, eventually
from tests.isolation import octane

T = TypeVar("T")
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
ENDS = ["", "RuntimeError", "SystemExit"]
OF_SITE = [
    "ALLOWED_HOSTS",
    "AUTHENTICATION_BACKENDS",
    "CACHES",
    "FILE_UPLOAD_HANDLERS",
    "LANGUAGE_CODE",
    "MIDDLEWARE",
    "ROOT_URLCONF",
    "SECURE_PROXY_SSL_HEADER",
    "SESSION_ENGINE",
    "SHOP_NAME",
    "TIME_ZONE",
    "USE_I18N",
    "USE_TZ",
]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    text: str

    def header(self, name: str) -> str:
        return ", ".join(value.strip() for key, value in self.headers if key == name)


class Site:
    """One application in one thread of a worker; lives as long as its test."""

    def __init__(self, application: Application) -> None:
        self.is_isolated = isinstance(application, IsolatedApplication)
        self._application = application
        # What a thread holds between its requests, and what this test's own thread must not keep.
        self._thread = contextvars.copy_context()

    def finds(self, clean: T, *, bare: T) -> T:
        """What a later request finds: that, or with bare Django this."""
        return clean if self.is_isolated else bare

    def visitor(self, host: str = "shop.example", scheme: str = "http") -> "Visitor":
        return Visitor(self, {"HTTP_HOST": host, "HTTP_X_FORWARDED_PROTO": scheme})

    def answer(self, request: WSGIRequest) -> Answer:
        return self._thread.run(self._answer, request.environ)

    def _answer(self, environ: dict[str, Any]) -> Answer:
        started: list[Any] = []
        try:
            body = self._application(environ, lambda *said: started.extend(said))
        except SystemExit:  # a server answers so, and lives on
            return Answer(500, [], "")
        try:
            text = b"".join(body).decode()
        except (RuntimeError, SystemExit):
            text = "broken off"
        finally:
            body.close()  # type: ignore[attr-defined] # as WSGI has it
        status, headers = started
        return Answer(int(status.partition(" ")[0]), headers, text)


class Visitor:
    """A client of a site's, with cookies of its own."""

    def __init__(self, site: Site, environ: dict[str, Any]) -> None:
        self._site = site
        self._browser = RequestFactory(**environ)

    def get(self, path: str, **environ: Any) -> Answer:
        return self._answer(self._browser.get(path, **environ))

    def text(self, path: str) -> str:
        return self.get(path).text

    def json(self, path: str) -> Any:
        return json.loads(self.text(path))

    def upload(self, path: str) -> Answer:
        return self._answer(self._browser.post(path, {"file": SimpleUploadedFile("a", b"b")}))

    def _answer(self, request: WSGIRequest) -> Answer:
        answer = self._site.answer(request)
        self._browser.cookies.load(answer.header("Set-Cookie"))
        return answer


@pytest.fixture(scope="module")
def resetters() -> Resetters:
    return Resetters.of_project()


@pytest.fixture(params=["resident", "bare Django"])
def site(request: pytest.FixtureRequest, resetters: Resetters) -> Iterator[Site]:
    with override_settings(**{name: getattr(octane, name) for name in OF_SITE}):
        is_isolated = request.param == "resident"
        site = Site(IsolatedApplication(Handler(), resetters) if is_isolated else WSGIHandler())
        site.visitor().get("/time-zone")  # what is imported now is no longer imported in a story
        yield site
        cache.clear()
    for drawer in (octane.services, octane.current):
        vars(drawer).clear()
    octane.at_boot.count = 0
    octane.catalogue.cache_clear()
    for file in octane.uploads:
        file.close()
    octane.uploads.clear()


# Octane: what belongs to the first request.


def test_user(site: Site) -> None:
    alice, bob = site.visitor(), site.visitor()
    assert alice.text("/user?login=1") == "customer 1, customer 1"
    assert bob.text("/user") == site.finds(
        "AnonymousUser, nobody", bare="AnonymousUser, customer 1"
    )
    assert alice.text("/user") == "customer 1, customer 1"


def test_session_value(site: Site) -> None:
    alice, bob = site.visitor(), site.visitor()
    assert alice.text("/session?secret=hers") == "hers"
    assert bob.text("/session") == site.finds("nothing", bare="hers")
    assert alice.text("/session") == "hers"


def test_queued_cookie(site: Site) -> None:
    assert site.visitor().get("/cookie?queue=hers").header("Set-Cookie").startswith("hers=")
    sent = site.visitor().get("/cookie").header("Set-Cookie")
    assert sent == site.finds("", bare="hers=queued; Path=/")


@pytest.mark.parametrize("how", ["activate", "override"])
def test_language(site: Site, how: str) -> None:
    visitor = site.visitor()
    assert visitor.text(f"/language?{how}=de") == "Ja 0,5"
    assert visitor.text("/language") == site.finds("Yes 0.5", bare="Ja 0,5")


def test_locale_of_the_system(site: Site) -> None:
    before = locale.setlocale(locale.LC_CTYPE)
    if before == "C":
        pytest.skip("needs a locale that is not C's already: unset LC_ALL")
    try:
        assert site.visitor().text("/locale?set=C") == "C"
        assert site.visitor().text("/locale") == site.finds(before, bare="C")
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def test_time_zone(site: Site) -> None:
    visitor = site.visitor()
    assert visitor.text("/time-zone?activate=Asia/Tokyo") == "JST"
    assert visitor.text("/time-zone") == site.finds("UTC", bare="JST")


def test_written_setting(site: Site) -> None:
    visitor = site.visitor()
    assert visitor.text("/configuration?write=hers") == "hers"
    assert visitor.text("/configuration") == site.finds("the shop", bare="hers")


def test_cache_of_a_request(site: Site) -> None:
    assert site.visitor().text("/request-cache?customer=alice") == "for alice"
    found = site.visitor().text("/request-cache?customer=bob")
    assert found == site.finds("for bob", bare="for alice")


def test_request_object(site: Site) -> None:
    assert site.visitor("alice.example").text("/request?of=alice") == (
        "/request?of=alice, alice.example"
    )
    assert site.visitor("bob.example").text("/request?of=bob") == site.finds(
        "/request?of=bob, bob.example", bare="/request?of=alice, alice.example"
    )


def test_form(site: Site) -> None:
    assert site.visitor().text("/form?item=shoe") == "shoe"
    assert site.visitor().text("/form?item=hat") == site.finds("hat", bare="shoe")


def test_service_made_in_a_request(site: Site) -> None:
    counts = [site.visitor().text("/service") for _ in range(3)]
    assert counts == site.finds(["1", "1", "1"], bare=["1", "2", "3"])


def test_view_instance(site: Site) -> None:
    """Django makes one for each request by itself, and nothing of resident's changes that."""
    assert [site.visitor().text("/view") for _ in range(3)] == ["1", "1", "1"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("path", ["/remembered-view", "/streaming-view"])
def test_view_instance_stays_alive(
    site: Site, path: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest keeps what is logged, and with it the traceback and all of its frames.
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)
    for _ in range(3):
        site.visitor().get(f"{path}?end={end}")
    gc.collect()
    assert len(octane.CountingView.alive) == site.finds(0, bare=1)


def test_host_and_scheme_in_links(site: Site) -> None:
    alice = site.visitor("alice.example", "https").json("/links?page=2")
    assert alice == {
        "reversed": "/links",
        "of the request": "https://alice.example/basket",
        "of the service": "https://alice.example/basket",
        "next page": "https://alice.example/links?page=3",
    }
    bob = site.visitor("bob.example").json("/links?page=7")
    assert bob == alice | {"of the request": "http://bob.example/basket"} | site.finds(
        {
            "of the service": "http://bob.example/basket",
            "next page": "http://bob.example/links?page=8",
        },
        bare={},
    )


def test_host_and_scheme_in_redirects(site: Site) -> None:
    alice = site.visitor("alice.example", "https").get("/redirects")
    assert alice.header("Location") == "https://alice.example/links"
    bob = site.visitor("bob.example").get("/redirects")
    assert bob.header("Location") == site.finds(
        "http://bob.example/links", bare="https://alice.example/links"
    )


def test_script_prefix_in_links(site: Site) -> None:
    """Django sets it at the start of each request."""
    visitor = site.visitor()
    alice = json.loads(visitor.get("/links?page=1", SCRIPT_NAME="/alice").text)
    assert alice["reversed"] == "/alice/links"
    assert visitor.json("/links?page=1")["reversed"] == "/links"


def test_log_context(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "shop")
    site.visitor().get("/logs?customer=alice")
    site.visitor().get("/logs")
    said = [record.__dict__["customer"] for record in caplog.records if record.name == "shop"]
    assert said == ["alice", site.finds("nobody", bare="alice")]


@pytest.mark.parametrize("end", ENDS)
def test_temporary_upload(site: Site, end: str) -> None:
    site.visitor().upload(f"/upload?end={end}")
    (file,) = octane.uploads
    is_left = site.finds(clean=False, bare=end == "SystemExit")
    assert Path(file.temporary_file_path()).exists() is is_left


@pytest.mark.parametrize("end", ENDS)
def test_moved_upload_is_kept(site: Site, end: str, tmp_path: Path) -> None:
    site.visitor().upload(f"/upload?move={tmp_path}&end={end}")
    (file,) = octane.uploads
    assert not Path(file.temporary_file_path()).exists()
    assert (tmp_path / "kept").read_bytes() == b"b"


# What stays on purpose.


def test_cache_in_the_process_stays(site: Site) -> None:
    assert site.visitor().text("/shared-cache?customer=alice") == "alice"
    assert site.visitor().text("/shared-cache?customer=bob") == "alice"


def test_what_is_made_once_for_all_stays(site: Site) -> None:
    counted = [site.visitor().json("/singletons") for _ in range(3)]
    assert counted == [{"at boot": count, "lru_cache": count} for count in (1, 2, 3)]


# FrankenPHP.


@pytest.mark.parametrize("end", ENDS)
def test_session_secret_of_a_request_that_ends_badly(site: Site, end: str) -> None:
    status = site.visitor().get(f"/session?secret=hers&end={end}").status
    assert status == (500 if end else 200)
    found = [site.visitor().text("/session") for _ in "BC"]
    assert found == site.finds(["nothing", "nothing"], bare=["hers", "hers"])


class Served(Granian):
    """The site in a real granian; lives as long as its `with`."""

    def __init__(self, evidence: Evidence, application: str, *options: str, log: str = "") -> None:
        super().__init__(
            evidence,
            {"DJANGO_SETTINGS_MODULE": "tests.isolation.octane", "OCTANE_LOG": log or os.devnull},
            application=f"tests.isolation.octane:{application}",
            options=options,
        )

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def slow(self, until: Path, megabytes: int = 0) -> requests.Response:
        """A request that is answered in full once the file is there."""
        url = f"http://127.0.0.1:{self.port}/slow"
        asked = {"until": str(until), "megabytes": str(megabytes)}
        return requests.get(url, asked, stream=True, timeout=30)


@pytest.mark.parametrize(
    "application",
    ["application", pytest.param("bare", marks=pytest.mark.slow)],
)
def test_worker_lost_under_concurrency(application: str, evidence: Evidence) -> None:
    """All are answered, by the workers that there were, and nobody finds another's token."""
    options = ("--workers", "2", "--blocking-threads", "3")
    with Served(evidence, application, *options) as served, ThreadPoolExecutor(8) as clients:
        workers = served.serving().workers()
        answers = list(clients.map(served.get, [f"/echo?token={it}" for it in range(400)]))
        assert served.workers() == workers
        assert served.stop() == 0
    assert {answer.status_code for answer in answers} == {200}
    echoes = [answer.json() for answer in answers]
    assert [echo["left"] for echo in echoes] == [[str(it), str(it)] for it in range(400)]
    assert {echo["worker"] for echo in echoes} <= set(workers)
    are_clean = all(echo["found"] == ["nobody", "nobody"] for echo in echoes)
    assert are_clean is (application == "application")


# RoadRunner: a worker that is asked to stop finishes what it does.


@dataclass(frozen=True)
class Stop:
    """A way to end a worker while it answers.

    Args:
        ask: what is done while the requests run.
        megabytes: what each of them takes of the memory.
        is_replaced: whether another worker takes its place.
        says: what granian prints when it has asked the worker.
    """

    ask: Callable[[Served], object]
    megabytes: int
    is_replaced: bool
    says: str


STOPS = {
    "SIGTERM": Stop(lambda served: served.send(signal.SIGTERM), 0, False, "Shutting down"),
    "SIGHUP": Stop(lambda served: served.send(signal.SIGHUP), 0, True, "Stopping old worker-1"),
    "memory limit": Stop(lambda served: None, 150, True, "Stopping old worker-1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_request_of_a_worker_that_is_asked_to_stop(
    stop: Stop, evidence: Evidence, tmp_path: Path
) -> None:
    options = ["--workers", "1", "--blocking-threads", "3", "--respawn-interval", "0.2"]
    options += ["--workers-max-rss", "200", "--rss-sample-interval", "1"]
    until = tmp_path / "answer"
    with Served(evidence, "application", *options) as served:
        (old,) = served.serving().workers()
        answers = [served.slow(until, stop.megabytes) for _ in range(3)]
        stop.ask(served)
        assert served.eventually_logs(stop.says)
        until.touch()
        for answer in answers:
            begun, _, rest = answer.text.partition("\n")
            assert (answer.status_code, rest) == (200, "in full")
            assert json.loads(begun) == {"worker": old, "megabytes": stop.megabytes}
        if stop.is_replaced:
            assert eventually(lambda: len(served.workers()) > 1)
            assert served.serving().get("/echo?token=1").json()["worker"] != old
        assert served.stop() == 0


def test_log_handler_when_the_worker_stops(evidence: Evidence, tmp_path: Path) -> None:
    """A handler that writes its records together has written all of them when it is closed."""
    file = tmp_path / "log"
    with Served(evidence, "application", log=str(file)) as served:
        for _ in range(3):
            served.serving().get("/logs")
        assert not file.exists()
        assert served.stop() == 0
    assert file.read_text() == "visited\n" * 3
