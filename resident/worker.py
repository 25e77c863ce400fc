"""What this process opens once, in order, and closes in reverse.

A resource is one generator function: it opens something, yields it, and closes it afterwards.

    def search(worker: Worker) -> Iterator[Client]:
        client = Client(token=worker.secrets["search_token"].reveal())
        yield client
        client.close()

Named in RESIDENT_RESOURCES, it is opened when the worker starts, after the secrets and the flags;
`worker.get(search)` gives the client, anywhere. With `@depends_on("search_token")` it is made anew
when that secret changes: the new one first, and the old one is closed when no request uses it any
more.
"""

import contextvars
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from multiprocessing.util import Finalize
from typing import Any, TypeVar

from django.utils.module_loading import import_string

from resident.conf import conf
from resident.exceptions import ConfigurationError, ResidentError, SecretsError
from resident.generation import Closer, Generation, Opened, Stay, close_all
from resident.secrets import Secrets, SecretsBackend
from resident.secrets.keeper import Keeper
from resident.secrets.state import State
from resident.signals import secrets_changed, secrets_failed

__all__ = ["Resource", "Worker", "depends_on", "keeper", "secrets", "worker"]

logger = logging.getLogger(__name__)

S = TypeVar("S")
T = TypeVar("T")
Resource = Callable[["Worker"], Iterator[T]]


def depends_on(*made_from: str | Resource[Any]) -> Callable[[Resource[T]], Resource[T]]:
    """Say what a resource is made from, so that it is made anew when that changes.

    Args:
        made_from: keys of the secrets, and other resources.
    """

    def mark(resource: Resource[T]) -> Resource[T]:
        resource.depends_on = made_from  # type: ignore[attr-defined]
        return resource

    return mark


class Worker:
    """The resources of one process; lives as long as the process, and no fork inherits them.

    A resource is opened once, by whoever asks first, and every thread gets that same one.
    """

    def __init__(self) -> None:
        self.serves = False
        self._lock = threading.RLock()
        self._generation = Generation({})
        self._stay: contextvars.ContextVar[Stay | None] = contextvars.ContextVar(
            "resident_stay", default=None
        )
        self._closer = Closer()
        self._finalizer: Finalize[Any] | None = None

    @property
    def secrets(self) -> Secrets:
        """The secrets of RESIDENT_SECRETS: in a request those that it began with, and elsewhere
        the latest. Raises `SecretsError` where they are not open yet, and can't be had.
        """
        # As `get` does it; a request may ask often.
        stay = self._stay.get()
        generation = (stay and stay.generation) or self._generation
        opened = generation.opened.get(secrets)
        return opened.value if opened else self._open(secrets)

    @property
    def latest_secrets(self) -> Secrets:
        """The latest secrets, also in a request that began before: for new connections.

        Raises as `secrets` does.
        """
        opened = self._generation.opened.get(secrets)
        return opened.value if opened else self.get(secrets)

    @property
    def secrets_state(self) -> State:
        """How fresh the secrets are, and what it took to keep them so. Raises as `secrets` does."""
        return self.get(keeper).state

    def get(self, resource: Resource[T]) -> T:
        """What the resource yields, opened now if it is not open yet.

        In a request, that is the one which was open when the request began.

        Raises what the resource raises; then it is not open, and the next call tries again.
        """
        stay = self._stay.get()
        generation = (stay and stay.generation) or self._generation
        opened = generation.opened.get(resource)
        return opened.value if opened else self._open(resource)

    def kept(self, resource: Resource[T], look: Callable[[T], S]) -> S:
        """What a look at the resource gives; in a request, what its first look gave.

        For a resource that replaces what it has as a whole, such as the flags.
        """
        stay = self._stay.get()
        if stay is None or stay.generation is None:
            return look(self.get(resource))
        kept: S | None = stay.kept.get(resource)
        if kept is None:
            # Threads of one request may come at once: the first gives it to all of them.
            kept = stay.kept.setdefault(resource, look(self.get(resource)))
        return kept

    def kept_before(self, resource: Resource[Any]) -> Any:
        """What `kept` has given in this request; None where it has not yet. Opens nothing."""
        stay = self._stay.get()
        return None if stay is None else stay.kept.get(resource)

    def open(self, *resources: Resource[Any]) -> None:
        """Open these resources, in order; those that are open stay.

        Raises what the first to fail raises; what this call had opened is closed again.
        """
        before = len(self._generation.opened)
        try:
            for resource in resources:
                self.get(resource)
        except BaseException:
            self._close_down_to(before)
            raise

    def is_open(self, resource: Resource[Any]) -> bool:
        """Whether the resource is open in this process. Opens nothing."""
        return resource in self._generation.opened

    def stay(self) -> Stay:
        """Let this context see what is open now, and nothing newer, until `end()` of what it gives.

        Until then none of it is closed. Each request does so; a thread of your own may:

            with worker.stay():
                worker.get(search).find("shoes")
        """
        stay = Stay(self._generation)
        self._stay.set(stay)
        return stay

    def take_up(self, contents: Secrets) -> list[str]:
        """Use these secrets from now on, and make anew what is made from other values of them.

        What begins after that sees all that is new, what began before sees none of it. For the
        keeper of the secrets. Gives the names of the resources that could not be made anew: they
        stay as they are.
        """
        with self._lock:
            began = self._generation
        if secrets not in began.opened:
            return []
        before = began.opened[secrets]
        draft = Generation({**began.opened, secrets: before.giving(contents)})
        known = draft.opened.copy()
        failed = contextvars.copy_context().run(self._make_anew, draft)
        if not self._replace(began, draft, known):
            return ["what was being closed"]
        _tell_changes(before.value, contents)
        late = [it for it in list(draft.opened) if it not in failed and _is_outdated(it, draft)]
        return self.take_up(contents) if late else [it.__name__ for it in failed]

    def close(self) -> None:
        """Close what is open, the last first, each once; by itself when the process ends.

        What fails to close is logged, and the rest is still closed.
        """
        with self._lock:
            self._close_down_to(0)
            self._generation = Generation({})  # who still stays in the old one delays no later one
        self._closer.close()

    def leave_to_parent(self) -> None:
        """Start anew in a forked child: what is open belongs to the parent, and stays open."""
        for opened in self._generation.opened.values():
            opened.leave_to_parent()
        self._closer.leave_to_parent()
        if (stay := self._stay.get()) is not None:
            stay.end()  # a request in which it was forked goes on with what is opened here
        self._lock = threading.RLock()  # the parent's may be held by a thread that is not here
        self._generation = Generation({})
        self._closer = Closer()
        self._finalizer = None

    def _open(self, resource: Resource[T]) -> T:
        with self._lock:
            generation, stay = self._generation, self._stay.get()
            if stay and stay.generation and stay.is_makers:
                generation = stay.generation
            else:  # what all are to use is made from what is the latest
                stay = None
            token = self._stay.set(stay)
            try:
                value: T = self._opened_in(generation, resource).value
            finally:
                self._stay.reset(token)
            return value

    def _opened_in(self, generation: Generation, resource: Resource[Any]) -> Opened:
        if resource not in generation.opened:
            generation.opened[resource] = self._make(resource, generation)
            self._close_at_exit()
        return generation.opened[resource]

    def _make(self, resource: Resource[Any], generation: Generation) -> Opened:
        began = time.perf_counter()
        for part in _depends_on(resource):
            self.get(secrets if isinstance(part, str) else part)
        opened = Opened(resource.__name__, partial(resource, self), _parts(resource, generation))
        milliseconds = (time.perf_counter() - began) * 1000
        logger.info("%s opened in %.0f ms", resource.__name__, milliseconds)
        return opened

    def _make_anew(self, draft: Generation) -> list[Resource[Any]]:
        """Replace what is made from something else than the draft has; gives what failed."""
        failed = []
        stay = Stay(draft, is_makers=True)
        self._stay.set(stay)
        for resource in [it for it in draft.opened if _depends_on(it)]:
            if not _is_outdated(resource, draft):
                continue
            try:
                draft.opened[resource] = self._make(resource, draft)
            except Exception as error:  # noqa: BLE001 - whatever it is, the old one serves on
                _tell_stays(resource, error)
                failed.append(resource)
        stay.end()
        return failed

    def _replace(
        self, began: Generation, draft: Generation, known: dict[Resource[Any], Opened]
    ) -> bool:
        """Publish the draft; discard it where something of it has been closed meanwhile."""
        with self._lock:
            if known.keys() <= began.opened.keys():
                draft.opened.update({**began.opened, **draft.opened})
                self._generation = began.successor = draft
                self._closer.close_after(began, _others(began.opened, draft.opened))
                return True
        close_all(_others(draft.opened, known))
        return False

    def _close_down_to(self, count: int) -> None:
        with self._lock:
            while len(self._generation.opened) > count:
                _, opened = self._generation.opened.popitem()
                opened.close()

    def _close_at_exit(self) -> None:
        # granian's workers are multiprocessing's: they run its finalizers, and no atexit handler.
        # In any other process multiprocessing itself runs them at exit.
        if self._finalizer is None:
            self._finalizer = Finalize(None, self.close, exitpriority=10)


