"""What a server gets: an open worker, or one message and no worker."""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext

import pytest
from django.test import RequestFactory, override_settings

from resident.apps import ResidentConfig
from resident.isolation.context import IsolatedApplication
from resident.worker import secrets, worker
from resident.wsgi import get_wsgi_application
from tests.evidence import PASSWORD, Evidence
from tests.granian import ROOT, Granian, clean_environment
from tests.servers import free_port


def test_the_application_comes_with_an_open_worker() -> None:
    application = get_wsgi_application()
    assert isinstance(application, IsolatedApplication)
    assert worker.is_open(secrets)
    environ = RequestFactory().get("/health/live").environ
    environ["wsgi.file_wrapper"] = object()
    statuses: list[str] = []
    body = application(environ, lambda status, headers: statuses.append(status))
    assert b"".join(body) == b'{"status": "live"}'
    body.close()  # type: ignore[attr-defined]
    assert statuses == ["200 OK"]
    assert "wsgi.file_wrapper" not in environ


def test_a_plain_list_is_a_body_too() -> None:
    application = IsolatedApplication(lambda environ, start_response: [b"plain"])
    body = application({}, lambda *_: None)
    assert list(body) == [b"plain"]
    body.close()  # type: ignore[attr-defined]


def test_no_worker_without_its_resources(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        override_settings(RESIDENT_RESOURCES=["shop.search"]),
        pytest.raises(SystemExit) as caught,
    ):
        get_wsgi_application()
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("resident: this worker does not start.\n  RESIDENT_RESOURCES names")
    assert not worker.is_open(secrets)


def test_no_worker_without_settings(evidence: Evidence) -> None:
    with Granian(evidence, {"DEBUG": "off"}) as granian:
        assert granian.ends() == 1
        log = granian.log()
    assert "SECRET_KEY is not set, and DEBUG is off" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(("module", "heeded"), [("granian.server.common", True), ("shop", False)])
def test_the_handlers_of_granians_main_process_are_not_a_workers(module: str, heeded: bool) -> None:
    def noted(number: int, frame: object) -> None:
        """Take a note of the signal."""

    noted.__module__ = module
    before = signal.signal(signal.SIGTERM, noted)
    try:
        get_wsgi_application()
        with pytest.raises(SystemExit) if heeded else nullcontext() as caught:
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught is None or caught.value.code == 128 + signal.SIGTERM


class TestReady:
    def config(self) -> ResidentConfig:
        import resident  # noqa: PLC0415 - the module that an AppConfig takes

        return ResidentConfig("resident", resident)

    def test_opens_the_worker_where_the_process_serves(self) -> None:
        self.config().ready()
        assert not worker.is_open(secrets)
        worker.serves = True
        self.config().ready()
        assert worker.is_open(secrets)

    @pytest.mark.parametrize(
        ("argv", "child", "withdrawn"),
        [
            (["manage.py", "runserver"], "", False),
            (["manage.py", "runserver"], "true", True),
            (["manage.py", "runserver", "--noreload"], "", True),
            (["manage.py", "migrate"], "true", False),
        ],
    )
    def test_withdraws_credentials_where_runserver_serves(
        self, argv: list[str], child: str, withdrawn: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", argv)
        monkeypatch.setenv("RUN_MAIN", child)
        monkeypatch.setenv("VAULT_PASS", PASSWORD)
        self.config().ready()
        assert ("VAULT_PASS" not in os.environ) is withdrawn


def test_credentials_are_in_no_request(evidence: Evidence) -> None:
    """Each request gets a copy of the environment from granian."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.meta_settings",
        "SECRET_KEY": PASSWORD,
        "VAULT_PASS": PASSWORD,
        "FLIPT_API_TOKEN": PASSWORD,
        "ALLOWED_HOSTS": "127.0.0.1",
        "HARMLESS": "stays",
    }
    with Granian(evidence, environment) as granian:
        meta = granian.serving().get("/meta").text
    assert "'HARMLESS': 'stays'" in meta
    assert PASSWORD not in meta


def test_runserver_opens_the_worker_in_its_child_and_says_what_is_missing() -> None:
    """The autoreloader's parent keeps the credentials for its child, which serves."""
    done = subprocess.run(
        [sys.executable, "manage.py", "runserver", "--noreload", str(free_port())],
        cwd=ROOT,
        env=clean_environment(
            VAULT_ADDR=f"http://127.0.0.1:{free_port()}",
            VAULT_USER="demoapp",
            VAULT_PASS=PASSWORD,
            VAULT_DEADLINE="0.3",
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "this worker does not start" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
