"""Every kind of state that outlives a request in a worker: how it is left, and how it is found.

Each row is a story: request A leaves something, and request B finds it, or does not. The tables are
`OF_PROCESS` and `OF_DATABASE`, at the end.
"""

import contextvars
import decimal
import functools
import gc
import locale
import logging
import os
import random
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

from asgiref.local import Local
from django.conf import settings
from django.core.cache import caches
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import OperationalError, connection, connections, transaction
from django.dispatch import Signal
from django.http import HttpRequest
from django.urls import get_script_prefix, set_script_prefix, set_urlconf
from django.utils import timezone, translation
from django.utils.text import slugify

__all__ = ["FLUSHED", "OF_DATABASE", "OF_PROCESS", "OWN_OF_REQUEST", "PREPARATIONS", "Row"]

LEAK, CLEAN, KEPT, REPORTED = "leak", "clean", "kept", "reported"
CLEAN_AND_REPORTED = "clean, reported"

BARE = "bare Django"
ONE_THREAD, THREE_THREADS = "one thread", "three threads"
PERSISTENT, PER_REQUEST, POOL = "persistent", "per request", "pool"

Outcomes = str | Mapping[str, str]
"""An outcome, the same in each column of the page, or one for each of them."""


@dataclass(frozen=True)
class Row:
    """A kind of state that outlives a request in a worker.

    Args:
        state: what the page calls it.
        leave: what request A does.
        found: whether a later request sees it.
        tidy: how it goes away, where it stays.
        outcome: what becomes of it: `clean`, no later request finds it; `kept`, it is found, on
            purpose; `reported`, it is found, and the log named it, and the request that left it.
        bare: what becomes of it without resident.
        ending: how request A ends.
        of_process: whether all threads have it together.
        writes: whether what a later request writes must be in the database afterwards.
    """

    state: str
    leave: Callable[[], object]
    found: Callable[[], bool] = lambda: False
    tidy: Callable[[], object] = lambda: None
    outcome: Outcomes = CLEAN
    bare: Outcomes = LEAK
    ending: str = "view"
    of_process: bool = False
    writes: bool = False

    def __str__(self) -> str:
        return self.slug

    @property
    def slug(self) -> str:
        return slugify(self.state)

    def becomes(self, column: str) -> str:
        """What becomes of it with resident."""
        return self.outcome if isinstance(self.outcome, str) else self.outcome[column]

    def becomes_bare(self, column: str) -> str:
        """What becomes of it without."""
        return self.bare if isinstance(self.bare, str) else self.bare[column]


def undone(
    state: str,
    leave: Callable[[], object],
    found: Callable[[], bool],
    tidy: Callable[[], object],
) -> Row:
    """State of the process that is undone where no other request may rely on it."""
    outcome = {ONE_THREAD: CLEAN_AND_REPORTED, THREE_THREADS: REPORTED}
    return Row(state, leave, found, tidy, outcome, of_process=True)


def kept(
    state: str,
    leave: Callable[[], object],
    found: Callable[[], bool],
    tidy: Callable[[], object],
    *,
    bare: str = LEAK,
) -> Row:
    """State of the process that stays on purpose."""
    return Row(state, leave, found, tidy, KEPT, bare, of_process=True)


# What the context of a request holds.

current: contextvars.ContextVar[HttpRequest] = contextvars.ContextVar("current")
before_django: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("before_django")
tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="")
basket: contextvars.ContextVar[list[str]] = contextvars.ContextVar(
    "basket",
    default=[],  # noqa: B039 - its one list is what a row is about
)
drawer = Local()
critical_drawer = Local(thread_critical=True)
thread_drawer = threading.local()


def german() -> bool:
    return translation.get_language() == "de"


def activate_german() -> None:
    translation.activate("de")


