"""A request leaves a connection as it found it: its transaction, its attributes, its session."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.utils import ConnectionHandler
from django.test import override_settings
from psycopg import IsolationLevel
from pytest_django import DjangoDbBlocker

from resident.isolation import database
from resident.isolation.database import DatabaseSession
from resident.isolation.report import Leak
from resident.isolation.request import Request
from tests.databases import USER, DatabaseServer, PostgreSQL

REQUEST = Request({"REQUEST_METHOD": "GET", "PATH_INFO": "/buy"})
Leave = Callable[[BaseDatabaseWrapper], object]
SLOW = [pytest.param("mysql", marks=pytest.mark.slow)]
VENDORS = ["sqlite", "postgresql", "pool", *SLOW]


@dataclass
class Thread:
    """A worker's thread with one connection, and what is reported; lives as long as its test."""

    wrapper: BaseDatabaseWrapper
    session: DatabaseSession
    leaks: list[Leak] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)

    def request(self, leave: Leave, late: Leave = lambda _: None) -> None:
        """One that leaves something, and more after Django has closed the connection."""
        begun = self.session.begin()
        leave(self.wrapper)
        self.session.settle(REQUEST, begun)
        if not self.wrapper.in_atomic_block:  # the test client's requests don't, either
            self.wrapper.close_if_unusable_or_obsolete()
        late(self.wrapper)
        self.session.reset(REQUEST, begun)

    def ask(self, sql: str) -> Any:
        """What another request finds; it leaves nothing itself."""
        answers: list[Any] = []
        self.request(lambda wrapper: answers.append(ask(wrapper, sql)))
        return answers[0]

    def told(self) -> list[str]:
        return [f"{leak.kind}, {leak.became}" for leak in self.leaks]


def ask(wrapper: BaseDatabaseWrapper, sql: str, parameters: Any = None) -> Any:
    with wrapper.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()[0] if cursor.description else None


def run(*statements: str) -> Leave:
    def leave(wrapper: BaseDatabaseWrapper) -> None:
        for sql in statements:
            ask(wrapper, sql)

    return leave


WRITE = "INSERT INTO written (item) VALUES (1)"
COUNT = "SELECT count(*) FROM written"

Connect = Callable[..., Thread]


@pytest.fixture(scope="module")
def databases() -> dict[DatabaseServer, str]:
    """The name of the one database that each server has for these tests."""
    return {}


@pytest.fixture
def connect(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    django_db_blocker: DjangoDbBlocker,
    databases: dict[DatabaseServer, str],
) -> Iterator[Connect]:
    """Connects a thread to a database of its own."""

    def settings(vendor: str, options: dict[str, Any]) -> dict[str, Any]:
        if vendor == "sqlite":
            return {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": tmp_path / "db",
                "OPTIONS": options,
            }
        server = request.getfixturevalue({"mysql": "mariadb"}.get(vendor, "postgresql"))
        if server not in databases:
            databases[server] = uuid.uuid4().hex
            server.create(databases[server])
        pooled = {"pool": {"min_size": 1, "max_size": 1}} if vendor == "pool" else {}
        more: dict[str, Any] = server.settings(databases[server], OPTIONS=pooled | options)
        return more

    def connected(
        vendor: str,
        *,
        mode: str = "always",
        age: int | None = None,
        set_up: Callable[..., object] | None = None,
        **options: Any,
    ) -> Thread:
        configured = settings(vendor, options)
        age = 0 if vendor == "pool" else age
        handler = ConnectionHandler({"default": {**configured, "CONN_MAX_AGE": age}})
        if vendor == "pool":
            undo.callback(handler["default"].close_pool)  # type: ignore[attr-defined]
        undo.callback(handler["default"].close)
        monkeypatch.setattr(database, "connections", handler)
        undo.enter_context(override_settings(RESIDENT_SESSION=mode))
        if set_up:
            connection_created.connect(set_up)
            undo.callback(connection_created.disconnect, set_up)
        made = Thread(handler["default"], DatabaseSession())
        told = SimpleNamespace(tell=made.leaks.append, count=made.counts.append)
        monkeypatch.setattr(database, "reports", told)
        if "assume_role" not in options:
            made.request(run("DROP TABLE IF EXISTS written", "CREATE TABLE written (item int)"))
            made.counts.clear()
        return made

    with django_db_blocker.unblock(), ExitStack() as undo:
        yield connected


