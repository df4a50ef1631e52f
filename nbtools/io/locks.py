"""A folder that is being written belongs to one process: a lock that survives no crash."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import IO

from nbtools.errors import UserError

if os.name == "nt":
    import msvcrt
else:
    import fcntl

LOCK = ".lock"
_held: dict[Path, int] = {}  # file → thread that holds it in this process


class FolderLock:
    """Context that holds a folder; the system lets go of it when the process ends, or crashes.

    The same thread may hold a folder twice. Where a file system knows no locks, as some network
    drives, nothing is held.

    Parameters
    ----------
    folder : that is written; it is made where it does not exist. None holds nothing.
    name : of the file that is locked in it.
    work : what is done in the folder, in a word.
    remove : whether the file goes at the end.

    Raises
    ------
    UserError : another process, or thread, holds the folder.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        name: str = LOCK,
        work: str = "training",
        remove: bool = False,
    ):
        self.folder, self.name, self.work, self.remove = folder, name, work, remove
        self.file = None

    def __enter__(self) -> FolderLock:
        if self.folder is None:
            return self
        self.place, me = self.folder.absolute() / self.name, threading.get_ident()
        if _held.get(self.place) == me:
            return self
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = open(self.place, "a+b")
        except OSError as error:
            raise UserError(
                f"The folder of a {self.work} must be writable.",
                f"{self.folder} ({error.strerror})",
                "Choose another folder, or check its permissions and space.",
            ) from error
        if self.place in _held or not take(file):
            file.close()
            raise UserError(
                f"A folder belongs to one {self.work} at a time.",
                f"{self.folder}, where another {self.work} is running",
                "Wait for its end, stop it, or give another folder.",
            )
        self.file, _held[self.place] = file, me
        return self

    def __exit__(self, *_) -> None:
        if self.file is not None:
            if self.remove:
                with contextlib.suppress(OSError):  # Windows removes no file that is open
                    self.place.unlink(missing_ok=True)
            _held.pop(self.place, None)
            self.file.close()


def take(file: IO[bytes]) -> bool:
    """Whether the lock of a file is ours now; True as well where the file system knows none."""
    try:
        if os.name == "nt":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def is_held(path: Path) -> bool:
    """Whether another process, or this one, holds the lock of a file."""
    if path.absolute() in _held:
        return True
    try:
        with open(path, "r+b") as file:
            return not take(file)
    except OSError:
        return False
