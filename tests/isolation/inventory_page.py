"""The inventory's tables in docs/isolation.md: what they say, and how they are written."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.granian import ROOT
from tests.isolation.inventory import (
    BARE,
    OF_DATABASE,
    OF_PROCESS,
    ONE_THREAD,
    PER_REQUEST,
    PERSISTENT,
    POOL,
    THREE_THREADS,
    Row,
)

__all__ = ["TABLES", "Cell", "Table", "bare", "cells_of_page", "write_page"]

PAGE = ROOT / "docs" / "isolation.md"
BEGIN, END = "<!-- inventory: written by its test -->", "<!-- /inventory -->"
INTRODUCTION = """\
## What outlives a request

Request A leaves something, and request B looks for it: in a real granian, against real databases,
and for state of the process while a third request runs in another thread (the column "three
threads"). *leak*: request B finds it; *clean*: no later request finds it, in any thread; *kept*: it
is found, on purpose; *reported*: the log names it, and the request that left it.
"""


def bare(connection: str) -> str:
    """The column of bare Django, for this kind of connection."""
    return f"{connection}, bare Django"


@dataclass(frozen=True)
class Table:
    heading: str
    rows: list[Row]
    columns: list[str]


def _of_database(heading: str, vendor: str, *connections: str) -> Table:
    columns = [column for each in connections for column in (bare(each), each)]
    return Table(heading, OF_DATABASE[vendor], columns)


TABLES = {
    "": Table("In the process and its threads", OF_PROCESS, [BARE, ONE_THREAD, THREE_THREADS]),
    "postgresql": _of_database(
        "On a connection to PostgreSQL", "postgresql", PERSISTENT, PER_REQUEST, POOL
    ),
    "sqlite": _of_database("On a connection to SQLite", "sqlite", PERSISTENT),
    "mysql": _of_database("On a connection to MariaDB", "mysql", PERSISTENT),
}
"""The tables in the page's order, by the vendor of their database; the process has none."""

Cell = tuple[str, str, str]
"""A table's heading, a row's state, a column."""


def cells_of_page() -> dict[Cell, str]:
    """What the page says."""
    return dict(_cells(PAGE.read_text())) if PAGE.exists() else {}


def write_page(found: Mapping[Cell, str]) -> None:
    """Write what was found; what this run has not looked at stays as it was."""
    tables = "".join(_lines(cells_of_page() | dict(found)))
    inventory = f"{BEGIN}\n{INTRODUCTION}{tables}{END}"
    text = PAGE.read_text() if PAGE.exists() else f"# Isolation\n\n{BEGIN}{END}\n"
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + inventory + rest.partition(END)[2])


def _lines(cells: Mapping[Cell, str]) -> Iterator[str]:
    for table in TABLES.values():
        yield f"\n### {table.heading}\n\n"
        yield _line(["left by request A", *table.columns])
        yield _line(["---"] * (len(table.columns) + 1))
        for row in table.rows:
            known = [cells.get((table.heading, row.state, column), "") for column in table.columns]
            yield _line([row.state, *known])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cells(text: str) -> Iterator[tuple[Cell, str]]:
    inventory = text.partition(BEGIN)[2].partition(END)[0]
    for part in re.split(r"^### ", inventory, flags=re.MULTILINE)[1:]:
        heading, *lines = part.splitlines()
        columns, _, *rows = [line[2:-2].split(" | ") for line in lines if line.startswith("|")]
        for state, *cells in rows:
            for column, cell in zip(columns[1:], cells, strict=True):
                yield (heading, state, column), cell
