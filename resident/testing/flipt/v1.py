"""What Flipt v1 serves, under which path, and for whom."""

from collections.abc import Callable, Iterable, Mapping

from resident.testing.flipt import flags, namespaces, rollouts, rules, segments
from resident.testing.flipt.contract import Access, Call, Route
from resident.testing.flipt.document import Audience, Document
from resident.testing.flipt.environments import Environment
from resident.testing.flipt.evaluation import Evaluator
from resident.testing.flipt.message import Message
from resident.testing.flipt.reply import Reply
from resident.testing.flipt.status import unauthenticated
from resident.testing.flipt.store import Store
from resident.testing.flipt.tokens import Tokens

SNAPSHOT = "/internal/v1/evaluation/snapshot"

_ACCEPTED = "x-flipt-accept-server-version"
_NAMESPACES = "/api/v1/namespaces"
_NAMESPACE = f"{_NAMESPACES}/{{namespaceKey}}"
_FLAG = f"{_NAMESPACE}/flags/{{flagKey}}"
_SEGMENT = f"{_NAMESPACE}/segments/{{segmentKey}}"


def routes(only: Environment, tokens: Tokens) -> Iterable[Route]:
    """Every route of a server."""
    yield from public(_info(only.store, tokens))
    yield from authentication(tokens)
    yield Route.of("POST /auth/v1/method/token", Access.UNSCOPED, tokens.create)
    yield from _management(only.store)
    yield from _snapshots(only)
    yield from _evaluation(only.evaluator)


def snapshot(document: Document, call: Call) -> Reply:
    """The document, unless the client has it."""
    compressed = "gzip" in call.headers.get("accept-encoding", "")
    headers = [("Etag", document.etag)] if document.etag else []
    if compressed:
        headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
    # As sent: without quotes, and compared to the letter.
    if document.etag and call.headers.get("if-none-match") == document.etag:
        return Reply(304, b"", tuple(headers))
    return Reply(200, document.compressed if compressed else document.body, tuple(headers))


def public(info: Message) -> Iterable[Route]:
    """What is there on every server, `info` being what it says of itself."""
    method = {"method": "METHOD_TOKEN", "enabled": True, "sessionCompatible": False}
    yield Route.of("GET /health", Access.ANYONE, lambda _: {"status": "SERVING"})
    yield Route.of("GET /auth/v1/method", Access.ANYONE, lambda _: {"methods": [method]})
    # Not public where authentication is required: Flipt's option for that never worked.
    yield Route.of("GET /meta/info", Access.UNSCOPED, lambda _: info)


def _info(store: Store, tokens: Tokens) -> Message:
    info = {"version": f"v{store.version}", "updateAvailable": False, "isRelease": True}
    if not store.version.tells_configuration:
        return info
    configuration = {
        "authentication": {"required": tokens.required},
        "storage": {"type": "database"},
    }
    return {**info, **configuration}


def authentication(tokens: Tokens) -> Iterable[Route]:
    """Who one is, and which tokens there are."""

    def itself(call: Call) -> Reply:
        if call.authentication is None:
            raise unauthenticated()
        return Reply.of(call.authentication)

    yield Route.at("GET /auth/v1/self", Access.UNSCOPED, itself)
    for place, answer in (
        ("GET /auth/v1/tokens", tokens.listed),
        ("GET /auth/v1/tokens/{id}", tokens.get),
        ("DELETE /auth/v1/tokens/{id}", tokens.delete),
    ):
        yield Route.of(place, Access.UNSCOPED, answer)


def _management(store: Store) -> Iterable[Route]:
    for place, answer in _MANAGEMENT.items():
        access = Access.SCOPED if "{" in place else Access.UNSCOPED
        yield Route.at(place, access, _locked(store, answer))


def _locked(store: Store, answer: Callable[[Store, Message], Message]) -> Callable[[Call], Reply]:
    def reply(call: Call) -> Reply:
        # Written while nothing else changes the records that the answer is made of.
        with store.lock:
            return Reply.of(answer(store, call.message))

    return reply


def _snapshots(only: Environment) -> Iterable[Route]:
    version = only.store.version
    heard = _ACCEPTED if version.forwards_accepted_version else f"grpc-metadata-{_ACCEPTED}"

    def answer(call: Call) -> Reply:
        audience = Audience.accepting(call.headers.get(heard, ""))
        return snapshot(only.documents.get(call.message, audience), call)

    access = Access.SCOPED if version.scopes_snapshots else Access.UNSCOPED
    yield Route.at(f"GET {SNAPSHOT}/namespace/{{namespaceKey}}", access, answer)


def _evaluation(evaluator: Evaluator) -> Iterable[Route]:
    yield Route.of("POST /evaluate/v1/boolean", Access.SCOPED, evaluator.boolean)
    yield Route.of("POST /evaluate/v1/variant", Access.SCOPED, evaluator.variant)
    yield Route.of("POST /evaluate/v1/batch", Access.SCOPED, evaluator.batch)


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
