"""What the environment says becomes settings, and is said once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evidence import PASSWORD
from tests.granian import ROOT, clean_environment

SHOW = """
import json
from django.conf import settings
from django.core.management import call_command
settings.SECRET_KEY
print(json.dumps({
    "DEBUG": settings.DEBUG,
    "SECRET_KEY": settings.SECRET_KEY,
    "ALLOWED_HOSTS": settings.ALLOWED_HOSTS,
    "DATABASE": settings.DATABASES["default"]["NAME"],
    "SECRETS": settings.RESIDENT_SECRETS,
    "FLAGS": settings.RESIDENT_FLAGS,
}, default=str))
"""


def settings(folder: Path = ROOT, /, **variables: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=folder,
        env=clean_environment(PYTHONPATH=str(folder), **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    shown: dict[str, object] = json.loads(done.stdout)
    return shown


def test_a_machine_where_nothing_is_configured_is_a_developers() -> None:
    shown = settings()
    assert shown["DEBUG"] is True
    assert str(shown["DATABASE"]).endswith("db.sqlite3")
    assert "Environment" in str(shown["SECRETS"])
    assert str(shown["FLAGS"]).count("greeting/features.yml") == 1


def test_with_a_secret_key_debug_is_off() -> None:
    assert settings(SECRET_KEY=PASSWORD)["DEBUG"] is False
    assert settings(SECRET_KEY=PASSWORD, DEBUG="on")["DEBUG"] is True


@pytest.mark.parametrize("name", ["VAULT_ADDR", "VAULT_HOST"])
def test_vault_by_either_name(name: str) -> None:
    shown = settings(ROOT, **{name: "http://vault:8200"}, VAULT_USER="me", VAULT_PASS=PASSWORD)
    assert "http://vault:8200" in str(shown["SECRETS"])
    assert PASSWORD not in str(shown)


def test_the_credentials_of_every_login_reach_it_masked() -> None:
    names = ("VAULT_ROLE_ID", "VAULT_SECRET_ID", "VAULT_WRAPPED_SECRET_ID", "VAULT_TOKEN")
    plain = {"VAULT_ROLE": "r", "VAULT_JWT_FILE": "/jwt", "VAULT_TOKEN_FILE": "/token"}
    named = {"VAULT_ADDR": "http://vault", "VAULT_AUTH_METHOD": "jwt", "VAULT_AUTH_MOUNT": "ci"}
    shown = settings(ROOT, **dict.fromkeys(names, PASSWORD), **plain, **named)
    auth = shown["SECRETS"]["OPTIONS"]["auth"]  # type: ignore[index]
    assert {key: value for key, value in auth.items() if value != "**********"} == {
        "method": "jwt",
        "mount": "ci",
        "username": "",
        "token_file": "/token",
        "role": "r",
        "jwt_file": "/jwt",
    }
    assert PASSWORD not in str(shown["SECRETS"])


def test_several_secrets() -> None:
    shown = settings(VAULT_ADDR="http://vault:8200", VAULT_SECRET_PATH="secret/a,secret/b")
    assert shown["SECRETS"]["OPTIONS"]["path"] == ["secret/a", "secret/b"]  # type: ignore[index]


def test_a_dotenv_file_fills_what_the_environment_leaves_open(tmp_path: Path) -> None:
    """Its secrets reach the settings, and not os.environ."""
    (tmp_path / "project").symlink_to(ROOT / "project")
    (tmp_path / "resident").symlink_to(ROOT / "resident")
    copy = tmp_path / "copy"
    (copy / "project").mkdir(parents=True)
    for name in ("__init__.py", "settings.py"):
        (copy / "project" / name).write_text((ROOT / "project" / name).read_text())
    (copy / ".env").write_text(f"SECRET_KEY={PASSWORD}\nALLOWED_HOSTS=a.example,b.example\n")
    shown = settings(copy, ALLOWED_HOSTS="c.example")
    assert shown["SECRET_KEY"] == PASSWORD
    assert shown["ALLOWED_HOSTS"] == ["c.example"]
