"""The site of the inventory, served by a real granian in one configuration, with its database."""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import requests

from tests.databases import DatabaseServer
from tests.evidence import Evidence
from tests.granian import Granian
from tests.isolation.inventory import (
    BARE,
    CLEAN,
    KEPT,
    OF_PROCESS,
    ONE_THREAD,
    PER_REQUEST,
    PERSISTENT,
    POOL,
    REPORTED,
    THREE_THREADS,
    Row,
)
from tests.isolation.inventory_page import TABLES, Cell, bare

__all__ = [
    "CONFIGURATIONS",
    "CONNECTIONS",
    "QUICK",
    "Configuration",
    "Database",
    "DatabaseMaker",
    "Site",
    "SiteMaker",
    "of_server",
    "of_sqlite",
]

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

    def upload(self, path: str) -> None:
        """One request with an upload, however it ends."""
        requests.post(
            f"http://127.0.0.1:{self.port}{path}", files={"file": b"uploaded"}, timeout=20
        )

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


DatabaseMaker = Callable[[str, str, str], Database]
SiteMaker = Callable[[Configuration, str], Site]
