"""How figures are shown: tables that read well as text and as Markdown."""

import os
import platform
import re
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

README = Path(__file__).with_name("README.md")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are aligned: the first to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(cells, widths) for cells in (header, rule, *rows))


def machine() -> str:
    """What the figures depend on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("Django", "granian"))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {packages}; {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def parser(name: str, description: str | None) -> ArgumentParser:
    """What every script is asked: whether to keep what it prints."""
    made = ArgumentParser(description=description)
    made.add_argument(
        "--output",
        action="store_true",
        help=f"also keep what is printed in benchmarks/{name}.txt and benchmarks/README.md",
    )
    return made


def say(progress: str) -> None:
    """Tell whoever waits what is done now."""
    print(progress, file=sys.stderr, flush=True)


def publish(name: str, text: str, *, keep: bool) -> None:
    """Print it, and keep it if that is wanted."""
    print(text)
    if keep:
        _keep(name, text)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    aligned = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return f"| {' | '.join(aligned)} |"


def _keep(name: str, text: str) -> None:
    """Write what was printed to a file beside this one, and into the README between its marks."""
    README.with_name(f"{name}.txt").write_text(text + "\n")
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    block = f"{begin}\n\n```text\n{text}\n```\n\n{end}"
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    README.write_text(pattern.sub(lambda _: block, README.read_text()))
