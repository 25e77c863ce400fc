"""`flag_enabled` and `flag_variant`: what a view asks."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from resident.flags.client import Subject
from resident.flags.engine import NOBODY, Variant
from resident.flags.resource import flags
from resident.worker import worker

__all__ = ["flag_enabled", "flag_variant"]


def flag_enabled(
    key: str,
    request: HttpRequest | None = None,
    *,
    default: bool = False,
    entity_id: str | None = None,
    context: Mapping[str, Any] | None = None,
) -> bool:
    """Whether a boolean flag is on. Evaluated in this process; nothing is asked over a network.

    Args:
        key: the flag.
        request: whose user the flag may depend on. The user is looked up only where it does.
        default: the answer where the flag is unknown, or is no boolean flag (logged once a key).
        entity_id: who is asked about, for percentages; default: the user's primary key, or
            "anonymous", so that all anonymous visitors are on the same side of a percentage.
        context: properties for the constraints of segments, beside those of the user
            (`is_authenticated`, `is_staff`, `is_superuser`). Values become strings, as Flipt
            compares strings: True is "true".
    """
    subject = _subject(request, entity_id, context)
    return worker.get(flags).boolean(key, subject, default=default)


def flag_variant(
    key: str,
    request: HttpRequest | None = None,
    *,
    default: str | None = None,
    entity_id: str | None = None,
    context: Mapping[str, Any] | None = None,
) -> Variant | None:
    """The variant that a flag gives: a string, its key, with its parsed JSON as `.attachment`.

    The arguments are those of `flag_enabled`. The default is also the answer where the flag gives
    no variant: it is off, or no rule matched and it has no default variant.
    """
    subject = _subject(request, entity_id, context)
    otherwise = None if default is None else Variant(default)
    return worker.get(flags).variant(key, subject, default=otherwise)


def _subject(
    request: HttpRequest | None, entity_id: str | None, context: Mapping[str, Any] | None
) -> Subject:
    def subject() -> tuple[str, Mapping[str, str]]:
        user = getattr(request, "user", None)
        properties = _properties_of(user)
        properties |= {key: _text(value) for key, value in (context or {}).items()}
        return entity_id or _id_of(user), properties

    return subject


def _id_of(user: Any) -> str:
    return str(user.pk) if user is not None and user.is_authenticated else NOBODY


def _properties_of(user: Any) -> dict[str, str]:
    if user is None:
        return {}
    names = ("is_authenticated", "is_staff", "is_superuser")
    return {name: _text(getattr(user, name, False)) for name in names}


def _text(value: Any) -> str:
    # The engine drops a value that is not a string, and the constraint then does not match.
    return str(value).lower() if isinstance(value, bool) else str(value)
