"""Request A leaves something behind; request B finds it, or it does not: row by row."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.isolation.inventory import (
    CLEAN,
    KEPT,
    LEAK,
    OF_DATABASE,
    OF_PROCESS,
    PER_REQUEST,
    POOL,
    Row,
)
from tests.isolation.inventory_page import TABLES, Cell, cells_of_page, write_page
from tests.isolation.inventory_served import (
    CONFIGURATIONS,
    QUICK,
    Configuration,
    Site,
    SiteMaker,
)

REWRITES = "RESIDENT_WRITE_INVENTORY"
HOW_TO_REWRITE = (
    f'{REWRITES}=1 pytest -m "slow or not slow" tests/isolation/test_inventory.py writes it anew.'
)


class Sites:
    """The sites that serve, one for each configuration; lives as long as this module's tests."""

    def __init__(self, make: SiteMaker) -> None:
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
