"""Who makes the requests of a rehearsal: for each a new user like the one that was named."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.db import DatabaseError, connections, models, transaction
from django.utils.module_loading import import_string

from resident.exceptions import LeaksError
from resident.leaks.environ import Tokens

__all__ = ["Arrival", "Visitor", "forget_session", "has_sessions"]

LARGE, LARGEST = 2**30, 2**53
"""A number between these is nobody else's by chance, and JavaScript can count so far."""

SHORTEST = 12
"""So many characters of a token are nobody else's by chance."""

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


@dataclass(frozen=True)
class Arrival:
    """A visitor who has logged in: with which cookies, and by what they are recognised."""

    cookies: dict[str, str] = field(default_factory=dict)
    strings: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()


class Visitor:
    """A user of the project, and a new one like them for each request; lives as a rehearsal does.

    The new one has their flags, groups and permissions. What is unique, and the name, is the
    request's token. Where the model allows no such copy, the user makes the requests themselves,
    and `notes` says so.

    Args:
        name: what the model's USERNAME_FIELD holds.

    Raises:
        LeaksError: there is no such user, or nobody can log in to this project.
    """

    def __init__(self, name: str) -> None:
        for path in (SESSIONS, AUTHENTICATION):
            _need(path)
        self._user = _named(name)
        self._can_copy = True
        self.notes: list[str] = []

    @contextmanager
    def arrive(self, tokens: Tokens) -> Iterator[Arrival]:
        """Log in, and forget the session at the end."""
        copy = self._new_copy(tokens)
        user = self._copied(copy)
        key = _log_in(user or self._user)
        strings, numbers = (copy.strings, copy.numbers) if user else ([], ())
        del user, copy
        try:
            yield Arrival({settings.SESSION_COOKIE_NAME: key}, (key, *strings), numbers)
        finally:
            forget_session(key)

    def _new_copy(self, tokens: Tokens) -> "_Copy":
        return _Copy(self._user, tokens)

    def _copied(self, copy: "_Copy") -> Any:
        if not self._can_copy:
            return None
        try:
            return copy.make()
        except Exception as error:  # noqa: BLE001 - the project's own model, its signals, its database
            self._can_copy = False
            self.notes.append(
                f"No user like {self._user.get_username()!r} could be made for each request "
                f"({type(error).__name__}), so they make all of them."
            )
        return None


class _Copy:
    """A new user like this one, for one request."""

    def __init__(self, user: Any, tokens: Tokens) -> None:
        self._user = user
        self._database = user._state.db  # noqa: SLF001 - documented, and has no other name
        self._word = tokens.word
        self._made: dict[Any, int] = {}
        self.strings: list[str] = []

    @property
    def numbers(self) -> tuple[int, ...]:
        """Those that are nobody else's."""
        return tuple(number for number in self._made.values() if number >= LARGE)

    def make(self) -> Any:
        """Write it to the database, with what belongs to it."""
        with transaction.atomic(using=self._database):
            copy = type(self._user)(**dict(self._values()))
            copy.save(using=self._database)
            for relation in _options(copy).many_to_many:
                if _options(relation.remote_field.through).auto_created:
                    getattr(copy, relation.name).set(getattr(self._user, relation.name).all())
        return copy

    def _values(self) -> Iterator[tuple[str, Any]]:
        for column in _options(self._user).concrete_fields:
            if not getattr(column, "generated", False):
                is_own = column.unique or column.name == self._user.USERNAME_FIELD
                value = self._own(column) if is_own else getattr(self._user, column.attname)
                yield column.attname, value

    def _own(self, column: Any) -> Any:
        """What nobody else has, for a field that is unique."""
        if getattr(column.remote_field, "parent_link", False):
            return self._own(column.target_field)
        if isinstance(column, models.IntegerField):
            return self._own_number(column)
        if isinstance(column, models.UUIDField):
            return self._own_uuid()
        if isinstance(column, models.CharField | models.TextField):
            return self._own_text(column)
        if column.null:
            return None
        raise LeaksError(f"{column} is unique, and of a kind that can't be made up.")

    def _own_number(self, column: Any) -> int:
        if column not in self._made:
            ops = connections[self._database].ops
            _, largest = ops.integer_field_range(column.get_internal_type())
            largest = min(largest or LARGEST, LARGEST)
            self._made[column] = largest - secrets.randbelow(largest // 2)
        return self._made[column]

    def _own_uuid(self) -> UUID:
        self.strings += [self._word, str(UUID(self._word))]
        return UUID(self._word)

    def _own_text(self, column: Any) -> str:
        tail = "@example.com" if isinstance(column, models.EmailField) else ""
        room = (column.max_length or len(self._word)) - len(tail)
        text = self._word[: max(room, 0)]
        if len(text) >= SHORTEST:
            self.strings.append(text)
        return text + tail


def forget_session(key: str) -> None:
    """Remove it from wherever the project keeps its sessions."""
    with suppress(DatabaseError):  # one in a database, whose transaction is broken: it ends anyway
        _sessions()(key).delete()


def has_sessions() -> bool:
    """Whether the project has any."""
    return _is_listed(SESSIONS)


def _options(model: Any) -> Any:
    return model._meta  # noqa: SLF001 - documented, and has no other name


def _sessions() -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore


def _log_in(user: Any) -> str:
    """Begin a session of this user's, and give its key. No signal is sent: nobody logged in."""
    session = _sessions()()
    session[SESSION_KEY] = _options(user).pk.value_to_string(user)
    session[BACKEND_SESSION_KEY] = _backend()
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def _backend() -> str:
    """The first that can tell who a session belongs to."""
    for path in settings.AUTHENTICATION_BACKENDS:
        if hasattr(load_backend(path), "get_user"):
            return str(path)
    raise LeaksError(
        "AUTHENTICATION_BACKENDS names no backend with a method get_user, so nobody can log in.",
        remedy="leave the user out.",
    )


def _named(name: str) -> Any:
    model = get_user_model()
    try:
        return _options(model).default_manager.get(**{model.USERNAME_FIELD: name})
    except model.DoesNotExist:
        problem = f"There is no user whose {model.USERNAME_FIELD} is {name!r}."
        remedy = "name one that exists."
    except DatabaseError as error:
        problem = f"The user {name!r} can't be looked up: {error}."
        remedy = "make the database ready, such as with manage.py migrate."
    raise LeaksError(problem, remedy=remedy)


def _need(path: str) -> None:
    if not _is_listed(path):
        raise LeaksError(
            f"MIDDLEWARE does not list {path!r}, so nobody can log in to this project.",
            remedy="leave the user out.",
        )


def _is_listed(path: str) -> bool:
    """Whether MIDDLEWARE has this class, or one that is derived from it."""
    listed = [it for it in map(import_string, settings.MIDDLEWARE) if isinstance(it, type)]
    # By name: to import what is not installed would fail.
    return path in {f"{it.__module__}.{it.__qualname__}" for cls in listed for it in cls.__mro__}
