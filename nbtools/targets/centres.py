"""Foreground and a small centre region a nucleus: the centres become the markers of a watershed, so
that each nucleus is found once.

The two maps of QCANet (Tokuoka et al. 2020, doi:10.1038/s41540-020-00152-8): where nuclei are, and
where a nucleus has its middle. The watershed floods the distance to the background, in which
touching nuclei are parted at their waist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.patches import Example
from nbtools.targets.base import (
    LabelTarget,
    Parameter,
    min_size_parameter,
    sigmoid,
    threshold_parameter,
)
from nbtools.targets.border import find_edges
from nbtools.targets.objects import remove_small_objects, seed_unseeded_regions

# of the radius of a nucleus: well apart from its neighbours, and large enough to be learned
SHARE = 0.5


def encode(
    label: np.ndarray,
    *,
    spacing: tuple[float, ...] | None = None,
    share: float = SHARE,
    radius: float | None = None,
) -> np.ndarray:
    """(*space) labels → (*space, 2) float32: foreground and centre region, each 0 or 1, and -1
    where the label is negative (ignored).

    spacing : pixel sizes.
    share : radius of the centre region over that of the disc or ball as large as the nucleus.
    radius : of every centre region, in the unit of the spacing, in place of a share.
    A centre region is what of a ball around the nucleus' inner point lies inside the nucleus; it
    has at least one pixel.
    """
    inside = label > 0
    place = tuple(np.nonzero(inside))
    numbers, own = np.unique(label[place], return_inverse=True)
    size = np.array(spacing or (1.0,) * label.ndim)
    centre = np.zeros(label.shape, bool)
    if len(numbers):
        points = np.stack(place, axis=-1) * size
        away = np.linalg.norm(points - medial_points(label, spacing=spacing)[own], axis=-1)
        radii = np.full(len(numbers), radius) if radius else share * _measure_radii(own, size)
        centre[place] = (away <= radii[own]) | (away == 0)
    maps = np.stack([inside, centre], axis=-1).astype(np.float32)
    maps[label < 0] = -1
    return maps


def medial_points(label: np.ndarray, *, spacing: tuple[float, ...] | None = None) -> np.ndarray:
    """(n, ndim) place of a pixel deep inside each nucleus, in the unit of the spacing, in the order
    of the labels' numbers.

    Depth, the distance to the nearest pixel that is not of the nucleus, counts against the way to
    the centre of mass: so the point lies in the middle of a round nucleus, and inside a bent one.

    Examples
    --------
    >>> medial_points(np.array([[0, 3, 3, 3, 0, 5]]), spacing=(2.0, 0.5)).tolist()
    [[0.0, 1.0], [0.0, 2.5]]
    """
    inside, size = label > 0, np.array(spacing or (1.0,) * label.ndim)
    depth = ndimage.distance_transform_edt(inside & ~find_edges(label), sampling=size)
    place = np.nonzero(inside)
    _, own, counts = np.unique(label[place], return_inverse=True, return_counts=True)
    points = np.stack(place, axis=-1) * size
    middle = np.stack(
        [np.bincount(own, points[:, axis]) / counts for axis in range(label.ndim)], axis=-1
    )
    value = depth[place] - 0.5 * np.linalg.norm(points - middle[own], axis=-1)
    order = np.lexsort(
        (-value, own)
    )  # the pixels of one nucleus after the other, the best of each first
    return points[order[np.cumsum(counts) - counts]]


def decode(
    maps: np.ndarray,
    *,
    threshold: float = 0.5,
    centre: float = 0.5,
    merge: float = 0.0,
    min_size: int = 0,
    without_marker: str = "keep",
) -> np.ndarray:
    """(*space, 2) probabilities of foreground and of centres, on pixels as long as wide → (*space)
    int32 labels.

    threshold, centre : probabilities above which a pixel is foreground, and of a centre.
    merge : px; parts of centres less far apart are one centre.
    min_size : px; smaller nuclei are dropped.
    without_marker : what becomes of a connected foreground region without a centre: "keep" it as a
        nucleus, or "drop" it.
    """
    from skimage.segmentation import watershed

    foreground = maps[..., 0] > threshold
    markers = join_markers(foreground & (maps[..., 1] > centre), foreground, distance=merge)
    if without_marker == "keep":
        markers = seed_unseeded_regions(foreground, markers)
    depth = ndimage.distance_transform_edt(foreground).astype(np.float32)
    return remove_small_objects(watershed(-depth, markers, mask=foreground), min_size)


def join_markers(centres: np.ndarray, foreground: np.ndarray, *, distance: float) -> np.ndarray:
    """(*space) bool → (*space) int markers: connected parts, and those less than `distance` px
    apart inside the foreground are one.
    """
    if not distance or not centres.any():
        return ndimage.label(centres)[0]
    near = foreground & (ndimage.distance_transform_edt(~centres) <= distance / 2)
    return ndimage.label(near | centres)[0] * centres


def count_without_marker(
    maps: np.ndarray, *, threshold: float = 0.5, centre: float = 0.5, min_size: int = 0
) -> int:
    """Connected foreground regions, of at least `min_size` pixels, in which `decode` finds no
    centre.
    """
    regions, count = ndimage.label(maps[..., 0] > threshold)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    marked = np.zeros(count + 1, bool)
    marked[regions[maps[..., 1] > centre]] = True
    return int(((sizes >= max(min_size, 1)) & ~marked)[1:].sum())


def _measure_radii(own: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Radius of the disc or ball as large as each nucleus, in the unit of the pixel size.  own :
    the nucleus of each pixel, from 0.
    """
    volume = np.bincount(own) * float(np.prod(size))
    return np.sqrt(volume / np.pi) if len(size) == 2 else np.cbrt(3 * volume / (4 * np.pi))


