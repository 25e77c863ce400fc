"""A worker that follows a stream of flags forks: child and parent evaluate, follow, and end.

Its settings are `flipping`'s. It says "forked" when it has forked; then the flags are to flip.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import django

from resident.flags import flag_enabled
from resident.flags.resource import flags
from resident.worker import worker

PATIENCE = 30
CHILDREN = THREADS = 3


def main() -> int:
    signal.alarm(PATIENCE)
    django.setup()
    until(lambda: asked() == (True, True) and mode() == "stream")
    stopped = threading.Event()
    threads = [threading.Thread(target=ask_until, args=(stopped,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    children = [fork() for _ in range(CHILDREN)]
    sys.stdout.write("forked\n")
    sys.stdout.flush()
    until(lambda: asked() == (False, False))
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    stopped.set()
    for thread in threads:
        thread.join()
    return max(map(abs, statuses))


def fork() -> int:
    """Fork a child that evaluates, follows the flags by a client of its own, and ends as usual."""
    child = os.fork()
    if child:
        return child
    signal.alarm(PATIENCE)  # the parent's does not come along
    assert not worker.is_open(flags)
    assert asked() in {(True, True), (False, False)}
    until(lambda: asked() == (False, False))
    until(lambda: mode() == "stream")
    sys.exit(0)


def asked() -> tuple[bool, bool]:
    """A flag that is the same for all, and one that depends on who asks."""
    return flag_enabled("constant"), flag_enabled("depends", entity_id="user-1")


def ask_until(stopped: threading.Event) -> None:
    while not stopped.is_set():
        asked()


def mode() -> str:
    return worker.get(flags).state().mode


def until(holds: Callable[[], bool]) -> None:
    while not holds():  # the alarm ends it
        time.sleep(0.005)


if __name__ == "__main__":
    sys.exit(main())
