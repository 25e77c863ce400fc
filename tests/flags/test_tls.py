"""Flipt behind TLS: whom to trust, and who this is, when asking as when listening."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import trustme

from resident.exceptions import ConfigurationError, FlagsError
from resident.flags.client import FlagClient
from resident.flags.flipt import Flipt
from resident.testing import FakeFlipt
from tests.granian import eventually
from tests.servers import Raw

FLAG = "show_reverse_greeting"


class Front:
    """Takes TLS off the connections to a server; lives as long as its `with`."""

    def __init__(self, context: ssl.SSLContext, port: int) -> None:
        self._context = context
        self._behind = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(taken,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, taken: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            taken,
            self._context.wrap_socket(taken, server_side=True) as front,
            socket.create_connection(("127.0.0.1", self._behind)) as back,
        ):
            there = threading.Thread(target=_pump, args=(front, back))
            there.start()
            _pump(back, front)
            there.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(each, socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    return str(file)


@pytest.fixture
def mine(authority: trustme.CA, tmp_path: Path) -> tuple[str, str]:
    """The files of this client's certificate, and of its key."""
    issued = authority.issue_cert("worker@example.org")
    certificate, key = tmp_path / "worker.pem", tmp_path / "worker.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return str(certificate), str(key)


@pytest.fixture
def flipt() -> Iterator[FakeFlipt]:
    with FakeFlipt(version="2.11.0") as server:
        server.load("greeting/features.yml")
        yield server


@pytest.fixture
def front(authority: trustme.CA, flipt: FakeFlipt) -> Iterator[Front]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Front(context, int(flipt.url.rpartition(":")[2])) as served:
        yield served


@pytest.fixture
def strict_front(authority: trustme.CA, flipt: FakeFlipt) -> Iterator[Front]:
    """One that asks for a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with Front(context, int(flipt.url.rpartition(":")[2])) as served:
        yield served


def is_followed(source: Flipt, flipt: FakeFlipt) -> bool:
    client = FlagClient([source], interval=30, deadline=1)
    try:
        client.start()
        assert eventually(lambda: client.state().mode == "stream")
        flipt.enable(FLAG)
        return eventually(lambda: client.snapshots["default"].flags[FLAG].enabled)
    finally:
        client.close()


def test_an_authority_of_ones_own(front: Front, flipt: FakeFlipt, ca: str) -> None:
    assert is_followed(Flipt(url=front.url, ca=ca), flipt)


def test_a_certificate_of_this_client(
    strict_front: Front, flipt: FakeFlipt, ca: str, mine: tuple[str, str]
) -> None:
    certificate, key = mine
    source = Flipt(url=strict_front.url, ca=ca, client_cert=certificate, client_key=key)
    assert is_followed(source, flipt)


def test_one_certificate_and_key_in_a_file(
    strict_front: Front, flipt: FakeFlipt, ca: str, mine: tuple[str, str], tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_text("".join(Path(it).read_text() for it in mine))
    assert is_followed(Flipt(url=strict_front.url, ca=ca, client_cert=str(both)), flipt)


def test_a_message_of_many_records(front: Front, flipt: FakeFlipt, ca: str) -> None:
    flags = [{"key": f"flag-{number}", "name": "x" * 1000} for number in range(100)]
    flipt.load({"flags": [*flags, {"key": FLAG, "name": "it", "type": "BOOLEAN_FLAG_TYPE"}]})
    assert is_followed(Flipt(url=front.url, ca=ca), flipt)


def test_a_server_that_nobody_trusts(front: Front) -> None:
    source = Flipt(url=front.url)
    for ask in (source.read, lambda: next(source.listen(lambda: 1.0))):
        with pytest.raises(FlagsError, match="no TLS certificate that is trusted") as caught:
            ask()
        assert (caught.value.kind, caught.value.passing) == ("certificate", False)
    source.close()


def test_a_server_without_tls(ca: str) -> None:
    with Raw(lambda connection, _: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as url:
        source = Flipt(url=url.replace("http:", "https:"), ca=ca)
        with pytest.raises(FlagsError, match="breaks off its TLS"):
            next(source.listen(lambda: 1.0))
        source.close()


@pytest.mark.parametrize("name", ["ca", "client_cert"])
def test_a_file_that_is_no_certificate(name: str, tmp_path: Path) -> None:
    file = tmp_path / "no.pem"
    for expected in ("No such file", "NO_CERTIFICATE|NO_START_LINE|PEM|no start line"):
        with pytest.raises(ConfigurationError, match=name.upper()) as caught:
            Flipt(url="https://flipt", **{name: str(file)})  # type: ignore[arg-type] # a path each
        assert any(it in str(caught.value) for it in expected.split("|"))
        file.write_text("nothing")
