"""A mask in each region: which of its pixels are the nucleus that the region holds.

He et al. 2017, doi:10.1109/ICCV.2017.322 (Mask R-CNN). Every region is brought to one grid of
pixels, whatever its size; a predicted mask is brought back into its box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nbtools.augment import box_corners
from nbtools.image import Image
from nbtools.metrics.boxes import find_box_iou
from nbtools.patches import Example
from nbtools.results import Labels
from nbtools.targets.base import sigmoid
from nbtools.targets.boxes import derive_boxes
from nbtools.targets.objects import remove_small_objects
from nbtools.targets.regions import HIT, RegionTarget

LABEL = "label"  # name of the truth that masks are cut from


def cut_masks(label: np.ndarray, edges: np.ndarray, *, owner: np.ndarray, size: int) -> np.ndarray:
    """Cut the mask of a nucleus from each region.

    Parameters
    ----------
    label : (Y, X) labels.
    edges : (R, 4) of regions in pixels.
    owner : (R,) label of the nucleus that each region holds.
    size : pixels of a mask along an axis.

    Returns
    -------
    (R, size, size) float32, 0 or 1: whether the middle of a pixel of the mask lies on the nucleus.

    Examples
    --------
    >>> label, box = np.array([[0, 3], [3, 3]]), np.array([[0.0, 0, 2, 2]])
    >>> cut_masks(label, box, owner=np.array([3]), size=2)[0].tolist()
    [[0.0, 1.0], [1.0, 1.0]]
    """
    low, high = box_corners(np.asarray(edges, float))
    share = (np.arange(size) + 0.5) / size
    places = low[..., None] + (high - low)[..., None] * share  # (R, 2, size)
    index = np.floor(places).astype(int)
    row, column = (np.clip(index[:, a], 0, label.shape[a] - 1) for a in range(2))
    seen = label[row[:, :, None], column[:, None, :]]
    return (seen == owner[:, None, None]).astype(np.float32)


def sample_masks(regions: np.ndarray, truth: dict[str, np.ndarray], *, size: int) -> np.ndarray:
    """What the masks of regions are to be, of those that hold a nucleus.

    Parameters
    ----------
    regions : (R, 4) edges in pixels.
    truth : "boxes" (M, 5), see `RegionTarget`, and "label" (Y, X), the number of the box from 1.
    size : as for `cut_masks`.

    Returns
    -------
    (R, size, size, 2): mask, and weight: one over the number of regions that hold a nucleus, 0 for
    the others.
    """
    boxes = truth["boxes"]
    there = boxes[:, -1] >= 0
    wanted = np.zeros((len(regions), size, size, 2), np.float32)
    if not there.any():
        return wanted
    overlap = find_box_iou(boxes[there, :-1].astype(float), regions.astype(float))
    hits = np.flatnonzero(overlap.max(axis=0) >= HIT)
    owner = overlap.argmax(axis=0)[hits] + 1
    wanted[hits, ..., 0] = cut_masks(truth[LABEL], regions[hits], owner=owner, size=size)
    wanted[hits, ..., 1] = 1 / max(1, len(hits))
    return wanted


def paste_masks(
    edges: np.ndarray, masks: np.ndarray, *, score: np.ndarray, shape: Sequence[int]
) -> np.ndarray:
    """Bring masks back into their boxes; where two overlap, the one of higher score has the pixel.

    Parameters
    ----------
    edges : (N, 4) in pixels.
    masks : (N, size, size) probabilities; above 0.5 is the nucleus.
    score : (N,).
    shape : of the image.

    Returns
    -------
    (Y, X) int32, number of the box from 1.

    Examples
    --------
    >>> edges = np.array([[0.0, 0, 1, 3], [0, 2, 1, 4]])
    >>> about = {"score": np.array([0.6, 0.9]), "shape": (1, 5)}
    >>> paste_masks(edges, np.ones((2, 2, 2)), **about).tolist()
    [[1, 1, 2, 2, 0]]
    """
    label, size = np.zeros(tuple(shape), np.int32), masks.shape[-1]
    low, high = box_corners(np.asarray(edges, float))
    for n in np.argsort(score, kind="stable"):
        first = np.clip(np.ceil(low[n] - 0.5), 0, shape).astype(int)
        last = np.clip(np.ceil(high[n] - 0.5), 0, shape).astype(int)
        place = tuple(slice(s, e) for s, e in zip(first, last, strict=True))
        along = []
        for axis, part in enumerate(place):
            middle = np.arange(part.start, part.stop) + 0.5
            side = max(high[n, axis] - low[n, axis], 1e-6)
            along.append((middle - low[n, axis]) / side * size - 0.5)
        grid = np.meshgrid(*along, indexing="ij")
        inside = ndimage.map_coordinates(masks[n], grid, order=1, mode="nearest") > 0.5
        label[place][inside] = n + 1
    return label


@dataclass(frozen=True)
class RegionMaskTarget(RegionTarget):
    """Anchors, the boxes of the second stage, and the labels that masks are cut from."""

    def encode(self, example: Example) -> dict[str, np.ndarray]:
        """Maps and boxes, see `RegionTarget`, and "label", (Y, X), the number of each box from 1.

        Parameters
        ----------
        example : patch with `label`, whose nuclei have the boxes.
        """
        known = derive_boxes(example)
        maps, label = super().encode(known), known.label
        present = np.unique(label[label > 0])
        number = np.where(label > 0, np.searchsorted(present, label) + 1, 0)
        return maps | {LABEL: number.astype(np.float32)}

    def join(
        self, edges: np.ndarray, score: np.ndarray, *, masks: np.ndarray, shape: Sequence[int]
    ) -> Labels:
        """Labels of boxes and their masks.

        Parameters
        ----------
        edges, score : (N, 4) in pixels; (N,).
        masks : (N, size, size) logits.
        shape : of the image.
        """
        whole = paste_masks(edges, sigmoid(masks), score=score, shape=shape)
        label = remove_small_objects(whole, 1)
        number = np.zeros(int(label.max(initial=0)) + 1, int)
        number[label.ravel()] = whole.ravel()
        scores = {n: float(score[number[n] - 1]) for n in range(1, len(number))}
        return Labels(Image(label, self.axes), scores)

    def describe_frames(self, found: Labels, frames: Sequence) -> Labels:
        """The labels as they are: their scores are those of their boxes."""
        return found