def keeper(worker: Worker) -> Iterator[Keeper]:
    """Reads the secrets that RESIDENT_SECRETS names, and follows them."""
    kept = Keeper(
        _backend(),
        interval=conf.secrets_interval,
        take_up=worker.take_up,
        failed=_tell_failure,
    )
    try:
        kept.start()
        yield kept
    finally:
        kept.close()


def secrets(worker: Worker) -> Iterator[Secrets]:
    """The first resource of every worker: the values that its keeper has read."""
    yield worker.get(keeper).contents


def _depends_on(resource: Resource[Any]) -> tuple[str | Resource[Any], ...]:
    parts: tuple[str | Resource[Any], ...] = getattr(resource, "depends_on", ())
    return parts


def _parts(resource: Resource[Any], generation: Generation) -> list[object]:
    """What the resource is made from in this generation, which has all of it open."""
    opened = generation.opened
    return [
        opened[secrets].value.get(part) if isinstance(part, str) else opened[part]
        for part in _depends_on(resource)
    ]


def _is_outdated(resource: Resource[Any], generation: Generation) -> bool:
    return generation.opened[resource].made_from != _parts(resource, generation)


def _others(
    one: Mapping[Resource[Any], Opened], other: Mapping[Resource[Any], Opened]
) -> list[Opened]:
    """What the one has open that the other has not. The secrets are the keeper's to close."""
    return [
        opened
        for resource, opened in one.items()
        if other.get(resource) is not opened and resource is not secrets
    ]


def _tell_stays(resource: Resource[Any], error: Exception) -> None:
    if isinstance(error, ResidentError):
        logger.error("%s stays as it is: %s", resource.__name__, error)
    else:
        logger.error("%s stays as it is", resource.__name__, exc_info=error)


def _tell_changes(before: Secrets, after: Secrets) -> None:
    keys = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    if keys or before.place != after.place:
        names = ", ".join(map(repr, sorted(keys))) or "no value"
        logger.info("%s: %s changed", after.place, names)
        secrets_changed.send_robust(Worker, secrets=after, keys=frozenset(keys))


def _tell_failure(error: SecretsError) -> None:
    secrets_failed.send_robust(Worker, error=error)


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
