"""The models that stand for leaks and flags are in no table, and in nobody's way."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from resident.models import Flag, Leak
from tests.databases import PostgreSQL
from tests.granian import ROOT, clean_environment

SETTINGS = """
import json, os
SECRET_KEY = "for tests"
USE_TZ = True
DATABASES = {"default": json.loads(os.environ["TEST_DATABASE"])}
INSTALLED_APPS = json.loads(os.environ["TEST_APPS"])
MIDDLEWARE = ["resident.middleware.ResetStateMiddleware"]
"""

CONTRIB = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"]

PERMISSIONS = """
import django; django.setup()
from django.contrib.auth.models import Permission
from django.db import connection
print(*Permission.objects.filter(content_type__app_label="resident").values_list("codename"))
print([name for name in connection.introspection.table_names() if "resident" in name])
"""

TESTS = """
from django.test import TestCase
from resident.models import Flag, Leak

class Story(TestCase):
    def test_it(self):
        self.assertEqual([*Leak.objects.all(), *Flag.objects.all()], [])
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, object]]:
    """An entry of DATABASES, for an empty database."""
    if request.param == "sqlite":
        yield {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
        return
    with PostgreSQL() as server:
        server.create("shop")
        yield {**server.settings("shop"), "TEST": {"NAME": "shop_of_tests"}}


class Site:
    """A project in a folder, with its database and apps."""

    def __init__(self, folder: Path, database: Mapping[str, object], apps: list[str]) -> None:
        self._folder = folder
        (folder / "shop_settings.py").write_text(SETTINGS)
        self._environment = clean_environment(
            DJANGO_SETTINGS_MODULE="shop_settings",
            TEST_DATABASE=json.dumps(database),
            TEST_APPS=json.dumps(apps),
            PYTHONPATH=os.pathsep.join((str(folder), str(ROOT))),
        )

    def python(self, *arguments: str) -> str:
        command = [sys.executable, "-W", "error", *arguments]
        ran = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            check=False,  # what it printed is to be seen
            text=True,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def manage(self, *arguments: str) -> str:
        return self.python("-m", "django", *arguments)


@pytest.mark.slow
def test_every_command_goes_on_as_without_it(tmp_path: Path, database: dict[str, object]) -> None:
    site = Site(tmp_path, database, ["resident", *CONTRIB])
    (tmp_path / "test_shop.py").write_text(TESTS)
    assert "No changes detected" in site.manage("makemigrations", "--check")
    assert "resident" not in site.manage("migrate")
    again = site.manage("migrate")
    assert "No migrations to apply" in again
    assert "not yet reflected" not in again
    site.manage("migrate", "--run-syncdb")
    assert "No changes detected" in site.manage("makemigrations", "--check", "--dry-run")
    assert site.python("-c", PERMISSIONS).split("\n")[:2] == [
        "('view_flag',) ('view_leak',)",
        "[]",
    ]
    assert "no issues" in site.manage("check", "--database", "default")
    dumped = json.loads(site.manage("dumpdata"))
    assert not [row for row in dumped if row["model"].startswith("resident")]
    assert json.loads(site.manage("dumpdata", "resident")) == []
    site.manage("flush", "--no-input")
    assert "OK" in site.manage("test", "--no-input")
    assert not list(tmp_path.glob("**/migrations"))


def test_it_needs_neither_users_nor_content_types(tmp_path: Path) -> None:
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    site = Site(tmp_path, database, ["resident"])
    assert "no issues" in site.manage("check")
    assert "No changes detected" in site.manage("makemigrations", "--check")
    assert "No migrations to apply" in site.manage("migrate")
    assert site.manage("dumpdata").strip() == "[]"


def test_each_is_called_as_what_it_stands_for() -> None:
    assert str(Leak(name="shop.pricing.CACHE['…']")) == "shop.pricing.CACHE['…']"
    assert str(Flag(key="basket")) == "basket"
