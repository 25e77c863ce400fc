"""What Flipt v2 serves to those who read flags, under which path, and for whom."""

from collections.abc import Callable, Iterable

from resident.testing.flipt import flags
from resident.testing.flipt.contract import Access, Call, Route
from resident.testing.flipt.document import Document
from resident.testing.flipt.environments import Environment, Environments
from resident.testing.flipt.message import Message
from resident.testing.flipt.reply import Reply
from resident.testing.flipt.status import invalid_field, not_found
from resident.testing.flipt.store import Namespace
from resident.testing.flipt.streams import Stream
from resident.testing.flipt.tokens import Tokens
from resident.testing.flipt.v1 import SNAPSHOT, authentication, public, snapshot

CLIENT = "/client/v2/environments"

_NAMESPACE = f"{CLIENT}/{{environmentKey}}/namespaces/{{namespaceKey}}"
_MANAGEMENT = "/api/v2/environments"
_DIGEST_LENGTH = 40


def routes(environments: Environments, tokens: Tokens) -> Iterable[Route]:
    """The routes of a server, of its management only what is there: `load` is the rest of it.

    Of v1's it has what SDKs ask for: snapshots, evaluations, the list of flags.
    """
    yield from public(_info(environments, tokens))
    yield from authentication(tokens)
    yield from _listing(environments)
    yield from _reading(environments)
    yield from _evaluation(environments)


def is_stream(path: str) -> bool:
    """Whether a stream is asked for under that path."""
    return path.startswith(CLIENT) and path.endswith("/stream")


def _info(environments: Environments, tokens: Tokens) -> Message:
    version = environments.default.store.version
    build = {"version": f"v{version}", "updateAvailable": False, "isRelease": True}
    return {"build": build, "authentication": {"required": tokens.required}}


def _listing(environments: Environments) -> Iterable[Route]:
    def namespaces(call: Call) -> Reply:
        store = environments.managed(call.message).store
        with store.lock:
            items = [_namespace(each) for each in store.namespaces.values()]
        return Reply.of({"items": items, "revision": ""})

    yield Route.of(f"GET {_MANAGEMENT}", Access.UNSCOPED, lambda _: environments.described())
    place = f"GET {_MANAGEMENT}/{{environmentKey}}/namespaces"
    yield Route.at(place, Access.UNSCOPED, namespaces)


def _namespace(namespace: Namespace) -> Message:
    return {
        "key": namespace.key,
        "name": namespace.name,
        "description": namespace.description,
        "protected": namespace.protected,
    }


def _reading(environments: Environments) -> Iterable[Route]:
    def document(call: Call) -> Reply:
        return snapshot(_document(environments.asked(call.message, call.headers), call), call)

    def stream(call: Call) -> Stream:
        _check_digest(call.message.get("digest", ""))
        documents = environments.asked(call.message, call.headers).documents
        compressed = "gzip" in call.headers.get("accept-encoding", "")
        return Stream(documents, call.message, compressed=compressed)

    def listed(environment: Environment, message: Message) -> Message:
        with environment.store.lock:
            return flags.listed(environment.store, message)

    yield Route.at(f"GET {SNAPSHOT}/namespace/{{namespaceKey}}", Access.UNSCOPED, document)
    yield Route.at(f"GET {_NAMESPACE}/snapshot", Access.UNSCOPED, document)
    yield Route.at(f"GET {_NAMESPACE}/stream", Access.UNSCOPED, stream)
    place = "GET /api/v1/namespaces/{namespaceKey}/flags"
    yield Route.at(place, Access.UNSCOPED, _in(environments, listed))


def _evaluation(environments: Environments) -> Iterable[Route]:
    for place, answer in (
        ("boolean", lambda environment, message: environment.evaluator.boolean(message)),
        ("variant", lambda environment, message: environment.evaluator.variant(message)),
        ("batch", lambda environment, message: environment.evaluator.batch(message)),
    ):
        yield Route.at(f"POST /evaluate/v1/{place}", Access.UNSCOPED, _in(environments, answer))


def _in(
    environments: Environments, answer: Callable[[Environment, Message], Message]
) -> Callable[[Call], Reply]:
    def reply(call: Call) -> Reply:
        environment = environments.asked(call.message, call.headers)
        return Reply.of(answer(environment, call.message))

    return reply


def _document(environment: Environment, call: Call) -> Document:
    found = environment.documents.find(call.message)
    if found is None:
        key = call.message["namespaceKey"]
        raise not_found(f'evaluation snapshot for namespace "{key}"')
    return found


def _check_digest(digest: str) -> None:
    if digest and len(digest) != _DIGEST_LENGTH:
        raise invalid_field("digest", f"must be a {_DIGEST_LENGTH}-character string")
