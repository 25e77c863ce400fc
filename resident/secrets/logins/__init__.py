"""How Vault is told who we are: one module per kind of credential.

- `login`: what all of them are
- `userpass`, `approle` (with `wrapping`), `token`, `jwt` (Kubernetes too), `cert`, `agent`
- `choice`: which one the credentials mean
"""

from resident.secrets.logins.choice import login_from
from resident.secrets.logins.login import Login

__all__ = ["Login", "login_from"]
