from collections.abc import Iterator

import pytest

from tests.databases import MariaDB, PostgreSQL
from tests.isolation.inventory import PREPARATIONS
from tests.isolation.inventory_served import (
    CONNECTIONS,
    Configuration,
    Database,
    DatabaseMaker,
    Site,
    SiteMaker,
    of_server,
    of_sqlite,
)


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