CONTEXT = [
    Row("`translation.activate`", activate_german, german),
    Row(
        "`translation.deactivate_all`",
        translation.deactivate_all,
        lambda: translation.get_language() is None,
    ),
    Row(
        "`translation.override`, never left",
        lambda: translation.override("de").__enter__(),
        german,
    ),
    Row(
        "`timezone.activate`",
        lambda: timezone.activate("Asia/Tokyo"),
        lambda: timezone.get_current_timezone_name() == "Asia/Tokyo",
    ),
    Row(
        "`timezone.override`, never left",
        lambda: timezone.override("Asia/Tokyo").__enter__(),
        lambda: timezone.get_current_timezone_name() == "Asia/Tokyo",
    ),
    Row(
        "the urlconf",
        lambda: set_urlconf("shop.urls"),
        lambda: before_django.get()["urlconf"] != "",
        bare=CLEAN,
    ),
    Row(
        "the script prefix, in a view",
        lambda: set_script_prefix("/shop/"),
        lambda: get_script_prefix() != "/",
        bare=CLEAN,
    ),
    Row(
        "the script prefix, in what comes before Django",
        lambda: set_script_prefix("/shop/"),
        lambda: before_django.get()["prefix"] != "/",
    ),
    Row("a ContextVar", lambda: tenant.set("alice"), lambda: tenant.get() != ""),
    Row(
        "the decimal context",
        lambda: setattr(decimal.getcontext(), "prec", 5),
        lambda: decimal.getcontext().prec == 5,
    ),
    Row(
        "an asgiref `Local`",
        lambda: setattr(drawer, "user", "alice"),
        lambda: hasattr(drawer, "user"),
    ),
    Row(
        "a thread-critical asgiref `Local`",
        lambda: setattr(critical_drawer, "user", "alice"),
        lambda: hasattr(critical_drawer, "user"),
    ),
    Row(
        "a `threading.local`",
        lambda: setattr(thread_drawer, "user", "alice"),
        lambda: hasattr(thread_drawer, "user"),
    ),
    kept(
        "a list that is a ContextVar's default",
        lambda: basket.get().append("alice's"),
        lambda: basket.get() != [],
        lambda: basket.get().clear(),
    ),
]

# How a request ends.

uploads: list[TemporaryUploadedFile] = []


def upload() -> None:
    file = current.get().FILES["file"]
    assert isinstance(file, TemporaryUploadedFile)
    uploads.append(file)


def has_open_upload() -> bool:
    return any(not file.closed for file in uploads)


ENDINGS = [
    Row("a language, left by a streaming body", activate_german, german, ending="stream"),
    Row("a language, left by a body whose client went", activate_german, german, ending="gone"),
    Row("a language, left in `close()`", activate_german, german, ending="close"),
    Row("a language, left in `request_finished`", activate_german, german, ending="finished"),
    Row("a language, before an exception", activate_german, german, ending="RuntimeError"),
    Row("a language, before `sys.exit()`", activate_german, german, ending="SystemExit"),
    Row("a language, before Ctrl-C", activate_german, german, ending="KeyboardInterrupt"),
    Row(
        "a `threading.local`, before `sys.exit()`",
        lambda: setattr(thread_drawer, "user", "alice"),
        lambda: hasattr(thread_drawer, "user"),
        ending="SystemExit",
    ),
    Row("an uploaded temporary file", upload, has_open_upload, bare=CLEAN),
    Row(
        "an uploaded temporary file, before `sys.exit()`",
        upload,
        has_open_upload,
        ending="SystemExit",
    ),
]

# What the process holds: changed by one request, in force for all.


