"""Sets up Vault and Flipt for an application, as the tutorial does by hand.

What is missing is created, what stands is left alone, so it can be run again and again.
It knows no Django; `manage.py provision` is how a project uses it.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any

from resident.exceptions import ProvisionError
from resident.provisioning.features import Namespace, read_features
from resident.provisioning.flipt import ApiToken, FliptManagement
from resident.provisioning.report import Outcome, Step
from resident.provisioning.seeding import seed
from resident.provisioning.targets import FliptTarget, VaultTarget
from resident.provisioning.vault import Contents, StoredSecret, VaultAdministrator

__all__ = ["FliptTarget", "Outcome", "Step", "VaultTarget", "provision"]


def provision(
    vault: VaultTarget | None,
    flipt: FliptTarget | None,
    features: Iterable[Mapping[str, Any]] = (),
) -> Iterator[Step]:
    """Set up both, one step at a time: nothing happens before the first step is asked for.

    Args:
        vault: where the secret goes; None leaves Vault alone, and creates no API token.
        flipt: where the flags go; None leaves Flipt and the secret alone.
        features: the documents of a file in Flipt's declarative format, as YAML reads it.

    Raises:
        ProvisionError: a server can't be reached, refuses, or holds something else where
            this was to be. What was set up until then stands; the next run goes on.
    """
    namespaces = read_features(features)
    for target in (vault, flipt):
        if target:
            target.check()
    with ExitStack() as stack:
        administrator = stack.enter_context(VaultAdministrator(vault)) if vault else None
        management = stack.enter_context(FliptManagement(flipt)) if flipt else None
        _check(administrator, management)
        if administrator:
            yield administrator.mount()
            yield administrator.policy()
            yield administrator.userpass()
            yield administrator.user()
        if management:
            yield from seed(management, namespaces)
        if administrator:
            yield from _secret(administrator, management, namespaces)


def _check(administrator: VaultAdministrator | None, management: FliptManagement | None) -> None:
    """Ask both servers first: better no set-up than half of one."""
    if administrator:
        administrator.check()
    if management:
        management.check()
    if administrator and management:
        management.check_tokens()


def _secret(
    administrator: VaultAdministrator,
    management: FliptManagement | None,
    namespaces: tuple[Namespace, ...],
) -> Iterator[Step]:
    """The secret, and the proof that the application's user reads it."""
    stored = administrator.read_secret()
    if management:
        namespace = namespaces[0].key if namespaces else "default"
        yield from _hand_over(administrator, management, stored, namespace)
    elif stored.data is None:
        yield Step("secret", "skipped", "without Flipt there is nothing to write into it")
        return
    yield administrator.check_login()


def _hand_over(
    administrator: VaultAdministrator,
    management: FliptManagement,
    stored: StoredSecret,
    namespace: str,
) -> list[Step]:
    """Write host and token; a new token only where Flipt takes the one there no longer."""
    open_to_all = management.serves(namespace, None)
    note = "Flipt asks nobody for it: FLIPT_AUTHENTICATION_REQUIRED is off" if open_to_all else ""
    token = ApiToken(stored.token)
    with ExitStack() as undo:
        if token.value and management.serves(namespace, token):
            step = Step("API token of Flipt", "stands", note)
        else:
            token = management.create_token(administrator.username)
            # Otherwise every run that fails here would leave a token that nobody knows.
            undo.callback(_take_back, management, token)
            step = Step("API token of Flipt", "created", note)
        wanted = Contents(management.api_host, token.value)
        written = administrator.write_secret(stored, wanted)
        undo.pop_all()
    return [step, written]


def _take_back(management: FliptManagement, token: ApiToken) -> None:
    with suppress(ProvisionError):
        management.delete_token(token)
