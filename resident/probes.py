"""What a request changes that can't be looked at afterwards, noticed as the resetters notice it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from resident.isolation.sql import changes_session, first_word
from resident.isolation.watches import Watch, watches
from resident.leaks.transactions import connections_in_use

__all__ = ["DatabaseSessions", "ProcessState", "new_probes"]

TOKEN = re.compile(r"[0-9a-z]{32}|127(?:\.\d{1,3}){3}", re.IGNORECASE)
"""What is another text in each request."""

LOOKED_AT = re.compile(r"logging\..*\.(handlers|filters)$")
"""What a hunt looks at by itself, and sees grow."""


def new_probes() -> list[Any]:
    """All of them, for one hunt in this thread."""
    return [ProcessState(), DatabaseSessions()]


class ProcessState:
    """The environment, the working directory, the locale and the like; lives as long as a hunt."""

    def __init__(self) -> None:
        self._watches: list[Watch] = list(watches())

    def begin(self) -> None:
        for watch in self._watches:
            watch.adopt()

    def changes(self) -> list[tuple[str, str]]:
        """The kind and the name of each change, which is undone, so that the next one is seen."""
        return list(self._changes())

    def fingerprint(self) -> tuple[bool, ...]:
        """Something that differs where anything has changed."""
        return tuple(watch.is_same() for watch in self._watches)

    def _changes(self) -> Iterator[tuple[str, str]]:
        for watch in self._watches:
            changed = [] if watch.is_same() else list(watch.changes())
            for change in changed:
                if not LOOKED_AT.match(change.place):
                    change.undo()
                    yield _kind(change.place), _name(change.place)


class DatabaseSessions:
    """What statements do to a session that outlives its request; lives as long as a hunt.

    Told by their text. Rolling back undoes some of it, in the rehearsal and nowhere else.
    """

    def __init__(self) -> None:
        self._watches = [_SessionWatch(it) for it in connections_in_use() if _persists(it)]

    def begin(self) -> None:
        for watch in self._watches:
            watch.begin()

    def changes(self) -> list[tuple[str, str]]:
        """The kind and the name of each change."""
        return [("database session", name) for watch in self._watches for name in watch.end()]

    def fingerprint(self) -> tuple[int, ...]:
        """Something that differs where anything has changed."""
        return tuple(len(watch.names) for watch in self._watches)


class _SessionWatch:
    """Among a connection's execute wrappers while a request runs."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self.names: dict[str, None] = {}

    def begin(self) -> None:
        self.names = {}
        self._connection.execute_wrappers.insert(0, self)

    def end(self) -> dict[str, None]:
        wrappers = self._connection.execute_wrappers
        wrappers[:] = [it for it in wrappers if it is not self]
        return self.names

    def __call__(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        if changes_session(sql, self._connection.vendor):
            alias = self._connection.alias
            self.names[f"connections[{alias!r}]: {_statement(sql)}"] = None
        return execute(sql, params, many, context)


def _statement(sql: Any) -> str:
    """What it does, without its values, which may be a request's."""
    words = re.findall(r"[A-Za-z_][\w.]*", sql if isinstance(sql, str) else "")
    return " ".join(words[:2]) if first_word(sql) in NAMED else first_word(sql) or "a statement"


NAMED = frozenset({"SET", "CREATE", "ALTER", "PRAGMA", "SELECT", "RESET"})
"""Statements whose second word says what they change."""


def _name(place: str) -> str:
    """The place, unless its name is a user's: then it is another with each."""
    return re.sub(r"\[.*\]", "['…']", place) if TOKEN.search(place) else place


def _kind(place: str) -> str:
    return "environment" if place.startswith("os.environ[") else "process state"


def _persists(connection: BaseDatabaseWrapper) -> bool:
    of_settings = connection.settings_dict
    return of_settings["CONN_MAX_AGE"] != 0 or bool(of_settings["OPTIONS"].get("pool"))
