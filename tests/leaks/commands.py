"""Commands of a project in a folder of its own, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

from tests.granian import clean_environment

__all__ = ["django_admin"]


def django_admin(
    folder: Path, settings: str, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """What `django-admin` does there with these settings; its status is the caller's to see."""
    return subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        cwd=folder,
        env=clean_environment(DJANGO_SETTINGS_MODULE=settings, PYTHONPATH=str(folder)),
        capture_output=True,
        text=True,
        check=False,
    )
