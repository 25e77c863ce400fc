"""PostgreSQL and MariaDB are as they were when pages that write were looked at."""

import json
import re
from collections.abc import Iterator
from inspect import getsource
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.databases import DatabaseServer, MariaDB, PostgreSQL
from tests.leaks import accounts
from tests.leaks.commands import django_admin

SETTINGS = f"{getsource(accounts)}\nROOT_URLCONF = 'urls'\n"

URLS = """
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection
from django.http import HttpResponse
from django.urls import path


def write(request):
    Group.objects.create(name=request.user.get_username())
    request.session["visited"] = True
    return HttpResponse("written")


def collide(request):
    Group.objects.create(name="editors")
    try:
        Group.objects.create(name="editors")
    except IntegrityError:
        return HttpResponse("there was one already")


def execute(request):
    with connection.cursor() as cursor:
        cursor.execute(request.GET["sql"])
    return HttpResponse("executed")


urlpatterns = [path("write", write), path("collide", collide), path("execute", execute)]
"""


@pytest.fixture(scope="module", params=[PostgreSQL, MariaDB])
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    with request.param() as server:
        server.create("shop")
        yield server


@pytest.fixture(scope="module")
def shop(server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project on that server, with one user, whose connections persist."""
    folder = tmp_path_factory.mktemp("shop")
    database = server.settings("shop", CONN_MAX_AGE=None)
    (folder / "configuration.py").write_text(f"{SETTINGS}DATABASES = {{'default': {database!r}}}\n")
    (folder / "urls.py").write_text(URLS)
    assert manage(folder, "migrate").returncode == 0
    made = manage(folder, "createsuperuser", "--noinput", "--username=ada", "--email=a@example.com")
    assert made.returncode == 0
    return folder


def manage(folder: Path, *arguments: str) -> "CompletedProcess[str]":
    return django_admin(folder, "configuration", *arguments)


def rows(server: DatabaseServer) -> list[Any]:
    tables = ("auth_group", "auth_user", "django_session")
    return [server.sql(f"SELECT count(*) FROM {it}", database="shop")[0][0] for it in tables]  # noqa: S608 - no input


@pytest.mark.slow
def test_it_is_as_it_was(server: DatabaseServer, shop: Path) -> None:
    ran = manage(shop, "findleaks", "/collide", "/write", "--user", "ada", "--format", "json")
    assert json.loads(ran.stdout) == []
    for path in ("/collide", "/write"):
        assert re.search(rf"{path}: \d+ statements that wrote were rolled back", ran.stderr)
    assert ran.returncode == 0
    assert rows(server) == [0, 1, 0]


@pytest.mark.slow
@pytest.mark.parametrize("sql", ["COMMIT", "CREATE TABLE made (id int)"])
def test_nothing_ends_the_transaction(server: DatabaseServer, shop: Path, sql: str) -> None:
    ran = manage(shop, "findleaks", f"/execute?sql={sql}", "/write", "--user", "ada")
    # Only PostgreSQL takes back that a table was made.
    is_undone = sql != "COMMIT" and isinstance(server, PostgreSQL)
    assert ("it answers 500" in ran.stderr) is not is_undone
    assert ran.returncode == (0 if is_undone else 2)
    assert rows(server) == [0, 1, 0]
    tables = server.sql("SELECT table_name FROM information_schema.tables", database="shop")
    assert ("made",) not in tables
