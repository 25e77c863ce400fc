"""Real database servers for tests, each in its own process, on its own port, in its own folder."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from tests.servers import free_port

__all__ = ["DatabaseServer", "MariaDB", "PostgreSQL"]

HOW_TO_GET_POSTGRESQL = "needs PostgreSQL's server: apt install postgresql"
HOW_TO_GET_PSYCOPG = "needs psycopg: pip install 'psycopg[binary,pool]'"
HOW_TO_GET_MARIADB = "needs MariaDB's server: apt install mariadb-server"
HOW_TO_GET_MYSQLCLIENT = (
    "needs mysqlclient: apt install libmariadb-dev pkg-config gcc, pip install -e '.[mysql]'"
)

# Where Debian puts programs that are in nobody's PATH.
_FOLDERS = (*map(str, Path("/usr/lib/postgresql").glob("*/bin")), "/usr/sbin")
# A listener may lose its port between its choice and its use.
_ATTEMPTS = 3
_START_SECONDS = 60

USER = "resident"
"""Whom a site connects as. Owns its databases, and is no superuser; has no password."""


def program(name: str, how_to_get: str) -> str:
    """The path of a server's program; skips the test where it isn't installed."""
    path = shutil.which(name, path=os.pathsep.join((os.environ["PATH"], *_FOLDERS)))
    if path is None:
        pytest.skip(how_to_get)
    # An installation finds its other files beside itself, not beside a link to it.
    return os.path.realpath(path)


class DatabaseServer(ABC):
    """A database server that trusts everybody and forgets everything.

    Lives as long as its `with`. No write waits for a disk.
    """

    accounts: ClassVar[tuple[str, ...]]
    """Whom it runs as, if the tests run as root: the first of these that exists."""
    end_signal: ClassVar[signal.Signals]
    """What ends it at once, and its children too."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="database-")
        with contextlib.ExitStack() as undo:
            undo.callback(self.__exit__)
            if account := self._account():
                shutil.chown(self.home, account)
            self._run(self._initialise())
            self.start()
            self._create_user()
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        assert self._folder is not None
        self._folder.cleanup()

    @property
    def home(self) -> Path:
        assert self._folder is not None, "the server was not entered"
        return Path(self._folder.name)

    def start(self) -> None:
        """Start it: on the port that it had, if it was stopped."""
        attempts = 1 if self.port else _ATTEMPTS
        for left in reversed(range(attempts)):
            chosen, self.port = self.port, self.port or free_port()
            self._launch()
            if self._answers():
                return
            self.stop()
            self.port = chosen
            if not left:
                pytest.fail(f"{type(self).__name__} did not start:\n{self.log()}")

    def stop(self) -> None:
        """End it, and every connection to it, as a crash would; what was committed stays."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(self.end_signal)
            process.wait(timeout=_START_SECONDS)

    def sql(
        self, statement: str, parameters: tuple[object, ...] = (), *, database: str = ""
    ) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator, in a connection of its own, which commits it."""
        with (
            contextlib.closing(self._connect(database)) as connection,
            contextlib.closing(connection.cursor()) as cursor,
        ):
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def log(self) -> str:
        """What the server printed."""
        return (self.home / "output").read_text(errors="replace")

    @abstractmethod
    def create(self, database: str) -> None:
        """Make a database that belongs to `USER`."""

    @abstractmethod
    def url(self, database: str) -> str:
        """What DATABASE_URL says."""

    @abstractmethod
    def settings(self, database: str, **more: object) -> dict[str, Any]:
        """An entry of Django's DATABASES; `more` are further keys of it."""

    @abstractmethod
    def connections(self, database: str) -> int:
        """How many connections of `USER` to this database are open now."""

    @abstractmethod
    def connections_made(self, database: str) -> int:
        """How many such connections were ever opened."""

    @abstractmethod
    def _initialise(self) -> list[str]:
        """The command that makes the data directory."""

    @abstractmethod
    def _serve(self) -> list[str]:
        """The command that serves it."""

    @abstractmethod
    def _connect(self, database: str = "") -> Any:
        """A connection as the administrator, which commits each statement."""

    @abstractmethod
    def _create_user(self) -> None: ...

    def _answers(self) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process and self._process.poll() is None:
            # The exceptions of a driver are no subclasses of anything that all of them have.
            with contextlib.suppress(Exception):
                self._connect().close()
                return True
            time.sleep(0.05)
        return False

    def _launch(self) -> None:
        with (self.home / "output").open("ab") as output:
            self._process = subprocess.Popen(
                self._serve(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **self._unprivileged(),
            )

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, **self._unprivileged()
        )
        if done.returncode:
            pytest.fail(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def _unprivileged(self) -> dict[str, Any]:
        """What a subprocess gets: as little as it needs, and never root, whom servers refuse."""
        # Nothing of the environment: PG*, MYSQL_* and locales would change its mind.
        of_every = {
            "cwd": self.home,
            "env": {"HOME": str(self.home), "PATH": os.environ["PATH"], "LC_ALL": "C"},
        }
        account = self._account()
        if account is None:
            return of_every
        group = pwd.getpwnam(account).pw_gid
        return of_every | {"user": account, "group": group, "extra_groups": []}

    def _account(self) -> str | None:
        if os.geteuid() != 0:
            return None
        for name in self.accounts:
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name).pw_name
        pytest.skip(f"needs an account that is not root's: one of {', '.join(self.accounts)}")


