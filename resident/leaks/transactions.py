"""Every database as it was: each rehearsal in a transaction, each request in a savepoint of it."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic
from django.db.utils import Error

from resident.exceptions import LeaksError

__all__ = ["Transactions", "connections_in_use"]

Execute = Callable[[Any, Any, bool, dict[str, Any]], Any]

COMMENTS = r"(?:\s|/\*.*?\*/|--[^\n]*\n|\()*"
WRITES = re.compile(
    COMMENTS + r"(INSERT|UPDATE|DELETE|REPLACE|MERGE|TRUNCATE|CREATE|ALTER|DROP|COPY"
    r"|WITH\b.*\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO))\b",
    re.IGNORECASE | re.DOTALL,
)
ENDS = re.compile(
    COMMENTS + r"(COMMIT|END|ABORT|PREPARE\s+TRANSACTION"
    r"|ROLLBACK(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b))\b",
    re.IGNORECASE | re.DOTALL,
)
ENDS_MYSQL = re.compile(
    COMMENTS + r"(BEGIN|START|(?:CREATE|DROP)(?!\s+TEMPORARY)|ALTER|RENAME|TRUNCATE|LOCK|UNLOCK)\b",
    re.IGNORECASE | re.DOTALL,
)
"""What MySQL commits before it does it."""

CLOSING = ("close", "close_if_unusable_or_obsolete")
"""The methods of a connection that end its transaction."""


class Transactions:
    """Keeps every database as it was; lives as long as a rehearsal, and in its thread.

    The blocks are marked as Django's TestCase marks its own, so that a durable block may be entered
    inside of them. Callbacks of `on_commit` never run, as nothing is committed.

    Attributes:
        writes: how many statements of requests have written something, by the database's alias.
        notes: what could not be had, in sentences.

    Raises:
        LeaksError: a database has no transactions.
    """

    def __init__(self) -> None:
        self.writes: Counter[str] = Counter()
        self.notes: list[str] = []
        self._open: list[tuple[BaseDatabaseWrapper, Atomic]] = []
        self._guards: list[_Guard] = []

    def __enter__(self) -> Self:
        try:
            for connection in connections_in_use():
                self._enter(connection)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._open:
            _undo(*self._open.pop())

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is done inside of it."""
        blocks = [(connection, _begin(connection)) for connection, _ in self._open]
        try:
            yield
        finally:
            for connection, block in reversed(blocks):
                _undo(connection, block)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count what writes, and refuse what would end the transaction."""
        for guard in self._guards:
            guard.take_post()
        try:
            yield
        finally:
            for guard in self._guards:
                guard.leave_post()

    def _enter(self, connection: BaseDatabaseWrapper) -> None:
        if (block := self._begun(connection)) is not None:
            self._open.append((connection, block))
        self._guards.append(_Guard(self.writes, connection, is_open=block is not None))

    def _begun(self, connection: BaseDatabaseWrapper) -> Atomic | None:
        """The outermost block; None where the database can't be used, by requests neither."""
        try:
            if connection.features.supports_transactions and connection.features.uses_savepoints:
                return _begin(connection)
        except Error as error:
            self.notes.append(
                f"The database {connection.alias!r} can't be used ({type(error).__name__}); a page "
                "that asks it something fails."
            )
            return None
        except (AssertionError, RuntimeError):  # a test that may not use it: it says so itself
            return None
        raise LeaksError(
            f"DATABASES[{connection.alias!r}] has no transactions, in which requests could be "
            "rehearsed.",
            remedy="use a database that has them, such as SQLite or InnoDB.",
        )


def connections_in_use() -> Iterator[BaseDatabaseWrapper]:
    """Those of this thread, but for databases that serve nobody."""
    for alias in connections:
        if connections.settings[alias]["ENGINE"] != "django.db.backends.dummy":
            with suppress(ImproperlyConfigured):  # its driver is missing
                yield connections[alias]


class _Guard:
    """Among a connection's execute wrappers while a request is rehearsed, and only then."""

    def __init__(
        self, writes: Counter[str], connection: BaseDatabaseWrapper, *, is_open: bool
    ) -> None:
        self._writes = writes
        self._connection = connection
        self._alias = connection.alias
        self._ends = (ENDS, ENDS_MYSQL) if connection.vendor == "mysql" else (ENDS,)
        self._is_open = is_open

    def take_post(self) -> None:
        self._connection.execute_wrappers.insert(0, self)
        # Django closes what is not in autocommit at the beginning of a request, and at its end. To
        # ask for that is an error in a test which may not use the database.
        vars(self._connection).update(dict.fromkeys(CLOSING, _stay_open))

    def leave_post(self) -> None:
        # Not by its place: a request may have left others behind.
        wrappers = self._connection.execute_wrappers
        wrappers[:] = [it for it in wrappers if it is not self]
        for name in CLOSING:
            vars(self._connection).pop(name, None)

    def __call__(
        self, execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        text = str(sql)
        if not self._is_open or any(pattern.match(text) for pattern in self._ends):
            raise LeaksError(
                f"A statement would have left the transaction in which requests to the database "
                f"{self._alias!r} are rehearsed.",
                remedy="leave this page out.",
            )
        if WRITES.match(text):
            self._writes[self._alias] += 1
        return execute(sql, params, many, context)


class _Undone(Exception):  # noqa: N818 - it leaves a block, nobody sees it
    """What leaves a block that is to be rolled back."""


def _begin(connection: BaseDatabaseWrapper) -> Atomic:
    block = transaction.atomic(using=connection.alias)
    block._from_testcase = True  # type: ignore[attr-defined] # noqa: SLF001 - no public name
    block.__enter__()
    return block


def _undo(connection: BaseDatabaseWrapper, block: Atomic) -> None:
    """Roll back this block, and those that were entered inside of it and never left."""
    while block in connection.atomic_blocks:
        connection.atomic_blocks[-1].__exit__(_Undone, _Undone(), None)
    # What Django keeps of the request only while it is in a transaction, or where DEBUG is on.
    connection.rollback_exc = None  # type: ignore[attr-defined] # a name that the stubs lack
    connection.queries_log.clear()


def _stay_open() -> None:
    """In place of what closes a connection: with it the transaction would be gone."""