def umask_is_private() -> bool:
    """Seen in a file: to read it otherwise is to change it, for other threads too."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "file")
        os.close(os.open(file, os.O_CREAT, 0o666))
        return file.stat().st_mode & 0o777 == 0o600


def set_time_zone(name: str) -> None:
    os.environ["TZ"] = name
    time.tzset()


def shop_filters() -> list[Any]:
    return [entry for entry in warnings.filters if "shop" in str(entry[3])]


def forget_shop_filters() -> None:
    for entry in shop_filters():
        cast("list[Any]", warnings.filters).remove(entry)


class Handler(logging.NullHandler):
    """A handler that a request adds."""


def let_all_pass(record: logging.LogRecord) -> bool:
    return True


handler = Handler()
log = logging.getLogger("shop")
start_folder = Path.cwd()
folder = Path(tempfile.gettempdir()).resolve()
generator_state = random.Random(7).getstate()  # noqa: S311 - nobody's secret


UNDONE = [
    undone(
        "`os.environ`",
        lambda: os.environ.update(SHOP_TENANT="alice"),
        lambda: "SHOP_TENANT" in os.environ,
        lambda: os.environ.pop("SHOP_TENANT", None),
    ),
    undone(
        "the working directory",
        lambda: os.chdir(folder),
        lambda: Path.cwd() == folder,
        lambda: os.chdir(start_folder),
    ),
    undone("the umask", lambda: os.umask(0o077), umask_is_private, lambda: os.umask(0o022)),
    undone(
        "the locale",
        lambda: locale.setlocale(locale.LC_CTYPE, "C"),
        lambda: locale.setlocale(locale.LC_CTYPE) == "C",
        lambda: locale.setlocale(locale.LC_CTYPE, ""),
    ),
    undone(
        "warnings filters",
        lambda: warnings.filterwarnings("ignore", module="shop"),
        lambda: shop_filters() != [],
        forget_shop_filters,
    ),
    undone(
        "a logger's level",
        lambda: log.setLevel(logging.DEBUG),
        lambda: log.level == logging.DEBUG,
        lambda: log.setLevel(logging.NOTSET),
    ),
    undone(
        "a logger's handler",
        lambda: log.addHandler(handler),
        lambda: handler in log.handlers,
        lambda: log.removeHandler(handler),
    ),
    undone(
        "a logger's filter",
        lambda: log.addFilter(let_all_pass),
        lambda: let_all_pass in log.filters,
        lambda: log.removeFilter(let_all_pass),
    ),
    undone(
        "an attribute set on `settings`",
        lambda: setattr(settings, "SHOP_TENANT", "alice"),
        lambda: hasattr(settings, "SHOP_TENANT"),
        lambda: delattr(settings, "SHOP_TENANT"),
    ),
    undone(
        "`sys.path`",
        lambda: sys.path.append("/shop"),
        lambda: "/shop" in sys.path,
        lambda: sys.path.remove("/shop"),
    ),
    Row(
        "`random`'s seed",
        lambda: random.seed(7),
        lambda: random.getstate() == generator_state,
        random.seed,
        of_process=True,
    ),
    undone(
        "the sockets' default timeout",
        lambda: socket.setdefaulttimeout(7.5),
        lambda: socket.getdefaulttimeout() == 7.5,
        lambda: socket.setdefaulttimeout(None),
    ),
    undone(
        "the recursion limit",
        lambda: sys.setrecursionlimit(4321),
        lambda: sys.getrecursionlimit() == 4321,
        lambda: sys.setrecursionlimit(1000),
    ),
    undone(
        "`time.tzset`",
        lambda: set_time_zone("JST-9"),
        lambda: time.tzname[0] == "JST",
        lambda: set_time_zone(settings.TIME_ZONE),
    ),
    undone("`gc.disable`", gc.disable, lambda: not gc.isenabled(), gc.enable),
]

# What a worker keeps on purpose, unless RESIDENT_FLUSH names it.

last_customer = ""
flushed_customer = ""


class Shop:
    owner = ""


class FlushedShop:
    owner = ""


def collect(item: str, collected: list[str] = []) -> list[str]:  # noqa: B006 - what a row is about
    collected.append(item)
    return collected


def flushed_collect(item: str, collected: list[str] = []) -> list[str]:  # noqa: B006 - likewise
    collected.append(item)
    return collected


@functools.lru_cache
def price(customer: str) -> object:
    return object()


@functools.lru_cache
def flushed_price(customer: str) -> object:
    return object()


remembered: dict[str, str] = {}
flushed_memory: dict[str, str] = {}

FLUSHED = [
    f"{__name__}.flushed_customer",
    f"{__name__}.FlushedShop.owner",
    f"{__name__}.flushed_collect",
    f"{__name__}.flushed_price",
    f"{__name__}.flushed_memory",
]


def set_global(name: str, value: str) -> None:
    globals()[name] = value


def defaults_of(function: Callable[..., object]) -> list[str]:
    (collected,) = cast("Any", function).__defaults__
    return cast("list[str]", collected)


left_signal = Signal()
leave_thread = threading.Event()
files: list[TextIO] = []


def receive(**_: object) -> None:
    """What a request connects."""


def start_thread() -> None:
    leave_thread.clear()
    threading.Thread(target=leave_thread.wait, name="left behind", daemon=True).start()


def has_thread() -> bool:
    return any(thread.name == "left behind" for thread in threading.enumerate())


def end_thread() -> None:
    leave_thread.set()
    for thread in threading.enumerate():
        if thread.name == "left behind":
            thread.join()


def close_files() -> None:
    for file in files:
        file.close()


def forget_cache_mark() -> None:
    vars(caches["default"]).pop("left", None)


KEPT_ROWS = [
    Row(
        "a cache connection",
        lambda: setattr(caches["default"], "left", True),
        lambda: hasattr(caches["default"], "left"),
        forget_cache_mark,
        outcome=KEPT,
        bare=KEPT,
    ),
    kept(
        "a module global",
        lambda: set_global("last_customer", "alice"),
        lambda: last_customer != "",
        lambda: set_global("last_customer", ""),
    ),
    kept(
        "a dict in a module",
        lambda: remembered.update(customer="alice"),
        lambda: remembered != {},
        remembered.clear,
    ),
    kept(
        "a class attribute",
        lambda: setattr(Shop, "owner", "alice"),
        lambda: Shop.owner != "",
        lambda: setattr(Shop, "owner", ""),
    ),
    kept(
        "a mutable default",
        lambda: collect("alice's"),
        lambda: defaults_of(collect) != [],
        lambda: defaults_of(collect).clear(),
    ),
    kept(
        "an `lru_cache`",
        lambda: price("alice"),
        lambda: price.cache_info().currsize > 0,
        price.cache_clear,
    ),
    kept(
        "a strong signal receiver",
        lambda: left_signal.connect(receive, weak=False),
        left_signal.has_listeners,
        lambda: left_signal.disconnect(receive),
    ),
    kept("a thread", start_thread, has_thread, end_thread),
    kept(
        "an open file",
        lambda: files.append(Path(os.devnull).open()),  # noqa: SIM115 - the row's very subject
        lambda: any(not file.closed for file in files),
        close_files,
    ),
]

FLUSHED_ROWS = [
    Row(
        "a module global, in RESIDENT_FLUSH",
        lambda: set_global("flushed_customer", "alice"),
        lambda: flushed_customer != "",
        of_process=True,
    ),
    Row(
        "a dict in a module, in RESIDENT_FLUSH",
        lambda: flushed_memory.update(customer="alice"),
        lambda: flushed_memory != {},
        of_process=True,
    ),
    Row(
        "a class attribute, in RESIDENT_FLUSH",
        lambda: setattr(FlushedShop, "owner", "alice"),
        lambda: FlushedShop.owner != "",
        of_process=True,
    ),
    Row(
        "a mutable default, in RESIDENT_FLUSH",
        lambda: flushed_collect("alice's"),
        lambda: defaults_of(flushed_collect) != [],
        of_process=True,
    ),
    Row(
        "an `lru_cache`, in RESIDENT_FLUSH",
        lambda: flushed_price("alice"),
        lambda: flushed_price.cache_info().currsize > 0,
        of_process=True,
    ),
]

# What a database connection holds, whichever database it is.


def sql(statement: str) -> Any:
    """The first value of the first row, or None for none."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def write(token: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO written (token) VALUES (%s)", [token])


