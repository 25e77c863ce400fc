"""What the tutorial's application does by itself: log in at Vault, read the secret, ask Flipt."""

import http.client
import json
from urllib.parse import urlsplit

import hvac
from django.conf import settings

FLAG = "show_reverse_greeting"


class Flipt:
    """Flipt over one connection that is kept alive, for one thread at a time.

    The tutorial's PHP client evaluates over REST too. http.client is the least that Python has.
    """

    def __init__(self, host: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(host).netloc, timeout=5)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def is_on(self, flag: str) -> bool:
        question = {"namespaceKey": "default", "flagKey": flag, "entityId": "anonymous"}
        body = json.dumps(question | {"context": {}})
        self._connection.request("POST", "/evaluate/v1/boolean", body, self._headers)
        with self._connection.getresponse() as response:
            return bool(json.load(response)["enabled"])

    def close(self) -> None:
        self._connection.close()


def read_secret() -> dict[str, str]:
    """Host and token of Flipt, with a new client and a new login at Vault."""
    client = hvac.Client(settings.VAULT_ADDR, token="", timeout=10)
    try:
        client.auth.userpass.login(settings.VAULT_USER, settings.VAULT_PASS.reveal())
        mount, _, path = settings.VAULT_SECRET_PATH.partition("/")
        answer = client.secrets.kv.v2.read_secret_version(
            path, mount_point=mount, raise_on_deleted_version=True
        )
    finally:
        client.adapter.close()
    contents: dict[str, str] = answer["data"]["data"]
    return contents