class PostgreSQL(DatabaseServer):
    """A PostgreSQL, of whichever version is found first."""

    accounts = ("postgres", "nobody")
    end_signal = signal.SIGQUIT

    def __init__(self) -> None:
        super().__init__()
        self._initdb = program("initdb", HOW_TO_GET_POSTGRESQL)
        self._postgres = str(Path(self._initdb).with_name("postgres"))
        self._psycopg = pytest.importorskip("psycopg", reason=HOW_TO_GET_PSYCOPG)

    def create(self, database: str) -> None:
        self.sql(f'CREATE DATABASE "{database}" OWNER {USER}')

    def url(self, database: str) -> str:
        return f"postgres://{USER}@127.0.0.1:{self.port}/{database}"

    def settings(self, database: str, **more: object) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "PORT": self.port,
            "USER": USER,
            "NAME": database,
            **more,
        }

    def connections(self, database: str, application_name: str = "") -> int:
        """How many connections of `USER` to this database are open now.

        Args:
            database: its name.
            application_name: count those that call themselves so; all of them where empty.
        """
        ((count,),) = self.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND datname = %s"
            " AND %s IN ('', application_name)",
            (USER, database, application_name),
        )
        return int(count)

    def connections_made(self, database: str, application_name: str = "") -> int:
        """How many such connections were ever opened: the server's log tells at once."""
        opened = rf"connection authorized: user={USER} database={re.escape(database)}"
        named = f" application_name={re.escape(application_name)}" if application_name else "( .*)?"
        return len(re.findall(rf"{opened}{named}$", self.log(), re.MULTILINE))

    def _initialise(self) -> list[str]:
        return [
            self._initdb, "--pgdata", str(self.home / "data"), "--username", "postgres",
            "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync",
        ]  # fmt: skip

    def _serve(self) -> list[str]:
        configuration = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "16MB",
            "log_connections": "on",
        }
        options = [f"--{name}={value}" for name, value in configuration.items()]
        return [self._postgres, "-D", str(self.home / "data"), "-p", str(self.port), *options]

    def _connect(self, database: str = "") -> Any:
        return self._psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            dbname=database or "postgres",
            autocommit=True,
            connect_timeout=5,
        )

    def _create_user(self) -> None:
        self.sql(f"CREATE USER {USER} CREATEDB CREATEROLE")


class MariaDB(DatabaseServer):
    """A MariaDB."""

    accounts = ("mysql", "nobody")
    end_signal = signal.SIGKILL

    def __init__(self) -> None:
        super().__init__()
        self._install = program("mariadb-install-db", HOW_TO_GET_MARIADB)
        self._mariadbd = program("mariadbd", HOW_TO_GET_MARIADB)
        self._driver = pytest.importorskip("MySQLdb", reason=HOW_TO_GET_MYSQLCLIENT)

    def create(self, database: str) -> None:
        self.sql(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4")
        self.sql(f"GRANT ALL ON `{database}`.* TO {USER}@localhost")

    def url(self, database: str) -> str:
        return f"mysql://{USER}@127.0.0.1:{self.port}/{database}"

    def settings(self, database: str, **more: object) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.mysql",
            "HOST": "127.0.0.1",
            "PORT": self.port,
            "USER": USER,
            "NAME": database,
            **more,
        }

    def connections(self, database: str) -> int:
        """How many connections of `USER` to this database are open now."""
        ((count,),) = self.sql(
            "SELECT count(*) FROM information_schema.processlist WHERE user = %s AND db = %s",
            (USER, database),
        )
        return int(count)

    def connections_made(self, database: str) -> int:
        """How many connections of `USER` were ever opened, to whichever database."""
        counted = self.sql(
            "SELECT total_connections FROM information_schema.user_statistics WHERE user = %s",
            (USER,),
        )
        return int(counted[0][0]) if counted else 0

    def _initialise(self) -> list[str]:
        return [
            self._install, "--no-defaults", f"--datadir={self.home / 'data'}", "--skip-test-db",
            "--auth-root-authentication-method=normal", "--debug-no-sync",
        ]  # fmt: skip

    def _serve(self) -> list[str]:
        configuration = {
            "datadir": self.home / "data",
            "socket": self.home / "socket",
            "pid-file": self.home / "pid",
            "port": self.port,
            "bind-address": "127.0.0.1",
            "innodb-buffer-pool-size": "16M",
            "innodb-flush-log-at-trx-commit": 0,
            "userstat": 1,
        }
        options = [f"--{name}={value}" for name, value in configuration.items()]
        return [self._mariadbd, "--no-defaults", "--debug-no-sync", *options]

    def _connect(self, database: str = "") -> Any:
        return self._driver.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            database=database or "mysql",
            autocommit=True,
            connect_timeout=5,
        )

    def _create_user(self) -> None:
        self.sql(f"CREATE USER {USER}@localhost")
