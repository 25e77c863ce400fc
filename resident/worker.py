"""What this process opens once, in order, and closes in reverse.

A resource is one generator function: it opens something, yields it, and closes it afterwards.

    def search(worker: Worker) -> Iterator[Client]:
        client = Client(token=worker.secrets["search_token"].reveal())
        yield client
        client.close()

Named in RESIDENT_RESOURCES, it is opened when the worker starts, after the secrets and the flags;
`worker.get(search)` gives the client, anywhere.
"""

import ctypes
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.util import Finalize
from typing import Any, TypeVar

from django.utils.module_loading import import_string

from resident.conf import conf
from resident.exceptions import ConfigurationError
from resident.secrets import Secrets, SecretsBackend

__all__ = ["Resource", "Worker", "secrets", "worker"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
Resource = Callable[["Worker"], Iterator[T]]


class Worker:
    """The resources of one process; lives as long as the process, and no fork inherits them.

    A resource is opened once, by whoever asks first, and every thread gets that same one.
    """

    def __init__(self) -> None:
        self.serves = False
        self._lock = threading.RLock()
        self._opened: dict[Resource[Any], _Opened] = {}
        self._finalizer: Finalize[Any] | None = None

    @property
    def secrets(self) -> Secrets:
        """The secrets of RESIDENT_SECRETS, as they were last read. Raises `SecretsError`."""
        return self.get(secrets)

    def get(self, resource: Resource[T]) -> T:
        """What the resource yields, opened now if it is not open yet.

        Raises what the resource raises; then it is not open, and the next call tries again.
        """
        opened = self._opened.get(resource)
        return opened.value if opened else self._open(resource)

    def open(self, *resources: Resource[Any]) -> None:
        """Open these resources, in order; those that are open stay.

        Raises what the first to fail raises; what this call had opened is closed again.
        """
        before = len(self._opened)
        try:
            for resource in resources:
                self.get(resource)
        except BaseException:
            self._close_down_to(before)
            raise

    def is_open(self, resource: Resource[Any]) -> bool:
        """Whether the resource is open in this process. Opens nothing."""
        return resource in self._opened

    def close(self) -> None:
        """Close what is open, the last first, each once; by itself when the process ends.

        What fails to close is logged, and the rest is still closed.
        """
        self._close_down_to(0)

    def leave_to_parent(self) -> None:
        """Start anew in a forked child: what is open belongs to the parent, and stays open."""
        for opened in self._opened.values():
            opened.leave_to_parent()
        self._lock = threading.RLock()  # the parent's may be held by a thread that is not here
        self._opened = {}
        self._finalizer = None

    def _open(self, resource: Resource[T]) -> T:
        with self._lock:
            if resource not in self._opened:
                began = time.perf_counter()
                opened = _Opened(resource, self)
                self._opened[resource] = opened
                self._close_at_exit()
                milliseconds = (time.perf_counter() - began) * 1000
                logger.info("%s opened in %.0f ms", resource.__name__, milliseconds)
            value: T = self._opened[resource].value
            return value

    def _close_down_to(self, count: int) -> None:
        with self._lock:
            while len(self._opened) > count:
                _, opened = self._opened.popitem()
                opened.close()

    def _close_at_exit(self) -> None:
        # granian's workers are multiprocessing's: they run its finalizers, and no atexit handler.
        # In any other process multiprocessing itself runs them at exit.
        if self._finalizer is None:
            self._finalizer = Finalize(None, self.close, exitpriority=10)


class _Opened:
    """One resource that is open; lives until the worker closes it."""

    def __init__(self, resource: Resource[Any], worker: Worker) -> None:
        self._name = resource.__name__
        self._manager: AbstractContextManager[Any] = contextmanager(resource)(worker)
        self.value = self._manager.__enter__()

    def close(self) -> None:
        try:
            self._manager.__exit__(None, None, None)
        except Exception:
            logger.exception("%s failed to close", self._name)
        else:
            logger.info("%s closed", self._name)

    def leave_to_parent(self) -> None:
        # A suspended generator that is deallocated runs its `finally`: in a fork that would close
        # the parent's connections from the child. One reference too many keeps it suspended.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._manager))


def secrets(worker: Worker) -> Iterator[Secrets]:  # noqa: ARG001 - the first needs none before it
    """The first resource of every worker: the secrets that RESIDENT_SECRETS names."""
    backend = _backend()
    try:
        contents = backend.read()
        logger.info("secrets from %s", contents.place)
        yield contents
    finally:
        backend.close()


def _backend() -> SecretsBackend:
    path, options = conf.secrets_backend, conf.secrets_options
    try:
        backend = import_string(path)
    except ImportError as error:
        raise ConfigurationError(
            f"RESIDENT_SECRETS['BACKEND'] is {path!r}, which can't be imported: {error}.",
            remedy="name a class, as in 'resident.secrets.vault.Vault'.",
        ) from None
    unknown = ""
    try:
        made: SecretsBackend = backend(**options)
    except TypeError as error:
        # Its text names arguments, never their values.
        unknown = str(error)
    else:
        return made
    raise ConfigurationError(
        f"RESIDENT_SECRETS['OPTIONS'] does not fit {path}: {unknown}.",
        remedy="see the options in docs/settings.md.",
    )


worker = Worker()
"""The worker of this process."""

os.register_at_fork(after_in_child=worker.leave_to_parent)
