"""A real Redis for tests, in its own process, on its own port; it keeps nothing."""

import contextlib
import shutil
import socket
import subprocess
import time
from typing import Self

import pytest

from tests.servers import free_port

__all__ = ["Redis"]

_START_SECONDS = 20


class Redis:
    """A Redis, which counts its connections; lives as long as its `with`."""

    def __init__(self) -> None:
        if shutil.which("redis-server") is None:
            pytest.skip("needs Redis: apt install redis-server")
        self.port = free_port()
        self._asked = 0

    def __enter__(self) -> Self:
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        flags = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen(["redis-server", *flags], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.connections_made()
                return self
            time.sleep(0.05)
        self.__exit__()
        pytest.fail("redis-server did not start")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def settings(self) -> dict[str, str]:
        """An entry of Django's CACHES."""
        return {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{self.port}",
        }

    def connections_made(self) -> int:
        """How many connections were ever opened, but for those that asked for this."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as asking:
            self._asked += 1
            asking.sendall(b"INFO stats\r\n")
            answer = asking.recv(1 << 16).decode()
        return int(answer.partition("total_connections_received:")[2].split()[0]) - self._asked
