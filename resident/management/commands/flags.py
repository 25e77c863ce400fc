"""`manage.py flags`: the flags of this project as a worker sees them."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resident.conf import conf
from resident.exceptions import FlagsError, ResidentError
from resident.flags.document import Flag
from resident.flags.engine import NOBODY
from resident.flags.explanation import Explanation, Verdict
from resident.flags.resource import flags
from resident.flags.saved import save
from resident.flags.snapshot import Snapshot
from resident.management.asked import subject_asked
from resident.management.inventory import Inventory
from resident.management.printing import answered, counted, described, listed, told
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
        _add_common(actions.add_parser("list", help="each flag with its type and state"))
        _add_show(actions.add_parser("show", help="who gets what from a flag, in which order"))
        _add_eval(actions.add_parser("eval", help="what a flag answers, and why"))
        _add_check(
            actions.add_parser(
                "check",
                help="flags that code or templates use, and that the source lacks or has of "
                "another type; and unused ones",
            )
        )
        _add_snapshot(
            actions.add_parser(
                "snapshot",
                help="save all flags in a file, which RESIDENT_FLAGS['FEATURES'] may name",
            )
        )

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
            self._dump([described(snapshot.namespace, it) for it in found])
            return
        for line in listed(found):
            self.stdout.write(line)
        self.stdout.write(f"{counted(len(found), 'flag')} in {_place(snapshot)}.")

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
        subject = subject_asked(flag, entity=entity, user=user, context=context)
        verdict = Verdict(flag, answer := snapshot.answer(key, subject))
        if as_json:
            self._dump(answered(verdict, answer, subject))
            return
        for line in told(verdict, answer, subject):
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
        _snapshot(namespace)  # so that one that is not served is said to be so
        inventory = Inventory(
            {
                name: {key: flag.is_boolean for key, flag in it.flags.items()}
                for name, it in _snapshots().items()
            },
            otherwise=conf.flipt_namespace,
            only=namespace,
            besides=[_existing(path) for path in paths],
        )
        if as_json:
            self._dump(inventory.as_json())
        else:
            for line in inventory.told():
                self.stdout.write(line)
        for note in inventory.notes:
            self.stderr.write(note)
        _judge(inventory, strict=strict)

    def _save(self, *, namespace: str | None, output: str, **_: Any) -> None:
        served = [_snapshot(namespace)] if namespace else list(_snapshots().values())
        save(Path(output), [it.document for it in served])
        for snapshot in served:
            self.stdout.write(
                f"{counted(len(snapshot.flags), 'flag')} of {_place(snapshot)} saved in {output}."
            )

    def _dump(self, value: object) -> None:
        self.stdout.write(json.dumps(value, indent=2, ensure_ascii=False))


def _add_show(parser: ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY")
    _add_common(parser)


def _add_eval(parser: ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY")
    whom = parser.add_mutually_exclusive_group()
    whom.add_argument("--entity", metavar="ID", help=f"the entity's id; default: {NOBODY}")
    whom.add_argument("--user", metavar="NAME", help="a user, by the name that logs in")
    parser.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a property for the constraints of segments; may be given several times",
    )
    _add_common(parser)


def _add_check(parser: ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="files and folders to look at, too, beside the project's apps, settings, URLs and "
        "templates",
    )
    parser.add_argument(
        "--strict", action="store_true", help="fail where a flag of the source is not used, too"
    )
    _add_common(parser)


def _add_snapshot(parser: ArgumentParser) -> None:
    parser.add_argument("--output", metavar="FILE", required=True)
    _add_namespace(parser)


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


def _judge(inventory: Inventory, *, strict: bool) -> None:
    """Fail where something is not as it has to be."""
    if missing := inventory.missing:
        raise FlagsError(
            f"{counted(len(missing), 'flag')} in use that the source does not have.",
            remedy="add them to the source, or take them out of the code.",
        )
    if mistaken := inventory.mistaken:
        raise FlagsError(
            f"{counted(len(mistaken), 'flag')} asked for what they don't answer.",
            remedy="ask a boolean flag with flag_enabled, one with variants with flag_variant.",
        )
    if strict and (unused := inventory.unused):
        raise FlagsError(
            f"{counted(len(unused), 'flag')} of the source that nothing uses.",
            remedy="archive them, or look at more of the code: name further folders.",
        )


def _existing(path: str) -> Path:
    if not Path(path).exists():
        raise FlagsError(f"{path!r} is not there.", remedy="name a file or a folder.")
    return Path(path)
