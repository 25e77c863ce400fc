"""Open transactions, and what else a request leaves on a thread's database connections."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from inspect import getattr_static, isfunction, unwrap
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils.functional import cached_property

from resident.isolation.postgresql import PostgreSQL
from resident.isolation.report import Leak, reports
from resident.isolation.request import Request
from resident.isolation.session import MySQL, Session, SQLite
from resident.isolation.snapshot import Snapshot

__all__ = ["DatabaseSession"]

logger = logging.getLogger("resident.isolation")

SESSIONS: dict[str, type[Session]] = {
    "postgresql": PostgreSQL,
    "sqlite": SQLite,
    "mysql": MySQL,
}


class DatabaseSession:
    """Transactions left open, attributes left on connections, and sessions that were changed.

    A transaction that is open after the last byte is rolled back and reported as an error: whoever
    left it open believes that it was committed. A connection that was in one before the request,
    as in Django's TestCase, goes back to where that was.
    """

    def __init__(self) -> None:
        self._thread = threading.local()
        self._thread.connections = list(_connections())
        connection_created.connect(self._connecting)
        # Handlers run in the order in which they were connected, and this one has to be the first.
        connection_created.receivers.insert(0, connection_created.receivers.pop())
        connection_created.connect(self._connected)

    def begin(self) -> list["_Before"]:
        return [connection.begin() for connection in self._connections_of_thread()]

    def settle(self, request: Request, begun: list["_Before"]) -> None:
        # Before Django closes the connection, and nobody hears of what was lost with it.
        for before in begun:
            if before.connection.wrapper.connection is not None:
                before.connection.settle(request, before)

    def reset(self, request: Request, begun: list["_Before"]) -> None:
        for before in begun:
            if before.connection.wrapper.connection is not None or not before.is_now():
                before.connection.reset(request, before)

    def _connections_of_thread(self) -> list["_Connection"]:
        try:
            known: list[_Connection] = self._thread.connections
        except AttributeError:
            known = self._thread.connections = list(_connections())
        return known

    def _connecting(self, *, connection: BaseDatabaseWrapper, **_: object) -> None:
        for known in self._known(connection):
            known.connecting()

    def _connected(self, *, connection: BaseDatabaseWrapper, **_: object) -> None:
        for known in self._known(connection):
            known.connected()

    def _known(self, wrapper: BaseDatabaseWrapper) -> list["_Connection"]:
        """None where no request of this thread has begun: looking at them then would end a pool
        that this connection has just come from.
        """
        known: list[_Connection] = vars(self._thread).get("connections", [])
        return [connection for connection in known if connection.wrapper is wrapper]


class _Before:
    """A connection as it was before a request."""

    __slots__ = ("attributes", "connection", "debugs", "depth", "is_open", "size", "wrappers")

    def __init__(self, connection: "_Connection", attributes: Snapshot | None) -> None:
        wrapper = connection.wrapper
        self.connection = connection
        self.attributes = attributes
        self.is_open = wrapper.connection is not None
        self.size = len(wrapper.__dict__)
        self.depth = len(wrapper.atomic_blocks)
        self.wrappers = wrapper.execute_wrappers.copy()
        self.debugs = wrapper.force_debug_cursor

    def is_now(self) -> bool:
        """Whether the connection is like that, so that it serves the next request as well."""
        wrapper = self.connection.wrapper
        return (
            self.attributes is None
            and self.size == len(wrapper.__dict__)
            and self.wrappers == wrapper.execute_wrappers
            and self.depth == len(wrapper.atomic_blocks)
            and self.debugs == wrapper.force_debug_cursor
            and self.is_open == (wrapper.connection is not None)
        )

    def adopt(self, name: str, attributes: dict[str, Any]) -> None:
        """Let this attribute be as it is now."""
        self.attributes = self.attributes or Snapshot({})
        self.attributes.adopt(name, attributes)


class _Connection:
    """One of Django's connections; lives as long as its thread."""

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self.wrapper = wrapper
        self.session = SESSIONS.get(wrapper.vendor, Session)(wrapper)
        self._watches = self.session.watches()
        self._of_django = _names_of_django(type(wrapper))  # type: ignore[arg-type] # classes are hashable
        self._before: _Before | None = None

    def begin(self) -> _Before:
        if self._watches:
            self.session.begin()
        if self._before is None or not self._before.is_now():
            others = self._others()
            self._before = _Before(self, Snapshot(others) if others else None)
        return self._before

    def connecting(self) -> None:
        """Django has connected, and the project's handlers of `connection_created` come next."""
        self.session.connecting()
        self._wrappers = self.wrapper.execute_wrappers.copy()
        self._attributes = Snapshot(self._others())

    def connected(self) -> None:
        """What those handlers have set up belongs to the connection, and not to the request."""
        self.session.connected()
        if self._before is None:
            return
        wrappers = self.wrapper.execute_wrappers
        self._before.wrappers += [it for it in wrappers if it not in self._wrappers]
        others = self._others()
        for name in self._attributes.changes(others):
            self._before.adopt(name, others)

    def settle(self, request: Request, before: _Before) -> None:
        """End the transaction, and manage them as before: else Django drops the connection."""
        self._end_transaction(request, before)
        wrapper = self.wrapper
        if wrapper.connection is None or wrapper.in_atomic_block or not self.session.is_known:
            return
        if wrapper.autocommit != wrapper.settings_dict["AUTOCOMMIT"]:
            reports.count("autocommit")
            _close_if_it_fails(wrapper, "return to its autocommit", self._restore_autocommit)

    def _end_transaction(self, request: Request, before: _Before) -> None:
        """Roll back what is open and was not open before, and report it."""
        wrapper = self.wrapper
        if len(wrapper.atomic_blocks) > before.depth:
            _leave_atomic_blocks(wrapper, before.depth)
        elif wrapper.connection is None or wrapper.in_atomic_block:
            return
        elif self.session.is_in_transaction():
            _close_if_it_fails(wrapper, "roll back", wrapper.rollback)
        else:
            return
        place = f"the database {wrapper.alias!r}"
        reports.tell(Leak("an open transaction", place, "rolled back", request, logging.ERROR))

    def reset(self, request: Request, before: _Before) -> None:
        """Bring the transaction, the attributes and the session back, each only if they changed."""
        wrapper = self.wrapper
        self.settle(request, before)
        if wrapper.execute_wrappers != before.wrappers:
            self._restore_wrappers(before.wrappers)
        if wrapper.force_debug_cursor != before.debugs:
            wrapper.force_debug_cursor = before.debugs
            reports.count("a debug cursor")
        if before.attributes is not None or len(wrapper.__dict__) != before.size:
            self._restore_others(before.attributes or Snapshot({}))
        if self._watches and not before.depth:
            _close_if_it_fails(wrapper, "reset", self.session.reset)
        if wrapper.connection is not None and not before.is_open and not self.session.persists:
            wrapper.close()  # opened after Django had closed it, as in a `close()`

    def _restore_wrappers(self, before: list[Any]) -> None:
        # Those that came with the connection keep their place among the others.
        kept = [it for it in self.wrapper.execute_wrappers if it in before]
        kept += [it for it in before if it not in kept]
        if kept != self.wrapper.execute_wrappers:
            self.wrapper.execute_wrappers[:] = kept
            reports.count("execute wrappers")

    def _restore_autocommit(self) -> None:
        self.wrapper.set_autocommit(self.wrapper.settings_dict["AUTOCOMMIT"])

    def _others(self) -> dict[str, Any]:
        """The attributes that are not Django's."""
        attributes = self.wrapper.__dict__
        names = attributes.keys() - self._of_django
        return {name: attributes[name] for name in names}

    def _restore_others(self, attributes: Snapshot) -> None:
        others = self._others()
        for name in attributes.changes(others):
            attributes.restore(others, name)
            if name in others:
                self.wrapper.__dict__[name] = others[name]
            else:
                del self.wrapper.__dict__[name]
            reports.count("an attribute of a connection")


