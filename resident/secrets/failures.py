"""What Vault's refusals and absences mean, and which of them may pass.

hvac's and requests' exceptions hold the token and the password, so that none of them leaves this
package: each becomes a `SecretsError` of our own words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from hvac import exceptions as vault

from resident.exceptions import SecretsError
from resident.transport import NoHttp, Redirected, TooLarge

__all__ = ["EXPECTED", "INTERNAL_ERROR", "REFUSED", "Step"]

INTERNAL_ERROR = "internal error"
REFUSED = "refused"
"""The kind of error where Vault itself said no: to the login, or to the token."""

# What hvac stumbles over where an answer is not Vault's: HTML with status 200, odd JSON, or JSON
# of too many levels.
NOT_VAULTS = (
    AttributeError,
    LookupError,
    NoHttp,
    RecursionError,
    TypeError,
    requests.JSONDecodeError,
)

LONGEST_LEASE = 2**40
"""Seconds, which are more than anybody waits for, and can be counted with."""

# requests raises an OSError of its own where a certificate's file is missing.
EXPECTED = (vault.VaultError, requests.RequestException, OSError, *NOT_VAULTS)


@dataclass(frozen=True)
class Step:
    """One step on the way to a secret, and what to say where it fails.

    Attributes:
        addr: Vault's URL.
        answer_has: the part of Vault's answer that the step is for.
        tried: what the step does: "to log in with …".
        refused: what Vault does when it says no: "refuses the login with …".
        remedy: what to check then.
    """

    addr: str
    answer_has: str
    tried: str
    refused: str
    remedy: str

    def ask(self, call: Callable[[], Any]) -> dict[str, Any]:
        """What Vault answers to this step. Raises `SecretsError`, which has no context."""
        failure, answer = None, None
        try:
            answer = call()
        except EXPECTED as error:
            failure = self.failure(error)
        if failure is None and not self.is_answer(answer):
            answer, failure = None, self.not_vault()
        if failure is not None:
            # Raised out here, where it has no context: what hvac raised ends in the line above.
            raise failure
        return answer  # type: ignore[return-value]

    def is_answer(self, answer: object) -> bool:
        """Whether this is what Vault answers; hvac gives anything that came with status 200."""
        part = answer.get(self.answer_has) if isinstance(answer, dict) else None
        return isinstance(part, dict) and (self.answer_has != "auth" or _is_auth(part))

    def failure(self, error: Exception) -> SecretsError:
        """What the error means for this step."""
        if isinstance(error, vault.InvalidRequest | vault.Forbidden):
            return self._error(REFUSED, self.refused, self.remedy)
        if isinstance(error, NOT_VAULTS):
            return self.not_vault()
        for raised, kind, meaning, remedy in _FOR_GOOD:
            if isinstance(error, raised):
                return self._error(kind, meaning, remedy)
        for raised, kind, meaning in _PASSING:
            if isinstance(error, raised):
                return self._error(kind, meaning, _WAIT, passing=True)
        return self._error(
            "misconfigured",
            f"cannot be asked ({type(error).__name__})",
            "check VAULT_ADDR, and the files of VAULT_CACERT, VAULT_CLIENT_CERT and "
            "VAULT_CLIENT_KEY.",
        )

    def not_vault(self) -> SecretsError:
        """The error for an answer that is not Vault's."""
        return self._error(
            "not Vault",
            "is something else: what it answers is not Vault's JSON",
            "check VAULT_ADDR: it is the URL of Vault itself, without a path.",
        )

    def _error(
        self, kind: str, meaning: str, remedy: str, *, passing: bool = False
    ) -> SecretsError:
        problem = f"Vault at {self.addr} {meaning}."
        return SecretsError(problem, kind=kind, tried=self.tried, remedy=remedy, passing=passing)


def _is_auth(auth: dict[str, Any]) -> bool:
    """Whether a token and its lease are what they have to be; an agent's token is empty."""
    token, seconds = auth.get("client_token"), auth.get("lease_duration", 0)
    return (
        isinstance(token, str)
        and (token.isascii() and token.isprintable() and " " not in token)
        and (isinstance(seconds, int) and not isinstance(seconds, bool))
        and 0 <= seconds < LONGEST_LEASE
        and isinstance(auth.get("renewable", False), bool)
        and isinstance(auth.get("token_type", ""), str)
    )


_FOR_GOOD: tuple[tuple[type[Exception], str, str, str], ...] = (
    (
        vault.InvalidPath,
        "not found",
        "has no such secret, or its latest version is deleted",
        "write the secret, or correct VAULT_SECRET_PATH (mount/path).",
    ),
    (
        requests.exceptions.SSLError,
        "untrusted",
        "does not prove who it is: the TLS certificate is not trusted here",
        "set VAULT_CACERT to the certificate's CA, and VAULT_ADDR to a host that it names.",
    ),
    (
        Redirected,
        "redirected",
        "redirects elsewhere, and credentials are not sent elsewhere",
        "set VAULT_ADDR to the address that answers by itself.",
    ),
    (
        TooLarge,
        "too large",
        "sends more than a secret may have",
        "store less under this path, or raise max_bytes in RESIDENT_SECRETS['OPTIONS'].",
    ),
)

_WAIT = (
    "check that Vault runs and is unsealed, and that VAULT_ADDR is its address as seen from here."
)

_PASSING: tuple[tuple[type[Exception], str, str], ...] = (
    (vault.VaultDown, "sealed", "is sealed, or not ready to serve"),
    (vault.VaultNotInitialized, "not initialized", "is not initialized"),
    (vault.RateLimitExceeded, "rate limit", "has its rate limit exceeded"),
    (vault.InternalServerError, INTERNAL_ERROR, "has an internal error"),
    (vault.BadGateway, "gateway", "cannot be reached by the gateway before it"),
    (vault.UnexpectedError, "unexpected status", "answers with an unexpected status"),
    (requests.Timeout, "timeout", "does not answer in time"),
    (requests.exceptions.ChunkedEncodingError, "cut off", "cuts its answer off"),
    (requests.ConnectionError, "unreachable", "cannot be reached"),
)
