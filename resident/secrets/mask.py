"""Blots secrets out of texts that others write: log records, error pages."""

import html
import json
import weakref
from collections.abc import Iterator
from itertools import count
from typing import Protocol
from urllib.parse import quote, quote_plus, urlsplit

__all__ = ["MASK", "Mask", "mask"]

MASK = "**********"

SHORTEST = 6
"""Characters of the shortest value that is blotted out: shorter ones are part of many words."""


class Revealing(Protocol):
    """What a `Secret` can do."""

    def reveal(self) -> str:
        """The value."""
        ...


class Mask:
    """Knows the values of all secrets that are alive; lives as long as the process.

    It keeps no secret alive: what nobody holds any more is forgotten. Values of fewer than six
    characters are not blotted out, nor is the URL of a server that has nothing but a host and a
    port: an error that doesn't name the server helps nobody.
    """

    def __init__(self) -> None:
        self._secrets: weakref.WeakValueDictionary[int, Revealing] = weakref.WeakValueDictionary()
        self._versions = count(1)
        self._version = 0
        self._found: tuple[int, tuple[str, ...]] = (0, ())

    def add(self, secret: Revealing) -> None:
        """Blot out its value, as long as it is alive."""
        self._secrets[id(secret)] = secret
        self._version = next(self._versions)

    def __call__(self, text: str) -> str:
        """The text without any of the values; the same object where it has none."""
        for value in self._values():
            if value in text:
                text = text.replace(value, MASK)
        return text

    def _values(self) -> tuple[str, ...]:
        """What to look for, the longest first: one value may be part of another."""
        version, found = self._found
        if version != self._version:
            version = self._version
            found = tuple(sorted(self._written_values(), key=len, reverse=True))
            self._found = version, found
        return found

    def _written_values(self) -> set[str]:
        # Unlike values(), valuerefs() gives a list, which other threads don't change.
        alive = [reference() for reference in self._secrets.valuerefs()]
        values = {secret.reveal() for secret in alive if secret is not None}
        return {
            written
            for value in values
            if len(value) >= SHORTEST and not _is_address(value)
            for written in _written(value)
        }


mask = Mask()
"""The mask of this process."""


def _written(value: str) -> Iterator[str]:
    """How the value is written in Python, in JSON, in a URL and in HTML."""
    yield value
    yield repr(value)[1:-1]
    yield json.dumps(value)[1:-1]
    yield quote(value, safe="")
    yield quote_plus(value)
    yield html.escape(value)
    yield html.escape(repr(value)[1:-1])


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        is_server = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False
    more = (parts.username, parts.password, parts.path.strip("/"), parts.query, parts.fragment)
    return is_server and not any(more)
