"""Live while the process answers, ready once its worker is open."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.test import Client, override_settings

from resident.exceptions import SecretsError
from resident.worker import Worker, secrets, worker
from tests.servers import free_port


@pytest.fixture
def client() -> Client:
    return Client()


def away(worker: Worker) -> Iterator[str]:
    yield connect("http://vault:8200")


def connect(addr: str) -> str:
    raise SecretsError(f"Vault at {addr} is sealed.")


def test_live_opens_nothing(client: Client) -> None:
    response = client.get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "live"})
    assert not worker.is_open(secrets)


def test_ready_names_what_is_open(client: Client) -> None:
    response = client.get("/health/ready")
    assert response.status_code == 200
    told = response.json()
    assert 0 <= told["secrets"].pop("age") < 60
    flags = told["flags"]["default"]
    assert 0 <= flags.pop("age") < 60
    assert len(flags.pop("version")) == 12
    assert datetime.fromisoformat(flags.pop("taken")) <= datetime.now(UTC)
    assert told == {
        "status": "ready",
        "resources": {"secrets": "open", "flags": "open"},
        "secrets": {
            "version": None,
            "lease_left": None,
            "last_error": "",
            "logins": 0,
            "renewals": 0,
            "rotations": 0,
            "failures": 0,
        },
        "flags": {
            "default": {
                "origin": "features file",
                "mode": "file",
                "swaps": 0,
                "failures": 0,
                "last_error": "",
                "process": os.getpid(),
            }
        },
    }
    assert "no-store" in response["Cache-Control"]


def test_ready_shows_no_host_of_a_flipt_that_is_away(client: Client) -> None:
    values = {"flipt_api_host": f"http://127.0.0.1:{free_port()}"}
    with override_settings(
        RESIDENT_SECRETS={"OPTIONS": {"values": values}},
        RESIDENT_FLAGS={"FALLBACK": "defaults", "DEADLINE": 0.1},
    ):
        response = client.get("/health/ready")
        worker.close()
    assert response.status_code == 200
    flags = response.json()["flags"]["default"]
    assert (flags["origin"], flags["last_error"]) == ("defaults", "refused")
    assert "127.0.0.1" not in response.text


def test_ready_without_flags_tells_of_none(client: Client) -> None:
    with override_settings(RESIDENT_FLAGS={}):
        assert "flags" not in client.get("/health/ready").json()


def test_not_ready_while_a_resource_is_away(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asks is not told hosts and paths; the log is."""
    with override_settings(RESIDENT_RESOURCES=[f"{__name__}.away"]):
        response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json() == {"status": "unready", "problem": "SecretsError"}
    assert "http://vault:8200" in caplog.text


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_only_safe_methods(client: Client, path: str) -> None:
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405


def test_not_ready_with_secrets_that_are_too_old(client: Client) -> None:
    with override_settings(RESIDENT_SECRETS={"OPTIONS": {"values": {}}, "MAX_AGE": 0.2}):
        assert client.get("/health/ready").status_code == 200
        time.sleep(0.3)
        response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["problem"] == "secrets are too old"
    assert response.json()["secrets"]["age"] >= 0.3
