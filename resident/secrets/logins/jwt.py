"""A JSON Web Token that the platform gives to this process, as Kubernetes does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac

from resident.secrets.file import read_text
from resident.secrets.logins.login import Login

__all__ = ["SERVICE_ACCOUNT", "Jwt"]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where Kubernetes puts the token of a pod's service account."""


@dataclass(frozen=True)
class Jwt(Login):
    """A role, and the file with the JWT, which is read for each login: platforms write it anew.

    Vault's methods jwt and kubernetes are asked the same; they differ in whom Vault asks.
    """

    method: str
    role: str
    file: Path
    mount: str

    def __str__(self) -> str:
        return f"{self.method} as {self.role!r} (auth/{self.mount})"

    def __call__(self, client: hvac.Client) -> Any:
        jwt = read_text(self.file).strip()
        return client.auth.jwt.jwt_login(role=self.role, jwt=jwt, path=self.mount)

    @property
    def remedy(self) -> str:
        return (
            f"check VAULT_ROLE, and whether auth/{self.mount}/role/{self.role} takes the issuer, "
            f"audience, subject and age of the token in {str(self.file)!r}. "
            f"VAULT_AUTH_METHOD tells jwt from kubernetes."
        )
