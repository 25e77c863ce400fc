"""The client certificate of the TLS connection."""

from dataclasses import dataclass
from typing import Any

import hvac

from resident.secrets.logins.login import Login

__all__ = ["Cert"]


@dataclass(frozen=True)
class Cert(Login):
    """The certificate that is shown anyway; the role is for a Vault that has several for it."""

    role: str = ""
    mount: str = "cert"

    def __str__(self) -> str:
        role = f" as {self.role!r}" if self.role else ""
        return f"the client certificate{role} (auth/{self.mount})"

    def __call__(self, client: hvac.Client) -> Any:
        # hvac's own would have the files once more, and look for them itself.
        role = {"name": self.role} if self.role else {}
        return client.adapter.login(f"/v1/auth/{self.mount}/login", json=role)

    @property
    def remedy(self) -> str:
        return (
            "check VAULT_CLIENT_CERT and VAULT_CLIENT_KEY, and whether a role in "
            f"auth/{self.mount}/certs takes the certificate, its authority and its age."
        )
