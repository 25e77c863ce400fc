"""PostgreSQL's session, begun anew in one round trip."""

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

from resident.isolation.session import Session
from resident.isolation.sql import changes_session

__all__ = ["PostgreSQL"]

IDLE = 0
"""The transaction status outside of a transaction: libpq's PQTRANS_IDLE."""

SESSION = (
    "SET SESSION AUTHORIZATION DEFAULT",
    "RESET ROLE",
    "RESET ALL",
    "CLOSE ALL",
    "UNLISTEN *",
    "SELECT pg_advisory_unlock_all()",
    "DISCARD TEMP",
    "DISCARD SEQUENCES",
)
"""What DISCARD ALL does, but for what is prepared: psycopg believes in what it has prepared."""

DEALLOCATE_ALL = "DEALLOCATE ALL"
DEALLOCATE_THOSE_OF_SQL = """DO $$ DECLARE it text; BEGIN
FOR it IN SELECT name FROM pg_prepared_statements WHERE from_sql LOOP
EXECUTE format('DEALLOCATE %I', it); END LOOP; END $$"""


class PostgreSQL(Session):
    """Reset where it is, through psycopg 3. In Django's pool the pool does it, in its own time."""

    is_known = True

    def __init__(self, wrapper: Any) -> None:
        super().__init__(wrapper)
        self.pool: _PoolReset | None = None
        if self.mode != "never":
            self.pool = _PoolReset.of(wrapper)

    def is_in_transaction(self) -> bool:
        return bool(self.wrapper.connection.info.transaction_status != IDLE)

    def watches(self) -> bool:
        if self.pool:
            return self.mode == "when changed"
        return self.persists and self.mode != "never" and _has_psycopg3(self.wrapper)

    def see(self, sql: Any) -> None:
        if self.mode == "when changed":
            super().see(sql)
            if self.changed and self.pool:
                self.pool.changed.add(self.wrapper.connection)

    def is_due(self) -> bool:
        return not self.pool and (self.changed or self.mode == "always")

    def begin_anew(self) -> None:
        _begin_anew(self.wrapper.connection, self.wrapper)
        for sql, params in self.set_up:
            if changes_session(sql, "postgresql"):
                with self.wrapper.cursor() as cursor:
                    cursor.execute(sql, params)


class _PoolReset:
    """The `reset` of one of Django's pools, which its own threads call; lives as long as the pool.

    Takes the place of the project's own `reset`, and calls it.
    """

    def __init__(self, wrapper: Any, then: Callable[[Any], None] | None) -> None:
        self.changed: WeakSet[Any] = WeakSet()
        self._always = Session(wrapper).mode == "always"
        self._wrapper = wrapper
        self._then = then

    @classmethod
    def of(cls, wrapper: Any) -> "_PoolReset | None":
        """That of the wrapper's pool, if it has one; a pool that is open by now is made anew."""
        options = wrapper.settings_dict["OPTIONS"]
        if not (pool := options.get("pool")):
            return None
        given = {} if pool is True else pool
        if isinstance(reset := given.get("reset"), cls):
            return reset
        reset = cls(wrapper, reset)
        options["pool"] = {**given, "reset": reset}
        if not wrapper.in_atomic_block:
            wrapper.close()
            wrapper.close_pool()
        return reset

    def __call__(self, connection: Any) -> None:
        if self._always or connection in self.changed:
            self.changed.discard(connection)
            _begin_anew(connection, self._wrapper)
        if self._then:
            self._then(connection)


def _begin_anew(connection: Any, wrapper: Any) -> None:
    autocommit = connection.autocommit
    connection.autocommit = True
    connection.execute("; ".join(_statements(connection, wrapper)), prepare=False)
    connection.isolation_level = _isolation_level(wrapper)
    connection.read_only = connection.deferrable = None
    connection.autocommit = autocommit


def _statements(connection: Any, wrapper: Any) -> Iterator[str]:
    yield from SESSION
    has_prepared = connection.prepare_threshold is not None
    yield DEALLOCATE_THOSE_OF_SQL if has_prepared else DEALLOCATE_ALL
    # What Django sets when it connects.
    if zone := wrapper.timezone_name:
        yield f"SET TIME ZONE {_literal(zone)}"
    if role := wrapper.settings_dict["OPTIONS"].get("assume_role"):
        yield f"SET ROLE {_literal(role)}"


def _isolation_level(wrapper: Any) -> Any:
    has_chosen = "isolation_level" in wrapper.settings_dict["OPTIONS"]
    return wrapper.isolation_level if has_chosen else None


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _has_psycopg3(wrapper: Any) -> bool:
    return bool(wrapper.Database.__name__ == "psycopg")
