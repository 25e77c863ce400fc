"""Who a request asks for: its user or visitor, and the properties that segments may look at."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any, cast

from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import get_language

from resident.conf import conf
from resident.exceptions import ConfigurationError
from resident.flags import visitor
from resident.flags.document import Flag
from resident.flags.engine import NOBODY
from resident.flags.subject import Subject

__all__ = ["Builder", "builder_at", "of_request", "somebody", "subject_of"]

Builder = Callable[[HttpRequest], Mapping[str, Any]]
"""Gives the properties of a request. One that is callable is called with the request, once, and
only if a flag looks at it."""

_ASKING = "_resident_asking"


def of_request(request: HttpRequest) -> Mapping[str, Any]:  # noqa: ARG001 - a builder's signature
    """The properties that every project has; see docs/flags.md. None of them is looked up yet."""
    return _PROPERTIES


def subject_of(
    flag: Flag,
    request: HttpRequest | None,
    entity_id: str | None = None,
    context: Mapping[str, Any] | None = None,
) -> Subject:
    """Whom the flag is asked about, with nothing in it that the flag does not depend on.

    So the user is looked up only where a flag needs him, and answers that are remembered serve
    all requests that do not differ in what matters.

    Raises what the project's builder of contexts raises.
    """
    by_id, names = asks_for = flag.asks_for
    if entity_id and not names:
        return somebody(entity_id)
    if request is not None and not entity_id and not context:
        asking = _asking(request)
        return asking.subjects.get(asks_for) or asking.subject(request, flag)
    if not entity_id and by_id and request is not None:
        entity_id = _asking(request).entity_id(request)
    if not names:
        return somebody(entity_id or NOBODY)
    given = {name: context[name] for name in names if name in context} if context else {}
    if request is not None:
        given = {**_asking(request).properties(request, names), **given}
    return Subject(entity_id or NOBODY, given)


@lru_cache(maxsize=1000, typed=True)  # an id may be a number, and 1 is True
def somebody(entity_id: str) -> Subject:
    """Whoever has that id, with no properties."""
    return Subject(entity_id)


class _Asking:
    """What flags were told about one request; lives on the request, until another user is in it.

    It does not hold the request, so that both are gone as soon as the request is.
    """

    __slots__ = ("_known", "_told", "subjects", "user")

    def __init__(self, user: object) -> None:
        self.user = user
        self._told: Mapping[str, Any] | None = None
        self._known: dict[str, Any] = {}
        self.subjects: dict[tuple[bool, frozenset[str]], Subject] = {}

    def subject(self, request: HttpRequest, flag: Flag) -> Subject:
        by_id, names = flag.asks_for
        entity_id = self.entity_id(request) if by_id else NOBODY
        subject = Subject(entity_id, self.properties(request, names))
        self.subjects[flag.asks_for] = subject
        return subject

    def entity_id(self, request: HttpRequest) -> str:
        user_id = _user_id(request)
        return visitor.id_of(request) if user_id is None else user_id

    def properties(self, request: HttpRequest, names: frozenset[str]) -> dict[str, Any]:
        if names and self._told is None:
            self._told = builder_at(conf.flags_context)(request)
        return {name: self._value(request, name) for name in names if name in (self._told or ())}

    def _value(self, request: HttpRequest, name: str) -> Any:
        if name not in self._known:
            value = (self._told or {})[name]
            self._known[name] = value(request) if callable(value) else value
        return self._known[name]


def _asking(request: HttpRequest) -> _Asking:
    user = getattr(request, "user", None)  # a lazy one: it is not looked up here
    asking: _Asking | None = request.__dict__.get(_ASKING)
    if asking is None or asking.user is not user:
        asking = request.__dict__[_ASKING] = _Asking(user)
    return asking


@lru_cache(maxsize=8)
def builder_at(path: str) -> Builder:
    """The builder with that dotted path.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        builder = import_string(path)
    except ImportError as error:
        problem = f"which can't be imported: {error}"
    else:
        if callable(builder):
            return cast("Builder", builder)
        problem = "which is no function"
    raise ConfigurationError(
        f"RESIDENT_FLAGS['CONTEXT'] is {path!r}, {problem}.",
        remedy="name a function that takes a request, as in 'shop.flags.context'.",
    )


def _of_user(name: str) -> Callable[[HttpRequest], Any]:
    def value(request: HttpRequest) -> Any:
        user = getattr(request, "user", None)
        return None if user is None else getattr(user, name, False)

    return value


def _user_id(request: HttpRequest) -> str | None:
    user = getattr(request, "user", None)
    return str(user.pk) if user is not None and user.is_authenticated else None


def _groups(request: HttpRequest) -> str | None:
    groups = getattr(getattr(request, "user", None), "groups", None)
    return None if groups is None else ",".join(sorted(group.name for group in groups.all()))


_PROPERTIES: Mapping[str, Callable[[HttpRequest], Any]] = MappingProxyType(
    {
        "user_id": _user_id,
        "is_authenticated": _of_user("is_authenticated"),
        "is_staff": _of_user("is_staff"),
        "is_superuser": _of_user("is_superuser"),
        "groups": _groups,
        "language": lambda _: get_language(),
        "host": HttpRequest.get_host,
        "path": attrgetter("path"),
        "method": attrgetter("method"),
    }
)
