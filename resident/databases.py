"""Database connections whose credentials are secrets, and follow them.

A connection is made with the credentials that are current then. When they change, each thread
replaces its own before its next request; what a request has begun on one, it ends on it.
"""

import copy
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.core.signals import request_finished, request_started
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from resident.secrets import Secret
from resident.settings import FromSecrets
from resident.signals import secrets_changed
from resident.worker import worker

__all__ = ["Credentials", "Database"]


class Database(dict[str, Any]):
    """An entry of DATABASES that gives the current value of what is `from_secrets()`.

    To whoever looks a key up, that is: as a whole it shows none.
    """

    def __init__(self, entry: Mapping[str, Any]) -> None:
        super().__init__(entry.items())
        self._thread = threading.local()

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if type(value) is not FromSecrets:
            return value
        secret = worker.latest_secrets[value.key]
        self.used[name] = secret
        return secret.reveal()

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - that is this method

    def __iter__(self) -> Iterator[str]:  # so that {**entry} looks its keys up
        return super().__iter__()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Database":
        return Database({name: copy.deepcopy(value, memo) for name, value in self.items()})

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[dict[str, Any]]]:
        return Database, (dict(self.items()),)

    @property
    def used(self) -> dict[str, Secret]:
        """What this thread was given last, for each key that is a secret."""
        used: dict[str, Secret] = self._thread.__dict__.setdefault("used", {})
        return used

    def current(self) -> dict[str, Secret]:
        """What it would be given now."""
        return {
            name: worker.latest_secrets[value.key]
            for name, value in self.items()
            if type(value) is FromSecrets
        }


class Credentials:
    """Sees to it that connections are made with the current credentials; lives as long as Django.

    With none of DATABASES from the secrets it does nothing.
    """

    def __init__(self) -> None:
        self._made_with: weakref.WeakKeyDictionary[BaseDatabaseWrapper, dict[str, Secret]] = (
            weakref.WeakKeyDictionary()
        )

    def follow(self) -> None:
        """Take the entries of DATABASES over that have a secret."""
        entries = connections.settings
        for alias, entry in entries.items():
            if any(type(value) is FromSecrets for value in entry.values()):
                entries[alias] = Database(entry)
        for connection in connections.all(initialized_only=True):
            connection.settings_dict = entries[connection.alias]
        if any(isinstance(entry, Database) for entry in entries.values()):
            connection_created.connect(self._connected)
            secrets_changed.connect(self._renew_pools)
            for boundary in (request_started, request_finished):
                boundary.connect(self._close_outdated)

    def _connected(self, *, connection: BaseDatabaseWrapper, **_: object) -> None:
        entry = connection.settings_dict
        if not isinstance(entry, Database):
            return
        if not entry["OPTIONS"].get("pool"):
            self._made_with[connection] = entry.used.copy()
        elif not _is_current(connection):  # it was being made when the pool was renewed
            _renew_pool(connection)

    def _close_outdated(self, **_: object) -> None:
        for connection in connections.all(initialized_only=True):
            if self._is_outdated(connection) and not connection.in_atomic_block:
                connection.close()

    def _is_outdated(self, connection: BaseDatabaseWrapper) -> bool:
        made_with, entry = self._made_with.get(connection), connection.settings_dict
        if connection.connection is None or made_with is None:
            return False
        return isinstance(entry, Database) and made_with != entry.current()

    def _renew_pools(self, **_: object) -> None:
        for alias, entry in connections.settings.items():
            if isinstance(entry, Database) and entry["OPTIONS"].get("pool"):
                _renew_pool(connections[alias])


def _is_current(connection: BaseDatabaseWrapper) -> bool:
    """Whether psycopg has made it with the current credentials."""
    wanted, made = connection.get_connection_params(), connection.connection.info
    return (wanted.get("user"), wanted.get("password")) == (made.user, made.password)


def _renew_pool(connection: BaseDatabaseWrapper) -> None:
    """Let psycopg's pool connect with the current credentials, and end the connections it has,
    those that are in use when they come back.
    """
    pool = connection.pool  # type: ignore[attr-defined]
    pool.kwargs = {**pool.kwargs, **connection.get_connection_params()}
    if not pool.closed and hasattr(pool, "drain"):  # since psycopg-pool 3.3
        pool.drain()
