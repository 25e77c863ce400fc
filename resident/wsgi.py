"""What a project's `wsgi.py` gives to the server."""

import logging
import signal
import sys
from multiprocessing import parent_process
from multiprocessing.util import Finalize
from types import FrameType
from typing import NoReturn

import django
from django.core.exceptions import ImproperlyConfigured
from django.urls import get_resolver

from resident.checks import check_databases
from resident.exceptions import ResidentError
from resident.handler import Handler
from resident.isolation.context import IsolatedApplication
from resident.resources import resources
from resident.worker import worker

__all__ = ["get_wsgi_application"]

logger = logging.getLogger(__name__)


def get_wsgi_application() -> IsolatedApplication:
    """The project as a WSGI application that opens its worker first, and isolates each request.

    Called once per worker process. Where a resource can't be opened, it says so in one message on
    standard error and ends the process with status 1: no server takes a worker for ready that has
    no secrets.
    """
    worker.serves = True
    _heed_signals()
    _finish_logs()
    try:
        django.setup(set_prefix=False)
        # AppConfig.ready() has opened the worker, unless Django was set up before.
        worker.open(*resources())
        # What the URLs import belongs to the worker, not to the request that happens to be first.
        get_resolver().url_patterns  # noqa: B018 - a lazy attribute
        for trap in check_databases():
            logger.warning("%s", trap)
        return IsolatedApplication(Handler())
    except (ResidentError, ImproperlyConfigured) as error:
        failure = str(error)
    sys.stderr.write(_farewell(failure))
    sys.stderr.flush()
    raise SystemExit(1)


def _heed_signals() -> None:
    """Let a worker of granian's be stopped while it still opens its resources.

    Until it has loaded the application, it has the handlers of the process that it was forked
    from, which take a note that nobody reads: the signal would be lost, and granian would wait.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        handler = signal.getsignal(number)
        if getattr(handler, "__module__", "").startswith("granian."):
            signal.signal(number, _leave)


def _finish_logs() -> None:
    """Let handlers that collect records write them when the worker ends, as `logging` has it.

    granian's workers are multiprocessing's, which run no atexit handler: logging's neither.
    """
    if parent_process() is not None:
        # After the resources, which say that they are closed.
        Finalize(None, logging.shutdown, exitpriority=0)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _farewell(failure: str) -> str:
    return "resident: this worker does not start.\n" + "".join(
        f"  {line}\n" for line in failure.splitlines()
    )
