"""Management commands need no server: nothing is opened until it is used."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.evidence import PASSWORD, Evidence
from tests.granian import ROOT, clean_environment
from tests.servers import free_port


def manage(
    evidence: Evidence, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    evidence.keep(f"manage.py {arguments[0]}", done.stdout + done.stderr)
    return done


@pytest.fixture
def vault_is_away(tmp_path: Path) -> dict[str, str]:
    return {
        "VAULT_ADDR": f"http://127.0.0.1:{free_port()}",
        "VAULT_USER": "demoapp",
        "VAULT_PASS": PASSWORD,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
    }


@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("migrate", "--verbosity", "0"),
        ("collectstatic", "--noinput", "--dry-run", "--verbosity", "0"),
        ("shell", "-c", "import resident.flags"),
    ],
)
def test_a_command_works_while_vault_is_away(
    command: tuple[str, ...], vault_is_away: dict[str, str], evidence: Evidence
) -> None:
    done = manage(evidence, *command, **vault_is_away)
    assert done.returncode == 0, done.stderr
    assert "opened" not in done.stderr


def test_what_a_command_uses_is_opened_then(
    vault_is_away: dict[str, str], evidence: Evidence
) -> None:
    ask = "from resident.flags import flag_enabled; print(flag_enabled('show_reverse_greeting'))"
    done = manage(evidence, "shell", "-c", ask, **{**vault_is_away, "VAULT_DEADLINE": "0.5"})
    assert "False" in done.stdout, "a flag gives its default, whatever is away"
    assert "cannot be reached" in done.stderr
    done = manage(evidence, "shell", "-c", ask)
    assert "False" in done.stdout
    assert "flags closed" in done.stderr, "and closed when the command ends"


def test_without_a_secret_key_debug_must_be_on(evidence: Evidence) -> None:
    done = manage(evidence, "check", DEBUG="off")
    assert done.returncode != 0
    assert "SECRET_KEY is not set, and DEBUG is off" in done.stderr
