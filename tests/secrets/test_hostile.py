"""What answers at Vault's address may mean no good: it gets no credential but its own, and costs
little time and memory.
"""

import gzip
import json
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from resident.exceptions import SecretsError
from tests.evidence import PASSWORD
from tests.secrets.hostile import (
    GOOD,
    TOKEN,
    Hostile,
    Misbehaviour,
    answered,
    dripping,
    endless,
    once,
    redirecting,
)
from tests.secrets.reading import backend, refusal
from tests.servers import Impostor, VaultServer

STEPS = ("login", "mounts", "data")

MEBIBYTE = 1024 * 1024


@contextmanager
def bounded(seconds: float = 4.0, mebibytes: float = 8.0) -> Iterator[None]:
    """That which is done within takes no more time and memory than this."""
    tracemalloc.start()
    began = time.monotonic()
    try:
        yield
        assert time.monotonic() - began < seconds
        assert tracemalloc.get_traced_memory()[1] < mebibytes * MEBIBYTE
    finally:
        tracemalloc.stop()


def asked(step: str, misbehave: Misbehaviour, *, read_timeout: float = 0.5) -> SecretsError:
    """The error of a worker that meets this; the login's token is in none of what it says."""
    with Hostile(step, misbehave) as server, bounded():
        return refusal(backend(server.addr, read_timeout=read_timeout, deadline=0.5), TOKEN)


@pytest.mark.parametrize("step", STEPS)
class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_nobody_else_is_asked(self, step: str, status: int) -> None:
        with Impostor(200, GOOD["data"]) as elsewhere:
            error = asked(step, redirecting(elsewhere.addr, f"{status} Moved"))
        assert not elsewhere.asked
        assert "redirects elsewhere" in error.problem
        assert error.kind == "redirected"

    def test_nor_by_another_name_of_the_same_host(self, step: str) -> None:
        with Impostor(200, GOOD["data"]) as elsewhere:
            _, _, port = elsewhere.addr.rpartition(":")
            asked(step, redirecting(f"//localhost:{port}", "307 Temporary Redirect"))
        assert not elsewhere.asked


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Impostor(200, GOOD["login"]) as elsewhere, Hostile("nothing", once(b"")) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, elsewhere.addr)
        source = backend(server.addr)
        assert source.read()["token"].reveal() == "t0ken"
        source.close()
    assert not elsewhere.asked
    assert "/v1/auth/token/revoke-self" in server.asked


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BODY = HEAD + b"Content-Length: 900\r\n\r\n{"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
class TestTime:
    @pytest.mark.parametrize(
        "misbehave",
        [
            pytest.param(once(b""), id="nothing"),
            pytest.param(lambda _, over: over.wait(), id="silence"),
            pytest.param(dripping(b"HTTP/1.1 ", b"2"), id="a status line that drips"),
            pytest.param(dripping(HEAD, b"X: x\r\n"), id="headers that drip"),
            pytest.param(dripping(HEAD, b"x"), id="a header that drips"),
            pytest.param(dripping(BODY, b" "), id="a body that drips"),
            pytest.param(dripping(CHUNKED, b"1\r\n \r\n"), id="chunks that drip"),
            pytest.param(dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="not yet, for ever"),
            pytest.param(once(answered(b"{", length=900)), id="a body that is cut off"),
        ],
    )
    def test_is_bounded(self, step: str, misbehave: Misbehaviour) -> None:
        error = asked(step, misbehave, read_timeout=0.1)
        assert error.passing
        assert error.tried
        assert error.kind in {"timeout", "unreachable", "cut off"}


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
class TestSize:
    @pytest.mark.parametrize(
        "misbehave",
        [
            pytest.param(endless(HEAD + b"\r\n", b" " * 65536), id="no end"),
            pytest.param(endless(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"), id="chunks"),
            pytest.param(once(answered(b" " * 30 * MEBIBYTE)), id="30 MB"),
        ],
    )
    def test_of_the_body_is_bounded(self, step: str, misbehave: Misbehaviour) -> None:
        error = asked(step, misbehave)
        assert "sends more than a secret may have" in error.problem
        assert not error.passing

    def test_of_what_it_packed_is_bounded(self, step: str) -> None:
        """Nobody asked for it packed: 100 MB of blanks are 100 kB."""
        packed = answered(
            gzip.compress(b" " * 100 * MEBIBYTE), headers="Content-Encoding: gzip\r\n"
        )
        error = asked(step, once(packed))
        assert error.kind in {"not Vault", "too large"}

    @pytest.mark.parametrize(
        "misbehave",
        [
            pytest.param(endless(HEAD, b"X: " + b"x" * 900 + b"\r\n"), id="headers"),
            pytest.param(endless(HEAD + b"X: ", b"x" * 65536), id="a header"),
            pytest.param(endless(b"HTTP/1.1 200 ", b"x" * 65536), id="a status line"),
            pytest.param(endless(b"", b"\x00" * 65536), id="no HTTP at all"),
        ],
    )
    def test_of_the_headers_is_bounded(self, step: str, misbehave: Misbehaviour) -> None:
        error = asked(step, misbehave)
        assert "is something else" in error.problem


def deep(levels: int) -> bytes:
    return b'{"auth":' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize("step", STEPS)
class TestContents:
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"<h1>Welcome</h1>", id="HTML"),
            pytest.param(b"", id="nothing"),
            pytest.param(b"\xff\xfe\x00", id="bytes"),
            pytest.param([], id="a list"),
            pytest.param(None, id="null"),
            pytest.param(7, id="a number"),
            pytest.param("auth", id="a string"),
            pytest.param({"auth": 7, "data": 7}, id="numbers in it"),
            pytest.param({"auth": [], "data": []}, id="lists in it"),
            pytest.param(b'{"auth": {"client_token": 1' + b"0" * 5000 + b"}}", id="a long number"),
            pytest.param(deep(400_000), id="400,000 levels"),
        ],
    )
    @pytest.mark.parametrize("status", ["200 OK", "203 Of a proxy's"])
    def test_are_no_answer(self, step: str, body: object, status: str) -> None:
        error = asked(step, once(answered(body, status=status)))
        assert "is something else: what it answers is not Vault's JSON" in error.problem
        assert "check VAULT_ADDR" in error.remedy

    @pytest.mark.parametrize("body", [b"<h1>No</h1>", [], None, {"errors": 7}, {"errors": {}}])
    def test_of_an_error_don_t_matter(self, step: str, body: object) -> None:
        error = asked(step, once(answered(body, status="503 No")))
        assert error.kind in {"sealed", "not Vault"}


