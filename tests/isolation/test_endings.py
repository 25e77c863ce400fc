"""A request ends badly, after it left as much as it can; the next one finds none of it."""

import contextlib
import json
import socket
import sqlite3
import struct
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.databases import PostgreSQL
from tests.evidence import Evidence
from tests.granian import Granian, eventually

CLEAN = {
    "language": "en-us",
    "customer": "",
    "drawer": "",
    "in the environment": False,
    "upload open": False,
    "transactions": [],
    "errors": [],
}
EXCEPTIONS = ["RuntimeError", "SystemExit", "KeyboardInterrupt", "GeneratorExit"]
NO_ANSWER = ["middleware, on the way in", "middleware, on the way out", "view", "template"]
"""Where a bad ending leaves the client with an error."""
ANSWERED = [
    "stream, before its first chunk",
    "stream, between its chunks",
    "close() of the body",
    "close(), before Django's",
    "close(), after Django's",
    "request_finished",
]
"""Where the response is on its way when the request ends."""
SERVER_FAILS = ["chunk that is no bytes", "header that is none"]
CLIENT_GOES = ["before the response", "before the stream", "in the stream", "before close()"]
ENDINGS = [
    *((place, "none") for place in ["normally", *SERVER_FAILS]),
    *((place, exception) for place in NO_ANSWER + ANSWERED for exception in EXCEPTIONS),
]
NEVER_FINISHED = [
    *((place, exit_) for place in [*NO_ANSWER, "close() of the body"] for exit_ in EXCEPTIONS[1:]),
    *(("close(), before Django's", exception) for exception in EXCEPTIONS),
]
"""The endings that bare Django does not take for the end of the request."""


@dataclass(frozen=True)
class Databases:
    """The two databases of a site, "default" and "other", and a look into them from outside."""

    settings: dict[str, Any]
    sql: Callable[[str, str], list[Any]]

    def rows(self, alias: str) -> set[str]:
        """What was really written, and not only in a transaction that nobody commits."""
        return {row for (row,) in self.sql(alias, "SELECT token FROM written")}


class Site(Granian):
    def __init__(
        self,
        evidence: Evidence,
        databases: Databases,
        folder: Path,
        application: str,
        threads: int,
    ) -> None:
        self.threads = threads
        self.databases = databases
        self._files = folder
        super().__init__(
            evidence,
            {
                "DJANGO_SETTINGS_MODULE": "tests.isolation.endings",
                "ENDINGS_DATABASES": json.dumps(databases.settings),
                "ENDINGS_FOLDER": str(folder),
            },
            application=f"tests.isolation.endings:{application}",
            options=("--workers", "1", "--blocking-threads", str(threads)),
        )

    def leave(self, path: str, token: str, **headers: str) -> requests.Response | None:
        """Send a request that leaves something; None where its answer breaks off."""
        upload = {"file": ("receipt.txt", b"uploaded")}
        url = f"http://127.0.0.1:{self.port}/{path}"
        with contextlib.suppress(requests.RequestException):
            return requests.post(url, files=upload, headers={"Token": token} | headers, timeout=20)
        return None

    def leave_and_go(self, place: str, token: str) -> None:
        """Send it, and break the connection as soon as the site has come as far as that."""
        prepared = requests.Request(
            "POST",
            f"http://127.0.0.1:{self.port}/leave?place={place}",
            files={"file": ("receipt.txt", b"uploaded")},
            headers={"Token": token, "Host": "localhost"},
        ).prepare()
        head = f"POST {prepared.path_url} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in prepared.headers.items())
        assert isinstance(prepared.body, bytes)
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(head.encode() + b"\r\n" + prepared.body)
            assert self.entered(token)
            # Closed at once, with what is unread: the server is told by a reset.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        (self._files / f"gone-{token}").touch()

    def entered(self, token: str) -> bool:
        return eventually((self._files / f"entered-{token}").exists)

    def ended(self, token: str) -> bool:
        """Whether the resetters ran. Only then nothing is left in whichever thread it was."""
        return self.eventually_logs(f"ended {token}.")

    def looks(self, after: str) -> list[dict[str, Any]]:
        """What the next request finds, in each thread; what it writes stays written."""
        tokens = [uuid.uuid4().hex for _ in range(self.threads)]
        with ThreadPoolExecutor(self.threads) as clients:
            looks = list(clients.map(self._look, tokens, [after] * self.threads))
        assert len({look.pop("thread") for look in looks}) == self.threads
        assert {look.pop("worker") for look in looks} == set(self.workers())
        for alias in self.databases.settings:
            missing = set(tokens) - self.databases.rows(alias)
            for look, token in zip(looks, tokens, strict=True):
                look["errors"] += [f"{alias} has lost a row"] if token in missing else []
        return looks

    def times(self, event: str, token: str) -> int:
        """How often the site told this of a request."""
        return self.log().splitlines().count(f"{event} {token}.")

    def _look(self, token: str, after: str) -> dict[str, Any]:
        path = f"/look?together={self.threads}&after={after}"
        response = self.get(path, headers={"Token": token})
        found: dict[str, Any] = response.json()
        return found


DatabasesMaker = Callable[[str], Databases]
SiteMaker = Callable[..., Site]


@pytest.fixture(scope="module")
def new_databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> DatabasesMaker:
    def make(vendor: str) -> Databases:
        makers = {"sqlite": of_sqlite, "postgresql": of_postgresql}
        databases = makers[vendor](request, tmp_path_factory.mktemp("databases"))
        for alias in databases.settings:
            databases.sql(alias, "CREATE TABLE written (token varchar(80))")
            if vendor == "postgresql":
                databases.sql(alias, "GRANT ALL ON written TO resident")
        return databases

    return make


