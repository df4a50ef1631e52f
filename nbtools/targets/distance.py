"""Foreground and the distance to the border, normalised object by object: touching nuclei are
parted by a valley.

The normalised distance is the same for a small and a large nucleus and does not change when an
image is scaled, so it is encoded once an image and then cut, turned and scaled with it. (Naylor et
al. 2019, doi:10.1109/TMI.2018.2865709, regress the plain distance; normalised by object as
StarDist's probability is, Schmidt et al. 2018, doi:10.1007/978-3-030-00934-2_30.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.geometry import inner_border
from nbtools.patches import Example
from nbtools.targets import persistence
from nbtools.targets.base import (
    LabelTarget,
    Parameter,
    min_size_parameter,
    sigmoid,
    threshold_parameter,
)
from nbtools.targets.objects import SEEN, remove_small_objects

SMOOTHING = {
    2: (0.5, 0.5),
    3: (0.5, 1.0, 1.0),
}  # px; what a network says of depth is rough, in volumes more so, whose planes lie apart


def encode(label: np.ndarray, *, spacing: tuple[float, ...] | None = None) -> np.ndarray:
    """(*space) labels → (*space, 3) float32: foreground (0, 1; -1 ignored), distance to the border
    (0 … 1, 1 at each centre), weight.

    spacing : relative pixel sizes, so that the distance is one in space and not in pixels.
    The weight evens out what a small nucleus and a large one add to the loss, and lifts the gaps
    between close neighbours.
    """
    inside = label > 0
    spacing = np.array(spacing or (1.0,) * label.ndim)
    border = inner_border(label)
    depth = ndimage.distance_transform_edt(inside & ~border, sampling=spacing) + spacing.min()
    deepest, labels = np.zeros(int(label.max(initial=0)) + 1), label[inside]
    np.maximum.at(deepest, labels, depth[inside])
    distance = np.where(inside, depth / np.where(deepest > 0, deepest, 1)[np.maximum(label, 0)], 0)
    foreground = np.where(label < 0, -1.0, inside)
    return np.stack([foreground, distance, weigh(label)], axis=-1).astype(np.float32)


def weigh(label: np.ndarray) -> np.ndarray:
    """(*space) labels → weight of each pixel: a nucleus counts with the square root of its size,
    spread over itself and its rim.
    """
    label = np.maximum(label, 0)
    sizes = np.bincount(label.ravel())
    sizes[0] = 0
    typical = float(np.median(sizes[sizes > 0])) if sizes.any() else 1.0
    a_nucleus = np.clip(np.sqrt(typical / np.maximum(sizes, 1)), 0.7, 3.0)
    a_nucleus[0] = 1.0
    inside = a_nucleus[label].astype(np.float32)
    return np.maximum(inside, ndimage.maximum_filter(inside, size=5))


def decode(
    maps: np.ndarray, *, threshold: float = 0.5, split: float = 0.15, min_size: int = 0
) -> np.ndarray:
    """(*space, 2) foreground probability and distance → (*space) int32 labels.

    The foreground is parted into the hills of the distance: two nuclei are told apart where the
    valley between them is at least `split` deep, 0 … 1, below the lower one's top. Foreground that
    is too flat for a hill becomes a nucleus too.
    """
    distance = ndimage.gaussian_filter(maps[..., 1], SMOOTHING[maps.ndim - 1])
    return remove_small_objects(
        persistence.persistence_watershed(
            distance, maps[..., 0] > threshold, min_persistence=split
        ),
        min_size,
    )


def self_consistency_error(maps: np.ndarray, label: np.ndarray) -> float:
    """Mean difference, 0 … 1, between the distance in maps (*space, 2) and that of the labels they
    were decoded to, where either sees one.

    Small where a network is sure of whole nuclei; 1 where it sees nothing.

    Examples
    --------
    >>> label = np.pad(np.ones((5, 5), int), 2)
    >>> maps = encode(label)[..., :2]
    >>> self_consistency_error(maps, label), round(self_consistency_error(maps / 2, label), 2)
    (0.0, 0.23)
    """
    seen = (label > 0) | (maps[..., 0] > SEEN)
    return float(np.abs(encode(label)[..., 1] - maps[..., 1])[seen].mean()) if seen.any() else 1.0


@dataclass(frozen=True)
class DistanceTarget(LabelTarget):
    """Foreground and normalised distance to the border, see `encode` and `decode`."""

    parameters: ClassVar = (
        Parameter(
            "split",
            0.15,
            (0.05, 0.08, 0.11, 0.15, 0.2, 0.25, 0.3),
            0.01,
            0.9,
            help=(
                "Depth of the valley of the distance that splits two nuclei; chosen on validation "
                "images if empty."
            ),
        ),
        threshold_parameter(0.3, 0.4, 0.5, 0.6, 0.7),
        min_size_parameter(),
    )

    @property
    def outputs(self) -> dict[str, int]:
        return {"foreground": 1, "distance": 1}

    def encode(self, example: Example) -> np.ndarray:
        return encode(example.label, spacing=example.spacing)

    def activate(self, raw: np.ndarray) -> np.ndarray:
        return np.stack([sigmoid(raw[..., 0]), np.clip(raw[..., 1], 0, 1)], axis=-1)

    def find_labels(
        self, maps: np.ndarray, *, threshold: float, split: float, min_size: int
    ) -> np.ndarray:
        return decode(maps, threshold=threshold, split=split, min_size=min_size)

    def self_consistency_error(self, maps: np.ndarray, label: np.ndarray) -> float:
        """See the function of this name."""
        return self_consistency_error(maps, label)
