"""What an object is made of, read without running a line of the code that it belongs to.

No property is called, nothing lazy is evaluated, no `__eq__`, `__len__`, `__hash__`, `__iter__`,
`__getattr__` or metaclass is asked: everything is read through the slots of Python's own types, and
what those don't tell, through the garbage collector.
"""

import gc
import threading
import types
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from io import BytesIO, StringIO
from typing import Any

from resident.definitions import lineage, namespace_of

__all__ = [
    "ENTRY",
    "KEY",
    "LRU_CACHE",
    "Anatomy",
    "Part",
    "Step",
]

LRU_CACHE = type(lru_cache(lambda: None))
"""The type of what `functools.lru_cache` makes."""

LARGEST = 1000
"""Of a container with more entries only so many are looked at: those that came last."""

Step = tuple[str, Any]
"""How a part is reached from the whole: the kind of the step, and a name or a key."""

ENTRY: Step = ("entry", None)
"""The step to an entry of a container that has no keys."""

KEY: Step = ("object", None)
"""The step to a key that is no plain value."""

Part = tuple[Step, Any]
Parts = Iterable[Part]


class Anatomy:
    """How the instances of one class are read; lives as long as whoever asks for it.

    Attributes:
        measure: how much an instance holds: entries, characters, bytes; None where it holds
            nothing that can be counted.
    """

    __slots__ = ("_dict", "_entries", "_has_hidden_parts", "_kind", "_slots", "measure")

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._entries = _first(_ENTRIES, kind)
        self._slots = tuple(_slots_of(kind))
        self._dict = _dict_of(kind)
        self.measure = _first(_MEASURES, kind)
        has_names = self._entries or self._slots or self._dict
        self._has_hidden_parts = not has_names or issubclass(kind, _HIDING)

    def parts(self, whole: Any) -> Parts:
        """The parts of an instance, each with the step that leads to it."""
        if self._entries:
            yield from self._entries(whole)
        for name, slot in self._slots:
            with suppress(AttributeError):  # it is empty
                yield ("attribute", name), slot.__get__(whole)
        if self._dict:
            for name, part in _attributes(self._dict, whole):
                yield ("attribute", name), part
        if self._has_hidden_parts:
            yield from ((ENTRY, part) for part in gc.get_referents(whole) if part is not self._kind)

    def part(self, whole: Any, step: Step) -> Any:
        """The part that this step leads to; None where nothing is there."""
        if step == ENTRY:
            return self.newest(whole)
        if issubclass(self._kind, dict) and step[0] == "key":
            return dict.get(whole, step[1])
        if issubclass(self._kind, type):
            return namespace_of(whole).get(step[1])
        return next((part for found, part in self.parts(whole) if found == step), None)

    def newest(self, whole: Any) -> Any:
        """The entry that came last, where entries have an order; else None."""
        for base in (list, deque):
            if issubclass(self._kind, base):
                return base.__getitem__(whole, -1) if base.__len__(whole) else None
        if issubclass(self._kind, dict):
            return next(reversed(dict.items(whole)), (None, None))[1]
        return None

    def state(self, whole: Any) -> tuple[int, int]:
        """Something that changes whenever something is put in."""
        if self._kind is LRU_CACHE:  # a full one puts it in the place of another
            return whole.cache_info().misses, 0
        return self.measure(whole) if self.measure else 0, id(self.newest(whole))

    def is_bounded(self, whole: Any) -> bool:
        """Whether it makes room by itself, and says so."""
        return self._kind is LRU_CACHE and whole.cache_info().maxsize is not None


_SCALARS = (str, int, bytes, bool, type(None))

_HIDING = (BaseException, partial, staticmethod, classmethod)
"""Types written in C that have attributes, and other parts beside them."""


def _entries_of_dict(whole: Any) -> Iterator[tuple[Step, Any]]:
    for key, value in list(dict.items(whole))[-LARGEST:]:
        if _is_plain(key):
            yield ("key", key), value
        else:
            yield KEY, key
            yield ("object", id(key)), value


def _is_plain(key: Any) -> bool:
    """Whether a key can be compared without running anybody's code."""
    kind = type(key)
    is_scalar = any(kind is it for it in _SCALARS)  # a metaclass may have an __eq__ of its own
    return is_scalar or (kind is tuple and all(map(_is_plain, key)))


