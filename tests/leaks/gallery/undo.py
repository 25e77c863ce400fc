"""Puts back what the gallery's leaks change for the process, so that other tests don't find it."""

import atexit
import contextlib
import gc
import locale
import logging
import multiprocessing.util
import os
import socket
import stat
import sys
import tempfile
import threading
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.signals import request_finished
from django.db import connection
from django.utils import timezone, translation

from tests.leaks.gallery import bells, jobs, process, searching, tenancy

__all__ = ["undone"]

DESCRIPTORS = Path("/proc/self/fd")


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Everything that the shop changes inside of it, and that others would notice."""
    with _values_undone(), _lists_undone(), _descriptors_closed():
        try:
            yield
        finally:
            _end_threads()
            _forget_callbacks()
            _forget_visitor()


@contextlib.contextmanager
def _values_undone() -> Iterator[None]:
    environment, folder, names = os.environ.copy(), Path.cwd(), locale.setlocale(locale.LC_ALL)
    timeout, limit = socket.getdefaulttimeout(), sys.getrecursionlimit()
    mask = os.umask(0o022)
    os.umask(mask)
    yield
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.umask(mask)
    locale.setlocale(locale.LC_ALL, names)
    socket.setdefaulttimeout(timeout)
    sys.setrecursionlimit(limit)


@contextlib.contextmanager
def _lists_undone() -> Iterator[None]:
    lists: list[list[Any]] = [
        sys.path,
        gc.callbacks,
        cast("list[Any]", warnings.filters),
        request_finished.receivers,
        bells.sold.receivers,
        bells.log.handlers,
        bells.log.filters,
    ]
    dicts: list[dict[Any, Any]] = [
        sys.modules,
        logging.root.manager.loggerDict,
        multiprocessing.util._finalizer_registry,  # type: ignore[attr-defined]
    ]
    known = [(it, it.copy()) for it in lists]
    keys = [(it, set(it)) for it in dicts]
    yield
    for now, before in known:
        now[:] = before
    for mapping, before_keys in keys:
        for key in set(mapping) - before_keys:
            if "shop" in str(key) or mapping is dicts[-1]:
                del mapping[key]
    request_finished.sender_receivers_cache.clear()
    bells.sold.sender_receivers_cache.clear()


@contextlib.contextmanager
def _descriptors_closed() -> Iterator[None]:
    before = {int(it.name) for it in DESCRIPTORS.iterdir()}
    yield
    for number in {int(it.name) for it in DESCRIPTORS.iterdir()} - before:
        with contextlib.suppress(OSError):
            if _is_of_shop(number):
                os.close(number)
    for file in Path(tempfile.gettempdir()).glob("shop-127.*.csv"):
        file.unlink()


def _is_of_shop(number: int) -> bool:
    target = str((DESCRIPTORS / str(number)).readlink())
    if target == str(jobs.PRICE_LIST) or "/shop-127." in target:
        return True
    mode = os.fstat(number).st_mode
    if stat.S_ISFIFO(mode):
        return not os.get_blocking(number)
    if not stat.S_ISSOCK(mode):
        return False
    ear = socket.socket(fileno=os.dup(number))
    with ear:
        return ear.type == socket.SOCK_DGRAM


def _end_threads() -> None:
    jobs.closing.set()
    ended = [it for it in threading.enumerate() if _job(it) in (jobs.poll, jobs.remind)]
    for thread in ended:
        if isinstance(thread, threading.Timer):
            thread.cancel()
        thread.join(10)
    jobs.closing.clear()


def _job(thread: threading.Thread) -> object:
    return getattr(thread, "function", None) or getattr(thread, "_target", None)


def _forget_callbacks() -> None:
    atexit.unregister(process.close_till)
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        if (alive := finalizer.peek()) and alive[0] is searching.engine:
            finalizer.detach()
    while jobs.EXPORTS:
        jobs.EXPORTS.pop().close()


def _forget_visitor() -> None:
    translation.deactivate()
    timezone.deactivate()
    tenancy.current.set("")
    vars(tenancy._local).clear()
    tenancy.state.stack.clear()
    with contextlib.suppress(AttributeError):
        del tenancy.drawer.tenant
    with contextlib.suppress(AttributeError):
        delattr(settings, "SHOP_TENANT")
    connection.execute_wrappers.clear()
    vars(connection._connections["default"]).pop("tenant", None)  # type: ignore[attr-defined]
