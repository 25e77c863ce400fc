"""Everything that a test run logged, printed and was answered, kept to be searched for secrets."""

import logging
import re
from collections.abc import Iterator

__all__ = ["BOOTSTRAP_TOKEN", "PASSWORD", "ROOT_TOKEN", "WRONG_PASSWORD", "Evidence"]

ROOT_TOKEN = "root-token-5c1e0b"
BOOTSTRAP_TOKEN = "bootstrap-token-77d2e4"
PASSWORD = "pass-word-91f3ad"
WRONG_PASSWORD = "wrong-word-c04b8e"

VAULT_TOKEN = re.compile(r"\b(?:hvs|hvb|s|b)\.[A-Za-z0-9_-]{20,}")


class Evidence(logging.Handler):
    """Keeps what it is given, and every record that is logged; lives as long as the test run."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        self._texts: list[tuple[str, str]] = []
        self._secrets = {ROOT_TOKEN, BOOTSTRAP_TOKEN, PASSWORD, WRONG_PASSWORD}

    def emit(self, record: logging.LogRecord) -> None:
        self.keep("log", self.format(record))

    def keep(self, source: str, text: str) -> None:
        """Keep a text, and where it is from."""
        self._texts.append((source, text))

    def secret(self, value: str) -> str:
        """Learn another value that must not be found."""
        self._secrets.add(value)
        return value

    def found(self) -> Iterator[str]:
        """Where secrets were found: source and line, with the secret itself cut short."""
        values = re.compile("|".join(map(re.escape, sorted(self._secrets))))
        for source, text in self._texts:
            for line in text.splitlines():
                for found in (*values.finditer(line), *VAULT_TOKEN.finditer(line)):
                    yield f"{source}: {found.group()[:4]}… in {line[:60]!r}"
