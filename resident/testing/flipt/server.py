"""The server that tests talk to."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from resident.testing.flipt import features, flags
from resident.testing.flipt.contract import Call, Contract
from resident.testing.flipt.document import Audience, describe
from resident.testing.flipt.evaluation import Evaluator
from resident.testing.flipt.faults import Faults, Misbehaviour
from resident.testing.flipt.journal import Journal, Request
from resident.testing.flipt.message import DEFAULT_NAMESPACE, Message
from resident.testing.flipt.reply import Reply
from resident.testing.flipt.status import StatusError, invalid
from resident.testing.flipt.store import Store
from resident.testing.flipt.tokens import Tokens
from resident.testing.flipt.version import Version
from resident.testing.flipt.wire import Incoming, Listener

_SNAPSHOT = "/internal/v1/evaluation/snapshot"
_EVALUATION = "/evaluate/v1/"
_WITH_BODY = frozenset({"POST", "PUT"})


class FakeFlipt:
    """Flipt v1 in memory, on a port of this machine. Lives as long as the test needs it.

        with FakeFlipt(token="secret") as flipt:
            flipt.load("features.yml")
            flipt.enable("show_reverse_greeting")
            client = MyClient(flipt.url, token="secret")

    `stop` takes the server away as a crash would, and `start` brings it back on the same port
    with the same flags and tokens.

    Args:
        version: the release to imitate, of the first major version. It decides whether there are
            ETags, default variants and so on.
        token: the client token that is there from the start; None where no request needs one.
        port: the port to listen on, on 127.0.0.1; 0 takes a free one and keeps it.

    Raises:
        ValueError: the version is none of Flipt's first major version.
    """

    def __init__(self, *, version: str = "1.61.1", token: str | None = None, port: int = 0) -> None:
        self._version = Version.parse(version)
        if self._version.major != 1:
            raise ValueError(f"FakeFlipt imitates Flipt v1, not {version}.")
        self._port = port
        self._store = Store(self._version)
        self._tokens = Tokens(token)
        self._evaluator = Evaluator(self._store)
        self._contract = Contract(self._store, self._tokens, self._evaluator)
        self._journal = Journal()
        self._faults = Faults()
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
            self._listener.close()
            self._evaluator.close()
            self._listener = None

    def load(self, source: str | Path | Mapping[str, Any]) -> None:
        """Import a features file, given by its path or parsed.

        It replaces what its namespace held, in one step. Other namespaces stay.

        Raises:
            OSError: the file can't be read.
            ValueError: Flipt would not import it. What the namespace held is as before.
        """
        features.load(self._store, source)

    def enable(self, key: str, *, namespace: str = DEFAULT_NAMESPACE) -> None:
        """Switch a flag on. For a boolean flag that is its default, after its rollouts.

        Raises:
            LookupError: there is no such flag.
        """
        self._switch(key, namespace, enabled=True)

    def disable(self, key: str, *, namespace: str = DEFAULT_NAMESPACE) -> None:
        """Switch a flag off.

        Raises:
            LookupError: there is no such flag.
        """
        self._switch(key, namespace, enabled=False)

    def document(self, namespace: str = DEFAULT_NAMESPACE) -> dict[str, Any]:
        """The namespace as the snapshot endpoint sends it to a client of today, parsed."""
        with self._store.lock:
            document = describe(self._store, {"namespaceKey": namespace}, Audience())
            return dict(json.loads(json.dumps(document)))

    @property
    def requests(self) -> list[Request]:
        """The latest 10,000 requests, oldest first."""
        return self._journal.latest

    @property
    def evaluations(self) -> int:
        """How many evaluations were asked for over HTTP, a batch being one."""
        return self.count(_EVALUATION, method="POST")

    def count(self, path: str = "", *, method: str | None = None) -> int:
        """How many requests there were whose path starts so, ever or since `forget`."""
        return self._journal.count(path, method)

    def forget(self) -> None:
        """Start the record of requests anew."""
        self._journal.forget()

    def misbehave(
        self, how: Misbehaviour | int, *, path: str = _SNAPSHOT, times: int | None = None
    ) -> None:
        """Let requests go wrong, in one way at a time.

        A server that refuses connections is one that was stopped: see `stop`.

        Args:
            how: an HTTP status, or a misbehaviour; the type lists and describes them.
            path: how the paths start that it is about. All of them: "/".
            times: after how many such requests it is over; None goes on until `behave`.

        Raises:
            ValueError: there is no such misbehaviour.
        """
        self._faults.set(how, path, times)

    def behave(self) -> None:
        """Answer again, and cut the connections of requests that hang or drip."""
        self._faults.clear()

    def _switch(self, key: str, namespace: str, *, enabled: bool) -> None:
        place = {"namespaceKey": namespace, "key": key}
        with self._store.lock:
            try:
                flag = self._store.flag(place, "key")
            except StatusError as error:
                known = ", ".join(self._store.flags(place)) or "none"
                raise LookupError(f"{error}; flags there: {known}.") from None
            message = {"name": flag.name, "description": flag.description, "enabled": enabled}
            default = {"defaultVariantId": flag.default_variant}
            flags.update(self._store, {**place, **message, **default})

    def _answer(self, incoming: Incoming) -> Reply | Iterator[bytes]:
        path, _, query = incoming.target.partition("?")
        authentication = self._tokens.authenticate(incoming.headers.pop("authorization", ""))
        fault = self._faults.take(path)
        if fault is None:
            answer: Reply | Iterator[bytes] = self._reply(incoming, path, query, authentication)
        else:
            answer = fault.answer(self.url)
        status = answer.status if isinstance(answer, Reply) else None
        known = authentication is not None
        self._journal.note(Request(incoming.method, path, query, status, known, incoming.headers))
        return answer

    def _reply(
        self, incoming: Incoming, path: str, query: str, authentication: Message | None
    ) -> Reply:
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
