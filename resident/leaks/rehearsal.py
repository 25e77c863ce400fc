"""Requests to one page, through the whole stack and in this process, as a worker would serve them.

The database is as before at the end, no mail leaves, and each request is told by what is random in
it. What threads do that a request has started, and what it writes to caches and files, is done.
"""

import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from resident.conf import conf
from resident.handler import Handler
from resident.leaks.environ import Address, Data, Tokens, new_environ, repeated_environ
from resident.leaks.transactions import Transactions
from resident.leaks.visit import REHEARSED, Visit
from resident.leaks.visitor import Arrival, Visitor, forget_session, has_sessions

__all__ = ["Rehearsal", "RehearsedHandler", "Repetition", "WSGIApplication"]

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

DUMMY = "django.core.mail.backends.dummy.EmailBackend"


class _Note:
    """Where the handler notes the request, weakly."""

    request: "weakref.ref[HttpRequest] | None" = None


class RehearsedHandler(Handler):
    """A worker's; it notes the request of a rehearsal, and asks for no CSRF token there."""

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        if (note := request.META.get(REHEARSED)) is not None:
            note.request = weakref.ref(request)
            request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined] # noqa: SLF001 - as Django's test client
        return super().get_response(request)


class Rehearsal:
    """Requests to one path; lives as long as its `with`, in one thread.

    Args:
        path: with its query. `{token}` in it, in the data and in the headers' values is each
            request's own.
        application: what serves; its innermost is a `RehearsedHandler`.
        method: in capitals.
        data: the fields of a form, or a body; with GET and HEAD they go into the query.
        headers: their values by their names.
        user: the name of a user of the project; see `Visitor`.

    Raises:
        LeaksError: what is wrong with one of these, or with a database.
    """

    def __init__(
        self,
        path: str,
        *,
        application: WSGIApplication,
        method: str = "GET",
        data: Data = None,
        headers: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self.path = path
        self._application = application
        self._request: dict[str, Any] = {"method": method, "data": data, "headers": headers}
        self._user = user
        self._visitor: Visitor | None = None
        self._transactions = Transactions()
        self._leaving = ExitStack()
        self._reply = _Reply()

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            entered.enter_context(_no_mail())
            entered.enter_context(self._transactions)
            if self._user is not None:
                self._visitor = Visitor(self._user)
            self._leaving = entered.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.close()

    @property
    def status(self) -> int:
        """What the last request was answered; 500 also where it ended in an exception."""
        return self._reply.status

    @property
    def location(self) -> str:
        """Where that answer leads to; "" where it is no redirect."""
        return self._reply.location

    @property
    def writes(self) -> dict[str, int]:
        """How many statements have written something that was undone, by the database's alias."""
        return dict(self._transactions.writes)

    @property
    def notes(self) -> list[str]:
        """What is not as it should be, in sentences."""
        return [*self._transactions.notes, *(self._visitor.notes if self._visitor else ())]

    def request(self) -> Visit:
        """Make one request, to its very end."""
        tokens, note = Tokens(), _Note()
        with self._transactions.savepoint(), self._arrival(tokens) as arrival:
            environ = self._environ(tokens, arrival)
            with self._transactions.watched():
                self._reply = _serve(self._application, environ | {REHEARSED: note})
            self._reply.forget_session(environ.get("HTTP_COOKIE", ""))
            strings = (tokens.word, tokens.address, *arrival.strings)
        return Visit(tuple(dict.fromkeys(strings)), arrival.numbers, note.request)

    @contextmanager
    def _arrival(self, tokens: Tokens) -> Iterator[Arrival]:
        if self._visitor is None:
            yield Arrival()
            return
        with self._visitor.arrive(tokens) as arrival:
            yield arrival

    def _environ(self, tokens: Tokens, arrival: Arrival) -> dict[str, Any]:
        made = new_environ(tokens, _address(), self.path, cookies=arrival.cookies, **self._request)
        return _environment() | made


class Repetition(Rehearsal):
    """A request that was made before, again and again, with the cookies that it had.

    Args:
        environ: that request's.
        body: what its `wsgi.input` gave.
        application: what serves; its innermost is a `RehearsedHandler`.
    """

    def __init__(
        self, environ: Mapping[str, Any], body: bytes, *, application: WSGIApplication
    ) -> None:
        super().__init__(str(environ["PATH_INFO"]), application=application)
        self._made = environ
        self._body = body

    def _environ(self, tokens: Tokens, _: Arrival) -> dict[str, Any]:
        return repeated_environ(tokens, self._made, self._body)


class _Reply:
    """What an application answers: the `start_response` of WSGI, and what it was told."""

    def __init__(self) -> None:
        self.status = 0
        self._headers: list[tuple[str, str]] = []

    def start(self, status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        self.status = int(status.partition(" ")[0])
        self._headers = headers

    @property
    def location(self) -> str:
        return "".join(text for name, text in self._headers if name.lower() == "location")

    def forget_session(self, sent: str) -> None:
        """Remove the session that was begun, and was not among the cookies: no cache rolls back."""
        for name, text in self._headers:
            cookie, _, rest = text.partition("=")
            key = rest.partition(";")[0].strip('"')
            is_session = cookie.strip() == settings.SESSION_COOKIE_NAME
            if name.lower() == "set-cookie" and is_session and key not in sent and has_sessions():
                forget_session(key)


def _serve(application: WSGIApplication, environ: dict[str, Any]) -> _Reply:
    """What it answers, once the whole body is read and closed."""
    reply = _Reply()
    try:
        chunks = application(environ, reply.start)
        try:
            for _ in chunks:
                pass
        finally:
            if (close := getattr(chunks, "close", None)) is not None:
                close()
    except (Exception, SystemExit):  # noqa: BLE001 - a server says 500 then, and serves the next one
        reply.status = 500
    return reply


def _environment() -> dict[str, str]:
    """What granian begins each request's environ with, in a process that serves."""
    kept_back = conf.credentials
    return {name: text for name, text in os.environ.items() if name not in kept_back}


def _address() -> Address:
    """As a client would name it that is allowed in."""
    hosts = [host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"]
    scheme = "https" if getattr(settings, "SECURE_SSL_REDIRECT", False) else "http"
    return Address((hosts or ["localhost"])[0], scheme)


@contextmanager
def _no_mail() -> Iterator[None]:
    """Send what is mailed nowhere."""
    if (mailers := getattr(settings, "MAILERS", None)) is not None:
        changed = _setting("MAILERS", {alias: {"BACKEND": DUMMY} for alias in mailers})
    else:
        changed = _setting("EMAIL_BACKEND", DUMMY)
    with changed:
        yield


@contextmanager
def _setting(name: str, value: object) -> Iterator[None]:
    """Have this setting. Not by setattr: Django 6.1 warns whoever sets EMAIL_BACKEND."""
    holder: Any = vars(settings._wrapped)  # type: ignore[misc] # noqa: SLF001 - what the settings are kept in
    missing = object()
    before = holder.get(name, missing)
    holder[name] = value
    vars(settings).pop(name, None)  # what they remember
    try:
        yield
    finally:
        if before is missing:
            del holder[name]
        else:
            holder[name] = before
        vars(settings).pop(name, None)
