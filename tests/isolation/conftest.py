from collections.abc import Iterator

import pytest

from tests.databases import MariaDB, PostgreSQL


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A real PostgreSQL for all tests of the run; skips them where there is none."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A real MariaDB for all tests of the run; skips them where there is none."""
    with MariaDB() as server:
        yield server
