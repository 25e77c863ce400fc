"""A small text file that somebody else writes: a token, a JWT, a secret."""

import os
import stat
from pathlib import Path

from resident.exceptions import SecretsError

__all__ = ["read_text"]

READABLE = "check the path, and that whoever writes the file lets this user read it."
TEXT = "store text, and in base64 what is not text."


def read_text(path: Path, *, max_bytes: int = 65_536, passing: bool = False) -> str:
    """The file's text. Waits for nobody: a pipe or a device is refused.

    Args:
        path: the file, or what leads to it.
        max_bytes: how large it may be.
        passing: whether a file that is not there may come later.

    Raises:
        SecretsError: it can't be read, is too large, or holds no text; without what is in it.
    """
    is_absent, remedy = False, READABLE
    try:
        return _content(path, max_bytes).decode()
    except UnicodeDecodeError:
        problem, remedy = "it is not text in UTF-8", TEXT
    except OSError as error:
        problem = error.strerror or type(error).__name__
        is_absent = isinstance(error, FileNotFoundError)
    # Raised out here, where it has no context: what could not be decoded ends with its error.
    raise SecretsError(
        f"{str(path)!r} can't be read: {problem}.",
        kind="unreadable",
        tried=f"to read {str(path)!r}",
        remedy=remedy,
        passing=passing and is_absent,
    )


def _content(path: Path, max_bytes: int) -> bytes:
    # Without O_NONBLOCK a pipe would wait for its writer.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is not a regular file")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(0, f"it has more than {max_bytes:,} bytes")
    return content
