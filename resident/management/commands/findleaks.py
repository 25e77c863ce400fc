"""`manage.py findleaks`: which variables of the project keep what a request brought, and where."""

import os
import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import click
from django.core.management.base import BaseCommand, CommandError

from resident.conf import conf
from resident.exceptions import LeaksError, ResidentError
from resident.leaks.baseline import Baseline
from resident.leaks.finding import Findings
from resident.leaks.leak import Leak
from resident.leaks.pages import urls_of_project
from resident.leaks.report import to_json, to_text
from resident.stage import Stage

LEAKS, NOT_SEEN = 1, 2
"""The exit statuses beside 0."""

STYLES = {
    "path": "MIGRATE_HEADING",
    "kind": "WARNING",
    "name": "MIGRATE_LABEL",
    "place": "HTTP_NOT_MODIFIED",
    "remedy": "SUCCESS",
}
"""How Django names the colours of a report."""


class Command(BaseCommand):
    """Looks at pages, one after the other, and reports what each of them leaks."""

    help = (
        "Find what one request leaves behind for the next: makes some requests in this process, "
        "each in a transaction that is rolled back, and names the variables and lines that keep "
        "what the requests brought. Exits with 1 where something leaks, and with 2 where nothing "
        "was found, but a page could not be looked at."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="*",
            metavar="PATH",
            help="a page to look at, such as '/prices?page=2'; without one: every page that takes "
            "no arguments. {token} in it is another text in each request",
        )
        _add_request(parser)
        _add_search(parser)
        _add_report(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            # What views print must not stand in the report.
            with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123 - no path
                status = self._run(options)
        except ResidentError as error:
            problem = str(error)
        else:
            if status:
                raise SystemExit(status)
            return
        raise CommandError(problem, returncode=NOT_SEEN)

    def _run(self, options: dict[str, Any]) -> int:
        baseline = Baseline.read(Path(options["baseline"])) if options["baseline"] else Baseline()
        found = list(self._look(_paths(options), options))
        for note in dict.fromkeys(note for findings in found for note in findings.notes):
            self._say(note, "WARNING")
        for findings in found:
            self._tell(findings)
        leaks = [leak for findings in found for leak in findings.leaks]
        self._tell_stale(baseline, leaks, {it.path for it in found if it.is_seen})
        new = baseline.new(leaks)
        self._report(new, found, options["format"])
        return LEAKS if new else 0 if all(it.is_seen for it in found) else NOT_SEEN

    def _look(self, paths: list[str], options: dict[str, Any]) -> Iterator[Findings]:
        how = _how(options)
        stage = Stage(raw=options["raw"], third_party=options["third_party"])
        with self._progress(paths) as shown:
            for path in shown:
                yield stage.find_leaks(path, **how)

    @contextmanager
    def _progress(self, paths: list[str]) -> Iterator[Iterable[str]]:
        if len(paths) == 1 or not self.stderr.isatty():
            yield paths
            return
        label = f"{len(paths)} pages"
        with click.progressbar(paths, label=label, file=sys.stderr) as shown:
            yield shown

    def _tell(self, findings: Findings) -> None:
        path = findings.path
        if not findings.is_seen:
            self._say(f"{path} could not be looked at: it answers {findings.status}.", "ERROR")
        elif findings.location:
            self._say(f"{path} answers {findings.status}, and leads to {findings.location}.")
        for database, count in findings.writes.items():
            statements = "statement that wrote was" if count == 1 else "statements that wrote were"
            self._say(f"{path}: {count} {statements} rolled back in {database!r}.")

    def _tell_stale(self, baseline: Baseline, leaks: list[Leak], seen: set[str]) -> None:
        for known in baseline.stale(leaks, seen):
            where = f", on {known.path}" if known.path else ""
            self._say(
                f"The baseline accepts what does not leak any more: {known.kind} {known.name}"
                f"{where}. Remove the entry.",
                "WARNING",
            )

    def _say(self, message: str, role: str = "") -> None:
        style = getattr(self.style, role) if role and self.stderr.isatty() else str
        self.stderr.write(message, style)

    def _report(self, leaks: list[Leak], found: list[Findings], form: str) -> None:
        if form == "json":
            self.stdout.write(to_json(leaks))
            return
        if leaks:
            self.stdout.write(to_text(leaks, self._styled) + "\n")
        seen = sum(it.is_seen for it in found)
        style = self.style.ERROR if leaks else self.style.SUCCESS if seen else self.style.WARNING
        self.stdout.write(style(_summary(len(leaks), seen)))

    def _styled(self, role: str, text: str) -> str:
        style = STYLES.get(role)
        return str(getattr(self.style, style)(text)) if style else text


def _add_request(parser: ArgumentParser) -> None:
    parser.add_argument("--user", metavar="USERNAME", help="log in as a user like this one")
    parser.add_argument("--method", default="GET", help="default: GET")
    parser.add_argument("--data", help="the body; with GET it goes into the query")
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="may be given several times; {token} in it, and in the data, as in a path",
    )


def _add_search(parser: ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=5, help="how many are compared; default: 5")
    parser.add_argument(
        "--warm-up", type=int, default=3, help="how many come before those; default: 3"
    )
    parser.add_argument(
        "--third-party", action="store_true", help="report what installed packages keep, too"
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="without resident's resetters: what the project would leak on its own",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="REGEX",
        help="without a path: leave out pages like this, beside those of the settings",
    )


def _add_report(parser: ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument(
        "--baseline", metavar="FILE", help="accept what is in this file; --format json writes one"
    )


def _how(options: dict[str, Any]) -> dict[str, Any]:
    """What is done on each page."""
    return {
        "requests": _at_least(2, "requests", options["requests"]),
        "warm_up": _at_least(0, "warm-up", options["warm_up"]),
        "user": options["user"],
        "method": options["method"].upper(),
        "data": options["data"],
        "headers": _headers(options["header"]),
    }


def _paths(options: dict[str, Any]) -> list[str]:
    if given := options["paths"]:
        return list(dict.fromkeys(given))
    exclude = [_expression(text) for text in options["exclude"]]
    if paths := urls_of_project([*conf.findleaks_exclude, *exclude]):
        return paths
    raise LeaksError(
        "No page of this project can be asked for without arguments, or all are excluded.",
        remedy="name the pages to look at.",
    )


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise LeaksError(
            f"--exclude {text!r} is no regular expression: {error}.",
            remedy="write one that is found in the paths to leave out, such as '^/api/'.",
        ) from None
    return text


def _at_least(least: int, name: str, number: int) -> int:
    if number < least:
        raise LeaksError(f"--{name} is {number}.", remedy=f"give {least} or more.")
    return number


def _headers(lines: list[str]) -> dict[str, str]:
    return dict(_header(line) for line in lines)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:  # what was meant for its value may be a credential
        raise LeaksError("A --header has no colon.", remedy="write it as 'Accept-Language: de'.")
    return name.strip(), value.strip()


def _summary(leaks: int, pages: int) -> str:
    found = "Nothing leaks" if not leaks else "1 leak" if leaks == 1 else f"{leaks} leaks"
    return f"{found}; {pages} {'page' if pages == 1 else 'pages'} looked at."
