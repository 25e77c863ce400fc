"""What was found, as text for people and as JSON for machines."""

import json
import os
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import groupby

from resident.leaks.leak import Leak, Line

__all__ = ["Style", "place_of", "plain", "to_json", "to_text"]

Style = Callable[[str, str], str]
"""Gives a text the look of its role: "path", "kind", "name", "place", "growth", "remedy"."""

WIDTH = 80
INDENT = " " * 6


def plain(role: str, text: str) -> str:  # noqa: ARG001 - a style takes the role
    """The style of a file."""
    return text


def to_text(leaks: Iterable[Leak], style: Style = plain) -> str:
    """One entry for each, under the path of the page; "" where there are none."""
    pages = groupby(leaks, key=lambda leak: leak.path)
    return "\n".join(_page(path, list(found), style) for path, found in pages)


def to_json(leaks: Iterable[Leak]) -> str:
    """A list of objects, whose keys are the attributes of a leak."""
    return json.dumps([asdict(leak) for leak in leaks], indent=2, ensure_ascii=False)


def place_of(line: Line) -> str:
    """As short as it can be named from here, so that an editor or a terminal opens it."""
    here = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118 - str, and no resolving
    file = line.file.removeprefix(here)
    return f"{file}:{line.line}" if line.line else file


def _page(path: str, leaks: list[Leak], style: Style) -> str:
    entries = ["\n".join(_entry(leak, style)) for leak in leaks]
    return "\n\n".join([style("path", _printable(path)), *entries]) + "\n"


def _entry(leak: Leak, style: Style) -> Iterator[str]:
    yield f"  {style('kind', leak.kind)}  {style('name', _printable(leak.name))}"
    if leak.file:
        yield INDENT + style("place", _printable(place_of(Line(leak.file, leak.line))))
    if leak.put_in is not None:
        yield f"{INDENT}put in at {style('place', _printable(place_of(leak.put_in)))}"
    yield from _paragraph(_growth(leak), style, "growth")
    yield from _paragraph(leak.remedy, style, "remedy")


def _growth(leak: Leak) -> str:
    counts = ", ".join(map(str, leak.growth))
    return f"{counts} after each request: {leak.value}" if counts else leak.value


def _paragraph(text: str, style: Style, role: str) -> Iterator[str]:
    wrapped = textwrap.wrap(
        _printable(text), WIDTH - len(INDENT), break_long_words=False, break_on_hyphens=False
    )
    return (INDENT + style(role, line) for line in wrapped)


def _printable(text: str) -> str:
    """Nothing in it moves a terminal's cursor."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
