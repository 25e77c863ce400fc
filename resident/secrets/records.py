"""Log records that show no secret, whichever handler shows them.

A factory of records is the one place that every record passes, before any handler of anybody's.
"""

import logging
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any

from resident.secrets.mask import mask

__all__ = ["MaskedRecords", "mask_records"]

DEEPEST = 3
WIDEST = 100


def mask_records() -> None:
    """From now on every record of this process is masked; calling it again changes nothing."""
    made = logging.getLogRecordFactory()
    if not isinstance(made, MaskedRecords):
        logging.setLogRecordFactory(MaskedRecords(made))


class MaskedRecords:
    """A factory of log records that masks those of another; lives as long as it is installed.

    Masked are the message, when a handler formats it; its arguments; the traceback, also that of a
    formatter of one's own; the stack; and what `extra` adds. An exception in whose traceback a
    secret is found stays in the record as text alone: as an object it would tell it.

    Args:
        made: the factory that was there before.
    """

    def __init__(self, made: Callable[..., logging.LogRecord]) -> None:
        self.made = made

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self.made(*args, **kwargs)
        kind: Any = type(record)
        record.__class__ = _masked(kind)
        record.msg, record.args = record.msg, record.args
        if record.stack_info:
            record.stack_info = record.stack_info
        if record.exc_info:
            record.exc_info = record.exc_info
        return record


class _Attribute:
    """An attribute of a record that is masked whenever it is set."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, record: Any, owner: type | None = None) -> Any:
        return self if record is None else record.__dict__[self._name]

    def __set__(self, record: Any, value: Any) -> None:
        record.__dict__[self._name] = _cleansed(value)


class _ExcInfo(_Attribute):
    def __set__(self, record: Any, value: Any) -> None:
        if isinstance(value, tuple) and value[0] is not None:
            told = "".join(traceback.format_exception(*value)).rstrip("\n")
            if mask(told) is not told:
                record.exc_text, value = told, None
        record.__dict__[self._name] = value


class _Masked:
    """What a record's class is put under; what is set is kept where `logging` looks for it."""

    msg = _Attribute()
    args = _Attribute()
    exc_text = _Attribute()
    stack_info = _Attribute()
    exc_info = _ExcInfo()

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        # Every formatter asks for the message first, and `extra` is set when the record is made.
        if len(self.__dict__) > _PLAIN:
            for name in self.__dict__.keys() - _STANDARD:
                self.__dict__[name] = _cleansed(self.__dict__[name])
        return mask(super().getMessage())  # type: ignore[misc]

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is made here and nowhere else; whoever unpickles has a factory of its own.
        return logging.makeLogRecord, (self.__dict__.copy(),)


@cache
def _masked(record: Any) -> Any:
    """The record's class, made to mask."""
    if issubclass(record, _Masked):
        return record
    return type(record.__name__, (_Masked, record), {"__module__": record.__module__})


def _cleansed(value: Any, depth: int = 0) -> Any:
    """The value, or one like it where a text in it had to be masked."""
    if isinstance(value, str):
        return mask(value)
    if depth == DEEPEST or not isinstance(value, dict | list | tuple) or len(value) > WIDEST:
        return value
    if isinstance(value, dict):
        pairs = {key: _cleansed(item, depth + 1) for key, item in value.items()}
        return pairs if any(pairs[key] is not value[key] for key in value) else value
    items = [_cleansed(item, depth + 1) for item in value]
    changed = any(new is not old for new, old in zip(items, value, strict=True))
    return type(value)(items) if changed and type(value) in (list, tuple) else value


_PLAIN = len(vars(logging.makeLogRecord({})))
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime"}
