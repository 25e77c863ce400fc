"""What Flipt v1 serves, under which path, and for whom."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import unquote

from resident.testing.flipt import flags, namespaces, rollouts, rules, segments
from resident.testing.flipt.document import Audience, Documents
from resident.testing.flipt.evaluation import Evaluator
from resident.testing.flipt.message import Message
from resident.testing.flipt.reply import Reply
from resident.testing.flipt.status import Code, StatusError, unauthenticated
from resident.testing.flipt.store import Store
from resident.testing.flipt.tokens import Tokens, check_scope

_ACCEPTED = "x-flipt-accept-server-version"
_NAMESPACES = "/api/v1/namespaces"
_NAMESPACE = f"{_NAMESPACES}/{{namespaceKey}}"
_FLAG = f"{_NAMESPACE}/flags/{{flagKey}}"
_SEGMENT = f"{_NAMESPACE}/segments/{{segmentKey}}"


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
    answer: Callable[[Call], Reply]

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

    def __init__(self, store: Store, tokens: Tokens, evaluator: Evaluator) -> None:
        self._tokens = tokens
        self._by_shape: dict[tuple[str, int], list[Route]] = {}
        routes = (*_public(store, tokens), *_authentication(tokens))
        for route in (*routes, *_management(store), *_snapshots(store), *_evaluation(evaluator)):
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


def _public(store: Store, tokens: Tokens) -> Iterable[Route]:
    method = {"method": "METHOD_TOKEN", "enabled": True, "sessionCompatible": False}
    info = _info(store, tokens)
    yield _route("GET /health", Access.ANYONE, lambda _: {"status": "SERVING"})
    yield _route("GET /auth/v1/method", Access.ANYONE, lambda _: {"methods": [method]})
    # Not public where authentication is required: Flipt's option for that never worked.
    yield _route("GET /meta/info", Access.UNSCOPED, lambda _: info)


def _info(store: Store, tokens: Tokens) -> Message:
    info = {"version": f"v{store.version}", "updateAvailable": False, "isRelease": True}
    if not store.version.tells_configuration:
        return info
    configuration = {
        "authentication": {"required": tokens.required},
        "storage": {"type": "database"},
    }
    return {**info, **configuration}


def _authentication(tokens: Tokens) -> Iterable[Route]:
    def itself(call: Call) -> Reply:
        if call.authentication is None:
            raise unauthenticated()
        return Reply.of(call.authentication)

    yield Route("GET", _template("/auth/v1/self"), Access.UNSCOPED, itself)
    for place, answer in (
        ("POST /auth/v1/method/token", tokens.create),
        ("GET /auth/v1/tokens", tokens.listed),
        ("GET /auth/v1/tokens/{id}", tokens.get),
        ("DELETE /auth/v1/tokens/{id}", tokens.delete),
    ):
        yield _route(place, Access.UNSCOPED, answer)


def _management(store: Store) -> Iterable[Route]:
    for place, answer in _MANAGEMENT.items():
        method, _, path = place.partition(" ")
        access = Access.SCOPED if "{" in path else Access.UNSCOPED
        yield Route(method, _template(path), access, _locked(store, answer))


def _locked(store: Store, answer: Callable[[Store, Message], Message]) -> Callable[[Call], Reply]:
    def reply(call: Call) -> Reply:
        # Written while nothing else changes the records that the answer is made of.
        with store.lock:
            return Reply.of(answer(store, call.message))

    return reply


def _snapshots(store: Store) -> Iterable[Route]:
    documents = Documents(store)
    heard = _ACCEPTED if store.version.forwards_accepted_version else f"grpc-metadata-{_ACCEPTED}"

    def snapshot(call: Call) -> Reply:
        audience = Audience.accepting(call.headers.get(heard, ""))
        return _snapshot(documents, call, audience)

    yield Route(
        "GET",
        _template("/internal/v1/evaluation/snapshot/namespace/{namespaceKey}"),
        Access.SCOPED if store.version.scopes_snapshots else Access.UNSCOPED,
        snapshot,
    )


def _evaluation(evaluator: Evaluator) -> Iterable[Route]:
    yield _route("POST /evaluate/v1/boolean", Access.SCOPED, evaluator.boolean)
    yield _route("POST /evaluate/v1/variant", Access.SCOPED, evaluator.variant)
    yield _route("POST /evaluate/v1/batch", Access.SCOPED, evaluator.batch)


def _snapshot(documents: Documents, call: Call, audience: Audience) -> Reply:
    document = documents.get(call.message, audience)
    compressed = "gzip" in call.headers.get("accept-encoding", "")
    headers = [("Etag", document.etag)] if document.etag else []
    if compressed:
        headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
    # As sent: without quotes, and compared to the letter.
    if document.etag and call.headers.get("if-none-match") == document.etag:
        return Reply(304, b"", tuple(headers))
    return Reply(200, document.compressed if compressed else document.body, tuple(headers))


def _route(place: str, access: Access, answer: Callable[[Message], Message]) -> Route:
    method, _, path = place.partition(" ")
    return Route(method, _template(path), access, lambda call: Reply.of(answer(call.message)))


def _template(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


_MANAGEMENT: Mapping[str, Callable[[Store, Message], Message]] = {
    f"GET {_NAMESPACES}": namespaces.listed,
    f"POST {_NAMESPACES}": namespaces.create,
    f"GET {_NAMESPACE}": namespaces.get,
    f"PUT {_NAMESPACE}": namespaces.update,
    f"DELETE {_NAMESPACE}": namespaces.delete,
    f"GET {_NAMESPACE}/flags": flags.listed,
    f"POST {_NAMESPACE}/flags": flags.create,
    f"GET {_NAMESPACE}/flags/{{key}}": flags.get,
    f"PUT {_NAMESPACE}/flags/{{key}}": flags.update,
    f"DELETE {_NAMESPACE}/flags/{{key}}": flags.delete,
    f"POST {_FLAG}/variants": flags.create_variant,
    f"PUT {_FLAG}/variants/{{id}}": flags.update_variant,
    f"DELETE {_FLAG}/variants/{{id}}": flags.delete_variant,
    f"GET {_FLAG}/rules": rules.listed,
    f"POST {_FLAG}/rules": rules.create,
    # The word stands before the wildcard that would take it for an id.
    f"PUT {_FLAG}/rules/order": rules.order,
    f"GET {_FLAG}/rules/{{id}}": rules.get,
    f"PUT {_FLAG}/rules/{{id}}": rules.update,
    f"DELETE {_FLAG}/rules/{{id}}": rules.delete,
    f"POST {_FLAG}/rules/{{ruleId}}/distributions": rules.create_distribution,
    f"PUT {_FLAG}/rules/{{ruleId}}/distributions/{{id}}": rules.update_distribution,
    f"DELETE {_FLAG}/rules/{{ruleId}}/distributions/{{id}}": rules.delete_distribution,
    f"GET {_FLAG}/rollouts": rollouts.listed,
    f"POST {_FLAG}/rollouts": rollouts.create,
    f"PUT {_FLAG}/rollouts/order": rollouts.order,
    f"GET {_FLAG}/rollouts/{{id}}": rollouts.get,
    f"PUT {_FLAG}/rollouts/{{id}}": rollouts.update,
    f"DELETE {_FLAG}/rollouts/{{id}}": rollouts.delete,
    f"GET {_NAMESPACE}/segments": segments.listed,
    f"POST {_NAMESPACE}/segments": segments.create,
    f"GET {_NAMESPACE}/segments/{{key}}": segments.get,
    f"PUT {_NAMESPACE}/segments/{{key}}": segments.update,
    f"DELETE {_NAMESPACE}/segments/{{key}}": segments.delete,
    f"POST {_SEGMENT}/constraints": segments.create_constraint,
    f"PUT {_SEGMENT}/constraints/{{id}}": segments.update_constraint,
    f"DELETE {_SEGMENT}/constraints/{{id}}": segments.delete_constraint,
}
