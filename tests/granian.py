"""A real granian, which serves the project as a user would start it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest
import requests

from tests.evidence import Evidence
from tests.servers import free_port

__all__ = ["ROOT", "Granian", "clean_environment", "eventually"]

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 40
STOP_SECONDS = 20

CONFIGURES = ("VAULT_", "FLIPT_", "GRANIAN_", "DATABASE_URL", "SECRET_KEY", "DEBUG", "ALLOWED_HOST")


def clean_environment(**variables: str) -> dict[str, str]:
    """This environment without what configures the project, and with these variables.

    No flags are kept for a later start: the Flipt of a test may have the port of another's.
    """
    inherited = {name: v for name, v in os.environ.items() if not name.startswith(CONFIGURES)}
    ours = {"DJANGO_SETTINGS_MODULE": "project.settings", "FLIPT_LAST_KNOWN": ""}
    return inherited | ours | variables


class Granian:
    """`granian --interface wsgi project.wsgi:application`; lives as long as its `with`.

    Args:
        evidence: takes what it prints and answers.
        variables: what the environment says, beside what configures nothing.
        folder: where it is started.
        application: what it serves.
        options: its further options.
    """

    def __init__(
        self,
        evidence: Evidence,
        variables: Mapping[str, str] | None = None,
        *,
        folder: Path = ROOT,
        application: str = "project.wsgi:application",
        options: tuple[str, ...] = ("--workers", "1", "--blocking-threads", "1"),
        granian: str = str(Path(sys.executable).with_name("granian")),
    ) -> None:
        self.port = free_port()
        self._evidence = evidence
        self._environment = clean_environment(**(variables or {}))
        self._folder = folder
        self._command = [
            granian, "--interface", "wsgi", "--port", str(self.port), *options, application,
        ]  # fmt: skip
        self._session = requests.Session()
        self._session.trust_env = False
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environment,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._session.close()
            self._evidence.keep("granian", self.log())
            self._output.close()

    def serving(self) -> Self:
        """Wait until all workers serve; fails the test with what it printed if they do not.

        granian waits for ever for a worker that it stops while it starts.
        """
        eventually(lambda: self._process.poll() is not None or self._all_started())
        if self._process.poll() is None and self._all_started():
            return self
        pytest.fail(f"granian does not serve:\n{self.log()}")

    def get(self, path: str = "/", **arguments: object) -> requests.Response:
        """One request, which the evidence keeps."""
        url = f"http://127.0.0.1:{self.port}{path}"
        response = self._session.get(url, timeout=20, **arguments)  # type: ignore[arg-type]
        self._evidence.keep(f"GET {path}", f"{response.headers}\n{response.text}")
        return response

    def eventually(self, text: str, path: str = "/") -> bool:
        """Whether the answer becomes this within the time that the slowest machine needs."""
        return eventually(lambda: self.get(path).text == text)

    def eventually_logs(self, text: str) -> bool:
        """Whether it prints this within that time."""
        return eventually(lambda: text in self.log())

    def stop(self) -> int:
        """End it as an operator would, and give its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self.ends()

    def ends(self) -> int:
        """Wait until it has ended by itself, and give its exit status."""
        try:
            return self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            pytest.fail(f"granian does not end:\n{self.log()}")

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        return [
            int(line.rpartition(" ")[2])
            for line in self.log().splitlines()
            if "Spawning worker" in line
        ]

    def _all_started(self) -> bool:
        return 0 < len(self.workers()) == self.log().count("Started worker-") and self._listens()

    def _listens(self) -> bool:
        """A worker says that it has started a moment before it listens."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def log(self) -> str:
        """What it printed."""
        # The children write where the position of the shared file stands, which must not move.
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace")


def eventually(holds: Callable[[], bool], *, seconds: float = START_SECONDS) -> bool:
    """Whether it holds within so many seconds: by default those that the slowest machine needs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False