CHOSEN = "chosen on validation images if empty."
WITHOUT_MARKER = {"keep": "kept", "drop": "left out"}


@dataclass(frozen=True)
class CentreTarget(LabelTarget):
    """Foreground, and a centre region per nucleus that becomes its marker.

    Parameters
    ----------
    share : radius of a centre region over that of its nucleus.
    without_marker : "keep" foreground regions without a centre as nuclei, or "drop" them.
    """

    share: float = SHARE
    without_marker: str = "keep"

    parameters: ClassVar = (
        Parameter(
            *("centre", 0.5, (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8), 0.01, 0.99),
            help=f"Probability above which a pixel is of a centre; {CHOSEN}",
        ),
        threshold_parameter(0.3, 0.4, 0.5, 0.6, 0.7),
        Parameter(
            *("merge", 0.0, (0.0, 2.0, 4.0), 0.0, 100.0),
            unit="px",
            help=f"Parts of centres less far apart are one; {CHOSEN}",
        ),
        min_size_parameter(10, (0, 10, 30, 60, 120)),
    )

    @property
    def outputs(self) -> dict[str, int]:
        return {"foreground": 1, "centre": 1}

    def encode(self, example: Example) -> np.ndarray:
        return encode(example.label, spacing=example.spacing, share=self.share)

    def activate(self, raw: np.ndarray) -> np.ndarray:
        return sigmoid(raw)

    def find_labels(self, maps: np.ndarray, **parameters: float) -> np.ndarray:
        return decode(maps, without_marker=self.without_marker, **parameters)

    def describe(self, maps: np.ndarray, *, merge: float = 0.0, **parameters: float) -> str:
        """How many regions have no centre, and what became of them; "" where all have one."""
        count = count_without_marker(maps, **parameters)
        regions = "1 region without a centre was"
        if count != 1:
            regions = f"{count} regions without a centre were"
        return f"{regions} {WITHOUT_MARKER[self.without_marker]}." if count else ""
