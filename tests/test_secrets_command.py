"""`manage.py secrets`: what a worker would see, and never a value."""

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from resident.secrets import Secret
from resident.settings import from_secrets
from tests.evidence import PASSWORD
from tests.secrets.reading import AUTH
from tests.servers import VaultServer, free_port

VAULT = "resident.secrets.vault.Vault"
POLICY = 'path "secret/data/*" { capabilities = ["read"] }'


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    with VaultServer() as server:
        with server.client() as admin:
            admin.sys.create_or_update_policy("demoapp", POLICY)
            admin.sys.enable_auth_method("userpass")
            admin.auth.userpass.create_or_update_user(
                "demoapp", PASSWORD, policies=["demoapp"], token_ttl="1h"
            )
            for name in ("demoapp", "mail"):
                values = {f"{name}_user": "u-5e1f", f"{name}_password": "p-77ab"}
                admin.secrets.kv.v2.create_or_update_secret(name, values)
        yield server


def told(*options: str, **settings: Any) -> str:
    output = io.StringIO()
    with override_settings(**settings):
        call_command("secrets", *options, stdout=output)
    return output.getvalue()


def of(vault: VaultServer, **options: Any) -> dict[str, Any]:
    return {"BACKEND": VAULT, "OPTIONS": {"addr": vault.addr, "auth": AUTH, **options}}


def test_shows_source_path_version_keys_and_age(vault: VaultServer) -> None:
    lines = told("--check", RESIDENT_SECRETS=of(vault)).splitlines()
    assert lines[:4] == [
        f"source: Vault at {vault.addr}",
        "path: secret/demoapp",
        "version: 1",
        "keys: demoapp_password, demoapp_user",
    ]
    assert re.fullmatch(r"age: \d\.\d s", lines[4])
    assert re.fullmatch(r"lease: (3600|359\d) s left", lines[5])
    assert lines[6:] == ["logins: 1"]


def test_shows_each_of_several_secrets_and_no_value(vault: VaultServer) -> None:
    text = told(RESIDENT_SECRETS=of(vault, path=["secret/demoapp", "secret/mail"]))
    assert "path: secret/demoapp\nversion: 1" in text
    assert "path: secret/mail\nversion: 1\nkeys: mail_password, mail_user\n" in text
    assert "keys together: demoapp_password, demoapp_user, mail_password, mail_user" in text
    assert "u-5e1f" not in text
    assert "p-77ab" not in text


def test_where_there_is_no_vault() -> None:
    values = {"token": Secret(PASSWORD)}
    text = told(RESIDENT_SECRETS={"OPTIONS": {"values": values}})
    assert text.startswith("source: The environment\npath: -\nversion: -\nkeys: token\n")
    assert "lease: without end" in text


def test_what_a_setting_wants_and_nobody_has() -> None:
    settings = {
        "RESIDENT_SECRETS": {"OPTIONS": {"values": {"token": "t"}}},
        "SHOP": {"keys": [from_secrets("token"), from_secrets("mail_password")]},
    }
    assert "missing: mail_password, which a setting takes" in told(**settings)
    with pytest.raises(CommandError, match="The environment lacks 'mail_password'"):
        told("--check", **settings)


@pytest.mark.parametrize("options", [[], ["--check"]])
def test_what_is_required_and_missing(options: list[str], vault: VaultServer) -> None:
    with pytest.raises(CommandError, match="version 1 has no key 'mail_user'"):
        told(*options, RESIDENT_SECRETS=of(vault, required=["mail_user"]))


def test_what_cannot_be_had() -> None:
    options = {"addr": f"http://127.0.0.1:{free_port()}", "auth": AUTH, "deadline": 0.1}
    with pytest.raises(CommandError, match="cannot be reached") as caught:
        told(RESIDENT_SECRETS={"BACKEND": VAULT, "OPTIONS": options})
    assert caught.value.__context__ is None
