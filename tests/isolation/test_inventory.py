"""Request A leaves something behind; request B finds it, or it does not: row by row."""

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from tests.databases import DatabaseServer
from tests.evidence import Evidence
from tests.granian import Granian
from tests.isolation.inventory import (
    BARE,
    CLEAN,
    KEPT,
    LEAK,
    OF_DATABASE,
    OF_PROCESS,
    ONE_THREAD,
    PER_REQUEST,
    PERSISTENT,
    POOL,
    PREPARATIONS,
    REPORTED,
    THREE_THREADS,
    Row,
)
from tests.isolation.inventory_page import TABLES, Cell, bare, cells_of_page, write_page

REWRITES = "RESIDENT_WRITE_INVENTORY"
HOW_TO_REWRITE = (
    f'{REWRITES}=1 pytest -m "slow or not slow" tests/isolation/test_inventory.py writes it anew.'
)
MISREPORTED = "another request is reported"
LOOKS = 2
LOOKS_AT_POOL = 5

CONNECTIONS: dict[str, dict[str, object]] = {
    PERSISTENT: {"CONN_MAX_AGE": None},
    PER_REQUEST: {"CONN_MAX_AGE": 0},
    POOL: {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": {"min_size": 1, "max_size": 2}}},
}


@dataclass(frozen=True)
class Configuration:
    """A way to serve the site."""

    vendor: str
    connection: str = PERSISTENT
    threads: int = 1

    def __str__(self) -> str:
        return f"{self.vendor}, {self.connection}, {self.threads} threads"

    def cell(self, row: Row) -> Cell:
        """Where the page says what becomes of the row here."""
        if row in OF_PROCESS:
            column = ONE_THREAD if self.threads == 1 else THREE_THREADS
            return TABLES[""].heading, row.state, column
        return TABLES[self.vendor].heading, row.state, self.connection

    def bare_cell(self, row: Row) -> Cell:
        """Where it says what becomes of it without resident."""
        if row in OF_PROCESS:
            return TABLES[""].heading, row.state, BARE
        return TABLES[self.vendor].heading, row.state, bare(self.connection)


CONFIGURATIONS = [
    Configuration(vendor, connection, threads)
    for vendor, connection in [
        ("sqlite", PERSISTENT),
        ("postgresql", PERSISTENT),
        ("postgresql", PER_REQUEST),
        ("postgresql", POOL),
        ("mysql", PERSISTENT),
    ]
    for threads in (1, 3)
]
QUICK = [Configuration("sqlite"), Configuration("postgresql")]


class Database:
    """The database of a site, and a look into it through another connection."""

    def __init__(
        self,
        settings: dict[str, Any],
        sql: Callable[[str], list[Any]],
        connections_made: Callable[[], int],
    ) -> None:
        self.settings = settings
        self.sql = sql
        self.connections_made = connections_made

    def tokens(self) -> set[str]:
        """What was really written, and not only in a transaction that nobody commits."""
        return {token for (token,) in self.sql("SELECT token FROM written")}


class Site(Granian):
    """The site of the inventory in one configuration; lives as long as its `with`."""

    def __init__(
        self,
        evidence: Evidence,
        configuration: Configuration,
        database: Database,
        log: Path,
        application: str,
    ) -> None:
        self.configuration = configuration
        self.database = database
        self._reports = log
        super().__init__(
            evidence,
            {
                "DJANGO_SETTINGS_MODULE": "tests.isolation.inventory_site",
                "INVENTORY_DATABASE": json.dumps(database.settings),
                "INVENTORY_VENDOR": configuration.vendor,
                "INVENTORY_LOG": str(log),
            },
            application=f"tests.isolation.inventory_site:{application}",
            options=("--workers", "1", "--blocking-threads", str(configuration.threads)),
        )

    def __enter__(self) -> Self:
        self._reports.touch()
        return super().__enter__()

    def outcome(self, row: Row) -> str:
        """Tell the row's story: what becomes of what request A leaves."""
        assert not self.finds(row), "it was there before request A"
        known = len(self._reports.read_text())
        self.leave(row)
        is_found = self.finds(row)
        accused = {report["request_path"] for report in self.reports(known)}
        if not accused:
            return KEPT if is_found else CLEAN
        reported = REPORTED if accused == {f"/leave/{row.slug}"} else MISREPORTED
        return reported if is_found else f"{CLEAN}, {reported}"

    def tidy(self, row: Row) -> None:
        """Take away what stays, for the row that comes next."""
        self.in_each_thread(f"/tidy/{row.slug}")
        assert not self.finds(row), "it did not go away"

    def leave(self, row: Row) -> None:
        """Request A; beside another one, where there are threads for both and it matters."""
        if self.configuration.threads == 1 or not row.of_process:
            self._leave(row)
            return
        with ThreadPoolExecutor(1) as other:
            held = other.submit(self.get, "/hold")
            self._leave(row, "?while=held")
            # The two threads that are left are both free: request A has ended in its thread too.
            self.together(2, "/meet")
            self.get("/release")
            assert held.result().text == "released"

    def finds(self, row: Row) -> bool:
        """Whether a later request finds it, in whichever thread, or can't do its own work."""
        rounds = LOOKS_AT_POOL if self.configuration.connection == POOL else LOOKS
        return any(self._finds(row) for _ in range(rounds))

    def _finds(self, row: Row) -> bool:
        responses = self.in_each_thread(f"/look/{row.slug}")
        if not all(response.ok for response in responses):
            assert row.writes, f"a look failed:\n{self.log()}"
            return True
        looks = [response.json() for response in responses]
        assert len({look["thread"] for look in looks}) == self.configuration.threads
        return any(look["found"] for look in looks) or self._lost(row, looks)

    def _lost(self, row: Row, looks: list[dict[str, Any]]) -> bool:
        """Whether a later request's write is missing, or the one of request A was committed."""
        if not row.writes:
            return False
        tokens = self.database.tokens()
        return "pending" in tokens or not tokens.issuperset(look["wrote"] for look in looks)

    def reports(self, known: int) -> list[dict[str, Any]]:
        """What resident said since its log was so long, but for what is only told as a note."""
        lines = self._reports.read_text()[known:].splitlines()
        reports = [json.loads(line) for line in lines]
        return [report for report in reports if report["levelname"] != "INFO"]

    def in_each_thread(self, path: str) -> list[requests.Response]:
        return self.together(self.configuration.threads, path)

    def together(self, number: int, path: str) -> list[requests.Response]:
        """So many requests, which are all in the site before any of them begins."""
        with ThreadPoolExecutor(number) as clients:
            return list(clients.map(self.get, [f"{path}?together={number}"] * number))

    def _leave(self, row: Row, query: str = "") -> None:
        """Request A, with an upload; its client may go away after the first bytes of the answer."""
        with (
            contextlib.closing(requests.Session()) as client,
            client.post(
                f"http://127.0.0.1:{self.port}/leave/{row.slug}{query}",
                files={"file": b"uploaded"},
                stream=row.ending == "gone",
                timeout=20,
            ) as response,
        ):
            next(response.iter_content(1), None)


class Sites:
    """The sites that serve, one for each configuration; lives as long as this module's tests."""

    def __init__(self, make: "SiteMaker") -> None:
        self._make = make
        self._serving: dict[Configuration, Site] = {}

    def at(self, configuration: Configuration) -> Site:
        if configuration not in self._serving:
            self._serving[configuration] = self._make(configuration, "application").__enter__()
            self._serving[configuration].serving()
        return self._serving[configuration]

    def end(self, configuration: Configuration) -> None:
        """End one that a row has spoiled: the next row gets a new one."""
        self._serving.pop(configuration).__exit__()

    def end_all(self) -> None:
        for configuration in list(self._serving):
            self.end(configuration)


class Findings:
    """What this run found, to compare it with the page, or to write the page."""

    def __init__(self) -> None:
        self.rewrites = bool(os.environ.get(REWRITES))
        self._found: dict[Cell, str] = {}

    def take(self, cell: Cell, outcome: str) -> None:
        said = self._found.setdefault(cell, outcome)
        assert said == outcome, f"one cell of the page, two outcomes: {cell}"
        if not self.rewrites:
            known = cells_of_page().get(cell)
            assert known == outcome, f"docs/isolation.md says {known!r} of {cell}. {HOW_TO_REWRITE}"

    def write(self) -> None:
        if self.rewrites:
            write_page(self._found)


@pytest.fixture(scope="module")
def findings() -> Iterator[Findings]:
    findings = Findings()
    yield findings
    findings.write()


DatabaseMaker = Callable[[str, str, str], Database]


@pytest.fixture(scope="module")
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> DatabaseMaker:
    """Make a database for a site: of this vendor, for this kind of connection, with this name."""

    def make(vendor: str, connection: str, name: str) -> Database:
        if vendor == "sqlite":
            database = of_sqlite(tmp_path_factory.mktemp("inventory") / f"{name}.sqlite3")
        else:
            fixture = {"postgresql": "postgresql", "mysql": "mariadb"}[vendor]
            database = of_server(request.getfixturevalue(fixture), name)
        for statement in PREPARATIONS[vendor]:
            database.sql(statement)
        database.settings |= CONNECTIONS[connection]
        return database

    return make


def of_sqlite(file: Path) -> Database:
    def sql(statement: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    # A file counts nothing.
    return Database({"ENGINE": "django.db.backends.sqlite3", "NAME": str(file)}, sql, lambda: 0)


def of_server(server: DatabaseServer, name: str) -> Database:
    server.create(name)
    return Database(
        server.settings(name),
        lambda statement: server.sql(statement, database=name),
        lambda: server.connections_made(name),
    )


SiteMaker = Callable[[Configuration, str], Site]


@pytest.fixture(scope="module")
def new_site(
    pytestconfig: pytest.Config,
    new_database: DatabaseMaker,
    tmp_path_factory: pytest.TempPathFactory,
) -> SiteMaker:
    """Make a site with a database of its own, that serves this application."""
    from tests.conftest import EVIDENCE  # noqa: PLC0415 - a conftest's key

    def make(configuration: Configuration, application: str) -> Site:
        folder = tmp_path_factory.mktemp("site")
        database = new_database(configuration.vendor, configuration.connection, folder.name)
        evidence = pytestconfig.stash[EVIDENCE]
        return Site(evidence, configuration, database, folder / "log", application)

    return make


@pytest.fixture(scope="module")
def sites(new_site: SiteMaker) -> Iterator[Sites]:
    sites = Sites(new_site)
    yield sites
    sites.end_all()


def cases(configurations: list[Configuration]) -> list[Any]:
    return [
        pytest.param(
            configuration,
            row,
            id=f"{configuration}: {row}",
            marks=() if configuration in QUICK else pytest.mark.slow,
        )
        for configuration in configurations
        for row in (*OF_PROCESS, *OF_DATABASE[configuration.vendor])
    ]


def bare_cases() -> list[Any]:
    """Each row once; those of a database once for each kind of connection."""
    configurations = [each for each in CONFIGURATIONS if each.threads == 1]
    rows = [(QUICK[0], row) for row in OF_PROCESS]
    rows += [(each, row) for each in configurations for row in OF_DATABASE[each.vendor]]
    return [pytest.param(each, row, id=f"{each}: {row}") for each, row in rows]


@pytest.mark.parametrize(("configuration", "row"), cases(CONFIGURATIONS))
def test_what_becomes_of_what_a_request_leaves(
    configuration: Configuration, row: Row, sites: Sites, findings: Findings
) -> None:
    site = sites.at(configuration)
    cell = configuration.cell(row)
    with contextlib.ExitStack() as undo:
        undo.callback(sites.end, configuration)
        outcome = site.outcome(row)
        findings.take(cell, outcome)
        assert outcome == row.becomes(cell[-1])
        if not outcome.startswith(CLEAN):
            site.tidy(row)
        undo.pop_all()


@pytest.mark.slow
@pytest.mark.parametrize(("configuration", "row"), bare_cases())
def test_what_becomes_of_it_without_resident(
    configuration: Configuration, row: Row, new_site: SiteMaker, findings: Findings
) -> None:
    with new_site(configuration, "bare") as site:
        assert not site.serving().finds(row), "it was there before request A"
        site.leave(row)
        outcome = (KEPT if row.bare == KEPT else LEAK) if site.finds(row) else CLEAN
    cell = configuration.bare_cell(row)
    findings.take(cell, outcome)
    assert outcome == row.becomes_bare(cell[-1].partition(",")[0])


def test_the_page_has_these_rows_and_no_others() -> None:
    expected = [
        (table.heading, row.state, column)
        for table in TABLES.values()
        for row in table.rows
        for column in table.columns
    ]
    assert list(cells_of_page()) == expected, HOW_TO_REWRITE


@pytest.mark.parametrize(
    ("configuration", "made"),
    [
        (Configuration("postgresql"), 1),
        pytest.param(Configuration("postgresql", threads=3), 3, marks=pytest.mark.slow),
        pytest.param(Configuration("postgresql", POOL), 2, marks=pytest.mark.slow),
        pytest.param(Configuration("postgresql", PER_REQUEST), 20, marks=pytest.mark.slow),
        pytest.param(Configuration("mysql"), 1, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_requests_that_leave_nothing_share_a_connection(
    configuration: Configuration, made: int, new_site: SiteMaker
) -> None:
    """Counted by the server."""
    row = next(row for row in OF_DATABASE[configuration.vendor] if row.writes)
    with new_site(configuration, "application") as site:
        site.serving()
        before = site.database.connections_made()
        for _ in range(20):
            site.together(1, f"/look/{row.slug}").pop().raise_for_status()
        assert site.database.connections_made() - before <= made
