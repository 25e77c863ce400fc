"""What it costs to have secrets that stay fresh: see README.md beside this file."""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# A script's own folder comes first, and secrets.py there would hide Python's own `secrets`.
sys.path[0] = str(ROOT)

try:
    import pytest
    import requests
    from django.conf import settings

    from benchmarks import report
    from benchmarks.servers import PASSWORD, ROOT_TOKEN, USER, Granian
    from resident.secrets.vault import Vault
    from resident.worker import worker
    from tests.secrets.agent import VaultAgent
    from tests.secrets.conftest import POLICY
    from tests.secrets.identities import (
        ACCOUNT,
        Role,
        certified,
        let_in_accounts,
        let_in_signed,
        new_key,
        service_account,
        signed,
    )
    from tests.secrets.serving import write
    from tests.secrets.tokenreview import TokenReview
    from tests.servers import VaultServer
except ImportError as missing:
    raise SystemExit(f"{missing.name} is missing: pip install -e '.[dev,benchmarks]'") from missing

Login = tuple[str, Callable[[], Vault]]

WORKERS = 4
CLIENTS = 4
INTERVAL = 1.0
TOKEN_SECONDS, MOST_TOKEN_SECONDS = 3, 9
BODY = "one version"


@contextmanager
def vault(*, tls: bool = False) -> Iterator[VaultServer]:
    """A Vault with a secret that has a number, and who may read it."""
    try:
        with VaultServer(root_token=ROOT_TOKEN, audit=False, tls=tls) as server:
            with server.client() as admin:
                admin.sys.create_or_update_policy("demoapp", POLICY)
                admin.sys.enable_auth_method("userpass")
            allow(server)
            write(server, 0)
            yield server
    except (pytest.skip.Exception, pytest.fail.Exception) as failure:  # as tests/servers.py ends
        raise SystemExit(str(failure)) from None


def allow(server: VaultServer, **tokens: object) -> None:
    """Let the user have tokens like that."""
    with server.client() as admin:
        admin.auth.userpass.create_or_update_user(USER, PASSWORD, policies=["demoapp"], **tokens)


def logins(server: VaultServer, folder: Path, stack: ExitStack) -> Iterator[Login]:
    """Each login method, with what makes a backend that uses it; all is set up at the server."""
    role = Role(server)
    approle = {"role_id": role.role_id, "secret_id": role.secret_id()}
    with server.client() as admin:
        token = admin.auth.token.create(policies=["demoapp"], ttl="1h")["auth"]["client_token"]
    agent = stack.enter_context(VaultAgent(server.addr, **approle, folder=folder))
    yield "userpass", source(server, {"username": USER, "password": PASSWORD})
    yield "AppRole", source(server, approle)
    wrapped = {"role_id": role.role_id, "wrapped_secret_id": role.wrapped()}
    shared = source(server, {**wrapped, "folder": str(folder / "run")})
    seconds(shared())
    yield "AppRole, unwrapped by another worker", shared
    yield from proofs(server, folder, stack)
    yield "token", source(server, {"token": token})
    yield "token file", source(server, {"token_file": agent.sink})
    yield "agent", source(agent, {"method": "agent"})


def proofs(server: VaultServer, folder: Path, stack: ExitStack) -> Iterator[Login]:
    """The logins with what somebody else has signed."""
    key = new_key()
    let_in_signed(server, key)
    file = kept(folder / "jwt", signed(key))
    yield "JWT", source(server, {"role": "demoapp", "jwt_file": file})
    account = service_account(key)
    let_in_accounts(server, stack.enter_context(TokenReview({account: ACCOUNT})), account)
    pod = {"method": "kubernetes", "role": "demoapp"}
    file = kept(folder / "service-account", account)
    yield "Kubernetes", source(server, {**pod, "jwt_file": file})
    # Only over TLS is a certificate asked for.
    other = stack.enter_context(vault(tls=True))
    yield (
        "certificate, over TLS",
        source(other, {"method": "cert"}, **certified(other, folder)),
    )


def source(
    where: VaultServer | VaultAgent, auth: Mapping[str, Any], **files: Any
) -> Callable[[], Vault]:
    """What makes a backend that reads there."""
    return partial(Vault, addr=where.addr, auth=auth, kv_version=2, **files)


def kept(file: Path, text: str) -> Path:
    """The file, with this in it."""
    file.write_text(text)
    return file


def boots(server: VaultServer, rounds: int) -> str:
    """Milliseconds until a new backend has logged in and read, by login method."""
    took: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for name, make in logins(server, Path(folder), stack):
            took[name] = [seconds(make()) * 1000 for _ in range(1 + rounds)]
    rows = [
        [name, f"{statistics.median(all_of[1:]):.1f}", f"{max(all_of[1:]):.1f}"]
        for name, all_of in took.items()
    ]
    return report.table(["login", "median ms", "slowest ms"], rows)


def seconds(backend: Vault) -> float:
    began = time.perf_counter()
    backend.read()
    ended = time.perf_counter()
    backend.close()
    return ended - began


def reading() -> str:
    """Nanoseconds for a secret, as a view asks for it: the least, as others use the machine too."""
    values = {"number": "7"}
    settings.configure(RESIDENT_SECRETS={"OPTIONS": {"values": values}})
    secrets = worker.secrets

    def revealed() -> str:
        return worker.secrets["number"].reveal()

    with worker.stay():
        ways: dict[str, Callable[[], object]] = {
            "a dict's value: values[key]": lambda: values["number"],
            "secrets[key], where the view has them": lambda: secrets["number"],
            "worker.secrets[key]": lambda: worker.secrets["number"],
            "worker.secrets[key].reveal()": revealed,
        }
        rounds = [[one_of(way) for way in ways.values()] for _ in range(40)]
    worker.close()
    rows = []
    for place, name in enumerate(ways):
        each, of_dict = (min(figures[at] for figures in rounds) for at in (place, 0))
        rows.append([name, f"{each:.0f}", f"{each - of_dict:+.0f}"])
    return report.table(["", "ns", "more than the dict"], rows)