def begin_atomic(wrapper: BaseDatabaseWrapper) -> None:
    transaction.Atomic(wrapper.alias, savepoint=True, durable=False).__enter__()


def thread_connections() -> Any:
    return vars(database)["connections"]


@pytest.fixture
def _transaction_module_asks_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "get_connection", lambda _: thread_connections()["default"])


def left_two_blocks(wrapper: BaseDatabaseWrapper) -> None:
    begin_atomic(wrapper)
    begin_atomic(wrapper)
    ask(wrapper, WRITE)


def left_without_autocommit(wrapper: BaseDatabaseWrapper) -> None:
    wrapper.set_autocommit(False)
    ask(wrapper, WRITE)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    "leave",
    [
        run("BEGIN", WRITE),
        run("BEGIN", WRITE, "SAVEPOINT a", WRITE, "ROLLBACK TO SAVEPOINT a"),
        left_two_blocks,
        left_without_autocommit,
    ],
    ids=["BEGIN", "savepoints", "atomic", "no autocommit"],
)
@pytest.mark.usefixtures("_transaction_module_asks_ours")
def test_open_transaction(leave: Leave, vendor: str, connect: Connect) -> None:
    thread = connect(vendor)
    thread.request(leave)
    assert thread.told() == ["an open transaction, rolled back"]
    assert thread.ask(COUNT) == 0
    thread.request(run(WRITE))
    assert thread.ask(COUNT) == 1
    assert thread.wrapper.get_autocommit()
    assert len(thread.leaks) == 1


def committed_atomic(wrapper: BaseDatabaseWrapper) -> None:
    with transaction.atomic(), transaction.atomic():
        ask(wrapper, WRITE)


def commit_by_the_driver(wrapper: BaseDatabaseWrapper) -> None:
    run("BEGIN", WRITE)(wrapper)
    assert wrapper.connection is not None
    wrapper.connection.commit()


def atomic_after_another(wrapper: BaseDatabaseWrapper) -> None:
    run("BEGIN", WRITE, "COMMIT")(wrapper)
    with transaction.atomic():
        ask(wrapper, COUNT)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    "leave",
    [
        run(WRITE),
        run("BEGIN", WRITE, "COMMIT"),
        committed_atomic,
        commit_by_the_driver,
        atomic_after_another,
    ],
    ids=["autocommit", "COMMIT", "atomic", "commit() of the driver", "atomic after COMMIT"],
)
@pytest.mark.usefixtures("_transaction_module_asks_ours")
def test_what_was_committed(leave: Leave, vendor: str, connect: Connect) -> None:
    thread = connect(vendor)
    thread.request(leave)
    assert thread.told() == []
    assert thread.ask(COUNT) == 1


@pytest.mark.usefixtures("_transaction_module_asks_ours")
@pytest.mark.parametrize("vendor", ["sqlite", "postgresql", "pool"])
def test_inside_of_a_transaction_that_is_not_the_requests(vendor: str, connect: Connect) -> None:
    """Django's TestCase: what the request leaves open goes, and what was before it stays."""
    thread = connect(vendor)
    with transaction.atomic():
        ask(thread.wrapper, WRITE)
        thread.request(left_two_blocks)
        assert ask(thread.wrapper, COUNT) == 1
        thread.request(run(WRITE))
        assert ask(thread.wrapper, COUNT) == 2
        transaction.set_rollback(True)
    assert thread.ask(COUNT) == 0
    assert thread.told() == ["an open transaction, rolled back"]


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql", *SLOW])
def test_autocommit_is_restored(vendor: str, connect: Connect) -> None:
    """Django would take no chances, and drop the connection."""
    thread = connect(vendor, mode="never")
    kept = thread.wrapper.connection
    assert kept is not None
    for leave in (left_without_autocommit, lambda wrapper: wrapper.set_autocommit(False)):
        thread.request(leave)
        assert thread.wrapper.connection is kept
        assert thread.wrapper.get_autocommit()
    assert thread.counts == ["autocommit", "autocommit"]
    assert thread.ask(COUNT) == 0


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql", "pool", *SLOW])
def test_connected_after_django_has_closed_it(vendor: str, connect: Connect) -> None:
    """As in a handler of `request_finished`: nobody else would close it."""
    thread = connect(vendor, age=0)
    thread.request(run("SELECT 1"), late=run("BEGIN", WRITE))
    assert thread.wrapper.connection is None
    assert thread.told() == ["an open transaction, rolled back"]
    assert thread.ask(COUNT) == 0


