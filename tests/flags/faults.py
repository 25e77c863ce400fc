"""Every fault that a Flipt can have, and what a client of it must make of each."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from resident.flags.client import FlagClient
from resident.flags.flipt import Flipt
from resident.flags.known import LastKnown
from resident.flags.sources import Fetch, Nowhere
from resident.flags.state import Mode
from resident.flags.subject import Subject
from resident.secrets import Secret
from resident.testing import FakeFlipt
from tests.evidence import BOOTSTRAP_TOKEN, WRONG_PASSWORD

__all__ = [
    "FAULTS", "FLAG", "NOTHING", "OFF", "ON", "SERVERS", "Answers", "Fault", "Scene", "Server",
    "answers", "quiet", "until",
]  # fmt: skip

FLAG, HALF = "show_reverse_greeting", "half"
FEATURES: dict[str, Any] = {
    "flags": [
        {"key": FLAG, "name": "F", "type": "BOOLEAN_FLAG_TYPE", "enabled": True},
        {
            "key": HALF,
            "name": "H",
            "type": "BOOLEAN_FLAG_TYPE",
            "rollouts": [{"threshold": {"percentage": 50, "value": True}}],
        },
    ]
}
INSIDE, OUTSIDE = "entity-1", "entity-0"  # of the half
INTERVAL, TIMEOUT, DEADLINE = 0.3, 0.5, 0.2
Answers = tuple[bool, bool, bool]
HANG_SECONDS = 5.0
PATIENCE = 30.0


@dataclass(frozen=True)
class Server:
    """A Flipt of some version, and how it is followed.

    Attributes:
        version: which.
        fetch: how the client is told to follow it.
        mode: how it then follows it.
    """

    version: str
    fetch: Fetch
    mode: Mode

    def __str__(self) -> str:
        return f"v{self.version}-{self.mode}"


SERVERS = [
    Server("1.39.2", "auto", "poll"),
    Server("1.61.1", "auto", "poll"),
    Server("2.11.0", "poll", "poll"),
    Server("2.11.0", "auto", "stream"),
]


@dataclass(frozen=True)
class Fault:
    """One way in which a server fails.

    Attributes:
        name: of it.
        kinds: what the state may call it.
        passing: whether a start may begin without flags, in the hope that it passes.
        of_streams: whether only a stream has it. Changes are had by asking meanwhile.
    """

    name: str
    kinds: frozenset[str]
    passing: bool = True
    of_streams: bool = False

    def begin(self, flipt: FakeFlipt) -> None:
        """Let the server fail."""
        if self.name == "refused":
            flipt.stop()
        elif self.name == "token":
            flipt.rotate_token(WRONG_PASSWORD)
            flipt.misbehave("error", times=0)  # a stream that is open would go on
        else:
            self._misbehave(flipt, None)

    def begin_on_streams(self, flipt: FakeFlipt) -> None:
        """Let its streams fail, and nothing else: what stands in between knows none."""
        self._misbehave(flipt, "/client/v2/")

    def _misbehave(self, flipt: FakeFlipt, path: str | None) -> None:
        how: Any = int(self.name) if self.name.isdigit() else self.name
        flipt.misbehave(how, path=path)

    def end(self, flipt: FakeFlipt) -> None:
        """Let it be as it was."""
        flipt.behave()
        flipt.start()
        flipt.rotate_token(BOOTSTRAP_TOKEN)


def _fault(name: str, *kinds: str, passing: bool = True, of_streams: bool = False) -> Fault:
    return Fault(name, frozenset(kinds or {name}), passing=passing, of_streams=of_streams)


FAULTS = [
    _fault("refused"),
    _fault("hang", "timeout"),
    _fault("silent", "timeout"),
    _fault("half", "timeout"),
    _fault("drip", "timeout"),
    _fault("401", passing=False),
    _fault("404", passing=False),
    _fault("429"),
    _fault("500"),
    _fault("503"),
    _fault("garbage", "invalid", passing=False),
    _fault("empty", "invalid", passing=False),
    _fault("error", "invalid", passing=False),
    _fault("foreign", "invalid", passing=False),
    _fault("truncated", "cut off"),
    _fault("redirect", passing=False),
    _fault("token", "401", passing=False),
    _fault("huge", "too large", "timeout", passing=False),
    _fault("cut", "cut off", "", of_streams=True),
    _fault("frozen", "", of_streams=True),
]


class Scene:
    """A server and a client of it; lives as long as its `with`.

    Args:
        server: which.
        folder: where the last known flags are.
    """

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self._folder = folder
        self._clients: list[FlagClient] = []
        self.flipt = FakeFlipt(version=server.version, token=BOOTSTRAP_TOKEN)
        self.flipt.load(FEATURES)

    @contextmanager
    def client(self, *, keeps: bool = True, defaults: bool = False) -> Iterator[FlagClient]:
        """A client that has not started: with last known flags, or defaults to fall back on."""
        source = Flipt(
            url=self.flipt.url,
            token=Secret(BOOTSTRAP_TOKEN),
            timeout=TIMEOUT,
            fetch=self.server.fetch,
        )
        place = {"url": self.flipt.url, "environment": "default", "namespace": "default"}
        client = FlagClient(
            [source],
            interval=INTERVAL,
            deadline=DEADLINE,
            known={"default": LastKnown(self._folder, **place)} if keeps else {},
            fallbacks={"default": Nowhere()} if defaults else {},
        )
        try:
            yield client
        finally:
            client.close()

    def __enter__(self) -> Self:
        self.flipt.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.flipt.stop()


def answers(client: FlagClient) -> Answers:
    """What it answers: constant, in the half, outside of it. Fails where that takes for ever."""
    began = time.monotonic()
    snapshot = client.snapshots["default"]
    found = (
        snapshot.boolean(FLAG, _nobody, default=False),
        snapshot.boolean(HALF, lambda: Subject(INSIDE), default=False),
        snapshot.boolean(HALF, lambda: Subject(OUTSIDE), default=True),
    )
    assert time.monotonic() - began < HANG_SECONDS
    return found


ON, OFF, NOTHING = (True, True, False), (False, True, False), (False, False, True)
"""What is answered while the flag is on, while it is off, and where there are no flags."""


@contextmanager
def quiet() -> Iterator[None]:
    """The flags log nothing: hundreds of failures, and of changes, are looked at elsewhere."""
    logger = logging.getLogger("resident.flags")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def until(holds: Callable[[], bool], client: FlagClient, *expected: Answers) -> None:
    """Wait until it holds; all the time the client answers, and nothing but this."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert answers(client) in expected
        assert time.monotonic() < deadline, client.state()
        time.sleep(0.005)


def _nobody() -> Subject:
    raise AssertionError("a constant flag asks nobody who they are")
