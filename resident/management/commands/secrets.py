"""Shows what a worker would see of its secrets, and never a value."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from resident.exceptions import ResidentError
from resident.secrets import Secrets
from resident.secrets.state import State
from resident.settings import keys_in
from resident.worker import worker


class Command(BaseCommand):
    """Reads the secrets as a worker does when it starts."""

    help = (
        "Shows the secrets of RESIDENT_SECRETS as a worker would see them: where they are from, "
        "their version, their keys; never a value."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="Exit with status 1 where a key is missing that a setting takes from the secrets.",
        )

    def handle(self, *_: Any, check: bool, **__: Any) -> None:
        failure = None
        try:
            secrets, state = worker.secrets, worker.secrets_state
        except ResidentError as error:
            failure = str(error)
        if failure is not None:
            raise CommandError(failure)
        for line in _told(secrets, state):
            self.stdout.write(line)
        missing = sorted(_wanted() - secrets.keys())
        for key in missing:
            self.stdout.write(f"missing: {key}, which a setting takes from the secrets")
        if missing and check:
            raise CommandError(f"{secrets.place} lacks {', '.join(map(repr, missing))}.")


def _told(secrets: Secrets, state: State) -> Iterator[str]:
    for part in secrets.parts or (secrets,):
        yield f"source: {part.source}"
        yield f"path: {part.path or '-'}"
        yield f"version: {'-' if part.version is None else part.version}"
        yield f"keys: {', '.join(sorted(part)) or '-'}"
    if secrets.parts:
        yield f"keys together: {', '.join(sorted(secrets)) or '-'}"
    yield f"age: {state.age:.1f} s"
    left = "without end" if state.lease_left is None else f"{state.lease_left:.0f} s left"
    yield f"lease: {left}"
    yield f"logins: {state.logins}"


def _wanted() -> set[str]:
    """The keys that settings take from the secrets."""
    # Django warns of some that nobody has set, when they are looked at.
    is_set = settings.is_overridden  # type: ignore[misc] # its stubs lack it
    names = [name for name in dir(settings) if name.isupper() and is_set(name)]
    return {key for name in names for key in keys_in(getattr(settings, name))}
