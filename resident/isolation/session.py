"""A connection's session in the database: what a request asks of it, and how it begins anew.

A session that Django closes after the request needs none of this, and one that the request has not
used is left alone. What goes past Django's cursors, on the driver's own connection, is not seen.
"""

from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from resident.conf import conf
from resident.isolation.sql import changes_session, first_word

__all__ = ["MySQL", "SQLite", "Session"]

Execute = Callable[[Any, Any, bool, dict[str, Any]], Any]

IN_TRANSACTION = 1568
"""The number of the error ER_CANT_CHANGE_TX_CHARACTERISTICS, of MySQL and of MariaDB."""


class Session:
    """The session of a database that nothing is known of: it stays as it is.

    Lives as long as its connection's thread. It is one of Django's execute wrappers, where it has
    to see what a request does.
    """

    is_known = False
    """Whether it can be told if a transaction is open."""

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self.wrapper = wrapper
        self.persists = wrapper.settings_dict["CONN_MAX_AGE"] != 0
        self.mode = conf.session
        self.used = self.changed = False
        self.is_connecting = False
        self.set_up: list[tuple[Any, Any]] = []

    def begin(self) -> None:
        """Before the request: be among the wrappers."""
        if self not in self.wrapper.execute_wrappers:
            self.wrapper.execute_wrappers.insert(0, self)
        self.used = self.changed = False

    def connecting(self) -> None:
        """Django has connected, and handlers of `connection_created` set the session up next."""
        self.is_connecting = True
        self.set_up = []

    def connected(self) -> None:
        """It is set up. What was done before this was done in another session."""
        self.is_connecting = False
        self.used = self.changed = False

    def is_in_transaction(self) -> bool:
        """Whether one is open that SQL has begun, and not Django."""
        return False

    def reset(self) -> None:
        """Begin anew what the request has used."""
        if self.used and self.wrapper.connection is not None and self.is_due():
            self.begin_anew()

    def __call__(
        self, execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        self.used = True
        if self.is_connecting:
            self.set_up.append((sql, params))
        self.see(sql)
        return execute(sql, params, many, context)

    def watches(self) -> bool:
        """Whether it has to see what a request does."""
        return False

    def see(self, sql: Any) -> None:
        """Take note of a statement before it runs."""
        self.changed = self.changed or changes_session(sql, self.wrapper.vendor)

    def is_due(self) -> bool:
        """Whether a session that was used is to begin anew."""
        return self.changed

    def begin_anew(self) -> None:
        """Close the connection; Django connects when it needs it again."""
        self.wrapper.close()


class SQLite(Session):
    """Closed if it was changed: opening the file again takes a fraction of a millisecond.

    Its functions are counted too, which no statement defines. A database in memory can't be closed.
    """

    is_known = True
    functions: int | None = None

    def connected(self) -> None:
        super().connected()
        self.functions = self._count_functions() if self._counts() else None

    def is_in_transaction(self) -> bool:
        return bool(self.wrapper.connection.in_transaction)

    def watches(self) -> bool:
        return self.persists and self.mode != "never"

    def is_due(self) -> bool:
        return super().is_due() or (self._counts() and self.functions != self._count_functions())

    def _counts(self) -> bool:
        return self.persists and self.mode == "always"

    def _count_functions(self) -> int:
        counted = self.wrapper.connection.execute(
            "SELECT count(*) FROM pragma_function_list WHERE NOT builtin"
        )
        count: int = counted.fetchone()[0]
        return count


class MySQL(Session):
    """Closed if it was changed: no statement resets a session of MySQL's."""

    is_known = True
    may_have_begun = False

    def connected(self) -> None:
        super().connected()
        self.may_have_begun = False

    def is_in_transaction(self) -> bool:
        """As the server says: the driver can't tell. Asked only where a request gives cause."""
        is_managed = self.used and not self.wrapper.autocommit
        if not (self.may_have_begun or is_managed):
            return False
        self.may_have_begun = False
        return self._server_is_in_transaction()

    def watches(self) -> bool:
        return True

    def see(self, sql: Any) -> None:
        super().see(sql)
        if first_word(sql) in ("BEGIN", "START"):
            self.may_have_begun = True

    def is_due(self) -> bool:
        return super().is_due() and self.persists and self.mode != "never"

    def _server_is_in_transaction(self) -> bool:
        with self.wrapper.connection.cursor() as cursor:
            try:
                # It says how the next transaction is to be, and is refused in the midst of one.
                cursor.execute("SET TRANSACTION READ WRITE")
            except self.wrapper.Database.Error as error:  # type: ignore[attr-defined] # the driver
                return bool(error.args[0] == IN_TRANSACTION)
        return False