def write_pending(*statements: str) -> None:
    for statement in statements:
        sql(statement)
    write("pending")


def write_without_autocommit() -> None:
    connection.set_autocommit(False)
    write("pending")


def write_in_atomic() -> None:
    transaction.atomic().__enter__()
    write("pending")


def pass_on(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    return execute(sql, params, many, context)


def has_left_query() -> bool:
    return any(query["sql"] == "left" for query in connection.queries_log)


ONLY_PERSISTENT = {PERSISTENT: LEAK, PER_REQUEST: CLEAN, POOL: CLEAN}
NOT_PER_REQUEST = {PERSISTENT: LEAK, PER_REQUEST: CLEAN, POOL: LEAK}


def of_any_connection(begin: str) -> list[Row]:
    """The rows that every database has.

    Args:
        begin: the SQL that begins a transaction there.
    """
    return [
        Row(
            "`set_autocommit(False)`, a write pending",
            write_without_autocommit,
            lambda: not connection.get_autocommit(),
            outcome=CLEAN_AND_REPORTED,
            bare=CLEAN,
            writes=True,
        ),
        Row(
            "the same, before `sys.exit()`",
            write_without_autocommit,
            lambda: not connection.get_autocommit(),
            outcome=CLEAN_AND_REPORTED,
            bare=CLEAN,
            ending="SystemExit",
            writes=True,
        ),
        Row(
            "`atomic()`, never left",
            write_in_atomic,
            outcome=CLEAN_AND_REPORTED,
            writes=True,
        ),
        Row(
            f"`{begin}` in SQL, a write pending",
            lambda: write_pending(begin),
            outcome=CLEAN_AND_REPORTED,
            bare=ONLY_PERSISTENT,
            writes=True,
        ),
        Row(
            "`execute_wrappers`",
            lambda: connection.execute_wrappers.append(pass_on),
            lambda: pass_on in connection.execute_wrappers,
        ),
        Row(
            "`force_debug_cursor`",
            lambda: setattr(connection, "force_debug_cursor", True),
            lambda: connection.force_debug_cursor,
        ),
        Row(
            "an attribute on the `DatabaseWrapper`",
            lambda: setattr(connections["default"], "tenant", "alice"),
            lambda: hasattr(connections["default"], "tenant"),
        ),
        Row(
            "`queries_log`",
            lambda: connection.queries_log.append({"sql": "left", "time": "0"}),
            has_left_query,
            bare=CLEAN,
        ),
    ]


# What a PostgreSQL session holds.


def of_session(state: str, leave: str, found: str) -> Row:
    """What SQL leaves in the session; `found` selects true where it is still there."""
    return Row(state, lambda: sql(leave), lambda: bool(sql(found)), bare=NOT_PER_REQUEST)


def has_current_value() -> bool:
    try:
        sql("SELECT currval('numbers')")
    except OperationalError:  # currval is not yet defined in this session
        return False
    return True


def set_isolation_level() -> None:
    connection.ensure_connection()
    connection.connection.isolation_level = 4
    sql("SELECT 1")


def has_isolation_level() -> bool:
    connection.ensure_connection()
    return bool(connection.connection.isolation_level == 4)


POSTGRESQL = [
    *of_any_connection("BEGIN"),
    of_session(
        "`search_path`",
        "SET search_path TO tenant",
        "SELECT current_setting('search_path') = 'tenant'",
    ),
    of_session("`ROLE`", "SET ROLE tenant", "SELECT current_user = 'tenant'"),
    of_session(
        "`TIME ZONE`",
        "SET TIME ZONE 'Asia/Tokyo'",
        "SELECT current_setting('TimeZone') = 'Asia/Tokyo'",
    ),
    of_session(
        "`statement_timeout`",
        "SET statement_timeout = 7654",
        "SELECT setting = '7654' FROM pg_settings WHERE name = 'statement_timeout'",
    ),
    of_session(
        "a custom setting",
        "SELECT set_config('shop.tenant', 'alice', false)",
        "SELECT current_setting('shop.tenant', true) = 'alice'",
    ),
    of_session(
        "an advisory lock",
        "SELECT pg_advisory_lock(7)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    ),
    of_session("`LISTEN`", "LISTEN orders", "SELECT count(*) FROM pg_listening_channels()"),
    of_session(
        "`PREPARE`",
        "PREPARE orders AS SELECT 1",
        "SELECT count(*) FROM pg_prepared_statements WHERE name = 'orders'",
    ),
    of_session(
        "a `WITH HOLD` cursor",
        "DECLARE orders CURSOR WITH HOLD FOR SELECT 1",
        "SELECT count(*) FROM pg_cursors WHERE name = 'orders'",
    ),
    of_session(
        "session characteristics",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SELECT current_setting('default_transaction_isolation') = 'serializable'",
    ),
    of_session(
        "a temporary table",
        "CREATE TEMPORARY TABLE basket (item text)",
        "SELECT to_regclass('pg_temp.basket') IS NOT NULL",
    ),
    Row(
        "a sequence's current value",
        lambda: sql("SELECT nextval('numbers')"),
        has_current_value,
        bare=NOT_PER_REQUEST,
    ),
    Row(
        "psycopg's `isolation_level`",
        set_isolation_level,
        has_isolation_level,
        bare=NOT_PER_REQUEST,
    ),
]

# What a SQLite connection holds.


def create_function() -> None:
    connection.ensure_connection()
    connection.connection.create_function("tenant", 0, lambda: "alice")
    sql("SELECT tenant()")


def has_function() -> bool:
    return bool(sql("SELECT count(*) FROM pragma_function_list WHERE name = 'tenant'"))


SQLITE = [
    *of_any_connection("BEGIN"),
    Row(
        "`PRAGMA`",
        lambda: sql("PRAGMA foreign_keys = OFF"),
        lambda: sql("PRAGMA foreign_keys") == 0,
    ),
    Row("a function", create_function, has_function),
    Row(
        "a temporary table",
        lambda: sql("CREATE TEMPORARY TABLE basket (item text)"),
        lambda: bool(sql("SELECT count(*) FROM sqlite_temp_master WHERE name = 'basket'")),
    ),
    Row(
        "`ATTACH`",
        lambda: sql("ATTACH ':memory:' AS tenant"),
        lambda: bool(sql("SELECT count(*) FROM pragma_database_list WHERE name = 'tenant'")),
    ),
]

# What a MariaDB session holds.


def has_temporary_table() -> bool:
    """Seen by trying: the catalogue lists none of them."""
    try:
        sql("CREATE TEMPORARY TABLE basket (item text)")
    except OperationalError:  # it exists already
        return True
    sql("DROP TEMPORARY TABLE basket")
    return False


MARIADB = [
    *of_any_connection("START TRANSACTION"),
    Row(
        "a session variable",
        lambda: sql("SET SESSION max_statement_time = 7"),
        lambda: sql("SELECT @@max_statement_time") == 7,
    ),
    Row(
        "a user variable",
        lambda: sql("SET @tenant = 'alice'"),
        lambda: sql("SELECT @tenant") == "alice",
    ),
    Row(
        "a temporary table",
        lambda: sql("CREATE TEMPORARY TABLE basket (item text)"),
        has_temporary_table,
    ),
    Row(
        "a named lock",
        lambda: sql("SELECT GET_LOCK('orders', 5)"),
        lambda: bool(sql("SELECT COALESCE(IS_USED_LOCK('orders') = CONNECTION_ID(), 0)")),
    ),
    Row("`LOCK TABLES`", lambda: sql("LOCK TABLES written READ"), writes=True),
]

OF_PROCESS = [*CONTEXT, *ENDINGS, *UNDONE, *KEPT_ROWS, *FLUSHED_ROWS]
OF_DATABASE = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "mysql": MARIADB}
"""The rows of each database, by Django's name of its vendor."""

OWN_OF_REQUEST = [
    row
    for row in OF_PROCESS
    if not row.of_process and row.outcome != KEPT and row.leave is not upload
]
"""What a request leaves and finds alone, whatever else runs in the worker."""

WRITTEN = "CREATE TABLE written (token varchar(40))"

PREPARATIONS = {
    "sqlite": [WRITTEN],
    "postgresql": [
        WRITTEN,
        "CREATE SEQUENCE numbers",
        "CREATE SCHEMA tenant",
        "DO 'BEGIN CREATE ROLE tenant; EXCEPTION WHEN duplicate_object THEN NULL; END'",
        "GRANT tenant TO resident",
        "GRANT ALL ON written, numbers TO resident",
    ],
    "mysql": [WRITTEN],
}
"""The SQL that an administrator runs before the site is served, by Django's name of the vendor."""
