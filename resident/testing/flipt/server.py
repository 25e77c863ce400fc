"""The server that tests talk to."""

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qsl

from resident.testing.flipt import features, flags, v1, v2
from resident.testing.flipt.contract import Call, Contract, Route
from resident.testing.flipt.document import Audience, describe
from resident.testing.flipt.environments import Environments
from resident.testing.flipt.faults import ENDLESS_SECONDS, Fault, Faults, Misbehaviour
from resident.testing.flipt.journal import Journal, Request
from resident.testing.flipt.message import DEFAULT_ENVIRONMENT, DEFAULT_NAMESPACE, Message
from resident.testing.flipt.reply import Reply
from resident.testing.flipt.status import StatusError, invalid
from resident.testing.flipt.streams import Stream, Streams
from resident.testing.flipt.tokens import Tokens
from resident.testing.flipt.version import Version
from resident.testing.flipt.wire import Incoming, Listener

_MAJORS = (1, 2)
_SCHEMES = {"client": "Bearer", "jwt": "JWT"}
_EVALUATION = "/evaluate/v1/"
_WITH_BODY = frozenset({"POST", "PUT"})


class FakeFlipt:
    """Flipt in memory, on a port of this machine. Lives as long as the test needs it.

        with FakeFlipt(token="secret") as flipt:
            flipt.load("features.yml")
            flipt.enable("show_reverse_greeting")
            client = MyClient(flipt.url, token="secret")

    `stop` takes the server away as a crash would, and `start` brings it back on the same port
    with the same flags and tokens.

    Args:
        version: the release to imitate, such as "1.39.2", "1.61.1" or "2.11.0". It decides
            whether there are ETags, default variants, environments, streams and so on.
        token: the client token that is there from the start; None where no request needs one.
            Of Flipt v2 it is the one in its configuration: there no request makes others.
        token_type: whether requests send the token as a client token ("Bearer") or as a JWT.
        port: the port to listen on, on 127.0.0.1; 0 takes a free one and keeps it.
        environments: the keys of its environments, the default one first. Flipt v1 has one.

    Raises:
        ValueError: the version is none of Flipt's first two major versions, or has no
            environments.
    """

    def __init__(
        self,
        *,
        version: str = "1.61.1",
        token: str | None = None,
        token_type: Literal["client", "jwt"] = "client",  # noqa: S107 - a kind, no password
        port: int = 0,
        environments: Sequence[str] = (DEFAULT_ENVIRONMENT,),
    ) -> None:
        self._version = Version.parse(version)
        if self._version.major not in _MAJORS:
            raise ValueError(f"FakeFlipt imitates Flipt v1 and v2, not {version}.")
        self._port = port
        self._environments = Environments(environments, self._version)
        self._tokens = Tokens(token, _SCHEMES[token_type])
        self._contract = Contract(self._routes(), self._tokens)
        self._journal = Journal()
        self._faults = Faults()
        self._streams = Streams()
        self._listener: Listener | None = None

    def __repr__(self) -> str:
        state = "running" if self._listener else "stopped"
        return f"<FakeFlipt {self._version} on port {self._port}, {state}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address, without a slash at the end. It stays the same from the first start on."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen. Does nothing while it does.

        Raises:
            OSError: something else listens on the port.
        """
        if self._listener is None:
            self._faults.resume()
            self._listener = Listener(self._port, self._answer)
            self._port = self._listener.port

    def stop(self) -> None:
        """Refuse connections, and cut those that are open. Does nothing while stopped."""
        if self._listener is not None:
            self._faults.suspend()
            self._streams.cut()
            self._listener.close()
            self._listener = None
            for environment in self._environments:
                environment.evaluator.close()

    def load(
        self, source: str | Path | Mapping[str, Any], *, environment: str | None = None
    ) -> None:
        """Import a features file, given by its path or parsed.

        It replaces what its namespace held, in one step. Other namespaces stay.

        Raises:
            OSError: the file can't be read.
            ValueError: Flipt would not import it. What the namespace held is as before.
            LookupError: there is no such environment.
        """
        features.load(self._environments.named(environment).store, source)

    def enable(
        self, key: str, *, namespace: str = DEFAULT_NAMESPACE, environment: str | None = None
    ) -> None:
        """Switch a flag on. For a boolean flag that is its default, after its rollouts.

        Raises:
            LookupError: there is no such flag, or environment.
        """
        self._switch(key, namespace, environment, enabled=True)

    def disable(
        self, key: str, *, namespace: str = DEFAULT_NAMESPACE, environment: str | None = None
    ) -> None:
        """Switch a flag off.

        Raises:
            LookupError: there is no such flag, or environment.
        """
        self._switch(key, namespace, environment, enabled=False)

    def document(
        self, namespace: str = DEFAULT_NAMESPACE, *, environment: str | None = None
    ) -> dict[str, Any]:
        """The namespace as the snapshot endpoint sends it to a client of today, parsed.

        Raises:
            LookupError: there is no such environment.
        """
        store = self._environments.named(environment).store
        with store.lock:
            document = describe(store, {"namespaceKey": namespace}, Audience())
            return dict(json.loads(json.dumps(document)))

    def rotate_token(self, token: str) -> None:
        """Take another token for the one that was given at the start, which is refused from now on.

        Streams that are open go on, as Flipt asks for a token once.

        Raises:
            ValueError: no request needs a token.
        """
        if not self._tokens.required:
            raise ValueError("This FakeFlipt was made without a token: there is none to rotate.")
        self._tokens.rotate(token)

    @property
    def requests(self) -> list[Request]:
        """The latest 10,000 requests, oldest first."""
        return self._journal.latest

    @property
    def evaluations(self) -> int:
        """How many evaluations were asked for over HTTP, a batch being one."""
        return self.count(_EVALUATION, method="POST")

    @property
    def streams(self) -> int:
        """How many streams are open now."""
        return self._streams.count

    def count(self, path: str = "", *, method: str | None = None) -> int:
        """How many requests there were whose path starts so, ever or since `forget`."""
        return self._journal.count(path, method)

    def forget(self) -> None:
        """Start the record of requests anew."""
        self._journal.forget()

    def misbehave(
        self,
        how: Misbehaviour | int,
        *,
        path: str | None = None,
        times: int | None = None,
        after: float = ENDLESS_SECONDS,
    ) -> None:
        """Let requests go wrong, in one way at a time.

        Streams that are open there are cut, so that their clients come again and meet it. A server
        that refuses connections is one that was stopped: see `stop`.

        Args:
            how: an HTTP status, or a misbehaviour; the type lists and describes them.
            path: how the paths start that it is about: those of snapshots and streams where
                nothing is said. All of them: "/".
            times: after how many such requests it is over; None goes on until `behave`.
            after: seconds until a stream is "cut", each time.

        Raises:
            ValueError: there is no such misbehaviour.
        """
        paths = self._reading if path is None else (path,)
        self._faults.set(how, paths, times, after)
        self._streams.cut(paths)

    def behave(self) -> None:
        """Answer again, and cut the connections of requests that something is wrong with."""
        self._faults.clear()

    @property
    def _reading(self) -> tuple[str, ...]:
        return (v1.SNAPSHOT, v2.CLIENT) if self._version.has_environments else (v1.SNAPSHOT,)

    def _routes(self) -> Iterable[Route]:
        if self._version.has_environments:
            return v2.routes(self._environments, self._tokens)
        return v1.routes(self._environments.default, self._tokens)

    def _switch(self, key: str, namespace: str, environment: str | None, *, enabled: bool) -> None:
        place = {"namespaceKey": namespace, "key": key}
        store = self._environments.named(environment).store
        with store.lock:
            try:
                flag = store.flag(place, "key")
            except StatusError as error:
                known = ", ".join(store.flags(place)) or "none"
                raise LookupError(f"{error}; flags there: {known}.") from None
            message = {"name": flag.name, "description": flag.description, "enabled": enabled}
            default = {"defaultVariantId": flag.default_variant}
            flags.update(store, {**place, **message, **default})

    def _answer(self, incoming: Incoming) -> Reply | Generator[bytes]:
        path, _, query = incoming.target.partition("?")
        authentication = self._tokens.authenticate(incoming.headers.pop("authorization", ""))
        fault = self._faults.take(path)
        answer = fault and not v2.is_stream(path) and fault.answer(self.url)
        if not answer:
            reply = self._reply(incoming, path, query, authentication)
            answer = self._followed(reply, path, fault) if isinstance(reply, Stream) else reply
        status = answer.status if isinstance(answer, Reply) else None
        known = authentication is not None
        self._journal.note(Request(incoming.method, path, query, status, known, incoming.headers))
        return answer

    def _followed(self, stream: Stream, path: str, fault: Fault | None) -> Reply | Generator[bytes]:
        answer = fault.stream(stream, self.url) if fault else stream.pieces()
        if isinstance(answer, Reply):
            return answer
        return self._streams.follow(stream, path, answer)

    def _reply(
        self, incoming: Incoming, path: str, query: str, authentication: Message | None
    ) -> Reply | Stream:
        try:
            route, fields = self._contract.find(incoming.method, path)
            message = {**_fields(incoming, query), **fields}
            call = Call(message, incoming.headers, authentication)
            self._contract.authorise(route, call)
            return route.answer(call)
        except StatusError as error:
            return Reply.refusing(error)


def _fields(incoming: Incoming, query: str) -> Message:
    """The fields in the query, or in the body of a request that has one."""
    if incoming.method not in _WITH_BODY:
        return dict(parse_qsl(query))
    try:
        message = json.loads(incoming.body or b"{}")
    except ValueError:
        raise invalid("invalid character in json body") from None
    if not isinstance(message, dict):
        raise invalid("invalid values for key(s) in json body")
    return message
