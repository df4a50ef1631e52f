"""How near the middle of its nucleus a pixel is, and three classes: the two heads of a PanopticNet.

Greenwald et al. 2022, doi:10.1038/s41587-021-01094-0 (Mesmer). The inner distance has one hill per
nucleus, whose top becomes the marker of a watershed.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.geometry import inner_border
from nbtools.patches import Example
from nbtools.targets import border, persistence
from nbtools.targets.base import (
    LabelTarget,
    Parameter,
    min_size_parameter,
    softmax,
    threshold_parameter,
)
from nbtools.targets.border import BACKGROUND, CLASSES
from nbtools.targets.objects import remove_small_objects

SMOOTHING = 1.0  # px; what a network says of distances is rough


def encode(label: np.ndarray, *, spacing: tuple[float, ...] | None = None) -> np.ndarray:
    """Encode how near the middle of its nucleus each pixel is.

    The value is 1 / (1 + d² / s), d the distance to the centroid and s the square root of the area
    (the published α = 1 / √area, β = 1); in volumes the cube root of the volume. The rim of a
    nucleus, one pixel wide, is 0.

    Parameters
    ----------
    label : (*space) labels; only numbers above 0 are nuclei.
    spacing : relative pixel size along each axis, the finest 1; None for 1.

    Returns
    -------
    (*space) float32, 0 … 1.

    References
    ----------
    Greenwald et al. 2022, doi:10.1038/s41587-021-01094-0.

    Examples
    --------
    >>> (100 * encode(np.array([[0, 5, 5, 5, 5, 5, 0]]))).astype(int).tolist()
    [[0, 0, 69, 100, 69, 0, 0]]
    """
    found = np.zeros(label.shape, np.float32)
    space = np.array(spacing or (1.0,) * label.ndim)
    inside = (label > 0) & ~inner_border(label)
    for number, place in enumerate(ndimage.find_objects(np.maximum(label, 0)), start=1):
        if place is None:
            continue
        own = label[place] == number
        places = np.argwhere(own) * space
        away = ((places - places.mean(axis=0)) ** 2).sum(axis=1)
        scale = (len(places) * space.prod()) ** (1 / label.ndim)
        found[place][own] = 1 / (1 + away / scale)
    return np.where(inside, found, 0).astype(np.float32)


@dataclass(frozen=True)
class InnerDistanceTarget(LabelTarget):
    """Inner distance, and background, inside and edge per pixel."""

    per_patch: ClassVar = True
    parameters: ClassVar = (
        Parameter(
            *("split", 0.05, (0.02, 0.05, 0.1, 0.2), 0.001, 0.9),
            help=(
                "Depth of the valley of the inner distance that splits two nuclei; chosen on "
                "validation images if empty."
            ),
        ),
        threshold_parameter(
            *(0.3, 0.4, 0.5, 0.6, 0.7),
            help="Probability of inside or edge of a nucleus; chosen on validation images if "
            "empty.",
        ),
        min_size_parameter(),
    )

    @property
    def outputs(self) -> dict[str, int]:
        return {"inner_distance": 1, "background": 1, "inside": 1, "edge": 1}

    def encode(self, example: Example) -> np.ndarray:
        """(*space, 5): inner distance; the three classes, none of them 1 where ignored; weight.

        The edge is the rim of a nucleus, on its own side.

        The weight of a pixel of a class is one over the share of the class in the patch, at most
        20, so that all classes count alike.

        Parameters
        ----------
        example : patch with `label`.
        """
        classes = border.encode(example.label, where="inner")
        share = (classes == np.arange(CLASSES)).astype(np.float32)
        count = np.maximum(share.sum(axis=tuple(range(share.ndim - 1))), 1)
        rare = np.minimum(count.sum() / CLASSES / count, 20)
        weight = (share * rare).sum(axis=-1)
        inner = encode(example.label, spacing=example.spacing)
        parts = inner[..., None], share, weight[..., None]
        return np.concatenate(parts, axis=-1).astype(np.float32)

    def activate(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """The inner distance as it is, 0 … 1; logits of the classes → probabilities."""
        return ops.concatenate([ops.clip(raw[..., :1], 0, 1), softmax(raw[..., 1:], ops)], axis=-1)

    def find_labels(
        self, maps: np.ndarray, *, split: float, threshold: float, min_size: int
    ) -> np.ndarray:
        """(*space, 4) maps → labels: a watershed from the tops of the inner distance.

        Parameters
        ----------
        maps : inner distance, and probabilities of background, inside and edge.
        split : how deep a valley must be below the lower of its two tops.
        threshold : of inside and edge together.
        min_size : smallest nucleus in pixels.
        """
        inner = ndimage.gaussian_filter(maps[..., 0], SMOOTHING)
        inside = 1 - maps[..., 1 + BACKGROUND] > threshold
        label = persistence.persistence_watershed(inner, inside, min_persistence=split)
        return remove_small_objects(label, min_size)

    def score(self, label: np.ndarray, maps: np.ndarray) -> dict[int, float]:
        """Score of each nucleus: one minus the mean background probability of its pixels."""
        return super().score(label, 1 - maps[..., 1 + BACKGROUND, None])
