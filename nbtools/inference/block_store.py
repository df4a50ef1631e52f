"""What was found in each block, kept on disk: the journal of a prediction in blocks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import documents, io
from nbtools.documents.arrays import ArrayFile
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.inference.blocks import BlockPlan

PLAN, LABELS, CORE = "plan.json", "labels", "core"
FILE = ArrayFile("What was found in a block must be whole.", "Predict the image again.")


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in core and halo of a block.

    Parameters
    ----------
    labels : (*outer) int32, 1 … n.
    values : (*outer) of each name, which are summed over the pixels of each object; or what is
        summed over the core, where it is a single number.
    """

    labels: np.ndarray
    values: Mapping[str, np.ndarray | float] = field(default_factory=dict)


class BlockStore:
    """A folder with a file for each block that is done; a file is there whole or not at all.

    Parameters
    ----------
    folder : is made; what it holds of another plan, or under another key, is removed.
    plan : of the image.
    key : what else decides the blocks: image, model, options.
    """

    def __init__(self, folder: Path, plan: BlockPlan, *, key: str = ""):
        self.folder, self.plan = Path(folder), plan
        about = plan.to_dict() | {"key": key}
        path = self.folder / PLAN
        if not (path.is_file() and path.read_text("utf-8") == json.dumps(about)):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            io.write_text(path, json.dumps(about))

    def path(self, index: int) -> Path:
        """The file of a block."""
        return self.folder / f"{index:06d}.npz"

    def has(self, index: int) -> bool:
        """Whether a block is done; a damaged file is removed."""
        if not self.path(index).is_file():
            return False
        try:
            FILE.read(self.path(index), names=())
        except UserError:
            self.path(index).unlink()
            return False
        return True

    def save(self, index: int, found: Found) -> None:
        """Keep what was found in a block: labels, and sums over the core of each object."""
        block = self.plan[index]
        core = found.labels[block.inner]
        sums = {}
        for name, value in found.values.items():
            if np.ndim(value):
                count = int(found.labels.max(initial=0)) + 1
                inside = value[block.inner].ravel()
                sums[name] = np.bincount(core.ravel(), weights=inside, minlength=count)
            else:
                sums[name] = np.float64(value)
        with io.atomic_write(self.path(index)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **{LABELS: _shorten(found.labels)}, **sums)

    def load(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """(*outer) int32 labels of a block, and its sums.

        Parameters
        ----------
        index : of the block.

        Raises
        ------
        UserError : the file is damaged.
        """
        arrays = FILE.read(self.path(index))
        return arrays.pop(LABELS).astype(np.int32), arrays

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class CoreStore(BlockStore):
    """A store of grey values: each block contributes the pixels of its core."""

    def save(self, index: int, found: np.ndarray) -> None:
        """Keep the grey values of a core."""
        with io.atomic_write(self.path(index)) as temporary, temporary.open("wb") as file:
            np.savez(file, **{CORE: found})

    def load(self, index: int) -> np.ndarray:
        """(*core, C) grey values of a block.

        Parameters
        ----------
        index : of the block.

        Raises
        ------
        UserError : the file is damaged.
        """
        return FILE.read(self.path(index), names=(CORE,))[CORE]


class PointStore(BlockStore):
    """A store of points with numbers: each block contributes those of its core."""

    def save(self, index: int, found: Mapping[str, np.ndarray]) -> None:
        """Keep arrays of points by name."""
        with io.atomic_write(self.path(index)) as temporary, temporary.open("wb") as file:
            np.savez(file, **found)

    def load(self, index: int) -> dict[str, np.ndarray]:
        """Arrays of points by name.

        Parameters
        ----------
        index : of the block.

        Raises
        ------
        UserError : the file is damaged.
        """
        return FILE.read(self.path(index))


def adopt_plan(folder: Path, plan: BlockPlan, *, key: str = "") -> BlockPlan:
    """The plan of a prediction that was begun in a folder, where it is of the same image and key.

    The size of its blocks followed from the memory that was free then.

    Parameters
    ----------
    folder : of the store.
    plan : as memory would have it now.
    key : what else decides the blocks.
    """
    path = Path(folder) / PLAN
    if not path.is_file():
        return plan
    try:
        about = documents.parse_json(path.read_text("utf-8"), path)
        before = replace(plan, size=tuple(int(n) for n in about["size"]))
    except (UserError, ValueError, TypeError, KeyError):
        return plan  # not written by us
    sound = len(before.size) == len(plan.size) and min(before.size) > 0
    return before if sound and about == before.to_dict() | {"key": key} else plan


def _shorten(labels: np.ndarray) -> np.ndarray:
    """The labels in the smallest type that holds them."""
    highest = int(labels.max(initial=0))
    return labels.astype(np.uint16 if highest < 2**16 else np.int32, copy=False)
