"""Settings whose values are secrets: asked for when they are used, and followed."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core import signing
from django.test import override_settings
from django.utils.encoding import force_bytes

from resident.secrets import MissingKeyError, Secret, Secrets
from resident.settings import FromSecrets, from_secrets, keys_in
from resident.worker import secrets, worker
from tests.evidence import PASSWORD
from tests.granian import ROOT, clean_environment

OPTIONS = {"OPTIONS": {"values": {"secret_key": PASSWORD}}}


@pytest.fixture
def key() -> Iterator[Any]:
    with override_settings(RESIDENT_SECRETS=OPTIONS, SECRET_KEY=from_secrets("secret_key")):
        yield settings.SECRET_KEY


def test_is_asked_when_it_is_used_and_not_before(key: Any) -> None:
    assert key
    assert repr(key) == "from_secrets('secret_key')"
    assert not worker.is_open(secrets)
    assert str(key) == PASSWORD
    assert worker.is_open(secrets)


def test_does_what_a_str_does(key: Any) -> None:
    assert isinstance(key, str)
    assert key == PASSWORD
    assert key != "another"
    assert hash(key) == hash(PASSWORD)
    assert force_bytes(key) == PASSWORD.encode() == key.encode()
    assert (len(key), key[:4], list(key)[:2]) == (len(PASSWORD), "pass", ["p", "a"])
    assert "word" in key
    assert key.startswith("pass-")
    assert key + "!" == f"{PASSWORD}!"
    assert "!" + key == f"!{PASSWORD}"
    with pytest.raises(AttributeError):
        key.no_such_method()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        key._private  # type: ignore[attr-defined] # noqa: B018


def test_shows_itself_to_nobody_who_does_not_ask(key: Any) -> None:
    str(key)
    shown = f"{key} {key!r} {[key]} {key:>20}"
    assert PASSWORD not in shown + repr(dir(key)) + repr(pickle.dumps(key))
    with pytest.raises(AttributeError, match="does not change"):
        key.key = "other"


def test_is_copied_as_it_is(key: Any) -> None:
    assert copy.copy(key) is key
    assert copy.deepcopy({"a": key})["a"] is key
    again = pickle.loads(pickle.dumps(key))  # noqa: S301 - it was made a moment ago
    assert (type(again), again == key) == (FromSecrets, True)


def test_django_signs_with_the_latest(key: Any) -> None:
    signed = signing.dumps("basket")
    assert signing.loads(signed) == "basket"
    with worker.stay():
        worker.take_up(Secrets({"secret_key": Secret("rotated")}, source="The test"))
        with pytest.raises(signing.BadSignature):
            signing.loads(signed)
    with override_settings(SECRET_KEY_FALLBACKS=[PASSWORD]):
        assert signing.loads(signed) == "basket"


def test_a_key_that_is_missing_is_named() -> None:
    with (
        override_settings(RESIDENT_SECRETS=OPTIONS),
        pytest.raises(MissingKeyError, match="has no key 'sekret'"),
    ):
        str(from_secrets("sekret"))


def test_finds_the_keys_that_settings_take() -> None:
    nested = {"a": [from_secrets("one"), "x"], "b": ({"c": from_secrets("two")}, {3})}
    assert list(keys_in(nested)) == ["one", "two"]


SITE = """
from resident.settings import from_secrets

SECRET_KEY = from_secrets("secret_key")
INSTALLED_APPS = ["resident", "django.contrib.staticfiles"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "PASSWORD": from_secrets("database_password"),
    }
}
MIDDLEWARE = ["resident.middleware.ResetStateMiddleware"]
STATIC_ROOT = "static"
STATIC_URL = "/static/"
RESIDENT_SECRETS = {
    "BACKEND": "resident.secrets.vault.Vault",
    "OPTIONS": {"addr": "http://127.0.0.1:1", "auth": {"username": "u", "password": "p"}},
}
"""


OPTIONS_OF = {"collectstatic": ["--noinput"]}


@pytest.mark.parametrize("command", ["check", "diffsettings", "collectstatic"])
def test_a_command_that_uses_no_secret_needs_no_vault(command: str, tmp_path: Any) -> None:
    (tmp_path / "site_settings.py").write_text(SITE)
    environment = clean_environment(
        DJANGO_SETTINGS_MODULE="site_settings", PYTHONPATH=f"{tmp_path}:{ROOT}"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", command, *OPTIONS_OF.get(command, [])],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "secrets" not in done.stderr, "nothing was opened, and nothing failed to be"
