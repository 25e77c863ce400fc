"""`manage.py provision`, with the settings of a project."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from resident.secrets import Secret
from resident.testing import FakeFlipt
from tests.evidence import BOOTSTRAP_TOKEN, PASSWORD, ROOT_TOKEN, WRONG_PASSWORD, Evidence
from tests.provisioning.conftest import EmptyVault
from tests.provisioning.discretion import SECRETS
from tests.servers import VaultServer, free_port

PROJECT = Path(__file__).parents[2]
FEATURES = PROJECT / "greeting" / "features.yml"

Configure = Callable[..., None]


@pytest.fixture
def configure(settings: Any, vault: EmptyVault, flipt: FakeFlipt) -> Configure:
    """Sets RESIDENT_PROVISION for these two servers, with some values changed."""

    def configure(
        vault_changes: dict[str, Any] | None = None, flipt_changes: dict[str, Any] | None = None
    ) -> None:
        settings.RESIDENT_PROVISION = {
            "VAULT": {
                "addr": vault.server.addr,
                "token": Secret(ROOT_TOKEN),
                "path": "secret/demoapp",
                "username": "demoapp",
                "password": Secret(PASSWORD),
                "namespace": vault.namespace,
                **(vault_changes or {}),
            },
            "FLIPT": {"url": flipt.url, "token": Secret(BOOTSTRAP_TOKEN), **(flipt_changes or {})},
            "FEATURES": FEATURES,
        }

    configure()
    return configure


def command(*options: str) -> str:
    """What the command prints."""
    output = io.StringIO()
    call_command("provision", *options, stdout=output)
    return output.getvalue()


def refusal(*options: str) -> str:
    """What the command ends with; it tells no secret and hides no exception that would."""
    with pytest.raises(CommandError) as caught:
        command(*options)
    assert caught.value.__context__ is None
    for secret in SECRETS:
        assert secret not in str(caught.value)
    return str(caught.value)


def outcomes(output: str) -> set[str]:
    return {line.split()[0] for line in output.splitlines()}


@pytest.mark.usefixtures("configure")
class TestRuns:
    def test_each_step_is_one_aligned_line(self, vault: EmptyVault, flipt: FakeFlipt) -> None:
        lines = command().splitlines()
        assert lines[:3] == [
            "created  KV v2 engine at secret/",
            "created  policy demoapp",
            "created  auth method userpass",
        ]
        assert lines[-1] == "stands   login of demoapp reads secret/demoapp"
        assert {line[8] for line in lines} == {" "}
        assert vault.secret()["flipt_api_host"] == flipt.url
        assert flipt.document()["flags"][0]["key"] == "show_reverse_greeting"

    def test_a_second_run_changes_nothing_and_switches_nothing_off(self, flipt: FakeFlipt) -> None:
        command()
        flipt.enable("show_reverse_greeting")
        output = command()
        assert outcomes(output) == {"stands", "differs"}
        assert (
            "differs  flag show_reverse_greeting"
            " (enabled true in Flipt, false in the file; left alone)"
        ) in output.splitlines()
        assert flipt.document()["flags"][0]["enabled"] is True

    def test_nothing_printed_tells_a_secret(self, vault: EmptyVault, evidence: Evidence) -> None:
        output = command() + command()
        token = evidence.secret(vault.secret()["flipt_api_token"])
        for secret in (*SECRETS, token):
            assert secret not in output

    def test_another_features_file(self, flipt: FakeFlipt, tmp_path: Path) -> None:
        path = tmp_path / "features.yml"
        path.write_text("flags: [{key: other, name: Other, type: BOOLEAN_FLAG_TYPE}]")
        assert "created  flag other" in command("--features", str(path)).splitlines()
        assert [flag["key"] for flag in flipt.document()["flags"]] == ["other"]

    def test_flags_alone(self, vault: EmptyVault, settings: Any) -> None:
        del settings.RESIDENT_PROVISION["VAULT"]
        output = command("--skip-vault")
        assert "created  flag show_reverse_greeting" in output.splitlines()
        assert vault.writes() == []

    def test_vault_alone(self, flipt: FakeFlipt, settings: Any) -> None:
        del settings.RESIDENT_PROVISION["FLIPT"]
        del settings.RESIDENT_PROVISION["FEATURES"]
        assert "skipped  secret" in command("--skip-flipt")
        assert flipt.requests == []

    def test_the_features_file_of_the_flags_where_none_is_named(
        self, flipt: FakeFlipt, settings: Any
    ) -> None:
        del settings.RESIDENT_PROVISION["FEATURES"]
        settings.RESIDENT_FLAGS = {"FEATURES": str(FEATURES)}
        command("--skip-vault")
        assert flipt.document()["flags"][0]["key"] == "show_reverse_greeting"


class TestSettings:
    def test_plain_strings_do_as_well(self, configure: Configure) -> None:
        configure({"token": ROOT_TOKEN, "password": PASSWORD}, {"token": BOOTSTRAP_TOKEN})
        assert "stands   login of demoapp" in command()

    @pytest.mark.parametrize(
        ("key", "variable"),
        [
            ("addr", "VAULT_ADDR"),
            ("token", "VAULT_TOKEN"),
            ("username", "VAULT_USER"),
            ("password", "VAULT_PASS"),
        ],
    )
    @pytest.mark.parametrize("nothing", ["", None, Secret("")])
    def test_what_is_missing_for_vault_is_named(
        self, configure: Configure, key: str, variable: str, nothing: object
    ) -> None:
        configure({key: nothing})
        text = refusal()
        assert f"RESIDENT_PROVISION['VAULT'][{key!r}] is not set" in text
        assert f"environment variable {variable}" in text
        assert "--skip-vault" in text

    @pytest.mark.parametrize(("key", "variable"), [("url", "HOST"), ("token", "TOKEN")])
    def test_what_is_missing_for_flipt_is_named(
        self, configure: Configure, key: str, variable: str
    ) -> None:
        configure(None, {key: ""})
        text = refusal()
        assert f"RESIDENT_PROVISION['FLIPT'][{key!r}] is not set" in text
        assert f"environment variable FLIPT_API_{variable}" in text

    def test_nothing_set_at_all(self, settings: Any) -> None:
        settings.RESIDENT_PROVISION = {}
        assert "RESIDENT_PROVISION['VAULT']['addr'] is not set" in refusal()

    def test_no_features(self, configure: Configure, settings: Any) -> None:
        configure()
        del settings.RESIDENT_PROVISION["FEATURES"]
        settings.RESIDENT_FLAGS = {}
        assert "set the environment variable flipt_features" in refusal().lower()

    def test_a_key_that_means_nothing(self, configure: Configure) -> None:
        configure({"pasword": WRONG_PASSWORD})
        text = refusal()
        assert "RESIDENT_PROVISION['VAULT'] has a key 'pasword'" in text
        assert "addr, cacert, namespace, password, path, token, username" in text

    def test_a_part_that_is_no_dictionary(self, configure: Configure, settings: Any) -> None:
        configure()
        settings.RESIDENT_PROVISION["FLIPT"] = BOOTSTRAP_TOKEN
        assert "RESIDENT_PROVISION['FLIPT'] is of type str" in refusal()

    def test_both_can_not_be_skipped(self) -> None:
        with pytest.raises(CommandError, match="not allowed with argument"):
            command("--skip-vault", "--skip-flipt")


@pytest.mark.usefixtures("configure")
class TestFeaturesFile:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"flags: [", "can't be read"),
            (b"\xff", "can't be read"),
            (b"- flags", "a document that can't be read"),
            (b"flags: [{key: a, name: A, tpye: x}]", "is not in Flipt's format: flags.0.tpye"),
        ],
    )
    def test_one_that_flipt_would_refuse_is_refused_before_anything_is_asked(
        self, content: bytes, words: str, tmp_path: Path, flipt: FakeFlipt
    ) -> None:
        path = tmp_path / "features.yml"
        path.write_bytes(content)
        assert words in refusal("--features", str(path))
        assert flipt.requests == []

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        path = tmp_path / "features.yml"
        assert f"The features file {path} can't be read" in refusal("--features", str(path))

    def test_one_without_anything(self, tmp_path: Path) -> None:
        path = tmp_path / "features.yml"
        path.write_text("")
        assert "login of demoapp" in command("--features", str(path))


class TestRefusals:
    def test_what_a_server_refuses_is_told_without_a_traceback(self, configure: Configure) -> None:
        configure({"token": Secret(WRONG_PASSWORD)})
        text = refusal()
        assert "refuses the administrator's token" in text
        assert "Tried: looking up the administrator's token" in text
        assert "To do: Set VAULT_TOKEN" in text

    @pytest.mark.usefixtures("configure")
    def test_what_was_done_until_then_is_printed(self, flipt: FakeFlipt) -> None:
        flipt.misbehave(503, path="/api/v1/namespaces/default/flags")
        output = io.StringIO()
        with pytest.raises(CommandError, match="answers 503"):
            call_command("provision", stdout=output)
        assert output.getvalue().splitlines()[-1] == "created  constraints of segment staff"

    def test_from_a_shell(self, vault_server: VaultServer, evidence: Evidence) -> None:
        """As a developer runs it: with variables of the environment, in a process of its own."""
        with FakeFlipt(token=BOOTSTRAP_TOKEN) as flipt:
            variables = {
                "VAULT_ADDR": vault_server.addr,
                "VAULT_TOKEN": ROOT_TOKEN,
                "VAULT_USER": "demoapp",
                "VAULT_PASS": PASSWORD,
                "FLIPT_API_HOST": flipt.url,
                "FLIPT_API_TOKEN": BOOTSTRAP_TOKEN,
                "DEBUG": "true",
            }
            done = self.shell(variables)
            again = self.shell(variables)
            lost = self.shell(variables | {"VAULT_ADDR": f"http://127.0.0.1:{free_port()}"})
        evidence.keep("provision", done.stdout + again.stdout + lost.stderr)
        assert (done.returncode, again.returncode) == (0, 0)
        assert "created  flag show_reverse_greeting" in done.stdout
        assert outcomes(again.stdout) == {"stands"}
        assert lost.returncode == 1
        assert "Traceback" not in lost.stderr
        assert lost.stderr.startswith("CommandError: Vault at http://127.0.0.1:")

    def shell(self, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(
            [sys.executable, "-W", "error", "manage.py", "provision"],
            cwd=PROJECT,
            env={**kept, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
