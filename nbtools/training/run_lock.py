"""A folder belongs to one training at a time."""

from __future__ import annotations

from nbtools.io.folders import sweep
from nbtools.io.locks import FolderLock


class RunLock(FolderLock):
    """Context that holds the folder of a checkpoint, see `nbtools.io.locks.FolderLock`.

    What a killed run left half-written in it is removed.
    """

    def __enter__(self) -> RunLock:
        super().__enter__()
        if self.file is not None:
            sweep(self.folder)
        return self
