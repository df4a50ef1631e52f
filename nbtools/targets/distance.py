"""Foreground and normalised distance to the border, whose valleys separate touching nuclei.

The normalised distance is the same for a small and a large nucleus and does not change when an
image is scaled, so it is encoded once an image and then cut, turned and scaled with it. (Naylor et
al. 2019, doi:10.1109/TMI.2018.2865709, regress the plain distance; normalised by object as
StarDist's probability is, Schmidt et al. 2018, doi:10.1007/978-3-030-00934-2_30.)
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.geometry import inner_border
from nbtools.patches import Example
from nbtools.targets import persistence
from nbtools.targets.base import Parameter, min_size_parameter, sigmoid, threshold_parameter
from nbtools.targets.class_head import ClassHeadTarget
from nbtools.targets.objects import SEEN, remove_small_objects

SMOOTHING = {
    2: (0.5, 0.5),
    3: (0.5, 1.0, 1.0),
}  # px; what a network says of depth is rough, in volumes more so, whose planes lie apart


def encode(label: np.ndarray, *, spacing: tuple[float, ...] | None = None) -> np.ndarray:
    """Encode labels as foreground, normalised distance to the border, and the weight of each pixel.

    Parameters
    ----------
    label : (*space) labels; negative ones are ignored.
    spacing : relative pixel size along each axis, so that the distance is one in space; None for
        equal ones.

    Returns
    -------
    (*space, 3) float32: foreground (0 or 1; -1 ignored); distance to the border over its maximum in
    the nucleus, 0 … 1; and weight, see `weigh`.

    References
    ----------
    Naylor et al. 2019, doi:10.1109/TMI.2018.2865709, regress the plain distance; Schmidt et al.
    2018, doi:10.1007/978-3-030-00934-2_30, normalise it per nucleus.

    Examples
    --------
    >>> encode(np.array([[0, 4, 4, 4, 0]]))[0, :, 1].tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
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
    """Weight pixels so that small and large nuclei contribute more alike to a loss.

    The weight of a pixel falls with the square root of the size of its nucleus, within 0.7 … 3: a
    nucleus of median size has 1. It extends over the rim of the nucleus, 2 px wide, where close
    neighbours are separated.

    Parameters
    ----------
    label : (*space) labels.

    Returns
    -------
    (*space) float32; 1 on the background away from nuclei.
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
    """Decode foreground and distance: a nucleus per hill of the distance.

    Two nuclei are separated where the valley between them is deep enough. A connected foreground
    region without a hill becomes one nucleus.

    Parameters
    ----------
    maps : (*space, 2) foreground probability and normalised distance.
    threshold : foreground probability, 0 … 1, above which a pixel belongs to a nucleus.
    split : how deep a valley must be below the lower of its two tops, 0 … 1.
    min_size : smallest nucleus in pixels.

    Returns
    -------
    (*space) int32 labels.
    """
    distance = ndimage.gaussian_filter(maps[..., 1], SMOOTHING[maps.ndim - 1])
    return remove_small_objects(
        persistence.persistence_watershed(
            distance, maps[..., 0] > threshold, min_persistence=split
        ),
        min_size,
    )


def self_consistency_error(maps: np.ndarray, label: np.ndarray) -> float:
    """Compare a predicted distance with that of the labels it is decoded to.

    It needs no truth: it is small where the network is sure of whole nuclei.

    Parameters
    ----------
    maps : (*space, 2) foreground probability and normalised distance.
    label : (*space) labels that `decode` made of them.

    Returns
    -------
    Mean absolute difference, 0 … 1, over the pixels of labels and of probable foreground; 1 where
    there are none.

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
class DistanceTarget(ClassHeadTarget):
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
    def label_outputs(self) -> dict[str, int]:
        return {"foreground": 1, "distance": 1}

    def encode_labels(self, example: Example) -> np.ndarray:
        """(*space, 3) foreground, normalised distance and weight, see `encode`."""
        return encode(example.label, spacing=example.spacing)

    def activate_labels(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """Logit → foreground probability; the distance is clipped to 0 … 1."""
        return ops.stack([sigmoid(raw[..., 0], ops), ops.clip(raw[..., 1], 0, 1)], axis=-1)

    def find_labels(
        self, maps: np.ndarray, *, threshold: float, split: float, min_size: int
    ) -> np.ndarray:
        """(*space, 2) foreground and distance → (*space) int32 labels, see `decode`."""
        return decode(maps, threshold=threshold, split=split, min_size=min_size)

    def self_consistency_error(self, maps: np.ndarray, label: np.ndarray) -> float:
        """See the function of this name."""
        return self_consistency_error(maps, label)
