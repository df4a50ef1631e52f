"""A box per nucleus, told by the cells in its middle: the target of detectors without anchors.

The image is covered by grids of cells, fine ones for small boxes and coarse ones for large. A cell
near the middle of a box says how sure it is and how far away the edges lie (Redmon et al. 2016,
doi:10.1109/CVPR.2016.91; distances to the edges as in Tian et al. 2019,
doi:10.1109/ICCV.2019.00972).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.augment import box_corners, join_corners
from nbtools.geometry import leave_out_void, number_densely
from nbtools.patches import Example
from nbtools.results import Boxes, Grid
from nbtools.targets.base import Parameter, Target, sigmoid, softmax
from nbtools.targets.suppression import decay_scores, suppress_boxes

SIDES = 8.0  # cells; a box with longer sides belongs to the next coarser grid
NEAR = 1.5  # cells from the middle of a box, within which cells learn it
LONGEST = 7.0  # logarithm of the longest distance to an edge, in cells
SIGMA = 0.5  # of the soft suppression, as published
SUPPRESSION = ("hard", "soft")
CHOSEN = "chosen on validation images if empty."
Strides = tuple[tuple[int, ...], ...]
THRESHOLD = Parameter(
    *("threshold", 0.5, (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), 0.001, 0.99),
    help=f"Score from which a box is kept; {CHOSEN}",
)
OVERLAP = Parameter(
    *("overlap", 0.5, (0.3, 0.4, 0.5, 0.6, 0.7), 0.05, 0.95),
    help=f"IoU above which the weaker of two boxes is dropped; {CHOSEN}",
)


def find_levels(extent: np.ndarray, strides: Strides) -> np.ndarray:
    """Choose the grid of each box: the finest whose cells are not many times smaller.

    Parameters
    ----------
    extent : (N, D) in pixels.
    strides : px per cell of each grid, finest first.

    Returns
    -------
    (N,) int.

    Examples
    --------
    >>> find_levels(np.array([[10.0, 10.0], [40.0, 40.0]]), ((4, 4), (8, 8))).tolist()
    [0, 1]
    """
    cells = np.exp(np.log(np.maximum(extent, 1e-3) / np.array(strides[0])).mean(axis=1))
    return np.clip(np.floor(np.log2(cells / SIDES)) + 1, 0, len(strides) - 1).astype(int)


def name_level(stride: tuple[int, ...]) -> str:
    """Name of the output of a grid."""
    return f"stride{stride[-1]}"


def boxes_of_labels(label: np.ndarray) -> np.ndarray:
    """Find the bounding box of each nucleus of a label image.

    Parameters
    ----------
    label : (Y, X) or (Z, Y, X) label image; only numbers above 0 count.

    Returns
    -------
    (N, 2 D) float64 edges in pixels, in the order of the labels' numbers: columns y0, x0, y1, x1[,
    z0, z1], the last edge exclusive.

    Examples
    --------
    >>> boxes_of_labels(np.array([[0, 3, 3], [0, 3, 0]])).tolist()
    [[0.0, 1.0, 2.0, 3.0]]
    """
    dense, _ = number_densely(np.maximum(label, 0))
    found = [box for box in ndimage.find_objects(dense) if box is not None]
    low = np.array([[s.start for s in box] for box in found], float).reshape(-1, label.ndim)
    high = np.array([[s.stop for s in box] for box in found], float).reshape(-1, label.ndim)
    return join_corners(low, high)


@dataclass(frozen=True)
class BoxTarget(Target):
    """What all detectors of boxes share: grids, and boxes that are chosen among those of cells.

    Parameters
    ----------
    strides : px per cell of each grid along the spatial axes, finest first.
    suppression : "hard" drops the weaker of two boxes that overlap, "soft" lowers its score.
    """

    strides: Strides = ((4, 4), (8, 8))
    suppression: str = "hard"

    per_patch: ClassVar = True
    parameters: ClassVar = (THRESHOLD, OVERLAP)

    @property
    def names(self) -> list[str]:
        """Names of the outputs, one per grid."""
        return [name_level(stride) for stride in self.strides]

    def choose(
        self,
        edges: np.ndarray,
        score: np.ndarray,
        *,
        kind: np.ndarray,
        shape: Sequence[int],
        values: Mapping[str, float],
    ) -> Boxes:
        """The boxes of a result, of all that cells have told.

        Parameters
        ----------
        edges, score : (N, 2 D) in pixels; (N,) 0 … 1.
        kind : (N,) number of the class, from 0.
        shape : of the image.
        values : threshold and overlap.
        """
        low, high = box_corners(edges)
        whole = (score >= values["threshold"]) & (high > low).all(axis=1)
        edges, score, kind = edges[whole], score[whole], kind[whole]
        if self.suppression == "soft":
            rows, score = decay_scores(
                edges, score, group=kind, sigma=SIGMA, least=values["threshold"]
            )
        else:
            rows = suppress_boxes(edges, score, group=kind, overlap=values["overlap"])
            score = score[rows]
        named = tuple(self.classes[k] for k in kind[rows]) if self.classes else ()
        return Boxes(edges[rows], Grid(self.axes, tuple(shape)), np.clip(score, 0, 1), named)


@dataclass(frozen=True)
class CellTarget(BoxTarget):
    """Per cell: score, distances to the lower and the upper edges in cells, classes."""

    @property
    def outputs(self) -> dict[str, int]:
        return dict.fromkeys(self.names, 1 + 2 * self.ndim + len(self.classes))

    def encode(self, example: Example) -> dict[str, np.ndarray]:
        """Boxes → maps of each grid, with the weight of a cell as their last channel.

        Parameters
        ----------
        example : patch with `boxes`, and `box_classes` from 1 (0: unknown) where they are learned.

        Returns
        -------
        (*cells, 1 + 2 D + K + 1): 1 or 0, distances in cells, class, and 1 over the number of cells
        with a box; 0 there where nobody has looked.
        """
        low, high = box_corners(np.asarray(example.boxes, float))
        kind = example.box_classes
        kind = np.zeros(len(low), int) if kind is None or not self.classes else np.asarray(kind)
        level, maps = find_levels(high - low, self.strides), {}
        for i, stride in enumerate(self.strides):
            shape = tuple(-(-n // s) for n, s in zip(example.image.shape, stride, strict=False))
            own = level == i
            cells = np.array(stride, float)
            maps[name_level(stride)] = self._fill(
                shape, low[own] / cells, high[own] / cells, kind=kind[own]
            )
        weight = 1 / max(1.0, sum(float(m[..., 0].sum()) for m in maps.values()))
        for name, stride in zip(self.names, self.strides, strict=True):
            one = maps[name]
            unknown = find_void_cells(example, stride, shape=one.shape[:-1]) & (one[..., 0] == 0)
            one[..., -1] = np.where(unknown, 0, weight)
        return maps

    def _fill(
        self, shape: tuple[int, ...], low: np.ndarray, high: np.ndarray, *, kind: np.ndarray
    ) -> np.ndarray:
        """Maps of one grid; edges are in cells."""
        maps = np.zeros((*shape, 1 + 2 * self.ndim + len(self.classes) + 1), np.float32)
        if not len(low):
            return maps
        box, cell = find_cells(low, high, shape=shape)
        place, middle = tuple(cell.T), cell + 0.5
        maps[(*place, 0)] = 1
        maps[(*place, slice(1, 1 + self.ndim))] = np.maximum(middle - low[box], 0.01)
        maps[(*place, slice(1 + self.ndim, 1 + 2 * self.ndim))] = np.maximum(
            high[box] - middle, 0.01
        )
        for k in range(len(self.classes)):
            maps[(*place, 1 + 2 * self.ndim + k)] = kind[box] == k + 1
        return maps

    def activate(self, raw: dict, ops: ModuleType = np) -> dict:
        """Logits → scores; logarithms → distances in cells; logits → shares of classes."""
        return {name: self._activate(maps, ops) for name, maps in raw.items()}

    def _activate(self, raw: np.ndarray, ops: ModuleType) -> np.ndarray:
        ends = 1 + 2 * self.ndim
        distance = ops.exp(ops.clip(raw[..., 1:ends], -LONGEST, LONGEST))
        parts = [sigmoid(raw[..., :1], ops), distance]
        if self.classes:
            parts.append(softmax(raw[..., ends:], ops))
        return ops.concatenate(parts, axis=-1)

    def decode(self, maps: dict[str, np.ndarray], **parameters: float) -> Boxes:
        """Maps of each grid → boxes, see `choose`."""
        values, found, shape = self.defaults() | parameters, [], ()
        for stride in self.strides:
            one = maps[name_level(stride)]
            shape = shape or tuple(n * s for n, s in zip(one.shape, stride, strict=False))
            found.append(self._read(one, np.array(stride, float), least=values["threshold"]))
        edges, score, kind = (np.concatenate(part) for part in zip(*found, strict=True))
        return self.choose(edges, score, kind=kind, shape=shape, values=values)

    def _read(self, maps: np.ndarray, stride: np.ndarray, *, least: float) -> tuple:
        """Edges in pixels, score and class of the cells of one grid that are sure enough."""
        ends = 1 + 2 * self.ndim
        cell = np.argwhere(maps[..., 0] >= least)
        one = maps[tuple(cell.T)].astype(float)
        middle, before = cell + 0.5, one[:, 1 : 1 + self.ndim]
        low, high = middle - before, middle + one[:, 1 + self.ndim : ends]
        score, kind = one[:, 0], np.zeros(len(cell), int)
        if self.classes:
            share = one[:, ends : ends + len(self.classes)]
            kind = share.argmax(axis=1)
            score = score * share.max(axis=1)
        return join_corners(low * stride, high * stride), score, kind


def derive_boxes(example: Example) -> Example:
    """The example with the boxes of its labels, as far as somebody has looked.

    Parameters
    ----------
    example : with `label`; where it is negative nobody has looked.

    Returns
    -------
    Example with `boxes`, without those of nuclei that touch such a place, and with `void`.
    """
    label, void = leave_out_void(example.label)
    boxes = boxes_of_labels(label)
    return replace(example, label=label, boxes=boxes, box_classes=None, void=void)


def find_void_cells(
    example: Example, stride: Sequence[int], *, shape: tuple[int, ...]
) -> np.ndarray:
    """Find the cells of a grid in which nobody has looked at some pixel.

    Parameters
    ----------
    example : with or without `void`.
    stride : px per cell along each axis.
    shape : of the grid.

    Returns
    -------
    (*cells) bool.

    Examples
    --------
    >>> void = np.array([[False, False, False, True, False]])
    >>> example = Example(np.zeros((1, 5, 1)), void=void)
    >>> find_void_cells(example, (1, 2), shape=(1, 3)).tolist()
    [[False, True, False]]
    """
    cells = np.zeros(shape, bool)
    if example.void is not None:
        pixels = np.argwhere(example.void) // np.array(stride)
        cells[tuple(pixels.T)] = True
    return cells


def find_cells(
    low: np.ndarray, high: np.ndarray, *, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Find the cells that are to tell each box, edges in cells.

    Those are the cell in its middle, and its neighbours whose middle lies in the box and no more
    than `NEAR` cells away. Where several boxes want a cell, one that has it in its own middle gets
    it, and of several the smallest.

    Parameters
    ----------
    low, high : (N, D).
    shape : of the grid.

    Returns
    -------
    (M,) number of the box and (M, D) cell; of a cell that is named twice, the last counts.

    Examples
    --------
    >>> find_cells(np.array([[0.0, 0.0]]), np.array([[2.0, 1.0]]), shape=(4, 4))[1].tolist()
    [[1, 0], [0, 0]]
    """
    ndim, middle = low.shape[1], (low + high) / 2
    own = np.clip(np.floor(middle - 1e-9), 0, np.array(shape) - 1).astype(int)
    reach = np.arange(-2, 3)
    steps = np.stack(np.meshgrid(*[reach] * ndim, indexing="ij"), axis=-1).reshape(-1, ndim)
    cell = own[:, None] + steps
    inside = (cell >= 0) & (cell < np.array(shape))
    inside &= np.abs(cell + 0.5 - middle[:, None]) <= NEAR
    inside &= (cell + 0.5 > low[:, None]) & (cell + 0.5 < high[:, None])
    central = (steps == 0).all(axis=1)
    box, step = np.nonzero(inside.all(axis=-1) | central)
    order = np.lexsort((-(high - low).prod(axis=1)[box], central[step]))
    return box[order], cell[box[order], step[order]]