def of_sqlite(_: pytest.FixtureRequest, folder: Path) -> Databases:
    def sql(alias: str, statement: str) -> list[Any]:
        file = folder / f"{alias}.sqlite3"
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    settings = {
        alias: {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(folder / f"{alias}.sqlite3"),
            "CONN_MAX_AGE": None,
        }
        for alias in ("default", "other")
    }
    return Databases(settings, sql)


def of_postgresql(request: pytest.FixtureRequest, folder: Path) -> Databases:
    server: PostgreSQL = request.getfixturevalue("postgresql")
    names = {alias: f"{folder.name}-{alias}" for alias in ("default", "other")}
    for name in names.values():
        server.create(name)
    settings = {alias: server.settings(name, CONN_MAX_AGE=None) for alias, name in names.items()}
    return Databases(
        settings, lambda alias, statement: server.sql(statement, database=names[alias])
    )


@pytest.fixture(scope="module")
def new_site(
    pytestconfig: pytest.Config,
    new_databases: DatabasesMaker,
    tmp_path_factory: pytest.TempPathFactory,
) -> SiteMaker:
    from tests.conftest import EVIDENCE  # noqa: PLC0415 - a conftest's key

    def make(application: str, threads: int = 1, vendor: str = "sqlite") -> Site:
        folder = tmp_path_factory.mktemp("site")
        evidence = pytestconfig.stash[EVIDENCE]
        return Site(evidence, new_databases(vendor), folder, application, threads)

    return make


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("sqlite", 1), id="1 thread"),
        pytest.param(("sqlite", 3), id="3 threads", marks=pytest.mark.slow),
        pytest.param(("postgresql", 1), id="PostgreSQL, 1 thread", marks=pytest.mark.slow),
        pytest.param(("postgresql", 3), id="PostgreSQL, 3 threads", marks=pytest.mark.slow),
    ],
)
def site(request: pytest.FixtureRequest, new_site: SiteMaker) -> Iterator[Site]:
    vendor, threads = request.param
    with new_site("application", threads, vendor) as granian:
        yield granian.serving()


@pytest.mark.parametrize(("place", "exception"), ENDINGS)
def test_the_next_request_is_clean(site: Site, place: str, exception: str) -> None:
    token = uuid.uuid4().hex
    path = f"leave?place={place}&exception={exception}"
    site.leave(path, "first", **{"Is-First": "yes"})
    response = site.leave(path, token)
    assert response is not None
    assert response.status_code == (500 if place in NO_ANSWER else 200)
    assert_all_is_over(site, token)


@pytest.mark.parametrize("place", CLIENT_GOES)
def test_the_next_request_is_clean_when_the_client_has_gone(site: Site, place: str) -> None:
    token = uuid.uuid4().hex
    site.leave("leave?place=normally", "first", **{"Is-First": "yes"})
    site.leave_and_go(place, token)
    assert_all_is_over(site, token)
    assert site.times("generator exit", token) == (place == "in the stream")


def assert_all_is_over(site: Site, token: str) -> None:
    assert site.ended(token)
    assert site.looks(token) == [CLEAN] * site.threads
    for event in ("finished", "ended"):
        assert site.times(event, token) == 1, f"{event} how often?"
    assert site.times("cache closed", token) >= 1
    rows = site.databases.rows("default") | site.databases.rows("other")
    assert f"{token} committed" in rows
    assert f"{token} pending" not in rows


@pytest.mark.parametrize("place", ["view", pytest.param("stream", marks=pytest.mark.slow)])
@pytest.mark.parametrize("threads", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_worker_that_is_asked_to_stop_finishes_its_requests(
    new_site: SiteMaker, place: str, threads: int
) -> None:
    """Each is answered in full, and ends as others do, before the resources are closed."""
    tokens = [uuid.uuid4().hex for _ in range(threads)]
    with new_site("application", threads) as site, ThreadPoolExecutor(threads) as clients:
        site.serving()
        answers = [clients.submit(site.leave, f"stopped?place={place}", it) for it in tokens]
        assert all(map(site.entered, tokens))
        assert site.stop() == 0
        for answer in answers:
            response = answer.result()
            assert response is not None
            assert response.text == "answered in full"
        for token in tokens:
            assert site.times("finished", token) == site.times("ended", token) == 1
        assert "search closed." in site.log().rpartition("ended ")[2]
    rows = site.databases.rows("default") | site.databases.rows("other")
    assert rows == {f"{token} committed" for token in tokens}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "exception"),
    [
        *ENDINGS,
        *((place, "") for place in CLIENT_GOES),
    ],
)
def test_without_resident_the_next_request_finds_it(
    new_site: SiteMaker, place: str, exception: str
) -> None:
    token = uuid.uuid4().hex
    with new_site("bare") as bare:
        bare.serving()
        if place in CLIENT_GOES:
            bare.leave_and_go(place, token)
        else:
            bare.leave(f"leave?place={place}&exception={exception}", token)
        (found,) = bare.looks(token)
        finished = bare.times("finished", token)
    dirty = {name for name in CLEAN if found[name] != CLEAN[name]}
    assert {"language", "customer", "drawer", "in the environment", "errors"} <= dirty
    is_lost = (place, exception) in NEVER_FINISHED
    assert ("upload open" in dirty) is is_lost
    assert finished == (not is_lost)
