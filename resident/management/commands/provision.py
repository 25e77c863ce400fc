"""`manage.py provision`: Vault and Flipt, set up for this project."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError

from resident.conf import conf
from resident.exceptions import ConfigurationError, ResidentError
from resident.flags import dialect, features
from resident.provisioning import FliptTarget, Step, VaultTarget, provision
from resident.provisioning.features import read_features
from resident.secrets import Secret


class Command(BaseCommand):
    """Sets up what is missing, and tells of each thing how it stands."""

    help = (
        "Set up Vault (KV engine, policy, user, secret) and Flipt v1 (flags, API token) as "
        "RESIDENT_PROVISION says. What stands is left alone, so it may be run again and again."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--features",
            metavar="PATH",
            help="the features file that goes into Flipt, instead of the one of the settings",
        )
        skip = parser.add_mutually_exclusive_group()
        skip.add_argument(
            "--skip-vault",
            action="store_true",
            help="set up the flags alone: no API token, which would have no place to go",
        )
        skip.add_argument(
            "--skip-flipt",
            action="store_true",
            help="set up Vault alone, and leave what the secret holds to you",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            for step in _steps(**options):
                self.stdout.write(str(step))
        except ResidentError as error:
            problem = str(error)
        else:
            return
        raise CommandError(problem)


def load_features(path: Path) -> list[dict[str, Any]]:
    """The documents of a features file, checked as strictly as the application does.

    Raises:
        ResidentError: it can't be read, or is not in Flipt's format.
    """
    try:
        documents = dialect.documents(path.read_text(encoding="utf-8"))
    except (OSError, RecursionError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
    else:
        for namespace in read_features(documents):
            features.load(path, namespace=namespace.key)
        return documents
    raise ConfigurationError(
        f"The features file {path} can't be read: {reason}.",
        remedy="Correct the file, or name another with FLIPT_FEATURES or --features.",
    )


def _steps(*, features: str | None, skip_vault: bool, skip_flipt: bool, **_: Any) -> Iterator[Step]:
    """What `provision` yields for the settings; what is skipped need not be set."""
    return provision(
        None if skip_vault else VaultTarget(**_read(_VAULT)),
        None if skip_flipt else FliptTarget(**_read(_FLIPT)),
        [] if skip_flipt else load_features(_features_path(features)),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """One dictionary of RESIDENT_PROVISION: the variables that usually fill its keys."""

    name: str
    required: Mapping[str, str]
    optional: frozenset[str]


_VAULT = _Part(
    "VAULT",
    {
        "addr": "VAULT_ADDR",
        "token": "VAULT_TOKEN, an administrator's",
        "username": "VAULT_USER",
        "password": "VAULT_PASS",
    },
    frozenset({"path", "namespace", "cacert"}),
)
_FLIPT = _Part(
    "FLIPT",
    {"url": "FLIPT_API_HOST", "token": "FLIPT_API_TOKEN, one that may manage flags and tokens"},
    frozenset({"public_url"}),
)


def _read(part: _Part) -> dict[str, Any]:
    """The values that are set, unmasked: they go into the target at once."""
    setting = f"RESIDENT_PROVISION[{part.name!r}]"
    given = conf.provision.get(part.name, {})
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"{setting} is of type {type(given).__name__}.",
            remedy=f"Write it as a dictionary with {', '.join(part.required)}.",
        )
    for key in given.keys() - part.required.keys() - part.optional:
        raise ConfigurationError(
            f"{setting} has a key {key!r}, which means nothing.",
            remedy=f"Its keys are {', '.join(sorted({*part.required, *part.optional}))}.",
        )
    for key, variable in part.required.items():
        if not given.get(key):
            raise ConfigurationError(
                f"{setting}[{key!r}] is not set.",
                remedy=f"Set the environment variable {variable}; or pass "
                f"--skip-{part.name.lower()}, and leave {part.name.title()} as it is.",
            )
    return {key: _revealed(value) for key, value in given.items() if value}


def _revealed(value: Secret | str) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def _features_path(option: str | None) -> Path:
    path = option or conf.provision.get("FEATURES") or conf.features
    if not path:
        raise ConfigurationError(
            "RESIDENT_PROVISION['FEATURES'] is not set, so there are no flags for Flipt.",
            remedy="Set the environment variable FLIPT_FEATURES, or pass --features PATH.",
        )
    return Path(path)
