"""Boxes and pixels together: boxes say which nuclei there are, pixels where each of them lies.

Jaeger et al. 2020, arXiv:1811.08661 (Retina U-Net); Yang et al. 2020,
doi:10.1371/journal.pcbi.1008193 (NuSeT).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.augment import box_corners
from nbtools.image import Image
from nbtools.patches import Example
from nbtools.results import Labels, score_labels
from nbtools.targets import border, foreground
from nbtools.targets.anchors import AnchorTarget
from nbtools.targets.base import LabelTarget, Parameter, min_size_parameter, sigmoid
from nbtools.targets.boxes import CHOSEN, OVERLAP, THRESHOLD, derive_boxes
from nbtools.targets.objects import remove_small_objects, seed_unseeded_regions

PIXELS = "pixels"  # name of the output that has one number per pixel
INSIDE = Parameter(
    *("inside", 0.5, (0.3, 0.5, 0.7), 0.01, 0.99),
    help=f"Foreground probability from which a pixel belongs to a nucleus; {CHOSEN}",
)
MIN_SIZE = min_size_parameter()
MARKER = 3.0  # px, radius of a marker in the middle of a box, as published


def divide_by_boxes(inside: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Give each pixel of the foreground to the box in whose middle it lies most.

    A pixel belongs to that box, of those it lies in, from whose middle it is the least far away in
    units of half the sides.

    Parameters
    ----------
    inside : (*space) bool.
    edges : (N, 2 D) of boxes in pixels.

    Returns
    -------
    (*space) int32, number of the box from 1; 0 outside all boxes.

    Examples
    --------
    >>> inside = np.ones((1, 6), bool)
    >>> divide_by_boxes(inside, np.array([[0.0, 0, 1, 3], [0, 2, 1, 6]])).tolist()
    [[1, 1, 1, 2, 2, 2]]
    """
    label = np.zeros(inside.shape, np.int32)
    best = np.full(inside.shape, np.inf, np.float32)
    low, high = box_corners(np.asarray(edges, float))
    for number, (a, b) in enumerate(zip(low, high, strict=True), start=1):
        first = np.clip(np.ceil(a - 0.5), 0, inside.shape).astype(int)
        last = np.clip(np.ceil(b - 0.5), 0, inside.shape).astype(int)
        place = tuple(slice(s, e) for s, e in zip(first, last, strict=True))
        middle, half = (a + b) / 2 - 0.5, np.maximum((b - a) / 2, 0.5)
        grid = np.ogrid[place]
        away = sum(((g - m) / h) ** 2 for g, m, h in zip(grid, middle, half, strict=True))
        nearer = inside[place] & (away < best[place])
        label[place][nearer] = number
        best[place] = np.where(nearer, away, best[place])
    return label


def divide_by_markers(
    inside: np.ndarray, edges: np.ndarray, *, spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """A watershed on the distance to the background, from a marker in the middle of each box.

    Foreground that no marker lies on is kept, each connected region as one nucleus.

    Parameters
    ----------
    inside : (*space) bool.
    edges : (N, 2 D) of boxes in pixels, best first; of markers that overlap the first wins.
    spacing : relative pixel size along each axis; None for 1.

    Returns
    -------
    (*space) int32 labels; those of boxes have their number, from 1.

    References
    ----------
    Yang et al. 2020, doi:10.1371/journal.pcbi.1008193.
    """
    from skimage.segmentation import watershed

    low, high = box_corners(np.asarray(edges, float))
    middle, quarter = (low + high) / 2, (high - low) / 4
    half = np.minimum(quarter, MARKER)
    around = np.stack([middle - half, middle + half], axis=-1)
    seeds = np.zeros(inside.shape, np.int32)
    for number in reversed(range(len(low))):
        part = [np.floor(around[number, :, 0]), np.ceil(around[number, :, 1])]
        first, last = (np.clip(edge, 0, inside.shape).astype(int) for edge in part)
        seeds[tuple(slice(s, e) for s, e in zip(first, last, strict=True))] = number + 1
    seeds = seed_unseeded_regions(inside, np.where(inside, seeds, 0))
    distance = ndimage.distance_transform_edt(inside, sampling=spacing)
    return watershed(-distance, seeds, mask=inside).astype(np.int32)


@dataclass(frozen=True)
class BoxPixelTarget(AnchorTarget, LabelTarget):
    """Anchors on grids, and the foreground of each pixel; nuclei are what boxes hold of it.

    Parameters
    ----------
    gap_weight : how much more a pixel in a narrow gap between nuclei counts; 0: no more.
    """

    gap_weight: float = 10.0

    parameters: ClassVar = (THRESHOLD, OVERLAP, INSIDE, MIN_SIZE)

    @property
    def outputs(self) -> dict[str, int]:
        return super().outputs | {PIXELS: 1}

    def encode(self, example: Example) -> dict[str, np.ndarray]:
        """Maps of the anchors, see `AnchorTarget`, and (*space, 2) foreground and weight.

        Parameters
        ----------
        example : patch with `label`, whose nuclei have the boxes.
        """
        label = example.label
        maps = super().encode(derive_boxes(example))
        weight = border.unet_weight_map(label, weight=self.gap_weight, spacing=example.spacing)
        pixels = np.concatenate([foreground.encode(label), weight[..., None]], axis=-1)
        return maps | {PIXELS: pixels}

    def activate(self, raw: dict, ops: ModuleType = np) -> dict:
        """Logits → scores and probabilities; corrections stay."""
        told = super().activate({name: raw[name] for name in self.names}, ops)
        return told | {PIXELS: sigmoid(raw[PIXELS], ops)}

    def decode(self, maps: dict[str, np.ndarray], **parameters: float) -> Labels:
        """Boxes and foreground → labels, each with the score of its box."""
        values = self.defaults() | parameters
        boxes = super().decode(maps, **values)
        inside = maps[PIXELS][..., 0] > values["inside"]
        whole = self.divide(inside, boxes.edges)
        label = remove_small_objects(whole, values["min_size"])
        known = dict(enumerate(boxes.score.tolist(), start=1))
        return Labels(Image(label, self.axes), self.carry_scores(whole, label, known=known))

    def find_labels(self, maps: dict[str, np.ndarray], **parameters: float) -> np.ndarray:
        """Maps → (*space) int32 labels, see `decode`."""
        return self.decode(maps, **parameters).image.pixels

    def divide(self, inside: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """See `divide_by_boxes`."""
        return divide_by_boxes(inside, edges)

    def carry_scores(
        self, before: np.ndarray, after: np.ndarray, *, known: dict[int, float]
    ) -> dict[int, float]:
        """Score of each label that is left, under its new number.

        Parameters
        ----------
        before, after : (*space) labels; each of those after lies on one of those before.
        known : label before → score; what has none counts 0.
        """
        number = np.zeros(int(after.max(initial=0)) + 1, int)
        number[after.ravel()] = before.ravel()
        return {n: known.get(int(number[n]), 0.0) for n in range(1, len(number))}

    def describe_objects(self, found: Labels, maps: dict[str, np.ndarray]) -> Labels:
        """The labels as they are: their scores are those of their boxes."""
        if found.score is not None:
            return found
        return replace(found, score=score_labels(found.image.pixels, maps[PIXELS][..., 0]))


@dataclass(frozen=True)
class MarkerBoxTarget(BoxPixelTarget):
    """As `BoxPixelTarget`, with boxes as markers of a watershed."""

    def divide(self, inside: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """See `divide_by_markers`."""
        return divide_by_markers(inside, edges, spacing=self.relative_spacing)
