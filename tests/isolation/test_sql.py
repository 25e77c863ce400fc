"""Whether a statement may change the session, told by its text; in doubt it does."""

import pytest
from psycopg import sql as composed

from resident.isolation.sql import changes_session, first_word

PLAIN = [
    'SELECT "shop_item"."id" FROM "shop_item" WHERE "shop_item"."id" = %s LIMIT 21',
    "  select 1",
    "(SELECT 1) UNION (SELECT 2)",
    "INSERT INTO shop_item (name) VALUES (%s) RETURNING id",
    "UPDATE shop_item SET name = %s",
    "DELETE FROM shop_item;",
    "WITH a AS (SELECT 1) SELECT * FROM a",
    "BEGIN",
    "COMMIT",
    'SAVEPOINT "s1"',
    'RELEASE SAVEPOINT "s1"',
    'ROLLBACK TO SAVEPOINT "s1"',
    "EXPLAIN SELECT 1",
    "SHOW TimeZone",
]
CHANGES = {
    "postgresql": [
        "SET ROLE shop",
        "set local search_path to shop",
        "RESET ALL",
        "LISTEN orders",
        "PREPARE all AS SELECT 1",
        "DECLARE c CURSOR FOR SELECT 1",
        "CREATE TEMP TABLE t (a int)",
        "SELECT 1 INTO TEMP t",
        "SELECT set_config('search_path', %s, false)",
        "SELECT pg_advisory_lock(7)",
        "SELECT dblink_connect('dbname=shop')",
        "SELECT 1; SET ROLE shop",
        "DO $$ BEGIN SET ROLE shop; END $$",
        "-- a comment\nSELECT 1",
        "/* a comment */ SET ROLE shop",
        "",
    ],
    "mysql": [
        "SET time_zone = '+01:00'",
        "SELECT @price := 7",
        "SELECT GET_LOCK('a', 1)",
        "USE shop",
        "LOCK TABLES shop_item READ",
    ],
    "sqlite": [
        "PRAGMA foreign_keys = OFF",
        "ATTACH DATABASE 'a' AS a",
        "CREATE TEMP TABLE t (a)",
        "SELECT load_extension('a')",
    ],
}


@pytest.mark.parametrize("vendor", CHANGES)
@pytest.mark.parametrize("sql", PLAIN)
def test_what_django_says_changes_nothing(sql: str, vendor: str) -> None:
    assert not changes_session(sql, vendor)


@pytest.mark.parametrize(("vendor", "sql"), [(v, sql) for v in CHANGES for sql in CHANGES[v]])
def test_what_may_change_it(vendor: str, sql: str) -> None:
    assert changes_session(sql, vendor)


def test_composed_statements_are_not_looked_into() -> None:
    assert changes_session(composed.SQL("SELECT {}").format(composed.Literal(1)), "postgresql")


@pytest.mark.parametrize(
    ("sql", "word"), [("select 1", "SELECT"), ("(\n( values (1)", "VALUES"), ("--", ""), (b"", "")]
)
def test_first_word(sql: object, word: str) -> None:
    assert first_word(sql) == word
