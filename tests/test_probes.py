"""What a request changes in the process and in its database sessions is noticed, and named."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from resident.probes import DatabaseSessions, ProcessState, new_probes

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def process() -> ProcessState:
    return ProcessState()


def test_a_change_is_named_and_undone(
    process: ProcessState, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.begin()  # pytest has named the test in the environment
    before, folder = process.fingerprint(), Path.cwd()
    monkeypatch.setenv("TENANT", "alice")
    os.chdir("/")
    assert process.fingerprint() != before
    assert process.changes() == [
        ("environment", "os.environ['TENANT']"),
        ("process state", "os.getcwd()"),
    ]
    assert "TENANT" not in os.environ
    assert Path.cwd() == folder
    assert process.changes() == []
    assert process.fingerprint() == before


@pytest.mark.parametrize("text", [TOKEN, TOKEN.upper(), "127.4.88.250"])
def test_a_name_that_each_request_makes_up_is_one_name(
    process: ProcessState, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    process.begin()
    monkeypatch.setenv(f"TENANT_{text}", "1")
    assert process.changes() == [("environment", "os.environ['…']")]


def test_what_a_hunt_sees_grow_is_left_to_it(process: ProcessState) -> None:
    handler = logging.NullHandler()
    logging.getLogger("shop").addHandler(handler)
    process.begin()
    logging.getLogger("shop").addHandler(other := logging.NullHandler())
    assert process.changes() == []
    assert logging.getLogger("shop").handlers == [handler, other]
    logging.getLogger("shop").handlers.clear()


@pytest.fixture
def persistent(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    yield
    assert not any(type(it).__module__ == "resident.probes" for it in connection.execute_wrappers)


@pytest.mark.usefixtures("persistent")
@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("PRAGMA cache_size = 100", "PRAGMA cache_size"),
        ("  CREATE TEMP TABLE basket (id)", "CREATE TEMP"),
        ("REINDEX", "REINDEX"),
        ("/* why */ PRAGMA cache_size", "a statement"),
    ],
)
def test_a_statement_that_changes_the_session_is_named(sql: str, name: str) -> None:
    probe = DatabaseSessions()
    probe.begin()
    before = probe.fingerprint()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert probe.fingerprint() == before
        cursor.execute(sql)
    assert probe.fingerprint() != before
    assert probe.changes() == [("database session", f"connections['default']: {name}")]
    probe.begin()
    assert probe.changes() == []


@pytest.mark.django_db
def test_a_session_that_ends_with_its_request_is_not_watched() -> None:
    probe = DatabaseSessions()
    probe.begin()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size = 100")
    assert probe.changes() == []


def test_all_of_them() -> None:
    assert [type(probe) for probe in new_probes()] == [ProcessState, DatabaseSessions]