class _LeftOpen(Exception):  # noqa: N818 - it leaves a block, nobody sees it
    """What leaves an atomic block that nobody left."""


def _leave_atomic_blocks(wrapper: BaseDatabaseWrapper, depth: int) -> None:
    while len(wrapper.atomic_blocks) > depth:
        wrapper.atomic_blocks[-1].__exit__(_LeftOpen, _LeftOpen(), None)


def _close_if_it_fails(wrapper: BaseDatabaseWrapper, what: str, act: Callable[[], object]) -> None:
    try:
        act()
    except Exception:
        logger.exception("The database %r did not %s; it is closed.", wrapper.alias, what)
        wrapper.close()


def _connections() -> Iterator[_Connection]:
    for alias in connections:
        with suppress(ImproperlyConfigured):  # a database whose driver is missing serves nobody
            yield _Connection(connections[alias])


@cache
def _names_of_django(kind: type) -> frozenset[str]:
    """The attributes that Django itself keeps on such a connection: all that its classes mention.

    A method is none of them: where an instance has one of its own, somebody has put it there.
    """
    classes = [cls for cls in kind.__mro__ if cls.__module__.startswith("django.")]
    attributes = [attribute for cls in classes for attribute in vars(cls).values()]
    mentioned = {name for attribute in attributes for name in _names_in(attribute)}
    lazy = {name for name in dir(kind) if isinstance(getattr_static(kind, name), cached_property)}
    methods = {name for name in dir(kind) if isfunction(getattr_static(kind, name))}
    return frozenset((mentioned | lazy) - methods)


def _names_in(method: Any) -> tuple[str, ...]:
    function = getattr(method, "fget", None) or getattr(method, "func", None) or method
    code = getattr(unwrap(function), "__code__", None)
    return code.co_names if code else ()
