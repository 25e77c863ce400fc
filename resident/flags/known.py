"""The last flags that a server sent, in a file of this machine: for a start without the server."""

import errno
import hashlib
import logging
import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp
from typing import Literal
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from resident.flags.document import Document, loaded
from resident.flags.sources import Reading

__all__ = ["LastKnown"]

logger = logging.getLogger("resident.flags")

MAX_BYTES = 128 * 1024 * 1024
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class _File(BaseModel):
    """What is in the file."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    written: AwareDatetime
    version: str
    document: Document

    def json_bytes(self) -> bytes:
        """As JSON. Written flag by flag: while pydantic writes, no other thread runs."""
        empty = self.document.model_copy(update={"flags": []})
        whole = self.model_copy(update={"document": empty}).model_dump_json(by_alias=True)
        head, tail = whole.rsplit("[]", 1)
        flags = ",".join(flag.model_dump_json(by_alias=True) for flag in self.document.flags)
        return f"{head}[{flags}]{tail}".encode()


class LastKnown:
    """The file of one namespace of one server; it outlives every worker.

    Only this user may read the file, and it is used only where nobody else can have written it.
    Several workers may write: what is in the file is always whole, and of one of them. None of
    its failures is one of the flags: what is wrong is logged, once.

    Args:
        directory: where it is; made, for this user alone, where it is not there.
        url: the server. Its name can't be told from the file's.
        environment: of the server.
        namespace: whose flags.
    """

    def __init__(self, directory: Path, *, url: str, environment: str, namespace: str) -> None:
        host = hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]
        name = "-".join((host, quote(environment, safe=""), quote(namespace, safe="")))
        self._path = directory / f"{name}.json"
        self._namespace = namespace
        self._problem = ""

    def read(self) -> Reading | None:
        """What was last written, with the time of that; None where there is nothing of use."""
        try:
            file = _file(self._bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            self._say("is passed over", error)
            return None
        if file.document.namespace.key != self._namespace:
            self._say("is passed over", ValueError("it is of another namespace"))
            return None
        return Reading(file.document, file.version, file.written)

    def write(self, reading: Reading) -> None:
        """Keep this from now on, unless it is what is kept."""
        now = datetime.now(UTC)
        file = _File(written=now, version=reading.version, document=reading.document)
        content = file.json_bytes()
        try:
            if not self._is_kept(content):
                self._replace(content)
        except OSError as error:
            self._say("can't be written", error)

    def _is_kept(self, content: bytes) -> bool:
        """Whether the file has the same, whenever that was written, which stands before it."""
        with suppress(OSError):  # what is wrong with it is told as it is replaced
            return self._bytes().split(b",", 2)[-1] == content.split(b",", 2)[-1]
        return False

    def _bytes(self) -> bytes:
        _check(self._path.parent.lstat(), self._path.parent, is_directory=True)
        # What is opened is what is looked at: nothing can be put in its place in between.
        descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            _check(os.fstat(descriptor), self._path)
            return file.read(MAX_BYTES)

    def _replace(self, content: bytes) -> None:
        directory = self._path.parent
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check(directory.lstat(), directory, is_directory=True)
        with suppress(FileNotFoundError):
            _check(self._path.lstat(), self._path)
        descriptor, name = mkstemp(prefix=f".{self._path.name}.", dir=directory)  # for this user
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink()
            raise

    def _say(self, what: str, error: Exception) -> None:
        problem = _told(error)
        if problem != self._problem:
            self._problem = problem
            logger.warning("%s, for the last known flags, %s: %s", self._path, what, problem)


def _file(content: bytes) -> _File:
    found = loaded(content)
    return _File.model_validate_json(content) if found is None else _File.model_validate(found)


def _check(found: os.stat_result, path: Path, *, is_directory: bool = False) -> None:
    """Raise PermissionError where another user may have a hand in it."""
    is_kind = stat.S_ISDIR if is_directory else stat.S_ISREG
    if not is_kind(found.st_mode):
        kind = "directory" if is_directory else "regular file"
        raise PermissionError(f"{path} is no {kind}; a link is not followed")
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user, with the id {found.st_uid}")
    if found.st_mode & OTHERS_MAY_WRITE:
        raise PermissionError(f"{path} may be written by other users")


def _told(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, fault["loc"])) or "the file"
        return f"it is damaged, or of another version: {where}: {fault['msg']}"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "it is a link, which is not followed"
    return str(error)
