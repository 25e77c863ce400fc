"""Nothing is lost that should live: a thousand requests, and the servers count the connections."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.caches import Redis
from tests.databases import PostgreSQL
from tests.evidence import Evidence
from tests.granian import Granian
from tests.isolation.inventory import PER_REQUEST, PERSISTENT, POOL
from tests.isolation.inventory_served import CONNECTIONS

REQUESTS = 1000


@dataclass(frozen=True)
class Case:
    """A way to serve the site, and the most connections that its database is to see."""

    connection: str
    threads: int
    most: int
    application: str = "application"

    def __str__(self) -> str:
        return f"{self.application}, {self.connection}, {self.threads} threads"


SLOW = [
    Case(PERSISTENT, 3, 3),
    Case(POOL, 2, 2),
    Case(PER_REQUEST, 1, REQUESTS),
    Case(PERSISTENT, 1, 1, "bare"),
    Case(PERSISTENT, 3, 3, "bare"),
]
CASES = [Case(PERSISTENT, 1, 1), *(pytest.param(case, marks=pytest.mark.slow) for case in SLOW)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_connections_and_resources_live_as_long_as_the_worker(
    case: Case, postgresql: PostgreSQL, evidence: Evidence, tmp_path: Path
) -> None:
    """As many as bare Django makes: one for each thread."""
    opened = tmp_path / "opened"
    database = f"lifetimes of {case}"
    postgresql.create(database)
    with Redis() as redis:
        settings = postgresql.settings(database, **CONNECTIONS[case.connection])
        variables = {
            "DJANGO_SETTINGS_MODULE": "tests.isolation.lifetimes",
            "LIFETIMES_DATABASE": json.dumps(settings),
            "LIFETIMES_CACHE": json.dumps(redis.settings()),
            "LIFETIMES_THREADS": str(case.threads),
            "LIFETIMES_OPENED": str(opened),
        }
        with Granian(
            evidence,
            variables,
            application=f"tests.isolation.lifetimes:{case.application}",
            options=("--workers", "1", "--blocking-threads", str(case.threads)),
        ) as site:
            site.serving()
            with ThreadPoolExecutor(case.threads) as clients:
                number = REQUESTS - REQUESTS % case.threads
                answers = list(clients.map(lambda _: site.get().text, range(number)))
            assert {answer.split()[0] for answer in answers} == {"client"}
            made = postgresql.connections_made(database)
            assert made == len({answer.split()[1] for answer in answers}) <= case.most
            assert 1 <= redis.connections_made() <= case.threads
            assert opened.read_text() == "opened\n"
            assert site.stop() == 0
        assert opened.read_text() == "opened\nclosed\n"
