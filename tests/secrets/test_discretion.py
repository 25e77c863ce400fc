"""After a long and noisy run, no secret is in anything that is left of it."""

import contextlib
import hashlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from resident.secrets.logins.wrapping import private_folder
from tests.evidence import ROOT_TOKEN, VAULT_TOKEN, Evidence
from tests.granian import ROOT, Granian, eventually
from tests.secrets.conftest import POLICY
from tests.secrets.identities import Role
from tests.servers import VaultServer

ROTATIONS = 12
PATHS = ("/", "/log", "/fail", "/show", "/health/ready")


class Run:
    """What was a secret at any time of the run, and what the run left."""

    def __init__(self, vault: VaultServer, folder: Path) -> None:
        self.vault = vault
        self.folder = folder
        self.values: list[str] = [secrets.token_urlsafe(30)]
        self.texts: list[str] = []
        self.statuses: Counter[tuple[str, int]] = Counter()
        self._ends = threading.Event()
        with vault.client() as admin:
            admin.sys.create_or_update_policy("demoapp", POLICY)
        self.role = Role(vault, token_ttl="3s", token_max_ttl="6s")
        self.wrapping_token = self.role.wrapped()
        self.rotate()

    @property
    def kept(self) -> Path:
        """Where the workers keep the secret_id: in memory."""
        name = hashlib.sha256(self.wrapping_token.encode()).hexdigest()[:32]
        return private_folder() / name

    @property
    def variables(self) -> dict[str, str]:
        """The environment of granian; what is secret in it is a value from then on."""
        key = secrets.token_urlsafe(30)
        self.values += [key, self.wrapping_token, self.role.role_id]
        return {
            "DJANGO_SETTINGS_MODULE": "tests.secrets.noisy",
            "PYTHONPATH": str(ROOT),
            "NOISY_LOG": str(self.folder / "noisy.log"),
            "TMPDIR": str(self.folder),
            "HOME": str(self.folder),
            "SECRET_KEY": key,
            "DEBUG": "on",
            "DATABASE_URL": f"sqlite:///{self.folder / 'db.sqlite3'}",
            "VAULT_ADDR": self.vault.addr,
            "VAULT_ROLE_ID": self.role.role_id,
            "VAULT_WRAPPED_SECRET_ID": self.wrapping_token,
            "VAULT_INTERVAL": "0.2",
        }

    def rotate(self) -> None:
        self.values.append(secrets.token_urlsafe(30))
        with self.vault.client() as admin:
            admin.secrets.kv.v2.create_or_update_secret(
                "demoapp", {"flipt_api_host": "", "flipt_api_token": self.values[-1]}
            )

    @contextlib.contextmanager
    def asking(self, granian: Granian) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask, args=(granian, it)) for it in PATHS]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ends.set()
            for thread in threads:
                thread.join()

    def disturb(self) -> None:
        """What happens to Vault in a year, in some seconds."""
        for _ in range(ROTATIONS):
            self.rotate()
            time.sleep(0.5)
        self.vault.seal()
        time.sleep(1.5)
        self.vault.unseal()
        with self.vault.client() as admin:
            admin.sys.delete_policy("demoapp")
            time.sleep(1.5)
            admin.sys.create_or_update_policy("demoapp", POLICY)
            admin.sys.revoke_prefix("auth/approle")
            admin.secrets.kv.v2.create_or_update_secret("demoapp", {"flipt_api_token": 7})
            time.sleep(1.5)
        self.rotate()

    def found(self) -> list[str]:
        """Where a value was found."""
        left = [*self.texts, *self._files()]
        return [
            f"{value[:4]}… in {text[max(0, text.find(value) - 60) :][:60]!r}"
            for text in left
            for value in [*self.values, ROOT_TOKEN, *VAULT_TOKEN.findall(text)]
            if value in text
        ]

    def _ask(self, granian: Granian, path: str) -> None:
        url, accepts = f"http://127.0.0.1:{granian.port}{path}", ("text/html", "text/plain")
        with requests.Session() as session:
            session.trust_env = False
            while not self._ends.is_set():
                for accept in accepts:
                    answer = session.get(url, headers={"Accept": accept}, timeout=20)
                    self.statuses[path, answer.status_code] += 1
                    self.texts.append(f"{answer.headers}{answer.text}")
                time.sleep(0.02)

    def _files(self) -> Iterator[str]:
        for file in self.folder.rglob("*"):
            if file.is_file():
                yield file.read_bytes().decode(errors="replace")


@pytest.mark.slow
def test_nothing_is_left_of_a_noisy_run(evidence: Evidence, tmp_path: Path) -> None:
    with VaultServer(root_token=ROOT_TOKEN) as vault:
        run = Run(vault, tmp_path)
        options = (
            "--workers",
            "2",
            "--blocking-threads",
            "2",
            "--log-level",
            "debug",
            "--access-log",
        )
        application = "tests.secrets.noisy:application"
        try:
            with Granian(
                evidence, run.variables, folder=tmp_path, application=application, options=options
            ) as granian:
                granian.serving()
                secret_id = run.kept.read_text()
                run.values.append(secret_id)
                with run.asking(granian):
                    run.disturb()
                    ready = "/health/ready"
                    assert eventually(lambda: '"last_error": ""' in granian.get(ready).text)
                granian.stop()
                run.texts.append(granian.log())
        finally:
            for suffix in ("", ".lock"):
                run.kept.with_suffix(suffix).unlink(missing_ok=True)
    assert run.found() == []
    assert {path for path, status in run.statuses if status == 200} == set(PATHS) - {"/fail"}
    assert run.statuses["/fail", 500] > 20
    log = (tmp_path / "noisy.log").read_text()
    assert "no search" in log
    assert "urllib3" in log
    assert "**********" in log
    assert any("no connection with" in text and "**********" in text for text in run.texts)
    assert "GET /fail" in run.texts[-1], "granian's own log"
