"""Who a flag is evaluated for."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

__all__ = ["Asked", "Subject"]

LARGE = 1000  # characters
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Subject:
    """Who is asked about. Immutable; equal to another, and hashed so, where all of it is equal.

    Attributes:
        entity_id: what percentages go by.
        context: what the constraints of segments look at. Flipt compares strings, and its engine
            drops all else, so that everything becomes one: True is "true", a date-time is written
            as in ISO 8601, and what is None is left out.
        is_large: whether it has more characters than one should remember of each stranger, who
            chooses paths and headers.
    """

    __slots__ = ("_hash", "context", "entity_id", "is_large")

    entity_id: str
    context: Mapping[str, str]
    is_large: bool

    def __init__(self, entity_id: object, context: Mapping[str, Any] = NOTHING) -> None:
        name = str(entity_id)
        texts = _texts(context) if context else None
        _set_entity_id(self, name)
        if texts:
            _set_context(self, MappingProxyType(texts))
            _set_is_large(self, len(name) + sum(map(len, texts.values())) > LARGE)
            _set_hash(self, hash((name, frozenset(texts.items()))))
        else:
            _set_context(self, NOTHING)
            _set_is_large(self, len(name) > LARGE)
            _set_hash(self, hash(name))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a subject is immutable: {name!r} can't be set")

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined, no-any-return] # a slot has no annotation

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Subject):
            return NotImplemented
        return self.entity_id == other.entity_id and self.context == other.context

    def __repr__(self) -> str:
        return f"Subject({self.entity_id!r}, {dict(self.context)!r})"


Asked = Callable[[], Subject]
"""Who is asked about, worked out only where the flag depends on it."""


# A slot sets itself past `__setattr__`, and in a third of the time of `object.__setattr__`.
_set_entity_id, _set_context, _set_is_large, _set_hash = (
    getattr(Subject, name).__set__ for name in ("entity_id", "context", "is_large", "_hash")
)


def _texts(context: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: it if type(it) is str else _text(it) for key, it in context.items() if it is not None
    }


def _text(value: Any) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.astimezone()).isoformat()
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"  # a day is no date-time to the engine
    return str(value)
