"""What leaks already, and is accepted for now: a file that `--format json` has written."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resident.exceptions import LeaksError
from resident.leaks.leak import Leak

__all__ = ["Baseline", "Known"]


@dataclass(frozen=True)
class Known:
    """A leak that is accepted, on whatever page it is found.

    Attributes:
        path: the page that it was found on; "" where that is not told.
    """

    kind: str
    name: str
    path: str = ""


class Baseline:
    """The leaks that are accepted; lives as long as a run.

    Lines and files don't count: they change while a project is worked on.
    """

    def __init__(self, entries: Iterable[Known] = ()) -> None:
        self._entries = list(entries)
        self._known = {(it.kind, it.name) for it in self._entries}

    @classmethod
    def read(cls, file: Path) -> "Baseline":
        """Those in this file.

        Raises:
            LeaksError: it can't be read, or is no list of leaks.
        """
        try:
            entries = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())
        else:
            return cls(_known(file, entries))
        raise _malformed(file, f"can't be read: {reason}.")

    def new(self, leaks: Iterable[Leak]) -> list[Leak]:
        """Those that are not accepted."""
        return [leak for leak in leaks if (leak.kind, leak.name) not in self._known]

    def stale(self, leaks: Iterable[Leak], paths: Collection[str]) -> list[Known]:
        """The entries that were not found on the page that they name, though it was looked at."""
        found = {(leak.kind, leak.name) for leak in leaks}
        return [
            entry
            for entry in dict.fromkeys(self._entries)
            if (entry.kind, entry.name) not in found and (not entry.path or entry.path in paths)
        ]


def _known(file: Path, entries: Any) -> list[Known]:
    if not isinstance(entries, list):
        raise _malformed(file, f"holds no list, but a {type(entries).__name__}.")
    return [_entry(file, number, entry) for number, entry in enumerate(entries, 1)]


def _entry(file: Path, number: int, entry: Any) -> Known:
    names = ("kind", "name", "path")
    texts = [entry.get(name, "") for name in names] if isinstance(entry, dict) else []
    if not all(isinstance(text, str) for text in texts) or not all(texts[:2]) or not texts:
        raise _malformed(file, f"has an entry {number} that names no 'kind' and no 'name'.")
    return Known(*texts)


def _malformed(file: Path, problem: str) -> LeaksError:
    return LeaksError(
        f"The baseline {file} {problem}",
        remedy=f"write it anew: manage.py findleaks --format json > {file}",
    )
