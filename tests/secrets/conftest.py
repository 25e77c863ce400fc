from collections.abc import Iterator

import pytest

from tests.evidence import PASSWORD, ROOT_TOKEN
from tests.servers import VaultServer

POLICY = 'path "secret/data/demoapp" { capabilities = ["read"] }'


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    """A Vault with the user demoapp, who may read secret/demoapp."""
    with VaultServer(root_token=ROOT_TOKEN) as server:
        with server.client() as admin:
            admin.sys.create_or_update_policy("demoapp", POLICY)
            admin.sys.enable_auth_method("userpass")
            admin.auth.userpass.create_or_update_user("demoapp", PASSWORD, policies=["demoapp"])
            admin.secrets.kv.v2.create_or_update_secret("demoapp", {"token": "t0ken"})
        yield server
