"""`flag_enabled` and `flag_variant`: what a view asks.

They never raise: whatever fails, the flag gives its default, and the log says so once a key.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest

from resident.flags import resource
from resident.flags.asking import NOT_OVERRIDDEN, failures, overridden, snapshot_of, tell
from resident.flags.context import somebody, subject_of
from resident.flags.document import Flag
from resident.flags.engine import Variant
from resident.flags.opening import opening
from resident.flags.overrides import overrides
from resident.flags.snapshot import Snapshot
from resident.flags.subject import Subject
from resident.signals import flag_evaluated
from resident.worker import worker

__all__ = ["aflag_enabled", "aflag_variant", "flag_enabled", "flag_variant"]


def flag_enabled(
    key: str,
    request: HttpRequest | None = None,
    *,
    default: bool = False,
    entity_id: str | None = None,
    context: Mapping[str, Any] | None = None,
    namespace: str | None = None,
) -> bool:
    """Whether a boolean flag is on. Evaluated in this process; nothing is asked over a network.

    Args:
        key: the flag.
        request: whose user and properties the flag may depend on. They are looked up only where
            it does.
        default: the answer where the flag is unknown, is no boolean flag, or can't be evaluated
            (logged once a key). A declared flag brings its own.
        entity_id: who is asked about, for percentages; default: the user's primary key, or the id
            that `VisitorMiddleware` keeps for a visitor, or "anonymous".
        context: properties for the constraints of segments, before those of the request. They
            become strings, as Flipt compares strings: True is "true".
        namespace: whose flag; default: that of a declared flag, or RESIDENT_FLAGS["NAMESPACE"].
    """
    if type(key) is not str:  # a declared flag says more
        default = default or getattr(key, "default", False)
        namespace = namespace or getattr(key, "namespace", None)
    try:
        value = overridden(key, namespace) if overrides.values else NOT_OVERRIDDEN
        if value is NOT_OVERRIDDEN:
            snapshot = snapshot_of(namespace)
            if entity_id and request is None and not context:  # as all of it is said, the quickest
                asked = partial(somebody, entity_id)
            else:
                asked = partial(_asked, snapshot, key, request, entity_id, context)
            answer = snapshot.boolean(key, asked, default)
        else:
            answer = value if isinstance(value, bool) else default
    except Exception as error:  # noqa: BLE001 - whatever it is, the request goes on
        answer = default
        failures.tell(key, error)
    if flag_evaluated.receivers:
        tell(flag_enabled, key, answer, request=request, default=default, namespace=namespace)
    return answer


def flag_variant(
    key: str,
    request: HttpRequest | None = None,
    *,
    default: str | None = None,
    entity_id: str | None = None,
    context: Mapping[str, Any] | None = None,
    namespace: str | None = None,
) -> Variant | None:
    """The variant that a flag gives: a string, its key, with its parsed JSON as `.attachment`.

    The arguments are those of `flag_enabled`. The default is also the answer where the flag gives
    no variant: it is off, or no rule matched and it has no default variant.
    """
    if type(key) is not str:  # as above
        default = default or getattr(key, "default", None)
        namespace = namespace or getattr(key, "namespace", None)
    otherwise = default if default is None or isinstance(default, Variant) else Variant(default)
    try:
        value = overridden(key, namespace) if overrides.values else NOT_OVERRIDDEN
        if value is NOT_OVERRIDDEN:
            snapshot = snapshot_of(namespace)
            if entity_id and request is None and not context:  # as all of it is said, the quickest
                asked = partial(somebody, entity_id)
            else:
                asked = partial(_asked, snapshot, key, request, entity_id, context)
            answer = snapshot.variant(key, asked, otherwise)
        else:
            answer = value if isinstance(value, Variant) else otherwise
    except Exception as error:  # noqa: BLE001 - as above
        answer = otherwise
        failures.tell(key, error)
    if flag_evaluated.receivers:
        tell(flag_variant, key, answer, request=request, default=default, namespace=namespace)
    return answer


async def aflag_enabled(
    key: str,
    request: HttpRequest | None = None,
    *,
    default: bool = False,
    entity_id: str | None = None,
    context: Mapping[str, Any] | None = None,
    namespace: str | None = None,
) -> bool:
    """`flag_enabled` in an event loop, which does not wait where the user has to be looked up."""
    await _look_up(key, request, entity_id, context, namespace)
    return flag_enabled(
        key,
        request,
        default=default,
        entity_id=entity_id,
        context=context,
        namespace=namespace,
    )


async def aflag_variant(
    key: str,
    request: HttpRequest | None = None,
    *,
    default: str | None = None,
    entity_id: str | None = None,
    context: Mapping[str, Any] | None = None,
    namespace: str | None = None,
) -> Variant | None:
    """`flag_variant` in an event loop, which does not wait where the user has to be looked up."""
    await _look_up(key, request, entity_id, context, namespace)
    return flag_variant(
        key,
        request,
        default=default,
        entity_id=entity_id,
        context=context,
        namespace=namespace,
    )


def _asked(
    snapshot: Snapshot,
    key: str,
    request: HttpRequest | None,
    entity_id: str | None,
    context: Mapping[str, Any] | None,
) -> Subject:
    # Bound by `partial`, which takes a fraction of the time that a closure takes.
    return subject_of(snapshot.flags[key], request, entity_id, context)


async def _look_up(
    key: str,
    request: HttpRequest | None,
    entity_id: str | None,
    context: Mapping[str, Any] | None,
    namespace: str | None,
) -> None:
    """Look up what the flag depends on, in a thread if that takes a database.

    What fails here fails again, and is told, when the flag is asked.
    """
    namespace = namespace or getattr(key, "namespace", None)
    with suppress(Exception):
        if request is None or overridden(key, namespace) is not NOT_OVERRIDDEN:
            return
        if not worker.is_open(resource.flags):
            await sync_to_async(opening.ensure)()
        flag = snapshot_of(namespace).flags.get(key)
        if flag is not None and not flag.is_constant:
            await _subject(flag, request, entity_id, context)


async def _subject(flag: Flag, *asked: Any) -> None:
    try:
        subject_of(flag, *asked)
    except SynchronousOnlyOperation:
        await sync_to_async(subject_of)(flag, *asked)
