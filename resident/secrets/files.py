"""Secrets in a folder, one file each: of Docker, of Kubernetes, or what Vault Agent renders."""

import os
from collections.abc import Collection
from pathlib import Path

from resident.exceptions import SecretsError
from resident.secrets.contents import MissingKeyError, Secrets
from resident.secrets.file import read_text
from resident.secrets.value import Secret
from resident.transport import retried

__all__ = ["Files"]

# Kubernetes replaces a volume's contents by pointing this link to another folder.
DATA = "..data"

READINGS = 10

Signature = tuple[tuple[str, int, int, int], ...]


class Files:
    """Each file is a key, and what is in it the value; lives as long as the worker.

    Folders and names that begin with a dot are no keys; an empty file is one that is not there.
    All files of one reading belong together, as far as whoever writes them replaces them together,
    as Kubernetes does.

    Args:
        directory: the folder: "/run/secrets".
        required: keys without which the worker must not start.
        only: the keys that are read; all where it is empty.
        keep_newline: whether a line end at the end of a file belongs to the value.
        max_bytes: how large all files together may be.
        deadline: seconds that the first `read` waits for what is not there yet.
    """

    def __init__(
        self,
        *,
        directory: str | Path,
        required: Collection[str] = (),
        only: Collection[str] = (),
        keep_newline: bool = False,
        max_bytes: int = 1024 * 1024,
        deadline: float = 5.0,
    ) -> None:
        self._directory = Path(directory)
        self._required = required
        self._only = only
        self._keep_newline = keep_newline
        self._max_bytes = max_bytes
        self._deadline = deadline

    def read(self) -> Secrets:
        """What the files hold now.

        Raises:
            SecretsError: the folder or a file can't be read, is too large, or lacks a key.
        """
        contents = retried(lambda _: self._attempt(), deadline=self._deadline)
        # Whoever follows the files looks again by itself.
        self._deadline = 0.0
        return contents

    def close(self) -> None:
        """There is nothing to close."""

    def _attempt(self) -> Secrets:
        values = {key: value for key, value in self._consistent().items() if value}
        contents = Secrets(values, source=f"The folder {str(self._directory)!r}")
        try:
            contents.require(self._required)
        except MissingKeyError as error:
            error.passing = True
            raise
        return contents

    def _consistent(self) -> dict[str, Secret]:
        """The values by key, of one state of the folder."""
        for left in reversed(range(READINGS)):
            try:
                before = self._state()
                values = self._values(*before)
                if self._state() == before:
                    return values
            except SecretsError:
                # It may be of a folder that was replaced under our hands.
                if not left:
                    raise
        raise SecretsError(
            f"The folder {str(self._directory)!r} changes while it is read.",
            kind="unstable",
            tried=f"to read its files, {READINGS} times",
            remedy="let whoever writes the files write new ones, and rename them.",
            passing=True,
        )

    def _values(self, folder: Path, files: Signature) -> dict[str, Secret]:
        # Masked one by one: an error's traceback shows the variables of its frames.
        values, left = {}, self._max_bytes
        for name, *_, size in files:
            values[name] = self._value(folder / name, left)
            left -= size
        return values

    def _value(self, path: Path, max_bytes: int) -> Secret:
        text = read_text(path, max_bytes=max_bytes)
        return Secret(text if self._keep_newline else _without_line_end(text))

    def _state(self) -> tuple[Path, Signature]:
        """The folder that the files are in now, and which files of what age and size."""
        try:
            folder = _folder(self._directory)
            with os.scandir(folder) as entries:
                return folder, tuple(sorted(_signed(it) for it in entries if self._is_key(it)))
        except OSError as error:
            problem = error.strerror
            is_absent = isinstance(error, FileNotFoundError)
        raise SecretsError(
            f"The folder {str(self._directory)!r} can't be read: {problem}.",
            kind="unreadable",
            tried=f"to read the folder {str(self._directory)!r}",
            remedy="check the path, and that whoever writes the files lets this user read them.",
            passing=is_absent,
        )

    def _is_key(self, entry: os.DirEntry[str]) -> bool:
        is_meant = entry.name in self._only if self._only else not entry.name.startswith(".")
        return is_meant and not entry.is_dir()


def _folder(directory: Path) -> Path:
    data = directory / DATA
    return data.resolve(strict=True) if data.is_symlink() else directory


def _signed(entry: os.DirEntry[str]) -> tuple[str, int, int, int]:
    found = entry.stat()
    return entry.name, found.st_ino, found.st_mtime_ns, found.st_size


def _without_line_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