def one_of(way: Callable[[], object], number: int = 10_000) -> float:
    return min(timeit.repeat(way, number=number, repeat=5)) / number * 1e9


def variables(server: VaultServer, interval: float) -> dict[str, str]:
    options = {
        "addr": server.addr,
        "auth": {"username": USER, "password": PASSWORD},
        "required": ["number"],
        "kv_version": 2,
    }
    backend = "resident.secrets.vault.Vault"
    secrets = {"BACKEND": backend, "INTERVAL": interval, "OPTIONS": options}
    return {
        "DJANGO_SETTINGS_MODULE": "benchmarks.variants.rotating",
        "BENCHMARK_SECRETS": json.dumps(secrets),
    }


def rotations(server: VaultServer, count: int) -> str:
    """Seconds from the answer of Vault to a write until the last of the workers uses it."""
    lasts: list[float] = []
    each: list[float] = []
    with Granian(
        "benchmarks.variants.rotating:application", variables(server, INTERVAL), workers=WORKERS
    ) as granian:
        while granian.log().count("Started worker-") < WORKERS:
            time.sleep(0.05)
        for number in range(1, count + 1):
            time.sleep(0.37)  # so that it meets every moment of the interval
            before = len(taken(granian))
            write(server, number)
            written = time.time()
            while len(taken(granian)) < before + WORKERS:
                time.sleep(0.02)
            moments = [moment - written for moment in taken(granian)[before:]]
            each += moments
            lasts.append(max(moments))
    rows = [
        ["in one worker", f"{statistics.median(each):.2f}", f"{max(each):.2f}"],
        [f"in the last of {WORKERS}", f"{statistics.median(lasts):.2f}", f"{max(lasts):.2f}"],
    ]
    return report.table(["in use", "median s", "slowest s"], rows)


def taken(granian: Granian) -> list[float]:
    """When a worker took other secrets up, in the order in which they said so."""
    found = re.findall(r"^([\d.]+) \d+ now secrets from", granian.log(), re.MULTILINE)
    return [float(moment) for moment in found]


def expiries(server: VaultServer, most: int) -> str:
    """How many requests are lost while tokens end and secrets are rotated again and again."""
    allow(server, token_ttl=f"{TOKEN_SECONDS}s", token_max_ttl=f"{MOST_TOKEN_SECONDS}s")
    with Granian(
        "benchmarks.variants.rotating:application", variables(server, 0.5), threads=4
    ) as granian:
        began = time.monotonic()
        with rotated(server):
            answered, lost = asked(granian, most)
        took = time.monotonic() - began
        state = requests.get(f"http://127.0.0.1:{granian.port}/health/ready", timeout=20).json()
    told = state["secrets"]
    rows = [
        ["requests answered", f"{answered:,}"],
        ["requests lost", f"{lost:,}"],
        ["seconds", f"{took:.0f}"],
        ["leases that ended or were renewed", f"{told['logins'] + told['renewals']:,}"],
        ["of these, logins", f"{told['logins']:,}"],
        ["rotations", f"{told['rotations']:,}"],
        ["failures of the keeper", f"{told['failures']:,}"],
    ]
    return report.table(["", "count"], rows)


@contextmanager
def rotated(server: VaultServer) -> Iterator[None]:
    """Write another number every second."""
    ends = threading.Event()

    def rotate() -> None:
        number = 1000
        while not ends.wait(1.0):
            number += 1
            write(server, number)

    thread = threading.Thread(target=rotate)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def asked(granian: Granian, most: int) -> tuple[int, int]:
    """Ask from several processes until there are so many answers; gives also how many were lost."""
    answered = lost = 0
    while answered < most:
        command = [sys.executable, "-m", "benchmarks.load", str(granian.port), "5", BODY, "0"]
        clients = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            for _ in range(CLIENTS)
        ]
        for process in clients:
            said, _ = process.communicate()
            if process.returncode:  # it ends with the first answer that is none
                lost += 1
            else:
                answered += json.loads(said)["count"]
        report.say(f"{answered:,} of {most:,} requests")
    return answered, lost


def arguments() -> argparse.Namespace:
    parser = report.parser("secrets", __doc__)
    parser.add_argument("--quick", action="store_true", help="only show that the script runs")
    return parser.parse_args()


def main() -> None:
    asked_for = arguments()
    rounds, count, most = (3, 2, 1000) if asked_for.quick else (25, 25, 100_000)
    with vault() as server:
        report.say("logging in")
        by_login = boots(server, rounds)
        report.say("rotating")
        in_use = rotations(server, count)
        report.say("letting tokens end")
        lost = expiries(server, most)
    text = f"""\
Secrets that stay fresh.
{report.machine()}
Vault is OpenBao, in a process of its own. The API of Kubernetes that it asks is a small one in this
process, over TLS.

Until a worker that starts has its secrets: a new connection, a login, a read, {rounds} times:

{by_login}

For one secret in a request, the least of 40 rounds:

{reading()}

From a rotation in Vault to its use, {WORKERS} workers that look every {INTERVAL:.0f} s,
give or take a tenth, {count} rotations:

{in_use}

Tokens of {TOKEN_SECONDS} s that are renewed up to {MOST_TOKEN_SECONDS} s, a rotation every second,
{CLIENTS} connections; one worker with 4 threads that uses the secret, and a client that is made
from it, in each request:

{lost}"""
    report.publish("secrets", text, keep=asked_for.output)


if __name__ == "__main__":
    main()
