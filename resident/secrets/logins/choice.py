"""Which login the credentials mean."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resident.exceptions import ConfigurationError
from resident.secrets.logins.agent import Agent
from resident.secrets.logins.approle import Approle
from resident.secrets.logins.cert import Cert
from resident.secrets.logins.jwt import SERVICE_ACCOUNT, Jwt
from resident.secrets.logins.login import Login
from resident.secrets.logins.token import Token, TokenFile
from resident.secrets.logins.userpass import Userpass
from resident.secrets.logins.wrapping import WrappedSecretId, private_folder
from resident.secrets.value import Secret

__all__ = ["login_from"]

VARIABLES = {
    "username": "VAULT_USER",
    "password": "VAULT_PASS",
    "role_id": "VAULT_ROLE_ID",
    "secret_id": "VAULT_SECRET_ID",
    "wrapped_secret_id": "VAULT_WRAPPED_SECRET_ID",
    "token": "VAULT_TOKEN",
    "token_file": "VAULT_TOKEN_FILE",
    "role": "VAULT_ROLE",
    "jwt_file": "VAULT_JWT_FILE",
}
"""The credentials in `auth`, and the variables that people know them by."""

BESIDES = ("method", "mount", "folder")

Auth = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """One login method: what it takes, and what is made of it.

    Attributes:
        make: the login, of credentials that are complete.
        needs: credentials of which all must be there.
        either: credentials of which exactly one must be there.
    """

    make: Callable[[Auth], Login]
    needs: tuple[str, ...] = ()
    either: tuple[str, ...] = ()

    @property
    def takes(self) -> tuple[str, ...]:
        """All its credentials."""
        return (*self.needs, *self.either)

    def is_meant(self, given: Collection[str]) -> bool:
        """Whether one of these credentials is for this method alone; a role is for several."""
        return any(name in given for name in self.takes if name != "role")

    def lacks(self, auth: Auth) -> list[str]:
        """The variables that are missing."""
        missing = [VARIABLES[name] for name in self.needs if not auth.get(name)]
        if self.either and not any(auth.get(name) for name in self.either):
            missing.append(" or ".join(VARIABLES[name] for name in self.either))
        return missing


def login_from(auth: Auth, *, has_certificate: bool = False) -> Login:
    """The login that `OPTIONS["auth"]` of RESIDENT_SECRETS describes.

    Its `method` is named, or follows from the credentials that are there.

    Args:
        auth: `method`, `mount`, `folder`, and the credentials; what is empty counts as absent.
        has_certificate: whether the connection shows a client certificate.

    Raises:
        ConfigurationError: no method, or more than one, is meant; or a credential is missing.
    """
    _refuse_unknown(auth)
    name = auth.get("method") or _inferred(_given(auth), has_certificate)
    if name not in METHODS:
        raise ConfigurationError(
            f"VAULT_AUTH_METHOD is {name!r}, which resident does not know.",
            remedy=f"use one of {', '.join(map(repr, METHODS))}.",
        )
    method = METHODS[name]
    _refuse_both(_given({key: auth.get(key) for key in method.either}))
    _refuse_incomplete(name, method.lacks(auth), _given(auth))
    if name == "cert" and not has_certificate:
        raise _incomplete("VAULT_CLIENT_CERT is", "")
    return method.make(auth)


def _inferred(given: list[str], has_certificate: bool) -> str:
    meant = [name for name, method in METHODS.items() if method.is_meant(given)]
    if "jwt" not in meant and "role" in given:
        meant += ["kubernetes", *(["cert"] if has_certificate else [])]
    if not meant and has_certificate:
        return "cert"
    if not meant:
        raise ConfigurationError(
            "Vault is configured, but no credential is set, so that nobody can log in.",
            remedy="set VAULT_USER and VAULT_PASS, or the variables of another login "
            "(docs/secrets.md), or VAULT_AUTH_METHOD=agent where VAULT_ADDR is that of an agent; "
            "or unset VAULT_ADDR to take secrets from the environment.",
        )
    if len(meant) > 1:
        raise ConfigurationError(
            f"{_listed(given)} {'mean' if given[1:] else 'means'} more than one login: "
            f"{', '.join(meant)}.",
            remedy="set VAULT_AUTH_METHOD to the one to use, or unset the others.",
        )
    return meant[0]


def _refuse_unknown(auth: Auth) -> None:
    for key in auth:
        if key not in VARIABLES and key not in BESIDES:
            raise ConfigurationError(
                f"RESIDENT_SECRETS: auth has {key!r}, which no login takes.",
                remedy=f"use {', '.join(map(repr, [*BESIDES, *VARIABLES]))}.",
            )


def _refuse_both(given: list[str]) -> None:
    if len(given) > 1:
        raise ConfigurationError(
            f"{_listed(given)} are both set, and only one of them can be meant.",
            remedy="unset one of them.",
        )


def _refuse_incomplete(name: str, missing: list[str], given: list[str]) -> None:
    if missing:
        others = [key for key in given if key not in METHODS[name].takes]
        besides = f", while {_listed(others)} {'are' if others[1:] else 'is'}" if others else ""
        raise _incomplete(f"{' and '.join(missing)} {'are' if missing[1:] else 'is'}", besides)


def _incomplete(missing: str, besides: str) -> ConfigurationError:
    return ConfigurationError(
        f"Vault is configured, but {missing} not set{besides}, so that nobody can log in.",
        remedy="set the variables, or name another method in VAULT_AUTH_METHOD, "
        "or unset VAULT_ADDR to take secrets from the environment.",
    )


def _given(auth: Auth) -> list[str]:
    return [key for key in VARIABLES if auth.get(key)]


def _listed(keys: list[str]) -> str:
    *first, last = (VARIABLES[key] for key in keys)
    return f"{', '.join(first)} and {last}" if first else last


def _userpass(auth: Auth) -> Login:
    return Userpass(
        _plain(auth["username"]), _secret(auth["password"]), auth.get("mount") or "userpass"
    )


def _approle(auth: Auth) -> Login:
    secret_id: Secret | WrappedSecretId
    if auth.get("secret_id"):
        secret_id = _secret(auth["secret_id"])
    else:
        folder = Path(auth["folder"]) if auth.get("folder") else private_folder()
        secret_id = WrappedSecretId(_secret(auth["wrapped_secret_id"]), folder)
    return Approle(_plain(auth["role_id"]), secret_id, auth.get("mount") or "approle")


def _token(auth: Auth) -> Login:
    token = auth.get("token")
    return Token(_secret(token)) if token else TokenFile(Path(auth["token_file"]))


def _jwt(auth: Auth) -> Login:
    return Jwt("jwt", auth["role"], Path(auth["jwt_file"]), auth.get("mount") or "jwt")


def _kubernetes(auth: Auth) -> Login:
    file = Path(auth.get("jwt_file") or SERVICE_ACCOUNT)
    return Jwt("kubernetes", auth["role"], file, auth.get("mount") or "kubernetes")


def _cert(auth: Auth) -> Login:
    return Cert(auth.get("role") or "", auth.get("mount") or "cert")


def _agent(_: Auth) -> Login:
    return Agent()


def _plain(value: Any) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(str(value))


METHODS = {
    "userpass": Method(_userpass, needs=("username", "password")),
    "approle": Method(_approle, needs=("role_id",), either=("secret_id", "wrapped_secret_id")),
    "token": Method(_token, either=("token", "token_file")),
    "jwt": Method(_jwt, needs=("role", "jwt_file")),
    "kubernetes": Method(_kubernetes, needs=("role",)),
    "cert": Method(_cert),
    "agent": Method(_agent),
}
