"""What drives the load, in processes of its own: how long one request takes, how many a second."""

import argparse
import json
import math
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WRK = shutil.which("wrk")
WRK_CONNECTIONS = 8
PROCESSES = 4

TOOL = (
    f"wrk, {WRK_CONNECTIONS} connections"
    if WRK
    else f"{PROCESSES} Python processes, a connection each; install wrk for truer figures"
)


@dataclass(frozen=True)
class Latencies:
    """What one connection saw, that asked again as soon as it had its answer.

    Attributes:
        p50: milliseconds that half of the requests took at most.
        p99: that 99 of 100 took at most; the slowest where there were fewer.
        count: how many requests.
        rate: how many in a second.
    """

    p50: float
    p99: float
    count: int
    rate: float


def latencies(port: int, *, seconds: float, body: str, pause: float = 0.0) -> Latencies:
    """Ask over one connection for so long; every answer must have this body.

    Before it asks again it waits for `pause` seconds.
    """
    return _finished(_started(port, seconds, body, pause))


def requests_per_second(port: int, *, seconds: int, body: str) -> float:
    """How many requests are answered per second over several connections at once."""
    if WRK:
        return _wrk(WRK, port, seconds)
    started = [_started(port, seconds, body) for _ in range(PROCESSES)]
    return sum(_finished(process).rate for process in started)


def _wrk(wrk: str, port: int, seconds: int) -> float:
    options = ["--threads", "1", "--connections", str(WRK_CONNECTIONS), "--timeout", "10s"]
    url = f"http://127.0.0.1:{port}/"
    command = [wrk, *options, "--duration", f"{seconds}s", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s*([\d.]+)", said)
    if rate is None or "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"wrk could not load the server:\n{said}")
    return float(rate[1])


def _started(port: int, seconds: float, body: str, pause: float = 0.0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.load", str(port), str(seconds), body, str(pause)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _finished(process: subprocess.Popen[str]) -> Latencies:
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit("The load generator failed; it says above why.")
    return Latencies(**json.loads(said))


def drive(port: int, seconds: float, body: bytes, pause: float) -> Latencies:
    """Ask over one connection, from this process."""
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    took: list[int] = []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = now = time.perf_counter_ns()
        while now < began + seconds * 1e9:
            if pause:
                time.sleep(pause)
                now = time.perf_counter_ns()
            connection.sendall(request)
            _receive(connection, body)
            took.append(-now + (now := time.perf_counter_ns()))
    rate = len(took) / (now - began) * 1e9
    return Latencies(percentile(took, 0.50), percentile(took, 0.99), len(took), rate)


def _receive(connection: socket.socket, body: bytes) -> None:
    answer = b""
    while not answer.endswith(body):
        chunk = connection.recv(65_536)
        answer += chunk
        if not chunk or not answer.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"The answer was to be 200 with {body!r}, and is {answer[:500]!r}.")


def percentile(nanoseconds: Sequence[int], share: float) -> float:
    """The nearest rank, in milliseconds."""
    return sorted(nanoseconds)[math.ceil(share * len(nanoseconds)) - 1] / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure latencies over one connection.")
    parser.add_argument("port", type=int, help="of the server on 127.0.0.1")
    parser.add_argument("seconds", type=float, help="how long to ask")
    parser.add_argument("body", help="how every answer ends")
    parser.add_argument("pause", type=float, help="seconds to wait before each request")
    arguments = parser.parse_args()
    body = arguments.body.encode()
    measured = drive(arguments.port, arguments.seconds, body, arguments.pause)
    print(json.dumps(vars(measured)))


if __name__ == "__main__":
    main()
