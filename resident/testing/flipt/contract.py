"""Which path is which route, and whom it is for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self
from urllib.parse import unquote

from resident.testing.flipt.message import Message
from resident.testing.flipt.reply import Reply
from resident.testing.flipt.status import Code, StatusError, unauthenticated
from resident.testing.flipt.streams import Stream
from resident.testing.flipt.tokens import Tokens, check_scope


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was routed: its fields, wherever in the request they were."""

    message: Message
    headers: Mapping[str, str]
    authentication: Message | None


class Access(Enum):
    """Who may call."""

    ANYONE = auto()
    UNSCOPED = auto()  # any token but those of one namespace
    SCOPED = auto()  # those, too, in their namespace


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, and what answers there."""

    method: str
    template: tuple[str, ...]
    access: Access
    answer: Callable[[Call], Reply | Stream]

    @classmethod
    def at(cls, place: str, access: Access, answer: Callable[[Call], Reply | Stream]) -> Self:
        """The route of a place such as `GET /api/v1/namespaces/{namespaceKey}`."""
        method, _, path = place.partition(" ")
        return cls(method, tuple(path.split("/")), access, answer)

    @classmethod
    def of(cls, place: str, access: Access, answer: Callable[[Message], Message]) -> Self:
        """The route of a place whose answer needs the message alone."""
        return cls.at(place, access, lambda call: Reply.of(answer(call.message)))

    def match(self, parts: list[str]) -> Message | None:
        """The fields in the path, None where it is another path."""
        fields = {}
        for expected, part in zip(self.template, parts, strict=True):
            if expected.startswith("{"):
                fields[expected[1:-1]] = unquote(part)
            elif expected != part:
                return None
        return fields


class Contract:
    """Every route of a server."""

    def __init__(self, routes: Iterable[Route], tokens: Tokens) -> None:
        self._tokens = tokens
        self._by_shape: dict[tuple[str, int], list[Route]] = {}
        for route in routes:
            shape = (route.method, len(route.template))
            self._by_shape.setdefault(shape, []).append(route)

    def find(self, method: str, path: str) -> tuple[Route, Message]:
        """The route, and the fields in its path.

        Raises:
            StatusError: 404, or 501 where the path exists under another method.
        """
        parts = path.rstrip("/").split("/")
        found = self._find(method, parts)
        if found is not None:
            return found
        others = {known for known, _ in self._by_shape} - {method}
        if any(self._find(other, parts) for other in others):
            raise StatusError(Code.UNIMPLEMENTED, "Method Not Allowed")
        raise StatusError(Code.NOT_FOUND, "Not Found")

    def authorise(self, route: Route, call: Call) -> None:
        """Raises StatusError, 401, where the route isn't for the caller."""
        if route.access is Access.ANYONE or not self._tokens.required:
            return
        if call.authentication is None:
            raise unauthenticated()
        scoped = route.access is Access.SCOPED
        check_scope(call.authentication, call.message, scoped=scoped)

    def _find(self, method: str, parts: list[str]) -> tuple[Route, Message] | None:
        for route in self._by_shape.get((method, len(parts)), ()):
            fields = route.match(parts)
            if fields is not None:
                return route, fields
        return None
