"""Flags and their answers, as `manage.py flags` prints them."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from resident.flags.engine import Variant
from resident.flags.explanation import Explanation, Verdict
from resident.flags.snapshot import Answer
from resident.flags.subject import Subject

__all__ = ["answered", "counted", "described", "listed", "told"]


def listed(found: Iterable[Explanation]) -> Iterator[str]:
    """A line for each flag, in columns."""
    yield from _table([_row(it) for it in found])


def described(namespace: str, explanation: Explanation) -> dict[str, Any]:
    """A flag of a list, for a script."""
    flag = explanation.flag
    return {
        "namespace": namespace,
        "key": flag.key,
        "name": flag.name,
        "description": flag.description,
        "type": explanation.kind,
        "enabled": flag.enabled,
        "state": explanation.state,
        "depends_on": explanation.depends_on,
    }


def told(verdict: Verdict, answer: Answer, subject: Subject) -> Iterator[str]:
    """An answer, with all that speaks for it, in lines."""
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


def answered(verdict: Verdict, answer: Answer, subject: Subject) -> dict[str, Any]:
    """The same for a script."""
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


def counted(number: int, noun: str) -> str:
    """As in "1 flag" and in "2 flags", for a noun such as "flag"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _row(explanation: Explanation) -> tuple[str, ...]:
    flag = explanation.flag
    return (
        flag.key,
        explanation.kind,
        explanation.state,
        explanation.depends_on,
        " ".join(flag.description.split()),
    )
