"""What a statement may do to the session that it runs in, told by its text."""

import re

__all__ = ["changes_session", "first_word"]

HARMLESS = frozenset({
    *("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "WITH", "VALUES", "TABLE"),
    *("EXPLAIN", "ANALYZE", "SHOW", "COPY", "FETCH"),
    *("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"),
})  # fmt: skip
"""What changes rows, or ends with its transaction. What is not here counts as a change."""

SUSPECT = {
    "postgresql": ("set_config", "advisory", "dblink", "temp"),
    "mysql": ("@", "get_lock"),
    "sqlite": ("load_extension",),
}
"""By vendor: what makes a harmless statement change the session all the same."""

FIRST_WORD = re.compile(r"[\s(]*(\w+)")


def changes_session(sql: object, vendor: str) -> bool:
    """Whether the statement may change the session; in doubt it does.

    What its functions and triggers do can't be told from its text.
    """
    if first_word(sql) not in HARMLESS:
        return True
    text = str(sql).lower()
    return ";" in text.rstrip("; \n") or any(word in text for word in SUSPECT[vendor])


def first_word(sql: object) -> str:
    """In capitals; "" where it can't be told, as in a comment, or in psycopg's composed SQL."""
    found = FIRST_WORD.match(sql) if isinstance(sql, str) else None
    return found.group(1).upper() if found else ""
