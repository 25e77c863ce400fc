"""What packages keep for a request outlives it without resident, and does not with it."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.databases import PostgreSQL
from tests.evidence import Evidence
from tests.granian import Granian

pytestmark = pytest.mark.slow

HOW_TO_GET = "needs {}: pip install -e '.[packages]'"

ALICE = {"X-User": "alice", "X-Correlation-ID": "alice", "Host": "alice.shop.example"}
ANYBODY = {"Host": "public.shop.example"}

ENOUGH = 200
"""Times that a thread which Alice was in is given a chance to answer the next request."""


class Story(NamedTuple):
    """A request of Alice's to /leave, and somebody's to /look, who finds what she left."""

    site: str
    module: str
    left: str = "alice"
    method: str = "GET"


DIRTY = [
    Story("auditlog", "auditlog"),
    Story("cachalot", "cachalot", left="no cache"),
    Story("cid", "cid"),
    Story("crequest", "crequest"),
    Story("crum", "crum"),
    Story("django_structlog", "django_structlog"),
    Story("easyaudit", "easyaudit"),
    Story("global_request", "django_middleware_global_request"),
    Story("guid", "django_guid"),
    Story("log_request_id", "log_request_id"),
    Story("multidb", "multidb", left="pinned", method="POST"),
    Story("multitenant", "django_multitenant", left="alice's shoe"),
    Story(
        "replicated", "django_replicated", left="Trying to access master database in slave state"
    ),
    Story("request_id", "request_id"),
    Story("sentry", "sentry_sdk"),
    Story("silk", "silk", left="/leave"),
    Story("history", "simple_history"),
    Story("structlog_threadlocal", "structlog"),
    Story("tenants", "django_tenants"),
    Story("threadlocals", "threadlocals"),
    Story("userforeignkey", "django_userforeignkey"),
]
CLEAN = [
    Story("currentuser", "django_currentuser"),
    Story("reversion", "reversion"),
    Story("sentry_django", "sentry_sdk"),
]
KEPT = [
    Story("debug_toolbar", "debug_toolbar", left="1 query in"),
    Story("read_only", "django_read_only", left="guarded"),
    Story("storages", "storages", left="the same"),
]
OF_REQUESTS = ["crequest", "crum", "global_request", "request_id", "threadlocals"]


class Site(Granian):
    """A site of `tests.packages.sites`, with one worker; lives as long as its `with`."""

    def leave(self, story: Story) -> None:
        self.request(story.method, "/leave", ALICE)

    def look(self) -> str:
        return self.request("GET", "/look", ANYBODY)

    def request(self, method: str, path: str, headers: Mapping[str, str]) -> str:
        url = f"http://127.0.0.1:{self.port}{path}"
        self._session.cookies.clear()
        response = self._session.request(method, url, headers=headers, timeout=20)
        self._evidence.keep(f"{method} {path}", response.text)
        return response.text


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


class Sites:
    """Starts sites; each ends with the test."""

    def __init__(
        self, evidence: Evidence, folder: Path, request: pytest.FixtureRequest, undo: ExitStack
    ) -> None:
        self._evidence = evidence
        self._folder = folder
        self._request = request
        self._undo = undo

    def serve(self, story: Story, application: str, threads: int) -> Site:
        if find_spec(story.module) is None:
            pytest.skip(HOW_TO_GET.format(story.module))
        site = Site(
            self._evidence,
            {
                "DJANGO_SETTINGS_MODULE": f"tests.packages.sites.{story.site}",
                "SITE_DATABASE": json.dumps(self._database(story)),
            },
            application=f"tests.packages.wsgi:{application}",
            options=("--workers", "1", "--blocking-threads", str(threads)),
        )
        return self._undo.enter_context(site).serving()

    def _database(self, story: Story) -> dict[str, object]:
        if story.site != "tenants":
            return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(self._folder / "database")}
        server: PostgreSQL = self._request.getfixturevalue("postgresql")
        name = self._folder.name
        server.create(name)
        return server.settings(name)


@pytest.fixture
def sites(evidence: Evidence, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Sites]:
    with ExitStack() as undo:
        yield Sites(evidence, tmp_path, request, undo)


def of_site(story: Story) -> str:
    return story.site


@pytest.mark.parametrize("threads", [1, 3], ids=["1 thread", "3 threads"])
@pytest.mark.parametrize("story", DIRTY, ids=of_site)
def test_without_resident_the_next_request_finds_it(
    sites: Sites, story: Story, threads: int
) -> None:
    bare = sites.serve(story, "bare", threads)
    assert bare.look() == "nothing"
    for _ in range(ENOUGH):
        bare.leave(story)
        if bare.look() == story.left:
            return
    pytest.fail(f"nobody found what {story.module} had left:\n{bare.log()}")


@pytest.mark.parametrize("threads", [1, 3], ids=["1 thread", "3 threads"])
@pytest.mark.parametrize("story", DIRTY, ids=of_site)
def test_with_resident_it_ends_with_its_request(sites: Sites, story: Story, threads: int) -> None:
    site = sites.serve(story, "application", threads)
    for _ in range(threads * 5):
        site.leave(story)
        assert site.look() == "nothing", site.log()


@pytest.mark.parametrize("name", OF_REQUESTS)
def test_a_request_that_still_runs_keeps_its_own(sites: Sites, name: str) -> None:
    (story,) = (story for story in DIRTY if story.site == name)
    site = sites.serve(story, "application", threads=3)
    with ThreadPoolExecutor(1) as others:
        staying = others.submit(site.request, "GET", "/stay", ALICE)
        while not staying.done():
            site.request(story.method, "/leave", {"X-User": "bob", "X-Correlation-ID": "bob"})
    assert staying.result() == "alice"


@pytest.mark.parametrize("application", ["bare", "application"])
@pytest.mark.parametrize("story", CLEAN, ids=of_site)
def test_who_leaves_nothing_stays_clean_and_is_not_reported(
    sites: Sites, story: Story, application: str
) -> None:
    site = sites.serve(story, application, threads=1)
    for _ in range(5):
        site.leave(story)
        assert site.look() == "nothing"
    assert "resident.isolation" not in site.log()


@pytest.mark.parametrize("application", ["bare", "application"])
@pytest.mark.parametrize("story", KEPT, ids=of_site)
def test_what_is_made_once_per_thread_stays_and_is_not_reported(
    sites: Sites, story: Story, application: str
) -> None:
    site = sites.serve(story, application, threads=1)
    for _ in range(5):
        assert story.left in site.look()
    assert "resident.isolation" not in site.log()
