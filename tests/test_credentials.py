"""Database connections made with credentials from the secrets, which are rotated meanwhile."""

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import OperationalError, close_old_connections, connections, transaction
from django.test import override_settings

from resident.databases import Credentials, Database
from resident.secrets import Secret, Secrets
from resident.settings import from_secrets
from resident.worker import worker
from tests.databases import PostgreSQL
from tests.evidence import PASSWORD, ROOT_TOKEN
from tests.granian import ROOT, clean_environment, eventually
from tests.servers import VaultServer

PERSISTENT = {"CONN_MAX_AGE": None}
POOL = {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": {"min_size": 1, "max_size": 2, "timeout": 5}}}


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL that asks two users for their passwords, and trusts the others."""
    with PostgreSQL() as server:
        for user in ("blue", "green"):
            server.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}-{user}'")
        server.create("shop")
        rules = server.home / "data" / "pg_hba.conf"
        lines = [f"host all {user} 127.0.0.1/32 scram-sha-256\n" for user in ("blue", "green")]
        rules.write_text("".join(lines) + rules.read_text())
        server.sql("SELECT pg_reload_conf()")
        yield server


def of(user: str) -> Secrets:
    values = {"db_user": Secret(user), "db_password": Secret(f"{PASSWORD}-{user}")}
    return Secrets(values, source="The test")


@pytest.fixture
def shop(postgresql: PostgreSQL, request: pytest.FixtureRequest) -> Iterator[str]:
    """The alias of a database whose user and password are secrets: blue's, for now."""
    given: dict[str, Any] = {"USER": from_secrets("db_user"), "OPTIONS": {}}
    entry = postgresql.settings("shop", **given | request.param)
    entry["PASSWORD"] = from_secrets("db_password")
    values = {key: value.reveal() for key, value in of("blue").items()}
    connections.settings["shop"] = connections.configure_settings(
        {"default": connections.settings["default"], "shop": entry}
    )["shop"]
    with override_settings(RESIDENT_SECRETS={"OPTIONS": {"values": values}}):
        credentials = Credentials()
        credentials.follow()
        yield "shop"
        worker.close()
    connections["shop"].close()
    if request.param is POOL:
        connections["shop"].close_pool()  # type: ignore[attr-defined]
    del connections.settings["shop"]
    del connections["shop"]


def user_of(alias: str) -> str:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT current_user")
        (user,) = cursor.fetchone()
    return str(user)


def boundary() -> None:
    """The end of a request, and the begin of the next."""
    request_finished.send(None)
    request_started.send(None)


def in_next_request(alias: str) -> str:
    boundary()
    return user_of(alias)


persistent = pytest.mark.parametrize("shop", [PERSISTENT], indirect=True, ids=["persistent"])
pooled = pytest.mark.parametrize("shop", [POOL], indirect=True, ids=["pool"])


@persistent
class TestPersistent:
    def test_a_connection_is_replaced_between_requests(
        self, shop: str, django_db_blocker: Any
    ) -> None:
        with django_db_blocker.unblock():
            assert user_of(shop) == "blue"
            first = connections[shop].connection
            boundary()
            assert connections[shop].connection is first
            worker.take_up(of("green"))
            assert user_of(shop) == "blue", "what a request has begun on one, it ends on it"
            boundary()
            assert user_of(shop) == "green"

    def test_a_new_connection_in_a_request_that_began_before(
        self, shop: str, django_db_blocker: Any
    ) -> None:
        worker.secrets  # noqa: B018 - opens them
        with django_db_blocker.unblock(), worker.stay():
            worker.take_up(of("green"))
            assert user_of(shop) == "green"

    def test_none_is_taken_from_a_transaction(self, shop: str, django_db_blocker: Any) -> None:
        with django_db_blocker.unblock():
            with transaction.atomic(using=shop):
                assert user_of(shop) == "blue"
                worker.take_up(of("green"))
                request_started.disconnect(close_old_connections)  # as Django's test client does
                request_started.send(None)
                request_started.connect(close_old_connections)
                assert user_of(shop) == "blue"
            boundary()
            assert user_of(shop) == "green"

    def test_a_wrong_password_is_shown_to_nobody(
        self, shop: str, django_db_blocker: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        wrong = {"db_user": Secret("green"), "db_password": Secret(f"{PASSWORD}-blue")}
        worker.secrets  # noqa: B018 - opens them
        worker.take_up(Secrets(wrong, source="The test"))
        with django_db_blocker.unblock(), pytest.raises(OperationalError) as caught:
            user_of(shop)
        assert PASSWORD not in str(caught.value) + caplog.text

    def test_shows_no_value(self, shop: str) -> None:
        entry = connections.settings[shop]
        assert isinstance(entry, Database)
        assert entry["PASSWORD"] == f"{PASSWORD}-blue"
        assert entry.get("PASSWORD") == f"{PASSWORD}-blue"
        assert entry.get("NO_SUCH", 1) == 1
        assert {**entry}["USER"] == "blue"
        assert "PASSWORD" in list(entry)
        assert PASSWORD not in repr(entry) + str(entry) + repr(dict(entry.items()))
        assert b"pass-word" not in pickle.dumps(entry)
        for same in (copy.deepcopy(entry), pickle.loads(pickle.dumps(entry))):  # noqa: S301
            assert isinstance(same, Database)
            assert same["PASSWORD"] == f"{PASSWORD}-blue"


@pooled
class TestPool:
    def test_the_pool_follows(self, shop: str, django_db_blocker: Any) -> None:
        """Also the connections that are in use: they end when they come back."""
        with django_db_blocker.unblock():
            assert user_of(shop) == "blue"
            pool = connections[shop].pool  # type: ignore[attr-defined]
            worker.take_up(of("green"))
            assert user_of(shop) == "blue"
            assert eventually(lambda: in_next_request(shop) == "green")
            assert connections[shop].pool is pool  # type: ignore[attr-defined]

    def test_a_pool_that_nobody_has_used(self, shop: str, django_db_blocker: Any) -> None:
        with django_db_blocker.unblock():
            worker.secrets  # noqa: B018 - opens them
            worker.take_up(of("green"))
            assert user_of(shop) == "green"

    def test_a_connection_that_was_being_made_meanwhile(
        self, shop: str, django_db_blocker: Any
    ) -> None:
        """The pool asks for the credentials before it connects, and gets the connection later."""
        with django_db_blocker.unblock():
            pool = connections[shop].pool  # type: ignore[attr-defined]
            before = dict(pool.kwargs)
            worker.take_up(of("green"))
            pool.kwargs = before
            assert user_of(shop) == "blue"
            assert eventually(lambda: in_next_request(shop) == "green")

    def test_requests_under_rotations_lose_none(self, shop: str, django_db_blocker: Any) -> None:
        def request(_: int) -> str:
            with django_db_blocker.unblock():
                request_started.send(None)
                try:
                    return user_of(shop)
                finally:
                    request_finished.send(None)
                    connections[shop].close()

        worker.secrets  # noqa: B018 - opens them
        seen: set[str] = set()
        with ThreadPoolExecutor(4) as threads:
            for user in ("green", "blue") * 5:
                worker.take_up(of(user))
                seen.update(threads.map(request, range(40)))
                assert eventually(lambda u=user: set(threads.map(request, range(4))) == {u})  # type: ignore[misc]
        assert seen == {"blue", "green"}


@persistent
def test_a_database_without_secrets_is_left_alone(shop: str, django_db_blocker: Any) -> None:
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    entries = connections.configure_settings({"default": {}, "plain": entry})
    connections.settings["plain"] = entries["plain"]
    with django_db_blocker.unblock():
        connections["plain"].ensure_connection()
        first = connections["plain"].connection
        connections["plain"].close_at = None
        worker.secrets  # noqa: B018 - opens them
        worker.take_up(of("green"))
        request_started.send(None)
        assert connections["plain"].connection is first
        connections["plain"].connection.close()
    del connections["plain"]
    del connections.settings["plain"]


def test_nothing_is_followed_where_no_database_has_a_secret() -> None:
    receivers: Callable[[], int] = lambda: len(request_started.receivers)  # noqa: E731
    before = receivers()
    credentials = Credentials()
    credentials.follow()
    assert receivers() == before


SITE = """
import json
import os

from resident.settings import from_secrets

SECRET_KEY = from_secrets("secret_key")
INSTALLED_APPS = ["resident", "django.contrib.contenttypes"]
DATABASES = {"default": json.loads(os.environ["SITE_DATABASE"])}
DATABASES["default"] |= {"USER": from_secrets("db_user"), "PASSWORD": from_secrets("db_password")}
MIDDLEWARE = ["resident.middleware.ResetStateMiddleware"]
RESIDENT_SECRETS = {
    "BACKEND": "resident.secrets.vault.Vault",
    "OPTIONS": {"addr": os.environ["SITE_VAULT"], "auth": {"token": os.environ["SITE_TOKEN"]}},
}
"""


def test_migrate_connects_with_what_vault_has(postgresql: PostgreSQL, tmp_path: Path) -> None:
    postgresql.sql("CREATE DATABASE ledger OWNER green")
    (tmp_path / "site_settings.py").write_text(SITE)
    with VaultServer(root_token=ROOT_TOKEN) as vault:
        with vault.client() as admin:
            values = {key: value.reveal() for key, value in of("green").items()}
            admin.secrets.kv.v2.create_or_update_secret("demoapp", values)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "django", "migrate"],
            cwd=tmp_path,
            env=clean_environment(
                DJANGO_SETTINGS_MODULE="site_settings",
                PYTHONPATH=f"{tmp_path}:{ROOT}",
                SITE_DATABASE=json.dumps(postgresql.settings("ledger")),
                SITE_VAULT=vault.addr,
                SITE_TOKEN=ROOT_TOKEN,
            ),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    owners = postgresql.sql(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'", database="ledger"
    )
    assert owners == [("green",)]
