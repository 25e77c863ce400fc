"""A granian that serves the site of this folder, and clients that never stop asking."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.evidence import PASSWORD, Evidence
from tests.granian import Granian
from tests.secrets.conftest import POLICY
from tests.servers import VaultServer

__all__ = ["Load", "set_up", "site", "write"]


def set_up(vault: VaultServer, **user: Any) -> None:
    """The user demoapp, whose secret has the number 1."""
    with vault.client() as admin:
        admin.sys.create_or_update_policy("demoapp", POLICY)
        admin.sys.enable_auth_method("userpass")
        admin.auth.userpass.create_or_update_user(
            "demoapp", PASSWORD, **{"policies": ["demoapp"], **user}
        )
    write(vault, 1)


def write(vault: VaultServer, number: int) -> None:
    with vault.client() as admin:
        admin.secrets.kv.v2.create_or_update_secret("demoapp", {"number": str(number)})


def site(
    vault: VaultServer,
    evidence: Evidence,
    *,
    workers: int = 1,
    threads: int = 1,
    interval: float = 0.2,
    password: str = PASSWORD,
    **options: Any,
) -> Granian:
    """The site, with this Vault; options are those of the backend."""
    secrets = {
        "BACKEND": "resident.secrets.vault.Vault",
        "INTERVAL": interval,
        "OPTIONS": {
            "addr": vault.addr,
            "auth": {"username": "demoapp"},
            "required": ["number"],
            "read_timeout": 1.0,
            "kv_version": 2,
            **options,
        },
    }
    variables = {
        "DJANGO_SETTINGS_MODULE": "tests.secrets.site",
        "SITE_SECRETS": json.dumps(secrets),
        "SITE_PASSWORD": password,
    }
    return Granian(
        evidence,
        variables,
        application="tests.secrets.site:application",
        options=("--workers", str(workers), "--blocking-threads", str(threads)),
    )


class Load:
    """Clients that ask again and again, each over its own connection, until its `with` ends.

    Attributes:
        answers: how often each answer was given.
        failed: the answers that were none: a status, an exception.
        slowest: seconds.
    """

    def __init__(self, granian: Granian, *paths: str) -> None:
        self.answers: Counter[str] = Counter()
        self.failed: list[str] = []
        self.slowest = 0.0
        self._granian = granian
        self._paths = paths
        self._ends = threading.Event()

    @contextmanager
    def running(self) -> Iterator["Load"]:
        threads = [threading.Thread(target=self._ask, args=(path,)) for path in self._paths]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._ends.set()
            for thread in threads:
                thread.join()

    def _ask(self, path: str) -> None:
        url = f"http://127.0.0.1:{self._granian.port}{path}"
        with requests.Session() as session:
            session.trust_env = False
            while not self._ends.is_set():
                began = time.monotonic()
                try:
                    response = session.get(url, timeout=20)
                except requests.RequestException as error:
                    self.failed.append(type(error).__name__)
                    continue
                self.slowest = max(self.slowest, time.monotonic() - began)
                if response.status_code == requests.codes.ok:
                    self.answers[response.text] += 1
                else:
                    self.failed.append(str(response.status_code))
