"""What is measured, and what it asks: each a server in a process of its own."""

import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import psutil
import pytest
import yaml

from resident.provisioning import FliptTarget, VaultTarget, provision
from tests.granian import ROOT, clean_environment
from tests.servers import VaultServer, free_port

FLAG = "show_reverse_greeting"
USER, PASSWORD = "demoapp", "test123"
ROOT_TOKEN, FLIPT_TOKEN = "root", "bootstrap"

START_SECONDS = 60
STOP_SECONDS = 20
MIB = 1024 * 1024


@contextmanager
def vault_and_flipt() -> Iterator[dict[str, str]]:
    """Both, set up as in the tutorial, with the flag on; gives the variables that lead there."""
    try:
        with VaultServer(root_token=ROOT_TOKEN, audit=False) as vault, flipt_server() as flipt:
            features = yaml.safe_load((ROOT / "greeting" / "features.yml").read_text())
            for flag in features["flags"]:
                flag["enabled"] = flag["key"] == FLAG
            target = VaultTarget(
                addr=vault.addr, token=ROOT_TOKEN, username=USER, password=PASSWORD
            )
            list(provision(target, FliptTarget(url=flipt, token=FLIPT_TOKEN), [features]))
            yield {"VAULT_ADDR": vault.addr, "VAULT_USER": USER, "VAULT_PASS": PASSWORD}
    except (pytest.skip.Exception, pytest.fail.Exception) as failure:  # as tests/servers.py ends
        raise SystemExit(str(failure)) from None


@contextmanager
def flipt_server(token: str = FLIPT_TOKEN, *features: Path) -> Iterator[str]:
    """FakeFlipt, with what is in these files; gives its URL."""
    command = [sys.executable, "-m", "benchmarks.fakeflipt", token, *map(str, features)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None  # noqa: S101 - for mypy
        if not (url := process.stdout.readline().strip()):
            raise SystemExit("FakeFlipt did not start; it says above why.")
        yield url


class Granian:
    """One granian; lives as long as its `with`, which waits for its first answer.

    Args:
        application: what it serves.
        variables: the environment, beside what configures nothing.
        threads: how many requests a worker handles at once.
        workers: how many workers it has.

    Attributes:
        port: where, on 127.0.0.1.
        boot: milliseconds from its start to the end of its first answer.
    """

    def __init__(
        self,
        application: str,
        variables: Mapping[str, str],
        *,
        threads: int = 1,
        workers: int = 1,
    ) -> None:
        self.port = free_port()
        self.boot = 0.0
        self._environment = clean_environment(**variables)
        self._undo = ExitStack()
        self._command = [
            str(Path(sys.executable).with_name("granian")), "--interface", "wsgi",
            "--port", str(self.port),
            "--workers", str(workers), "--blocking-threads", str(threads),
            application,
        ]  # fmt: skip

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            output = undo.enter_context(tempfile.NamedTemporaryFile())
            self._output = Path(output.name)
            began = time.perf_counter()
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            undo.callback(self._stop)
            self._wait_for_answer(began + START_SECONDS)
            self.boot = (time.perf_counter() - began) * 1000
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def settle(self) -> None:
        """Wait until it has answered what the load generator left behind: it answers in order."""
        self._wait_for_answer(time.perf_counter() + START_SECONDS)
        time.sleep(0.1)

    @property
    def opened(self) -> dict[str, float]:
        """Milliseconds that each resource took to open, as the worker logged them."""
        found = re.findall(r"(\w+) opened in (\d+) ms", self.log())
        return {name: float(milliseconds) for name, milliseconds in found}

    def memory(self) -> tuple[float, float]:
        """MiB of the worker: those that are its own alone, and all that are resident."""
        spawned = re.search(r"Spawning worker-1 with PID: (\d+)", self.log())
        if spawned is None:
            raise SystemExit(f"granian does not say who its worker is:\n{self.log()}")
        used = psutil.Process(int(spawned[1])).memory_full_info()
        return used.uss / MIB, used.rss / MIB

    def _wait_for_answer(self, ends: float) -> None:
        while time.perf_counter() < ends and self._process.poll() is None:
            try:
                if self._answer().startswith(b"HTTP/1.1 200 "):
                    return
                break
            except ConnectionError:
                time.sleep(0.001)
        raise SystemExit(f"granian does not serve {self._command[-1]}:\n{self.log()}")

    def _answer(self) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n"
            connection.sendall(request.encode())
            return connection.recv(65_536)

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """What it and its workers have printed so far."""
        return self._output.read_text()
