"""A real Vault that keeps what it holds over a crash."""

import time
from contextlib import suppress
from pathlib import Path

import hvac
import requests

from tests.servers import VaultServer

__all__ = ["DurableVault"]

START_SECONDS = 30

CONFIG = """\
storage "raft" {{
  path = "{folder}"
  node_id = "one"
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster}"
disable_mlock = true
audit "file" "file" {{ options = {{ file_path = "{audit}" }} }}
"""


class DurableVault(VaultServer):
    """A Vault with raft storage: `kill` and `start` lose nothing; `start` also unseals it."""

    _key = ""

    def unseal(self) -> None:
        with self.client() as client:
            client.sys.submit_unseal_key(self._key)
        assert self._serves()

    def _command(self) -> list[str]:
        folder = self.home / "raft"
        folder.mkdir(exist_ok=True)
        config = self.home / "server.hcl"
        config.write_text(self._config(folder))
        return [self._binary, "server", f"-config={config}"]

    def _config(self, folder: Path) -> str:
        # Nobody joins the cluster: its port only has to be another one.
        cluster = self.port + 1 if self.port < 65_000 else self.port - 1
        return CONFIG.format(folder=folder, port=self.port, cluster=cluster, audit=self._audit_file)

    def _answers(self) -> bool:
        if not self._is_up():
            return False
        if self._key:
            self.unseal()
        else:
            self._initialize()
        return True

    def _is_up(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._running.poll() is None:
            with suppress(requests.RequestException):
                return requests.get(f"{self.addr}/v1/sys/seal-status", timeout=1).ok
            time.sleep(0.05)
        return False

    def _initialize(self) -> None:
        client = hvac.Client(self.addr, token="")
        made = client.sys.initialize(secret_shares=1, secret_threshold=1)
        self._key = made["keys"][0]
        client.sys.submit_unseal_key(self._key)
        client.token = made["root_token"]
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(hvac.exceptions.VaultError):
                client.auth.token.create(id=self.root_token, policies=["root"], no_parent=True)
                break
            time.sleep(0.05)
        client.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        client.auth.token.revoke_self()
        client.adapter.close()
        assert self._serves()

    def _serves(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        with self.client() as client:
            while time.monotonic() < deadline:
                with suppress(hvac.exceptions.VaultError):
                    client.secrets.kv.v2.read_configuration("secret")
                    return True
                time.sleep(0.05)
        return False
