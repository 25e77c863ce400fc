"""`manage.py flags`: the flags of this project as a worker sees them."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.http import HttpRequest

from resident.conf import conf
from resident.exceptions import FlagsError, ResidentError
from resident.flags.context import subject_of
from resident.flags.document import Flag
from resident.flags.engine import NOBODY, Variant
from resident.flags.explanation import Explanation, Verdict
from resident.flags.resource import flags
from resident.flags.saved import save
from resident.flags.snapshot import Answer, Snapshot
from resident.flags.subject import Subject
from resident.management.inventory import Inventory
from resident.worker import worker

MISSING = 1
"""The exit status beside 0, as of every command that fails."""


class Command(BaseCommand):
    """Reads the flags as a worker does when it starts, and shows them or what they answer."""

    help = (
        "List the flags of this project's source, explain one, evaluate it for somebody, compare "
        "what the code and templates use with what the source has, or save all in a file."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

        listing = actions.add_parser("list", help="each flag with its type and state")
        _add_common(listing)

        showing = actions.add_parser("show", help="who gets what from a flag, in which order")
        showing.add_argument("key", metavar="KEY")
        _add_common(showing)

        evaluating = actions.add_parser("eval", help="what a flag answers, and why")
        evaluating.add_argument("key", metavar="KEY")
        whom = evaluating.add_mutually_exclusive_group()
        whom.add_argument("--entity", metavar="ID", help=f"the entity's id; default: {NOBODY}")
        whom.add_argument("--user", metavar="NAME", help="a user, by the name that logs in")
        evaluating.add_argument(
            "--context",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a property for the constraints of segments; may be given several times",
        )
        _add_common(evaluating)

        checking = actions.add_parser(
            "check", help="flags that code or templates use and the source lacks; and unused ones"
        )
        checking.add_argument(
            "paths",
            nargs="*",
            metavar="PATH",
            help="files and folders to look at, too, beside the project's apps, settings, URLs "
            "and templates",
        )
        checking.add_argument(
            "--strict", action="store_true", help="fail where a flag of the source is not used, too"
        )
        _add_common(checking)

        saving = actions.add_parser(
            "snapshot", help="save all flags in a file, which RESIDENT_FLAGS['FEATURES'] may name"
        )
        saving.add_argument("--output", metavar="FILE", required=True)
        _add_namespace(saving)

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        actions: Mapping[str, Callable[..., None]] = {
            "list": self._list,
            "show": self._show,
            "eval": self._evaluate,
            "check": self._check,
            "snapshot": self._save,
        }
        try:
            actions[action](**options)
        except ResidentError as error:
            problem = str(error)
        else:
            return
        raise CommandError(problem, returncode=MISSING)

    def _list(self, *, namespace: str | None, as_json: bool, **_: Any) -> None:
        snapshot = _snapshot(namespace)
        found = [Explanation(flag) for _, flag in sorted(snapshot.flags.items())]
        if as_json:
            self._dump([_described(snapshot, it) for it in found])
            return
        for line in _table([_row(it) for it in found]):
            self.stdout.write(line)
        self.stdout.write(f"{_count(len(found), 'flag')} in {_place(snapshot)}.")

    def _show(self, *, key: str, namespace: str | None, as_json: bool, **_: Any) -> None:
        explanation = Explanation(_flag(_snapshot(namespace), key))
        self.stdout.write(explanation.definition if as_json else str(explanation))

    def _evaluate(
        self,
        *,
        key: str,
        namespace: str | None,
        as_json: bool,
        entity: str | None,
        user: str | None,
        context: list[str],
        **_: Any,
    ) -> None:
        snapshot = _snapshot(namespace)
        flag = _flag(snapshot, key)
        subject = _subject(flag, entity, user, _context(context))
        verdict = Verdict(flag, answer := snapshot.answer(key, subject))
        if as_json:
            self._dump(_answered(verdict, answer, subject))
            return
        for line in _told(verdict, answer, subject):
            self.stdout.write(line)

    def _check(
        self,
        *,
        namespace: str | None,
        as_json: bool,
        paths: list[str],
        strict: bool,
        **_: Any,
    ) -> None:
        served = {namespace: _snapshot(namespace)} if namespace else _snapshots()
        inventory = Inventory(
            {name: frozenset(it.flags) for name, it in served.items()},
            otherwise=namespace or conf.flipt_namespace,
            besides=[_existing(path) for path in paths],
        )
        if as_json:
            self._dump(inventory.as_json())
        else:
            for line in inventory.told():
                self.stdout.write(line)
        for note in inventory.notes:
            self.stderr.write(note)
        if inventory.missing:
            raise FlagsError(
                f"{_count(len(inventory.missing), 'flag')} in use that the source does not have.",
                remedy="add them to the source, or take them out of the code.",
            )
        if strict and inventory.unused:
            raise FlagsError(
                f"{_count(len(inventory.unused), 'flag')} of the source that nothing uses.",
                remedy="archive them, or look at more of the code: name further folders.",
            )

    def _save(self, *, namespace: str | None, output: str, **_: Any) -> None:
        served = [_snapshot(namespace)] if namespace else list(_snapshots().values())
        save(Path(output), [it.document for it in served])
        for snapshot in served:
            self.stdout.write(
                f"{_count(len(snapshot.flags), 'flag')} of {_place(snapshot)} saved in {output}."
            )

    def _dump(self, value: object) -> None:
        self.stdout.write(json.dumps(value, indent=2, ensure_ascii=False))


def _add_common(parser: ArgumentParser) -> None:
    _add_namespace(parser)
    parser.add_argument("--json", action="store_true", dest="as_json", help="as JSON")


def _add_namespace(parser: ArgumentParser) -> None:
    parser.add_argument("--namespace", metavar="KEY", help="default: that of the settings")


def _snapshots() -> Mapping[str, Snapshot]:
    return dict(sorted(worker.get(flags).snapshots.items()))


def _snapshot(namespace: str | None) -> Snapshot:
    snapshots, wanted = _snapshots(), namespace or conf.flipt_namespace
    if wanted not in snapshots:
        raise FlagsError(
            f"The namespace {wanted!r} is not served, but {', '.join(map(repr, snapshots))}.",
            remedy="name it in RESIDENT_FLAGS['NAMESPACES'].",
        )
    return snapshots[wanted]


def _flag(snapshot: Snapshot, key: str) -> Flag:
    if key in snapshot.flags:
        return snapshot.flags[key]
    near = get_close_matches(key, snapshot.flags)
    known = ", ".join(map(repr, near))
    raise FlagsError(
        f"The flag {key!r} is unknown to {_place(snapshot)}.",
        remedy=f"is it {known}?" if near else "`manage.py flags list` shows those that it has.",
    )


def _place(snapshot: Snapshot) -> str:
    known = "the last known flags of " if snapshot.origin == "last known" else ""
    return f"{known}{snapshot.place}, namespace {snapshot.namespace!r}"


def _context(pairs: list[str]) -> dict[str, str]:
    return dict(_pair(pair) for pair in pairs)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise FlagsError(
            f"--context {text!r} is no pair of name and value.",
            remedy="write it as plan=pro.",
        )
    return name, value


def _existing(path: str) -> Path:
    if not Path(path).exists():
        raise FlagsError(f"{path!r} is not there.", remedy="name a file or a folder.")
    return Path(path)


def _user(name: str) -> Any:
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(name)  # noqa: SLF001 - as Django's login
    except users.DoesNotExist:
        raise FlagsError(
            f"There is no user {name!r}.",
            remedy="give the name with which a user logs in, or an --entity.",
        ) from None


def _subject(flag: Flag, entity: str | None, user: str | None, context: dict[str, str]) -> Subject:
    request = None if user is None else _request_of(_user(user))
    reason = ""
    try:
        return subject_of(flag, request, entity, context)
    except ResidentError:
        raise
    except Exception as error:  # noqa: BLE001 - what builds the context is the project's
        reason = f"{type(error).__name__}: {error}"
    raise FlagsError(
        f"The context of the user {user!r} can't be built: {reason}.",
        remedy="see RESIDENT_FLAGS['CONTEXT'], or give an --entity and what matters as --context.",
    )


def _request_of(user: Any) -> HttpRequest:
    """A request as this user could make it, to the first host of the settings."""
    request = HttpRequest()
    hosts = [host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"]
    request.META = {"HTTP_HOST": next(iter(hosts), "localhost")}
    request.method = "GET"
    request.path = request.path_info = "/"
    request.user = user
    return request


def _row(explanation: Explanation) -> tuple[str, ...]:
    flag = explanation.flag
    return (
        flag.key,
        explanation.kind,
        explanation.state,
        explanation.depends_on,
        flag.description,
    )


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _described(snapshot: Snapshot, explanation: Explanation) -> dict[str, Any]:
    flag = explanation.flag
    return {
        "namespace": snapshot.namespace,
        "key": flag.key,
        "name": flag.name,
        "description": flag.description,
        "type": explanation.kind,
        "enabled": flag.enabled,
        "state": explanation.state,
        "depends_on": explanation.depends_on,
    }


def _told(verdict: Verdict, answer: Answer, subject: Subject) -> Iterator[str]:
    yield f"{answer.flag_key}: {verdict.value}"
    if isinstance(answer.value, Variant) and answer.value.attachment is not None:
        yield f"attached: {json.dumps(answer.value.attachment, ensure_ascii=False)}"
    yield f"decided by: {verdict.decided_by}"
    yield f"reason: {answer.reason}"
    yield f"segments: {', '.join(answer.segments) or '-'}"
    yield f"bucket: {verdict.bucket or '-'}"
    yield f"entity: {subject.entity_id}"
    pairs = (f"{name}={value}" for name, value in subject.context.items())
    yield f"context: {', '.join(pairs) or '-'}"


def _answered(verdict: Verdict, answer: Answer, subject: Subject) -> dict[str, Any]:
    value = answer.value
    return {
        "key": answer.flag_key,
        "value": value,
        "attachment": value.attachment if isinstance(value, Variant) else None,
        "decided_by": verdict.decided_by,
        "reason": answer.reason,
        "segments": list(answer.segments),
        "bucket": answer.bucket,
        "rank": answer.rank,
        "entity": subject.entity_id,
        "context": dict(subject.context),
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
