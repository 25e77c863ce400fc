"""What a worker keeps secret. Nothing here knows Django; `resident.resources` ties it in.

- `value`: one string, masked
- `contents`: the values of one secret, with the place and the version they came from
- `vault` (with `kv`), `files`, `environment`: backends, which read such contents
- `mask`, `records`: values that others show, blotted out
- `logins`: how Vault is told who we are; `tenancy`: the token that comes of it
- `keeper`: the thread that follows all that; `lease`: when; `state`: how it goes
"""

from resident.secrets.backend import SecretsBackend
from resident.secrets.contents import MissingKeyError, Secrets
from resident.secrets.value import Secret

__all__ = ["MissingKeyError", "Secret", "Secrets", "SecretsBackend"]
