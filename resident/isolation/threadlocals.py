"""What packages keep per thread: the current user, a request id, a tenant."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.db.backends.base.base import BaseDatabaseWrapper

from resident.conf import conf
from resident.isolation.report import reports
from resident.isolation.request import Request
from resident.isolation.search import Found, Search
from resident.isolation.snapshot import Snapshot

__all__ = ["ThreadLocals"]

Before = list[Snapshot | None]


class ThreadLocals:
    """The thread-locals of the installed apps, the middleware and the project.

    After each request they are as they were before it. They are searched for at the start of the
    worker, after a request that has imported something, and now and then while the worker is
    young. Database and cache connections stay, and so does what RESIDENT_KEEP names.
    """

    def __init__(self) -> None:
        self._keep = frozenset(conf.keep)
        self._search = Search(self._keep)
        self._lock = threading.Lock()
        self._found: tuple[Found, ...] = ()
        self._modules = self._resets = 0
        self._look()

    def begin(self) -> Before:
        return [
            Snapshot(namespace) if (namespace := found.namespace()) else None
            for found in self._found
        ]

    def reset(self, request: Request, begun: Before) -> None:  # noqa: ARG002 - a resetter's arguments
        if self._is_time_to_look():
            self._look()
        for found, before in zip(self._found, begun, strict=False):
            namespace = found.namespace()
            if namespace or before:
                self._restore(found, namespace, before or Snapshot({}))
        for found in self._found[len(begun) :]:  # they came with this request
            if namespace := found.namespace():
                self._restore(found, namespace, _as_in_new_thread(found))

    def _restore(self, found: Found, namespace: dict[str, Any], before: Snapshot) -> None:
        for name in before.changes(namespace):
            stays = f"{found.place}.{name}" in self._keep or _is_connection(namespace.get(name))
            if not stays:
                before.restore(namespace, name)
                reports.count("a thread-local")

    def _is_time_to_look(self) -> bool:
        self._resets += 1
        is_power_of_two = self._resets & (self._resets - 1) == 0
        return is_power_of_two or len(sys.modules) != self._modules

    def _look(self) -> None:
        with self._lock:
            self._modules = len(sys.modules)
            # Only ever longer, so that what `begin` has seen is the beginning of it.
            self._found += tuple(self._search.new())


def _as_in_new_thread(found: Found) -> Snapshot:
    """What a thread finds there that was never used: what `threading.local` subclasses set up."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: Snapshot(found.namespace())).result()


def _is_connection(value: object) -> bool:
    """Whether it is one to a database or a cache: of Django's, or a driver's own (PEP 249)."""
    kind = type(value)  # isinstance would evaluate what is lazy
    is_driver = hasattr(kind, "cursor") and hasattr(kind, "rollback")
    return is_driver or issubclass(kind, BaseDatabaseWrapper | BaseCache)
