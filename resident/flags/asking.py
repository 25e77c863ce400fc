"""What every way to ask a flag has in common: the snapshot that answers, and what is told of it."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import SynchronousOnlyOperation

from resident.conf import conf
from resident.exceptions import FlagsError, ResidentError
from resident.flags import resource
from resident.flags.opening import opening
from resident.flags.overrides import overrides
from resident.flags.snapshot import Snapshot
from resident.signals import flag_evaluated
from resident.worker import worker

__all__ = ["NOT_OVERRIDDEN", "failures", "overridden", "snapshot_of", "tell"]

logger = logging.getLogger("resident.flags")

MOST_SAID = 1000  # keys may come from outside; what was said must not grow with them
NOT_OVERRIDDEN = object()


class Failures:
    """Logs that a flag gives its default, once a key; lives as long as the process."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def tell(self, key: str, error: Exception) -> None:
        """Log it. An error that is none of resident's is some code's fault: it brings its place."""
        key = str(key)
        if key in self._said or len(self._said) >= MOST_SAID:
            return
        self._said.add(key)
        if isinstance(error, SynchronousOnlyOperation):
            logger.error(
                "flag %r gives its default: what it depends on has to be looked up, and an event "
                "loop does not wait. To do: await aflag_enabled or aflag_variant",
                key,
            )
        elif isinstance(error, ResidentError):
            logger.error("flag %r gives its default: %s", key, error)
        else:
            logger.error("flag %r gives its default", key, exc_info=error)


failures = Failures()
"""Those of this process."""


def snapshot_of(namespace: str | None) -> Snapshot:
    """The snapshot of a namespace, in a request that with which it began.

    Raises:
        ResidentError: there is none, or the flags can't be opened.
    """
    snapshots: Mapping[str, Snapshot] | None = worker.kept_before(resource.flags)
    if snapshots is None:
        opening.ensure()
        snapshots = resource.current()
    if namespace is None:
        try:
            (snapshot,) = snapshots.values()  # the only one, as nearly everywhere
        except ValueError:
            namespace = worker.get(resource.flags).namespace
        else:
            return snapshot
    if namespace in snapshots:
        return snapshots[namespace]
    raise FlagsError(
        f"There are no flags of namespace {namespace!r}.",
        remedy=f"ask for one of {', '.join(map(repr, snapshots))}, or add it to "
        "RESIDENT_FLAGS['NAMESPACES'].",
    )


def overridden(key: str, namespace: str | None) -> object:
    """The answer that a test wants; NOT_OVERRIDDEN where it wants none."""
    return overrides.of(key, namespace or conf.flipt_namespace, NOT_OVERRIDDEN)


def tell(sender: Callable[..., Any], key: str, value: object, **more: Any) -> None:
    """Send `flag_evaluated`."""
    try:
        flag_evaluated.send_robust(sender, key=str(key), value=value, **more)
    except Exception:
        # Asynchronous receivers, for one, can't be called from within an event loop.
        logger.exception("flag_evaluated was not sent to all")
