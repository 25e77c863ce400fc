"""What packages keep per thread: the current user, a request id, a tenant."""

import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.db.backends.base.base import BaseDatabaseWrapper

from resident.conf import conf
from resident.definitions import module_of
from resident.isolation.packages import CLIENTS
from resident.isolation.report import Leak, reports
from resident.isolation.request import Request
from resident.isolation.search import Found, Search
from resident.isolation.snapshot import Snapshot

__all__ = ["ThreadLocals"]

Before = list[Snapshot | None]


class ThreadLocals:
    """The thread-locals of the installed apps, the middleware and the project.

    After each request they are as they were before it. They are searched for at the start of the
    worker, after a request that has imported something, and now and then while the worker is
    young. Connections stay: Django's own, and what a library that knows no Django has opened and
    can close, such as a session of requests'. So does what RESIDENT_KEEP names.
    """

    def __init__(self) -> None:
        self._keep = frozenset(conf.keep)
        self._search = Search(self._keep)
        self._lock = threading.Lock()
        self._found: tuple[Found, ...] = ()
        self._modules = self._resets = 0
        self._next_look = 1
        self._look()

    def begin(self) -> Before:
        if not self._found:
            return []
        return [
            Snapshot(namespace) if (namespace := found.namespace()) else None
            for found in self._found
        ]

    def reset(self, request: Request, begun: Before) -> None:
        self._resets += 1
        if self._resets == self._next_look or len(sys.modules) != self._modules:
            self._look()
        if not self._found:
            return
        for found, before in zip(self._found, begun, strict=False):
            namespace = found.namespace()
            if namespace or before:
                self._restore(found, namespace, before or Snapshot({}), request)
        for found in self._found[len(begun) :]:  # they came with this request
            if namespace := found.namespace():
                self._restore(found, namespace, _as_in_new_thread(found), request)

    def _restore(
        self, found: Found, namespace: dict[str, Any], before: Snapshot, request: Request
    ) -> None:
        for name in before.changes(namespace):
            place = f"{found.place}.{name}"
            if place in self._keep or self._is_connection(namespace.get(name)):
                continue
            before.restore(namespace, name)
            reports.tell_once(Leak("a thread-local", place, "put back", request, logging.INFO))

    def _is_connection(self, value: object) -> bool:
        kind = type(value)  # isinstance would evaluate what is lazy
        if issubclass(kind, BaseDatabaseWrapper | BaseCache):
            return True
        module = module_of(kind)
        package = module.partition(".")[0]
        if package == "django" or self._search.covers(module):
            return False
        return hasattr(kind, "close") or package in CLIENTS

    def _look(self) -> None:
        with self._lock:
            self._modules = len(sys.modules)
            self._next_look = 2 ** self._resets.bit_length()  # after the 1st, 2nd, 4th, 8th ...
            # Only ever longer, so that what `begin` has seen is the beginning of it.
            new = [found for found in self._search.new() if found.place not in self._keep]
            self._found += tuple(new)


def _as_in_new_thread(found: Found) -> Snapshot:
    """What a thread finds there that was never used: what `threading.local` subclasses set up."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: Snapshot(found.namespace())).result()
