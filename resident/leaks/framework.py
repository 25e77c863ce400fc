"""What Django keeps for everybody, and the names at which a look at it begins."""

import decimal
import sys
import weakref
from collections.abc import Callable, Hashable, Iterator
from contextvars import ContextVar
from functools import cached_property
from typing import Any

from asgiref.local import Local
from django.conf import settings
from django.core.cache import caches
from django.db import connections
from django.dispatch import Signal
from django.urls import base as urls
from django.utils.translation import trans_real

from resident.definitions import namespace_of_module
from resident.leaks.anatomy import Anatomy
from resident.leaks.look import Root
from resident.leaks.source import Sources

__all__ = ["Django"]

OF_DJANGO = frozenset({
    "queries_log", "run_on_commit", "savepoint_ids", "atomic_blocks", "connection",
})  # fmt: skip
"""Attributes of a connection that Django itself sets anew, or that lead out of Python."""

OF_ASGIREF = "asgiref.local"
"""What asgiref calls the variables of its Locals."""


class Django:
    """A project's Django, as a hunt needs to know it; lives as long as the hunt."""

    kept = frozenset({
        "django.http.request.HttpRequest",
        "django.http.response.HttpResponseBase",
        "django.db.models.base.Model",
        "django.contrib.auth.models.AnonymousUser",
        "django.contrib.sessions.backends.base.SessionBase",
    })  # fmt: skip
    """Classes whose instances end with their request, by name: not each project has them all."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._variables: dict[ContextVar[Any], str] = {}
        self._of_locals: dict[ContextVar[Any], str] = {}
        self._modules = 0

    def roots(self) -> Iterator[Root]:
        """The receivers of signals, the settings, and the connections of this thread."""
        for name, signal in self._signals:
            live, count = _live(signal), _counting(signal)
            yield Root("signal receiver", f"{name}.receivers", live, 4, count, is_of_all=True)
        holder = settings._wrapped  # type: ignore[misc] # noqa: SLF001 - what they are kept in
        for name, value in list(vars(holder).items()):
            yield Root("process state", f"settings.{name}", value, 3, _reading(holder, name))
        for connection in connections.all(initialized_only=True):
            for name, value in list(vars(connection).items()):
                if name not in OF_DJANGO:
                    place = f"connections[{connection.alias!r}].{name}"
                    yield Root("database connection", place, value, 3, _reading(connection, name))

    def contents(self, variable: ContextVar[Any], value: Any) -> dict[str, Any]:
        """What a context's variable holds, by dotted name; nothing for those that Django ends.

        One of asgiref's Locals holds its attributes.
        """
        if variable in self._of_django:
            return {}
        if variable not in self._variables and self._modules != len(sys.modules):
            self._name_variables()
        name = self._variables.get(variable, variable.name)
        if variable not in self._of_locals and variable.name != OF_ASGIREF:
            return {} if _is_default_decimal(value) else {name: value}
        return {
            f"{name}.{attribute}": part
            for attribute, part in _stored(value).items()
            if not _is_default_language(variable, part)
        }

    def _name_variables(self) -> None:
        """Find those of the modules, of which a request may have imported more."""
        self._modules = len(sys.modules)
        for name, variable in self._in_modules(ContextVar):
            self._variables[variable] = name
        for name, local in self._in_modules(Local):
            self._of_locals |= dict.fromkeys(_variables_of(local), name)
        self._variables |= self._of_locals

    @cached_property
    def _signals(self) -> list[tuple[str, Signal]]:
        return list(self._in_modules(Signal))

    @cached_property
    def _of_django(self) -> set[ContextVar[Any]]:
        of_thread = (connections._connections, caches._connections)  # type: ignore[attr-defined] # noqa: SLF001
        of_request = (urls._prefixes, urls._urlconfs)  # type: ignore[attr-defined] # noqa: SLF001
        return {it for local in (*of_thread, *of_request) for it in _variables_of(local)}

    def _in_modules(self, kind: type) -> Iterator[tuple[str, Any]]:
        """What of this kind modules have as variables, by the name that it was defined with."""
        found: dict[int, tuple[Any, list[tuple[str, str]]]] = {}
        for module, it in list(sys.modules.items()):
            for name, value in list(namespace_of_module(it).items()):
                if issubclass(type(value), kind):
                    found.setdefault(id(value), (value, []))[1].append((module, name))
        for value, variables in found.values():
            yield ".".join(self._sources.home_among(variables) or variables[0]), value


def _variables_of(local: Any) -> list[ContextVar[Any]]:
    """Where one of asgiref's Locals keeps what it has in a context; each version has its way."""
    storage = vars(local)["_storage"]
    data = vars(storage).get("_data")
    found = data.values() if isinstance(data, dict) else [data]
    return [it for it in found if isinstance(it, ContextVar)]


def _is_default_decimal(value: Any) -> bool:
    """Whether it is the decimal context of a thread that was asked for the first time."""
    if type(value) is not decimal.Context:
        return False
    fresh = decimal.DefaultContext.copy()
    fresh.clear_flags()
    used = value.copy()
    used.clear_flags()
    return repr(used) == repr(fresh)


def _is_default_language(variable: ContextVar[Any], value: Any) -> bool:
    """Whether it is what a request finds that sets none: `translation.override` ends with that."""
    if variable not in _variables_of(trans_real._active):  # type: ignore[attr-defined] # noqa: SLF001 - the only way to it
        return False
    return bool(value.to_language() == settings.LANGUAGE_CODE)


def _stored(value: Any) -> dict[str, Any]:
    """The attributes of a Local: a dict of them, and in later versions what has one."""
    stored = getattr(value, "data", value)
    return stored if type(stored) is dict else {}


def _live(signal: Signal) -> list[Any]:
    """The receivers that are still there; Django forgets the others when it next needs the list."""
    receivers = [entry[1] for entry in list(signal.receivers)]
    called = [it() if issubclass(type(it), weakref.ref) else it for it in receivers]
    return [it for it in called if it is not None]


def _counting(signal: Signal) -> Callable[[], Hashable]:
    return lambda: len(signal.receivers)


def _reading(holder: Any, name: str) -> Callable[[], Hashable]:
    def read() -> Hashable:
        value = vars(holder).get(name)
        return id(value), Anatomy(type(value)).state(value)

    return read
