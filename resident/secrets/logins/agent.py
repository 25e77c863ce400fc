"""No credential at all: an agent stands between, and logs in for us."""

from dataclasses import dataclass
from typing import Any

import hvac

from resident.secrets.logins.login import Login

__all__ = ["Agent"]


@dataclass(frozen=True)
class Agent(Login):
    """VAULT_ADDR is that of a Vault Agent or Vault Proxy, which adds its own token."""

    def __str__(self) -> str:
        return "the agent at VAULT_ADDR"

    def __call__(self, client: hvac.Client) -> Any:  # noqa: ARG002 - there is nobody to ask
        return {
            "auth": {
                "client_token": "",
                "lease_duration": 0,
                "renewable": False,
                "token_type": "agent",
            }
        }

    @property
    def remedy(self) -> str:
        return "check that the agent at VAULT_ADDR is logged in, and proxies with its own token."

    @property
    def owns_token(self) -> bool:
        return False
