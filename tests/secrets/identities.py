"""Who a worker may be to a real Vault: how each login is set up there, and what it logs in with.

All are let in as demoapp, with the policy demoapp.
"""

import time
from pathlib import Path
from typing import Any

import jwt
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.secrets.tokenreview import TokenReview
from tests.servers import VaultServer

__all__ = [
    "ACCOUNT",
    "Role",
    "certified",
    "let_in_accounts",
    "let_in_signed",
    "new_key",
    "service_account",
    "signed",
]

ROLE = "auth/approle/role/demoapp"
ACCOUNT = ("shop", "web")
"""Namespace and name of the service account that Vault lets in."""


class Role:
    """The AppRole demoapp of a Vault; lives as long as that."""

    def __init__(self, server: VaultServer, **options: Any) -> None:
        self._server = server
        with server.client() as admin:
            admin.sys.enable_auth_method("approle")
            admin.write_data(ROLE, data={"token_policies": ["demoapp"], **options})
            self.role_id = str(admin.read(f"{ROLE}/role-id")["data"]["role_id"])

    def secret_id(self) -> str:
        with self._server.client() as admin:
            return str(admin.write_data(f"{ROLE}/secret-id")["data"]["secret_id"])

    def wrapped(self) -> str:
        """A token that wraps a secret_id."""
        with self._server.client() as admin:
            answer = admin.write_data(f"{ROLE}/secret-id", wrap_ttl="5m")
            return str(answer["wrap_info"]["token"])


def new_key() -> rsa.RSAPrivateKey:
    """What a platform signs with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def let_in_signed(server: VaultServer, key: rsa.RSAPrivateKey) -> None:
    """Let in who has a token that is `signed` with the key."""
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault"}
    with server.client() as admin:
        admin.sys.enable_auth_method("jwt")
        admin.auth.jwt.configure(jwt_validation_pubkeys=[public.decode()])
        admin.write_data("auth/jwt/role/demoapp", data={**role, "token_policies": ["demoapp"]})


def signed(key: rsa.RSAPrivateKey, audience: str = "vault") -> str:
    """A token of a platform's, good for a minute."""
    claims = {"sub": "shop", "aud": audience, "exp": int(time.time()) + 60}
    return str(jwt.encode(claims, key, algorithm="RS256"))


def let_in_accounts(server: VaultServer, api: TokenReview, reviewer: str) -> None:
    """Let in the service account, whom Vault asks this API about.

    Args:
        server: the Vault.
        api: the cluster's.
        reviewer: the token that Vault asks with.
    """
    config = {"kubernetes_host": api.addr, "kubernetes_ca_cert": api.cacert}
    namespace, name = ACCOUNT
    with server.client() as admin:
        admin.sys.enable_auth_method("kubernetes")
        admin.write_data("auth/kubernetes/config", data={**config, "token_reviewer_jwt": reviewer})
        admin.auth.kubernetes.create_role(
            "demoapp",
            bound_service_account_names=[name],
            bound_service_account_namespaces=[namespace],
            policies=["demoapp"],
        )


def service_account(key: rsa.RSAPrivateKey) -> str:
    """The token of the service account, as Kubernetes gives it to a pod."""
    about = "kubernetes.io/serviceaccount"
    namespace, name = ACCOUNT
    claims = {
        "iss": about.replace(".io", ""),
        "sub": f"system:serviceaccount:{namespace}:{name}",
        f"{about}/namespace": namespace,
        f"{about}/service-account.name": name,
        f"{about}/service-account.uid": f"uid-of-{name}",
    }
    return str(jwt.encode(claims, key, algorithm="RS256"))


def certified(server: VaultServer, folder: Path) -> dict[str, str]:
    """A certificate that a Vault with TLS lets in, and its key: options of the backend."""
    authority = trustme.CA()
    identity = authority.issue_cert("worker.shop.example", common_name="worker")
    paths = {name: str(folder / f"{name}.pem") for name in ("client_cert", "client_key")}
    identity.cert_chain_pems[0].write_to_path(paths["client_cert"])
    identity.private_key_pem.write_to_path(paths["client_key"])
    certificate = authority.cert_pem.bytes().decode()
    with server.client() as admin:
        admin.sys.enable_auth_method("cert")
        admin.write_data(
            "auth/cert/certs/demoapp",
            data={"certificate": certificate, "token_policies": ["demoapp"]},
        )
    return {"cacert": server.cacert, **paths}
