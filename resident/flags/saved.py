"""Flags saved in a file, from which a later start can serve them as they were.

Flipt's own features file can't say all that its server's document says, such as constraints that a
later version has; so it is the document that is saved.
"""

import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from resident.exceptions import FlagsError
from resident.flags.document import Document

__all__ = ["dumped", "loaded", "save"]

MARK = "resident_snapshot"
FORMAT = 1

_BEGIN = re.compile(rf'\s*\{{\s*"{MARK}"\s*:')
_DOCUMENTS = TypeAdapter(list[Document])


def dumped(documents: Iterable[Document]) -> str:
    """These as the text of such a file, one document for each namespace."""
    saved = {
        MARK: FORMAT,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "documents": [it.model_dump(mode="json", by_alias=True) for it in documents],
    }
    return json.dumps(saved, indent=2, ensure_ascii=False) + "\n"


def loaded(text: str) -> dict[str, Document] | None:
    """The documents by namespace; None for the text of another file.

    Raises:
        ValueError: it is such a file, and not as it was written.
    """
    if not _BEGIN.match(text):
        return None
    saved = json.loads(text)
    if saved[MARK] != FORMAT:
        raise ValueError(f"it is a snapshot in the format {saved[MARK]!r}, and not in {FORMAT}")
    return {it.namespace.key: it for it in _checked(saved.get("documents"))}


def save(path: Path, documents: Iterable[Document]) -> None:
    """Write such a file: as a whole, so that nobody reads half of it.

    Raises:
        FlagsError: it can't be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    reason = ""
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(dumped(documents))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
    finally:
        with suppress(OSError):
            beside.unlink()
    if reason:
        raise FlagsError(
            f"The flags can't be saved in {path}: {reason}.",
            remedy="name a file in a folder that exists, and that may be written to.",
        )


def _checked(documents: Any) -> list[Document]:
    try:
        return _DOCUMENTS.validate_python(documents)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, ("documents", *fault["loc"])))
    raise ValueError(f"{where}: {fault['msg']}")
