"""The whole application: one greeting, forwards or backwards."""

from pathlib import Path

import pytest
from django.test import Client, override_settings

FEATURES = Path("greeting/features.yml")


def test_greets(client: Client) -> None:
    response = client.get("/")
    assert response.content == b"Hello, world!"
    assert response["Content-Type"] == "text/plain"


def test_greets_backwards_while_the_flag_is_on(client: Client, tmp_path: Path) -> None:
    features = tmp_path / "features.yml"
    features.write_text(FEATURES.read_text().replace("enabled: false", "enabled: true"))
    with override_settings(RESIDENT_FLAGS={"FEATURES": features}):
        assert client.get("/").content == b"!dlrow ,olleH"


def test_asks_nobody_who_they_are(client: Client) -> None:
    """No session is read, and no answer varies by cookie."""
    assert "Vary" not in client.get("/")


def test_a_percentage_is_of_visitors(tmp_path: Path) -> None:
    features = tmp_path / "features.yml"
    rollouts = "    rollouts: [{threshold: {percentage: 50, value: true}}]\n\nsegments:"
    features.write_text(FEATURES.read_text().replace("\nsegments:", rollouts))
    visitors = [Client() for _ in range(20)]
    with override_settings(RESIDENT_FLAGS={"FEATURES": features}):
        answers = [visitor.get("/").content for visitor in visitors]
        assert answers == [visitor.get("/").content for visitor in visitors]
    assert set(answers) == {b"Hello, world!", b"!dlrow ,olleH"}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_only_safe_methods(client: Client, method: str) -> None:
    assert getattr(client, method)("/").status_code == 405
    assert client.head("/").status_code == 200
