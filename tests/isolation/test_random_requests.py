"""Whatever requests leave, in whichever order, beside whichever others: nobody finds it."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.isolation.inventory import OF_DATABASE, OWN_OF_REQUEST, PERSISTENT, POOL
from tests.isolation.inventory_served import Configuration, Site, SiteMaker

ENDS = ["view", "stream", "close", "finished", "RuntimeError", "SystemExit", "KeyboardInterrupt"]


@dataclass(frozen=True)
class Visit:
    """One request: what it leaves, by the rows of the inventory, and how it ends."""

    leave: tuple[str, ...]
    end: str


Check = Callable[[list[Visit]], None]


def visits(vendor: str) -> st.SearchStrategy[list[Visit]]:
    slugs = [row.slug for row in (*OWN_OF_REQUEST, *OF_DATABASE[vendor])]
    leaves = st.lists(st.sampled_from(slugs), max_size=6, unique=True).map(tuple)
    return st.lists(st.builds(Visit, leaves, st.sampled_from(ENDS)), min_size=2, max_size=12)


def check(site: Site, visits: list[Visit]) -> None:
    """Each is made, several at a time; none finds anything, and what each wrote is written."""
    tokens = [uuid.uuid4().hex for _ in visits]

    def make(token: str, visit: Visit) -> None:
        query = {"token": token, "leave": visit.leave, "end": visit.end}
        site.upload(f"/roam?{urlencode(query, doseq=True)}")

    with ThreadPoolExecutor(site.configuration.threads) as clients:
        list(clients.map(make, tokens, visits))
    roamed = site.get("/roamed").json()["roamed"]
    assert {it["token"]: it["found"] for it in roamed} == {token: [] for token in tokens}
    assert site.database.tokens().issuperset(tokens)


CASES = [
    pytest.param(Configuration("sqlite", threads=3), 25, id="SQLite"),
    *(
        pytest.param(Configuration(vendor, kind, 3), 300, id=name, marks=pytest.mark.slow)
        for vendor, kind, name in [
            ("sqlite", PERSISTENT, "SQLite, many"),
            ("postgresql", PERSISTENT, "PostgreSQL"),
            ("postgresql", POOL, "PostgreSQL, pool"),
            ("mysql", PERSISTENT, "MariaDB"),
        ]
    ),
]


@pytest.mark.parametrize(("configuration", "examples"), CASES)
def test_no_request_finds_what_another_left(
    configuration: Configuration, examples: int, new_site: SiteMaker
) -> None:
    with new_site(configuration, "application") as site:
        site.serving()
        before = site.database.connections_made()
        sequences(configuration, examples)(lambda visits: check(site, visits))
        made = site.database.connections_made() - before
        if configuration.vendor == "postgresql":
            assert 1 <= made <= configuration.threads, "a connection was lost"
        assert "panicked" not in site.log()


def test_bare_django_fails_it(new_site: SiteMaker) -> None:
    configuration = Configuration("sqlite", threads=3)
    with new_site(configuration, "bare") as site:
        site.serving()
        with pytest.raises(AssertionError):
            sequences(configuration, 25)(lambda visits: check(site, visits))


def sequences(configuration: Configuration, examples: int) -> Callable[[Check], None]:
    """Runs a check with so many sequences of visits, the same in each run of the tests."""

    def run(check: Check) -> None:
        @settings(
            max_examples=examples,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # what a site was left with can't be taken back
            suppress_health_check=list(HealthCheck),
        )
        @given(visits(configuration.vendor))
        def each(made: list[Visit]) -> None:
            check(made)

        each()

    return run
