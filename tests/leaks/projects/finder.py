"""`manage.py findleaks` in a process of its own, on a site that is made for it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile
from tempfile import NamedTemporaryFile
from typing import Any

import pytest

from tests.granian import ROOT, clean_environment

__all__ = ["Finder", "install", "need"]

HOW_TO_GET = "needs {}: pip install -e '.[packages]'"
SECONDS = 300


class Finder:
    """Looks for leaks in a site; its database lives as long as the folder.

    Args:
        settings: the site's.
        folder: an empty one.
        packages: a folder from which is imported what is not installed.
    """

    def __init__(self, settings: str, folder: Path, packages: Path | None = None) -> None:
        path = [str(ROOT), *([str(packages)] if packages else [])]
        self._database = folder / "database"
        self._environment = clean_environment(
            DJANGO_SETTINGS_MODULE=settings, PYTHONPATH=os.pathsep.join(path)
        )
        # A tracer that traces nothing of interest here makes it twice as slow.
        self._environment.pop("COVERAGE_PROCESS_CONFIG", None)
        made = self._run(self._database, "tests.leaks.projects")
        assert made.returncode == 0, made.stderr

    def find(self, paths: Sequence[str], *options: str, status: int = 200) -> list[dict[str, Any]]:
        """What is reported of these pages; fails the test where they are not answered so."""
        command = ("django", "findleaks", "--format", "json", *options, *paths)
        with NamedTemporaryFile(dir=self._database.parent) as copy:  # others may look meanwhile
            copyfile(self._database, copy.name)
            run = self._run(Path(copy.name), *command)
        assert "could not be looked at" not in run.stderr, run.stderr
        redirects = len(paths) if status == HTTPStatus.FOUND else 0
        assert run.stderr.count(f"answers {HTTPStatus.FOUND}") == redirects, run.stderr
        assert run.returncode in (0, 1), run.stderr
        assert "Traceback" not in run.stderr, run.stderr
        found: list[dict[str, Any]] = json.loads(run.stdout)
        assert run.returncode == bool(found), run.stderr
        return found

    def _run(self, database: Path, *module: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *module],
            cwd=ROOT,
            env=self._environment | {"SITE_DATABASE": str(database)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def need(*modules: str) -> None:
    """Skips the test where a package is missing."""
    for module in modules:
        if find_spec(module) is None:
            pytest.skip(HOW_TO_GET.format(module))


def install(requirements: Sequence[str], folder: Path) -> Path:
    """A folder with these packages and nothing that they need; skips the test without an index.

    Two releases of one package can't be installed beside each other, these can. By its name
    resident knows that what is in the folder is not the project's.
    """
    packages = folder / "site-packages"
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary", ":all:", "--target", str(packages), *requirements,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs pip and an index with {' '.join(requirements)}:\n{done.stderr}")
    return packages
