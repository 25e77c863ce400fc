"""Secrets that came with the process's environment, for where there is no Vault."""

from collections.abc import Collection, Mapping

from resident.exceptions import ConfigurationError
from resident.secrets.contents import Secrets
from resident.secrets.value import Secret


class Environment:
    """Serves what the settings read from the environment; lives as long as the worker.

    Args:
        values: the secret's keys and values; a key whose value is empty counts as absent.
        required: keys without which the worker must not start.
    """

    def __init__(
        self, *, values: Mapping[str, Secret | str | None], required: Collection[str] = ()
    ) -> None:
        self._values = {key: _masked(key, value) for key, value in values.items() if value}
        self._required = required

    def read(self) -> Secrets:
        """The values. Raises `MissingKeyError` where a required one is absent."""
        secrets = Secrets(self._values, source="The environment")
        secrets.require(self._required)
        return secrets

    def close(self) -> None:
        """There is nothing to close."""


def _masked(key: str, value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return Secret(value)
    raise ConfigurationError(
        f"RESIDENT_SECRETS: the value of {key!r} is of type {type(value).__name__}, not a string.",
        remedy="give a str or a resident.secrets.Secret.",
    )
