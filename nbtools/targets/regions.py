"""Boxes in two stages: regions that may hold a nucleus, and what a second network makes of each.

Ren et al. 2015, doi:10.1109/TPAMI.2016.2577031. The first stage tells by anchors whether there is
anything, of whatever class; the second is given the features inside each region, and tells the
class and the last corrections of the box.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import ClassVar

import numpy as np

from nbtools.augment import box_corners, join_corners
from nbtools.errors import UserError
from nbtools.metrics.boxes import find_box_iou
from nbtools.patches import Example
from nbtools.results import Boxes
from nbtools.targets.anchors import LARGEST, SPREAD, AnchorTarget
from nbtools.targets.base import softmax
from nbtools.targets.suppression import suppress_boxes

FEATURES = "features"  # output of the first stage that the second is given
SECOND = "second"  # output of the second stage
MASKS = "masks"  # output of a stage that tells which pixels of a region are the nucleus
OVERLAP = 0.7  # IoU above which the weaker of two regions is dropped, as published
PER_AREA = 300, 512**2  # regions kept of so many pixels, as published of an image of 600 x 1000
LEAST = 0.05  # score of a region
BEST = 6000  # regions of highest score that are compared, as published, for the same area
CROWD = 4  # regions kept in the area of the smallest anchor, where nuclei lie close
MOST_BOXES = 512  # in a training patch
REGIONS = 64  # regions of a patch that the second stage learns from, half of them with a nucleus
UNKNOWN = 0.25  # of a region, where nobody has looked, from which it is no miss
HIT = 0.5  # IoU with a true box from which a region holds it


@dataclass(frozen=True)
class RegionTarget(AnchorTarget):
    """Anchors that tell whether there is a nucleus, and the boxes that the second stage learns."""

    limits: tuple[float, float] = (0.7, 0.3)

    per_patch: ClassVar = True

    @property
    def kinds(self) -> int:
        """The first stage tells no classes."""
        return 1

    def encode(self, example: Example) -> dict[str, np.ndarray]:
        """Maps of the anchors, and the true boxes.

        Parameters
        ----------
        example : patch with `boxes`, and `box_classes` from 1 (0: unknown) where they are learned.

        Returns
        -------
        Maps as of `AnchorTarget`, and "boxes", (MOST_BOXES, 2 D + 1): edges in pixels and number of
        the class, -1 where there is no box; "void", (*space), 1 where nobody has looked.

        Raises
        ------
        UserError : more boxes in a patch than that.
        """
        maps = replace(self, classes=()).encode_anchors(example)
        count = len(example.boxes)
        if count > MOST_BOXES:
            raise UserError(
                f"A training patch holds at most {MOST_BOXES} boxes.",
                count,
                "Set a smaller patch_size.",
            )
        boxes = np.full((MOST_BOXES, 2 * self.ndim + 1), -1, np.float32)
        boxes[:count, :-1] = example.boxes
        known = example.box_classes is not None and bool(self.classes)
        boxes[:count, -1] = example.box_classes if known else 0
        void = np.zeros(example.image.shape[:-1], np.float32)
        if example.void is not None:
            void[example.void] = 1
        return maps | {"boxes": boxes, "void": void}

    def encode_anchors(self, example: Example) -> dict[str, np.ndarray]:
        """Maps of the anchors alone, see `AnchorTarget.encode`."""
        return super().encode(example)

    def activate(self, raw: dict, ops: ModuleType = np) -> dict:
        """Logits → scores; corrections and features stay."""
        told = {name: raw[name] for name in self.names}
        return raw | super().activate(told, ops)

    def decode(self, maps: dict[str, np.ndarray], **parameters: float) -> Boxes:
        """Maps → the boxes of the first stage alone, without a class."""
        plain = AnchorTarget(self.ndim, strides=self.strides, anchors=self.anchors)
        return replace(plain, suppression=self.suppression).decode(maps, **parameters)

    def propose(self, maps: dict[str, np.ndarray], *, crowded: bool = False) -> np.ndarray:
        """Find the regions for the second stage.

        Parameters
        ----------
        maps : activated, of the first stage.
        crowded : keep more than the published number where so many of the smallest nuclei fit in:
            what is not kept can be found no more. Training needs a sample alone.

        Returns
        -------
        (R, 2 D) edges in pixels inside the image, best first.
        """
        shape = self.shape_of(maps)
        areas = max(1.0, float(np.prod(shape)) / PER_AREA[1])
        smallest = float((self.sizes * self.strides[0]).prod(axis=1).min())
        room = int(CROWD * np.prod(shape) / smallest) if crowded else 0
        kept, compared = max(int(PER_AREA[0] * areas), room), max(int(BEST * areas), 2 * room)
        edges, score, _ = self.read(maps, least=LEAST)
        low, high = (np.clip(part, 0, shape) for part in box_corners(edges))
        whole = np.flatnonzero((high - low >= 1).all(axis=1))
        best = whole[np.argsort(-score[whole], kind="stable")][:compared]
        edges = join_corners(low[best], high[best])
        rows = suppress_boxes(edges, score[best], overlap=OVERLAP)
        return edges[rows[:kept]]

    def refine(
        self,
        maps: dict[str, np.ndarray],
        regions: np.ndarray,
        *,
        second: np.ndarray,
        values: dict[str, float],
    ) -> Boxes:
        """The boxes that the second stage makes of regions.

        Parameters
        ----------
        maps : of the first stage.
        regions : (R, 2 D) edges in pixels.
        second : (R, 1 + K + 2 D) logits of no nucleus and of each class, and corrections.
        values : threshold and overlap.
        """
        kinds = max(1, len(self.classes))
        share = softmax(second[:, : 1 + kinds].astype(float))[:, 1:]
        edges = correct_boxes(regions, second[:, 1 + kinds :].astype(float))
        kind, shape = share.argmax(axis=1), self.shape_of(maps)
        return self.choose(edges, share.max(axis=1), kind=kind, shape=shape, values=values)


def correct_boxes(edges: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Apply corrections to boxes; `describe_move` inverts it.

    Parameters
    ----------
    edges : (N, 2 D).
    move : (N, 2 D) of the middles over the sides, then logarithms of the sides; both over SPREAD.
    """
    low, high = box_corners(edges)
    off, grown = np.split(move, 2, axis=1)
    side = high - low
    middle = (low + high) / 2 + off * SPREAD[0] * side
    half = side * np.exp(np.clip(grown * SPREAD[1], -LARGEST, LARGEST)) / 2
    return join_corners(middle - half, middle + half)


