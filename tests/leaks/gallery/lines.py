"""Where the gallery's marked lines are."""

import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Place", "defined", "put_in", "slugs"]

FOLDER = Path(__file__).parent
MARK = re.compile(r"(defined|put in): ([a-z0-9-]+)")


class Place(NamedTuple):
    """A line of a file of the gallery."""

    file: str
    line: int


def defined(slug: str) -> Place:
    """The line that a report on this leak names. Raises `KeyError` where none is marked."""
    return _marked()["defined", slug]


def put_in(slug: str) -> Place:
    """The line that puts the value in. Raises `KeyError` where none is marked."""
    return _marked()["put in", slug]


def slugs() -> set[str]:
    """The leaks that are marked anywhere."""
    return {slug for _, slug in _marked()}


@cache
def _marked() -> dict[tuple[str, str], Place]:
    marks = [mark for file in sorted(FOLDER.glob("*.py")) for mark in _marks(file)]
    found = dict(marks)
    if len(found) < len(marks):
        twice = sorted({mark for mark, _ in marks if [it for it, _ in marks].count(mark) > 1})
        raise LookupError(f"marked on more than one line: {twice}")
    return found


def _marks(file: Path) -> Iterator[tuple[tuple[str, str], Place]]:
    with tokenize.open(file) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type == tokenize.COMMENT:
                for what, slug in MARK.findall(token.string):
                    yield (what, slug), Place(str(file), token.start[0])
