"""A secret_id in a response-wrapping token, which can be unwrapped once in all."""

import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import hvac
from hvac import exceptions as vault

from resident.exceptions import SecretsError
from resident.secrets.failures import REFUSED
from resident.secrets.file import read_text
from resident.secrets.value import Secret

__all__ = ["WrappedSecretId", "private_folder"]

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there is a folder of this user's alone


@dataclass(frozen=True)
class WrappedSecretId:
    """One wrapping token, unwrapped by whichever worker is first, for all of them.

    Several workers start at once, and start again later; the token is good for one of them. That
    one keeps the secret_id in a file that only this user can read, and the others find it there.
    The file outlives the workers, and a new token gets a new one.

    Args:
        token: the wrapping token.
        folder: where the secret_id is kept, such as `private_folder()`.
        seconds: how long to wait for a worker that unwraps.
    """

    token: Secret
    folder: Path
    seconds: float = 20.0

    def unwrapped(self, client: hvac.Client) -> Secret:
        """The secret_id.

        Raises:
            SecretsError: the token is spent, wraps something else, or the folder is not private.
        """
        _make_private(self.folder)
        # The name tells nothing of the token, which is far too long to be found by trying.
        kept = self.folder / hashlib.sha256(self.token.reveal().encode()).hexdigest()[:32]
        with _locked(kept.with_suffix(".lock"), self.seconds):
            if kept.exists():
                return Secret(read_text(kept))
            # Opened before: once the token is spent, what it wrapped must not be lost.
            with _written(kept) as file:
                secret_id = self._unwrap(client)
                file.write(secret_id.reveal())
            return secret_id

    def _unwrap(self, client: hvac.Client) -> Secret:
        before, client.token = client.token, self.token.reveal()
        try:
            answer = client.sys.unwrap()
        except (vault.InvalidRequest, vault.Forbidden):
            answer = None
        finally:
            client.token = before
        if answer is None:
            raise self._spent()
        secret_id = answer["data"].get("secret_id")
        # An error's traceback shows the variables of its frames.
        del answer
        if isinstance(secret_id, str):
            return Secret(secret_id)
        del secret_id
        raise SecretsError(
            "VAULT_WRAPPED_SECRET_ID wraps something that has no secret_id.",
            kind=REFUSED,
            remedy="wrap what `vault write -wrap-ttl=… -f auth/approle/role/…/secret-id` answers.",
        )

    def _spent(self) -> SecretsError:
        return SecretsError(
            "The wrapping token of VAULT_WRAPPED_SECRET_ID is not valid: it has ended, or was "
            f"unwrapped before, and what it wrapped is not in {str(self.folder)!r}.",
            kind=REFUSED,
            tried="to unwrap the secret_id",
            remedy="give a new one. Where nobody of yours has unwrapped it, somebody else has: "
            "then destroy that secret_id first.",
        )


def private_folder() -> Path:
    """Where this user's workers keep what they share: in memory, where there is such a place."""
    is_there = SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK)
    parent = SHARED_MEMORY if is_there else Path(tempfile.gettempdir())
    return parent / f"resident-{os.getuid()}"


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        is_folder = stat.S_ISDIR(found.st_mode)
        is_private = is_folder and found.st_uid == os.getuid() and not found.st_mode & 0o077
    except OSError:
        is_private = False
    if not is_private:
        raise SecretsError(
            f"{str(folder)!r} is no folder of this user's alone, which the secret_id is kept in.",
            kind="misconfigured",
            remedy="make it one (chmod 700), or name another as auth['folder'].",
        )


@contextmanager
def _locked(path: Path, seconds: float) -> Iterator[None]:
    """While this process alone holds the lock, which the system takes from one that dies."""
    ends = time.monotonic() + seconds
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "w") as lock:
        while not _is_taken(lock.fileno()):
            if time.monotonic() > ends:
                raise SecretsError(
                    f"Another process holds {str(path)!r}, and has not unwrapped the secret_id.",
                    kind="timeout",
                    tried="to unwrap the secret_id",
                    remedy="see what that process waits for.",
                    passing=True,
                )
            time.sleep(0.02)
        yield


def _is_taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _written(path: Path) -> Iterator[TextIO]:
    """A file that only this user can read, and that is there when all is in it."""
    partial = path.with_suffix(".new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        yield file
    partial.replace(path)