def _entries_of(base: Any) -> Callable[[Any], Parts]:
    def entries(whole: Any) -> Parts:
        first = max(0, base.__len__(whole) - LARGEST)
        return [(ENTRY, entry) for entry in list(base.__iter__(whole))[first:]]

    return entries


def _variables_of(function: types.FunctionType) -> Iterator[tuple[Step, Any]]:
    """The values of its closure, and the defaults of its parameters."""
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # a cell that is empty yet
            yield ("closure", name), cell.cell_contents
    defaults = function.__defaults__ or ()
    named = code.co_varnames[: code.co_argcount][-len(defaults) :] if defaults else ()
    for name, value in zip(named, defaults, strict=False):  # others may have been set
        yield ("default", name), value
    for name, value in list((function.__kwdefaults__ or {}).items()):
        yield ("default", name), value


def _cached_by(cache: Any) -> Parts:
    """The arguments and the results that an `lru_cache` holds."""
    parts = gc.get_referents(cache)
    links = next((place for place, part in enumerate(parts) if type(part) is dict), len(parts))
    if cache.cache_info().maxsize is None:
        entries = parts[links].items() if links < len(parts) else ()
        held = [part for entry in list(entries)[-LARGEST:] for part in entry]
    else:
        # Up to the dict of all links: argument and result of each, and the type of the link.
        held = [part for part in parts[:links] if not issubclass(type(part), type)]
    return [(ENTRY, part) for part in held]


_ENTRIES: tuple[tuple[type, Callable[[Any], Parts]], ...] = (
    (types.FunctionType, _variables_of),
    (LRU_CACHE, _cached_by),
    (dict, _entries_of_dict),
    *((base, _entries_of(base)) for base in (list, tuple, deque, set, frozenset)),
)

_MEASURES: tuple[tuple[type, Callable[[Any], int]], ...] = (
    (LRU_CACHE, lambda cache: int(cache.cache_info().currsize)),
    *((base, base.__len__) for base in (dict, list, set, deque, tuple, frozenset)),
    *((base, base.__len__) for base in (str, bytes, bytearray, array)),
    (BytesIO, lambda buffer: _written(lambda: BytesIO.getbuffer(buffer).nbytes)),
    (StringIO, lambda buffer: _written(lambda: len(StringIO.getvalue(buffer)))),
)


def _written(read: Callable[[], int]) -> int:
    """How much is in a buffer; nothing, where it is closed."""
    try:
        return read()
    except ValueError:
        return 0


def _first(table: tuple[tuple[type, Any], ...], kind: type) -> Any:
    return next((entry for base, entry in table if issubclass(kind, base)), None)


def _slots_of(kind: type) -> Iterator[tuple[str, Any]]:
    for base in lineage(kind):
        namespace = namespace_of(base)
        if "__slots__" in namespace:  # a class of Python's making, not one written in C
            members = list(namespace.items())
            yield from ((name, it) for name, it in members if _is_slot(it))


def _is_slot(member: Any) -> bool:
    return type(member) is types.MemberDescriptorType


def _dict_of(kind: type) -> Callable[[Any], Any] | None:
    """What reads the dict of an instance; None where it has none."""
    if kind is LRU_CACHE:
        return None  # it says the same as that of the function that is wrapped
    if issubclass(kind, threading.local):
        return _dict_in_thread
    for base in lineage(kind):
        attributes = namespace_of(base).get("__dict__")
        if type(attributes) in _READERS:  # a property of that name is a project's
            reader: Any = attributes
            return reader.__get__  # type: ignore[no-any-return] # it takes the instance
    return None


_READERS = (types.GetSetDescriptorType, types.MemberDescriptorType)


def _dict_in_thread(whole: Any) -> Any:
    return threading.local.__getattribute__(whole, "__dict__")


def _attributes(reader: Callable[[Any], Any], whole: Any) -> list[tuple[str, Any]]:
    try:
        return list(reader(whole).items())
    except Exception:  # noqa: BLE001 - the set-up of a threading.local, which is somebody's code
        return []
