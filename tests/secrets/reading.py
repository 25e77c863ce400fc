"""Reading from Vault as a worker does, and being refused."""

import traceback
from typing import Any

import pytest

from resident.exceptions import SecretsError
from resident.secrets import Secret, Secrets
from resident.secrets.vault import Vault
from tests.evidence import PASSWORD, ROOT_TOKEN, WRONG_PASSWORD

__all__ = ["AUTH", "backend", "plain", "refusal", "told"]

AUTH = {"username": "demoapp", "password": Secret(PASSWORD)}
SECRETS = (PASSWORD, WRONG_PASSWORD, ROOT_TOKEN, "t0ken")


def backend(addr: str, **options: Any) -> Vault:
    """One that does not wait for long."""
    return Vault(**{"addr": addr, "auth": AUTH, "deadline": 1.0, **options})


def refusal(vault: Vault, *secrets: str) -> SecretsError:
    """The error of a read, which tells no secret to a curious reader.

    Args:
        vault: whom to read from; closed afterwards.
        secrets: what must not be found either.
    """
    with pytest.raises(SecretsError) as caught:
        vault.read()
    vault.close()
    text = told(caught.value)
    for secret in (*SECRETS, *secrets):
        assert secret not in text
    return caught.value


def plain(secrets: Secrets) -> dict[str, str]:
    """The values, for all to see."""
    return {key: value.reveal() for key, value in secrets.items()}


def told(error: BaseException | None) -> str:
    """Everything that the error, its contexts and the frames of resident's can be made to say."""
    text = ""
    while error is not None:
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        frames = [str(frame.locals) for frame in found.stack if "/tests/" not in frame.filename]
        text += "\n".join([str(error), repr(error), *frames])
        assert isinstance(error, SecretsError)
        error = error.__context__
    return text