@pytest.mark.parametrize(
    "auth",
    [
        {"client_token": 7},
        {"client_token": ["hvs.x"]},
        {"client_token": "hvs.é"},
        {"client_token": "hvs.\r\nX-Vault-Namespace: other"},
        {"client_token": TOKEN, "lease_duration": "soon"},
        {"client_token": TOKEN, "lease_duration": -1},
        {"client_token": TOKEN, "lease_duration": True},
        {"client_token": TOKEN, "lease_duration": 10**400},
        {"client_token": TOKEN, "lease_duration": float("nan")},
        {"client_token": TOKEN, "lease_duration": [1]},
        {"client_token": TOKEN, "renewable": "yes"},
        {"client_token": TOKEN, "token_type": 7},
    ],
)
def test_a_login_that_makes_no_sense(auth: object) -> None:
    error = asked("login", once(answered(json.dumps({"auth": auth}).encode())))
    assert "is something else" in error.problem


@pytest.mark.parametrize(
    "secret",
    [
        {"data": [], "metadata": 7},
        {"data": 7},
        {"data": {"token": "t0ken"}, "metadata": {"version": "x" * 1000}},
        {"data": {"token": "t0ken"}, "metadata": {"version": [1]}},
    ],
)
def test_a_secret_that_makes_no_sense_has_no_version(secret: object) -> None:
    with Hostile("data", once(answered({"data": secret}))) as server:
        source = backend(server.addr)
        contents = source.read()
        source.close()
    assert contents.version is None


def test_a_key_without_end_is_cut_short() -> None:
    keys = {f"{number}-" + "k" * 900: "v" for number in range(500)}
    with Hostile("data", once(answered({"data": {"data": keys}}))) as server:
        error = refusal(backend(server.addr, required=["token"]))
    assert len(str(error)) < 3000
    with Hostile("data", once(answered({"data": {"data": {"k" * 100_000: 7}}}))) as server:
        error = refusal(backend(server.addr))
    assert len(str(error)) < 1000


@pytest.mark.slow
def test_a_real_vault_with_a_secret_of_30_mb(vault: VaultServer) -> None:
    with vault.client() as admin:
        book = {"book": "x" * 30 * MEBIBYTE}
        admin.secrets.kv.v2.create_or_update_secret("demoapp", book)
        del book
    with bounded(seconds=20.0):
        error = refusal(backend(vault.addr, deadline=20.0))
    assert "sends more than a secret may have" in error.problem


def test_while_a_worker_ends() -> None:
    """A token that can't be revoked ends by itself: nobody waits for it."""
    for misbehave in (
        dripping(HEAD, b"x"),
        once(answered(b"<h1>No</h1>")),
        once(answered(deep(400_000))),
        endless(HEAD + b"\r\n", b" " * 65536),
    ):
        with Hostile("revoke-self", misbehave) as server:
            source = backend(server.addr, read_timeout=0.3)
            source.read()
            with bounded():
                source.close()


def test_one_that_is_asked_about_a_given_token() -> None:
    bodies: list[object] = [{"data": {"ttl": "soon"}}, {"data": 7}, {"data": {}}, []]
    for body in bodies:
        with Hostile("lookup-self", once(answered(body))) as server:
            error = refusal(backend(server.addr, auth={"token": TOKEN}), TOKEN)
        assert "is something else" in error.problem


def test_one_that_unwraps(tmp_path_factory: pytest.TempPathFactory) -> None:
    bodies: list[object] = [{"data": 7}, [], {"data": {"secret_id": 7}}, b"<h1>No</h1>"]
    for body in bodies:
        folder = tmp_path_factory.mktemp("run")
        folder.chmod(0o700)
        auth = {"role_id": "r", "wrapped_secret_id": PASSWORD, "folder": folder}
        with Hostile("unwrap", once(answered(body))) as server:
            error = refusal(backend(server.addr, auth=auth))
        assert error.kind in {"not Vault", "refused"}
        kept = [it.read_text() for it in folder.iterdir()]
        assert not any(kept)
