"""Messages as they travel: JSON objects whose fields are absent, null or of one type."""

import datetime as dt
import re
from collections.abc import Collection
from typing import Any, TypeAlias

from resident.testing.flipt.status import empty_field, invalid

Message: TypeAlias = dict[str, Any]

_CAPITAL = re.compile("[A-Z]")

DEFAULT_NAMESPACE = "default"
DEFAULT_ENVIRONMENT = "default"


def text(message: Message, field: str) -> str:
    """The string, empty where absent."""
    value = _value(message, field, "")
    if not isinstance(value, str):
        raise _mistyped()
    return value


def required(message: Message, field: str) -> str:
    """The string, which must be there."""
    value = text(message, field)
    if not value:
        raise empty_field(field)
    return value


def texts(message: Message, field: str) -> list[str]:
    """The strings, none where absent, each once."""
    values = _value(message, field, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _mistyped()
    return list(dict.fromkeys(values))


def boolean(message: Message, field: str) -> bool:
    """The boolean, false where absent."""
    value = _value(message, field, default=False)
    if not isinstance(value, bool):
        raise _mistyped()
    return value


def number(message: Message, field: str) -> float:
    """The number, 0 where absent. Whole numbers stay whole, as they do on the wire."""
    value = _value(message, field, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mistyped()
    return int(value) if float(value).is_integer() else value


def integer(message: Message, field: str) -> int:
    """The integer, 0 where absent. Query strings carry it as text, and JSON may."""
    value = _value(message, field, 0)
    try:
        return int(str(value))
    except ValueError:
        raise _mistyped() from None


def choice(message: Message, field: str, names: Collection[str]) -> str:
    """The enumerated name, the first of all where absent."""
    value = _value(message, field, next(iter(names)))
    if value not in names:
        raise invalid(f"unknown value {value!r} for enum {field}")
    return str(value)


def mapping(message: Message, field: str) -> Message:
    """The inner message, empty where absent."""
    value = _value(message, field, {})
    if not isinstance(value, dict):
        raise _mistyped()
    return value


def messages(message: Message, field: str) -> list[Message]:
    """The inner messages, none where absent."""
    values = _value(message, field, [])
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise _mistyped()
    return values


def timestamp(message: Message, field: str) -> str | None:
    """The point in time, normalised to UTC, None where absent."""
    value = text(message, field)
    if not value:
        return None
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        raise _mistyped() from None
    if moment.tzinfo is None:
        raise _mistyped()
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def now() -> str:
    """This moment, to the microsecond."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def stamps() -> Message:
    """The timestamps of something that was created just now."""
    moment = now()
    return {"createdAt": moment, "updatedAt": moment}


def namespace_key(message: Message) -> str:
    """The namespace that a message is about."""
    return text(message, "namespaceKey") or DEFAULT_NAMESPACE


def _value(message: Message, field: str, default: Any) -> Any:
    # Protobuf's JSON also takes a field by its own name, as Flipt's SDK for Python writes it.
    value = message.get(field, message.get(_CAPITAL.sub(r"_\g<0>", field).lower()))
    return default if value is None else value


def _mistyped() -> Exception:
    return invalid("invalid values for key(s) in json body")
