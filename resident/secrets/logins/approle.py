"""AppRole: a role_id, and a secret_id that came as it is, or wrapped."""

from dataclasses import dataclass, field
from typing import Any

import hvac

from resident.secrets.logins.login import Login
from resident.secrets.logins.wrapping import WrappedSecretId
from resident.secrets.value import Secret

__all__ = ["Approle"]


@dataclass(frozen=True)
class Approle(Login):
    """Each worker logs in for itself, and again when its token ends: a secret_id that may be used
    only a few times does not last.
    """

    role_id: str = field(repr=False)
    secret_id: Secret | WrappedSecretId
    mount: str = "approle"

    def __str__(self) -> str:
        return f"approle (auth/{self.mount})"

    def __call__(self, client: hvac.Client) -> Any:
        secret_id = self.secret_id
        if isinstance(secret_id, WrappedSecretId):
            secret_id = secret_id.unwrapped(client)
        return client.auth.approle.login(
            role_id=self.role_id, secret_id=secret_id.reveal(), mount_point=self.mount
        )

    @property
    def remedy(self) -> str:
        wrapped = isinstance(self.secret_id, WrappedSecretId)
        variable = "VAULT_WRAPPED_SECRET_ID" if wrapped else "VAULT_SECRET_ID"
        return (
            f"check VAULT_ROLE_ID and {variable}: the secret_id may have ended, or have been used "
            "as often as its role allows. Each worker uses it once per login."
        )
