"""A folder belongs to one training at a time."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import IO

from nbtools.errors import UserError
from nbtools.io.folders import sweep

if os.name == "nt":
    import msvcrt
else:
    import fcntl

LOCK = ".lock"
_held: dict[Path, int] = {}  # folder → thread that holds it in this process


class RunLock:
    """Context that holds a folder; the system lets go of it when the process ends, or crashes.

    What a killed run left half-written in it is removed. The same thread may hold a folder twice.
    Where a file system knows no locks, as some network drives, nothing is held.

    Parameters
    ----------
    folder : of the checkpoint; it is made where it does not exist. None holds nothing.

    Raises
    ------
    UserError : another training holds the folder.
    """

    def __init__(self, folder: Path | None):
        self.folder, self.file = folder, None

    def __enter__(self) -> RunLock:
        if self.folder is None:
            return self
        self.place, me = self.folder.absolute(), threading.get_ident()
        if _held.get(self.place) == me:
            return self
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = open(self.folder / LOCK, "a+b")
        except OSError as error:
            raise UserError(
                "The folder of a model must be writable.",
                f"{self.folder} ({error.strerror})",
                "Choose another folder, or check its permissions and space.",
            ) from error
        if self.place in _held or not _take(file):
            file.close()
            raise UserError(
                "A folder belongs to one training at a time.",
                f"{self.folder}, where another training is running",
                "Wait for its end, stop it, or give another folder.",
            )
        self.file, _held[self.place] = file, me
        sweep(self.folder)
        return self

    def __exit__(self, *_) -> None:
        if self.file is not None:
            _held.pop(self.place, None)
            self.file.close()


def _take(file: IO[bytes]) -> bool:
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