def describe_move(edges: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(N, 2 D) corrections that make one box of another.

    Parameters
    ----------
    edges, wanted : (N, 2 D) in pixels.

    Examples
    --------
    >>> first, second = np.array([[0.0, 0, 10, 10]]), np.array([[1.0, 0, 11, 10]])
    >>> correct_boxes(first, describe_move(first, second)).round(6).tolist()
    [[1.0, 0.0, 11.0, 10.0]]
    """
    low, high = box_corners(edges)
    other_low, other_high = box_corners(wanted)
    side, off = high - low, (other_low + other_high - low - high) / 2
    grown = np.log(np.maximum(other_high - other_low, 1e-3) / side)
    return np.concatenate([off / side / SPREAD[0], grown / SPREAD[1]], axis=1)


def sample_regions(
    regions: np.ndarray,
    boxes: np.ndarray,
    *,
    void: np.ndarray | None = None,
    kinds: int,
    count: int = REGIONS,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose regions of a patch for the second stage to learn from, and what it is to learn.

    Half are regions that hold a nucleus, where there are so many, spread evenly over their ranks;
    the true boxes are among them, so that the second stage learns from the first step on.

    Parameters
    ----------
    regions : (R, 2 D) edges in pixels, best first.
    boxes : (M, 2 D + 1) true edges, and number of the class; -1 where there is no box.
    void : (*space), 1 where nobody has looked; a region that lies there is no miss.
    kinds : number of classes, 1 where they are not told apart.
    count : of regions to choose.

    Returns
    -------
    (count, 2 D) regions, and (count, 1 + K + 2 D + 2): no nucleus or which class, corrections, and
    the weights of both, 0 of a region that fills up.
    """
    there = boxes[:, -1] >= 0
    truth, kind = boxes[there, :-1].astype(float), boxes[there, -1].astype(int)
    regions = np.concatenate([regions, truth])
    overlap = find_box_iou(truth, regions) if len(truth) else np.zeros((1, len(regions)))
    owner, best = overlap.argmax(axis=0), overlap.max(axis=0)
    hits = spread_evenly(np.flatnonzero(best >= HIT), count // 2)
    known = best < HIT if void is None else (best < HIT) & ~lie_in_void(regions, void)
    misses = spread_evenly(np.flatnonzero(known), count - len(hits))
    ndim2, chosen = boxes.shape[1] - 1, np.r_[hits, misses]
    edges = np.zeros((count, ndim2), np.float32)
    edges[:, ndim2 // 2 :] = 1  # a region of one pixel fills up
    wanted = np.zeros((count, 1 + kinds + ndim2 + 2), np.float32)
    edges[: len(chosen)] = regions[chosen]
    wanted[len(hits) : len(chosen), 0] = 1
    named = kind[owner[hits]] if len(hits) else np.zeros(0, int)
    known = np.ones(len(hits), bool) if kinds == 1 else named > 0
    wanted[np.flatnonzero(known), 1 + (named[known] - 1) * (kinds > 1)] = 1
    if len(hits):
        wanted[: len(hits), 1 + kinds : -2] = describe_move(regions[hits], truth[owner[hits]])
    wanted[: len(chosen), -2] = wanted[: len(chosen), : 1 + kinds].sum(axis=1)
    wanted[:, -2] /= max(1.0, float(wanted[:, -2].sum()))
    wanted[: len(hits), -1] = 1 / max(1, len(hits))
    return edges, wanted


def lie_in_void(regions: np.ndarray, void: np.ndarray) -> np.ndarray:
    """Find the regions of which more than a quarter lies where nobody has looked.

    Parameters
    ----------
    regions : (R, 2 D) edges in pixels.
    void : (*space), 1 where nobody has looked.

    Examples
    --------
    >>> lie_in_void(np.array([[0.0, 0, 1, 2], [0, 2, 1, 4]]), np.array([[0, 0, 1, 0]])).tolist()
    [False, True]
    """
    found = np.zeros(len(regions), bool)
    if not void.any():
        return found
    low, high = (np.rint(part).astype(int) for part in box_corners(regions))
    for i, (first, last) in enumerate(zip(np.maximum(low, 0), high, strict=True)):
        part = void[tuple(map(slice, first, last))]
        found[i] = part.size > 0 and part.mean() > UNKNOWN
    return found


def spread_evenly(numbers: np.ndarray, count: int) -> np.ndarray:
    """No more than `count` of some numbers, evenly spread over them.

    Parameters
    ----------
    numbers : (N,).
    count : of those to choose.

    Examples
    --------
    >>> spread_evenly(np.arange(9), 3).tolist()
    [0, 4, 8]
    """
    if len(numbers) <= count:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, count).round().astype(int)]
