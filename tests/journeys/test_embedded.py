"""The first command of the README, on a machine where nothing is configured."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.evidence import Evidence
from tests.granian import ROOT, Granian, clean_environment

PROJECT = ("manage.py", "pyproject.toml", "README.md", "LICENSE", "project", "greeting", "resident")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project: this test edits it."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in PROJECT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def turn(checkout: Path, *, on: bool) -> None:
    features = checkout / "greeting" / "features.yml"
    before, after = ("false", "true") if on else ("true", "false")
    text = features.read_text().replace(f"enabled: {before}", f"enabled: {after}")
    features.write_text(text)


def story(checkout: Path, granian: Granian) -> None:
    """Greeted; greeted backwards after an edit; a broken edit changes nothing."""
    assert granian.serving().get().text == "Hello, world!"
    turn(checkout, on=True)
    assert granian.eventually("!dlrow ,olleH")
    features = checkout / "greeting" / "features.yml"
    whole = features.read_text()
    features.write_text(whole.replace("flags:", "flaggs:"))
    assert granian.eventually_logs("flaggs: Extra inputs are not permitted")
    assert granian.get().text == "!dlrow ,olleH"
    time.sleep(1.5)  # another look at the file
    assert "is back" not in granian.log()
    features.write_text(whole)
    turn(checkout, on=False)
    assert granian.eventually("Hello, world!")


def test_the_greeting_turns_when_the_features_file_is_edited(
    checkout: Path, evidence: Evidence
) -> None:
    with Granian(evidence, folder=checkout, options=("--workers", "2")) as granian:
        story(checkout, granian)
        page = granian.get("/admin/login/")
        assert "Django administration" in page.text
        assert granian.get("/static/admin/css/base.css").ok


@pytest.mark.slow
def test_in_a_fresh_virtual_environment(checkout: Path, evidence: Evidence) -> None:
    """`pip install -e . && granian --interface wsgi project.wsgi:application`"""
    fresh = checkout.parent / "venv"
    subprocess.run([sys.executable, "-m", "venv", fresh], check=True)
    subprocess.run(
        [fresh / "bin" / "pip", "install", "-q", "-e", "."],
        cwd=checkout,
        env=clean_environment(),
        check=True,
    )
    granian = str(fresh / "bin" / "granian")
    with Granian(evidence, folder=checkout, options=(), granian=granian) as server:
        story(checkout, server)
