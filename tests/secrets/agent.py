"""A real Vault Agent: logs in by itself, writes its token to a file, and proxies."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import requests

from tests.granian import eventually
from tests.servers import free_port, vault_binary

__all__ = ["VaultAgent"]

CONFIG = """
vault {{ address = {addr} }}
auto_auth {{
  method "approle" {{
    config = {{
      role_id_file_path = {role_id}
      secret_id_file_path = {secret_id}
      remove_secret_id_file_after_reading = false
    }}
  }}
  sink "file" {{ config = {{ path = {sink} }} }}
}}
api_proxy {{ use_auto_auth_token = true }}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
  require_request_header = true
}}
"""


class VaultAgent:
    """Lives as long as its `with`; there its token's file is written and it proxies.

    Args:
        addr: Vault's URL.
        role_id: of the AppRole that it logs in with.
        secret_id: of the same.
        folder: where it keeps its files.
    """

    def __init__(self, addr: str, role_id: str, secret_id: str, folder: Path) -> None:
        self.port = free_port()
        self.sink = folder / "token"
        self._folder = folder
        files = {"role_id": role_id, "secret_id": secret_id}
        for name, content in files.items():
            (folder / name).write_text(content)
        paths = {name: json.dumps(str(folder / name)) for name in files}
        self._config = CONFIG.format(
            addr=json.dumps(addr), sink=json.dumps(str(self.sink)), port=self.port, **paths
        )

    def __enter__(self) -> Self:
        config = self._folder / "agent.hcl"
        config.write_text(self._config)
        with (self._folder / "agent.log").open("wb") as output:
            self._process = subprocess.Popen(
                [vault_binary(), "agent", f"-config={config}"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"HOME": str(self._folder), "PATH": os.environ["PATH"]},
                cwd=self._folder,
            )
        assert eventually(lambda: self.sink.exists() and self._listens()), self.log()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)

    @property
    def addr(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        """What it printed."""
        return (self._folder / "agent.log").read_text()

    def _listens(self) -> bool:
        time.sleep(0.05)
        try:
            with requests.Session() as session:
                session.trust_env = False
                header = {"X-Vault-Request": "true"}
                return session.get(f"{self.addr}/v1/sys/health", headers=header, timeout=1).ok
        except OSError:
            return False