def test_a_commit_of_the_clients_own_is_repeated(connect: Connect) -> None:
    """`AND CHAIN` begins another transaction at once, in which the rest is lost."""
    thread = connect("postgresql")
    thread.request(run("BEGIN", WRITE, "COMMIT AND CHAIN", WRITE))
    assert thread.told() == ["an open transaction, rolled back"]
    assert thread.ask(COUNT) == 1


def test_a_connection_that_is_lost(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    thread = connect("postgresql")

    def lose(wrapper: BaseDatabaseWrapper) -> None:
        begin_atomic_in_sql(wrapper)
        assert wrapper.connection is not None
        wrapper.connection.pgconn.finish()

    begin_atomic_in_sql = run("BEGIN", WRITE)
    thread.request(lose)
    assert thread.ask(COUNT) == 0


def test_a_server_that_is_gone_between(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """What can't be reset is closed, and said."""
    with PostgreSQL() as server:
        server.create("gone")
        thread = connect("postgresql")
        ours = thread.wrapper.settings_dict
        ours.update(PORT=server.port, NAME="gone")
        thread.wrapper.close()
        thread.request(run("CREATE TABLE written (item int)"))

        def leave(wrapper: BaseDatabaseWrapper) -> None:
            ask(wrapper, "SELECT 1")
            server.stop()

        thread.request(leave)
        assert "The database 'default' did not reset; it is closed." in caplog.text
        server.start()
        assert thread.ask("SELECT 1") == 1


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("leave", "counted"),
    [
        (lambda it: it.execute_wrappers.append(print), "execute wrappers"),
        (lambda it: it.execute_wrappers.insert(0, print), "execute wrappers"),
        (lambda it: setattr(it, "force_debug_cursor", True), "a debug cursor"),
        (lambda it: setattr(it, "tenant", "hers"), "an attribute of a connection"),
        (lambda it: it.schemas.append("hers"), "an attribute of a connection"),
        (lambda it: delattr(it, "schemas"), "an attribute of a connection"),
        (lambda it: setattr(it, "cursor", print), "an attribute of a connection"),
    ],
)
def test_left_on_the_connection(leave: Leave, counted: str, vendor: str, connect: Connect) -> None:
    thread = connect(vendor)
    schemas = ["public"]
    thread.wrapper.schemas = schemas  # type: ignore[attr-defined] # a package's
    before = state(thread.wrapper)
    thread.request(leave)
    assert state(thread.wrapper) == before
    assert schemas == ["public"]
    assert thread.counts == [counted]
    thread.request(run("SELECT 1"))
    assert thread.counts == [counted]
    assert thread.told() == []


def state(wrapper: BaseDatabaseWrapper) -> tuple[Any, ...]:
    attributes = vars(wrapper)
    names = ("schemas", "tenant", "cursor")
    others = {name: attributes[name] for name in names if name in attributes}
    return (
        others,
        [it for it in wrapper.execute_wrappers if it is print],
        wrapper.force_debug_cursor,
    )


@pytest.mark.parametrize("vendor", VENDORS)
def test_set_up_of_a_connection(vendor: str, connect: Connect) -> None:
    """What a project's handler of `connection_created` does is the connection's, and stays."""

    def passes(execute: Any, *arguments: Any) -> Any:
        return execute(*arguments)

    def handler(*, connection: BaseDatabaseWrapper, **_: object) -> None:
        if passes not in connection.execute_wrappers:
            connection.execute_wrappers.append(passes)
        connection.schemas = ["public"]  # type: ignore[attr-defined] # a package's

    thread = connect(vendor, set_up=handler)
    thread.wrapper.close()
    thread.request(run("SELECT 1"))
    assert passes in thread.wrapper.execute_wrappers
    thread.request(lambda wrapper: wrapper.schemas.append("hers"))  # type: ignore[attr-defined]
    assert thread.wrapper.schemas == ["public"]  # type: ignore[attr-defined]
    assert passes in thread.wrapper.execute_wrappers
    assert "execute wrappers" not in thread.counts


SETTINGS = {
    "postgresql": ("SET search_path TO hers", "SHOW search_path"),
    "pool": ("SET search_path TO hers", "SHOW search_path"),
    "sqlite": ("PRAGMA recursive_triggers = ON", "PRAGMA recursive_triggers"),
    "mysql": ("SET @@session.wait_timeout = 77", "SELECT @@session.wait_timeout"),
}


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("mode", ["always", "when changed", "never"])
def test_session(mode: str, vendor: str, connect: Connect) -> None:
    thread = connect(vendor, mode=mode)
    change, look = SETTINGS[vendor]
    before = thread.ask(look)
    thread.request(run(change))
    is_same = thread.ask(look) == before
    assert is_same is (mode != "never")


@pytest.mark.parametrize("vendor", ["postgresql", "pool"])
@pytest.mark.parametrize("mode", ["always", "when changed"])
def test_set_up_of_a_session(mode: str, vendor: str, connect: Connect) -> None:
    """What a handler of `connection_created` has set is set again."""

    def handler(*, connection: BaseDatabaseWrapper, **_: object) -> None:
        ask(connection, "SET statement_timeout = 7000")
        ask(connection, "SELECT 1")

    thread = connect(vendor, mode=mode, set_up=handler)
    for _ in range(2):
        assert thread.ask("SHOW statement_timeout") == "7s"
        thread.request(run("SET statement_timeout = 1"))


def test_role_of_the_settings(connect: Connect, postgresql: PostgreSQL) -> None:
    """Not with the pool, in which Django itself waits for ever where it is to assume a role."""
    postgresql.sql(f"GRANT pg_write_all_data TO {USER}")
    thread = connect("postgresql", assume_role="pg_write_all_data")
    for _ in range(2):
        assert thread.ask("SELECT current_user") == "pg_write_all_data"
        thread.request(run("RESET ROLE"))


@pytest.mark.parametrize("vendor", ["postgresql", "pool"])
def test_time_zone_and_isolation_level_of_the_settings(vendor: str, connect: Connect) -> None:
    thread = connect(vendor, isolation_level=IsolationLevel.REPEATABLE_READ)
    zone = thread.ask("SHOW TimeZone")

    def leave(wrapper: BaseDatabaseWrapper) -> None:
        ask(wrapper, "SET TIME ZONE 'Asia/Tokyo'")
        assert wrapper.connection is not None
        wrapper.connection.isolation_level = IsolationLevel.SERIALIZABLE

    def look(wrapper: BaseDatabaseWrapper) -> None:
        assert ask(wrapper, "SHOW TimeZone") == zone
        ask(wrapper, "BEGIN")
        assert ask(wrapper, "SHOW transaction_isolation") == "read committed"
        ask(wrapper, "ROLLBACK")
        assert wrapper.connection is not None
        assert wrapper.connection.isolation_level == IsolationLevel.REPEATABLE_READ

    thread.request(leave)
    thread.request(look)


@pytest.mark.parametrize("prepares", [True, False])
def test_prepared_statements(prepares: bool, connect: Connect) -> None:
    """Those of SQL go; those of psycopg stay, as psycopg counts on them."""
    more = {"prepare_threshold": 0, "server_side_binding": True} if prepares else {}
    thread = connect("postgresql", **more)
    thread.request(run("PREPARE hers AS SELECT 1"))
    for _ in range(3):
        count = thread.ask("SELECT count(*) FROM pg_prepared_statements WHERE from_sql")
        assert count == 0


def test_a_pool_has_its_projects_own_reset(connect: Connect) -> None:
    called: list[object] = []
    thread = connect("pool", pool={"min_size": 1, "max_size": 1, "reset": called.append})
    thread.request(run("SET search_path TO hers"))
    assert thread.ask("SHOW search_path") != "hers"
    assert called


def test_a_connection_that_is_not_kept_is_left_alone(connect: Connect) -> None:
    thread = connect("postgresql", age=0)
    statements: list[str] = []

    def see(execute: Any, sql: str, *arguments: Any) -> Any:
        statements.append(sql)
        return execute(sql, *arguments)

    def leave(wrapper: BaseDatabaseWrapper) -> None:
        with wrapper.execute_wrapper(see):
            ask(wrapper, "SET search_path TO hers")

    thread.request(leave)
    assert thread.wrapper.connection is None
    assert statements == ["SET search_path TO hers"]


@pytest.mark.parametrize("mode", ["always", "when changed"])
def test_a_session_that_is_not_used_is_left_alone(mode: str, connect: Connect) -> None:
    thread = connect("postgresql", mode=mode)
    thread.ask("SELECT 1")
    used = thread.wrapper.connection
    assert used is not None
    asked = "SELECT query_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    thread.request(lambda _: None)
    assert thread.wrapper.connection is used
    assert thread.ask(asked)


def test_functions_of_sqlite(connect: Connect) -> None:
    """No statement defines them."""
    thread = connect("sqlite")

    def leave(wrapper: BaseDatabaseWrapper) -> None:
        wrapper.ensure_connection()
        assert wrapper.connection is not None
        wrapper.connection.create_function("hers", 0, lambda: 1)
        ask(wrapper, "SELECT hers()")

    thread.ask("SELECT 1")
    kept = thread.wrapper.connection
    thread.request(run("SELECT 1"))
    assert thread.wrapper.connection is kept
    thread.request(leave)
    assert thread.wrapper.connection is None


def test_a_database_that_nothing_is_known_of(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transactions end as far as Django knows of them, and its session stays."""
    monkeypatch.setattr(database, "SESSIONS", {})
    thread = connect("sqlite")
    thread.request(left_without_autocommit)
    assert thread.told() == []
    thread.request(run("PRAGMA recursive_triggers = ON"))
    assert thread.ask("PRAGMA recursive_triggers") == 1


def test_no_time_zone_in_the_settings(connect: Connect) -> None:
    """Then Django sets none, and the server's stays."""
    thread = connect("postgresql")
    thread.wrapper.close()
    with override_settings(USE_TZ=False, TIME_ZONE=None):
        vars(thread.wrapper).pop("timezone_name")
        zone = thread.ask("SHOW TimeZone")
        thread.request(run("SET TIME ZONE 'Asia/Tokyo'"))
        assert thread.ask("SHOW TimeZone") == zone


@pytest.mark.usefixtures("_transaction_module_asks_ours")
def test_a_pool_in_a_transaction_is_not_made_anew(connect: Connect) -> None:
    """As in a test: the connection of its transaction is one of the pool's."""
    thread = connect("pool", mode="never")
    with transaction.atomic(), override_settings(RESIDENT_SESSION="always"):
        ask(thread.wrapper, WRITE)
        thread.session = DatabaseSession()
        thread.request(run(WRITE))
        assert ask(thread.wrapper, COUNT) == 2


def test_a_thread_that_serves_no_request_keeps_the_connection_it_makes(
    connect: Connect, django_db_blocker: DjangoDbBlocker
) -> None:
    """Though the pool it comes from is not resident's yet."""
    thread = connect("pool", mode="never")

    def count_in_thread() -> Any:
        with django_db_blocker.unblock():
            wrapper = thread_connections()["default"]
            counted = ask(wrapper, COUNT)
            wrapper.close()
            return counted

    with override_settings(RESIDENT_SESSION="always"), ThreadPoolExecutor() as threads:
        assert threads.submit(count_in_thread).result() == thread.ask(COUNT)


@pytest.mark.parametrize(("mode", "expected"), [("always", 1), ("when changed", 0), ("never", 0)])
def test_a_reset_is_one_round_trip(
    mode: str, expected: int, connect: Connect, tmp_path: Path
) -> None:
    """As libpq itself writes down what it sends, and how often the server is ready again."""
    thread = connect("postgresql", mode=mode)
    thread.request(run("SELECT 1"))
    connection = thread.wrapper.connection
    assert connection is not None
    begun = thread.session.begin()
    ask(thread.wrapper, COUNT)
    with (tmp_path / "trace").open("w+") as trace:
        connection.pgconn.trace(trace.fileno())
        thread.session.settle(REQUEST, begun)
        thread.session.reset(REQUEST, begun)
        connection.pgconn.untrace()
    assert (tmp_path / "trace").read_text().count("ReadyForQuery") == expected
