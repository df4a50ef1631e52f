"""Foreground and a small centre region per nucleus, the marker of its watershed.

The two maps of QCANet (Tokuoka et al. 2020, doi:10.1038/s41540-020-00152-8): where nuclei are, and
where a nucleus has its middle. The watershed floods the distance to the background, in which
touching nuclei are parted at their waist.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.patches import Example
from nbtools.targets.base import Parameter, min_size_parameter, sigmoid, threshold_parameter
from nbtools.targets.border import find_edges
from nbtools.targets.class_head import ClassHeadTarget
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
    """Encode labels as foreground and centre regions.

    A centre region is the part of a ball around the inner point of a nucleus that lies inside the
    nucleus; it has at least one pixel.

    Parameters
    ----------
    label : (*space) labels; negative ones are ignored.
    spacing : pixel size along each axis; None for 1.
    share : radius of the centre region over that of the disc or ball as large as the nucleus.
    radius : of every centre region, in the unit of the spacing, in place of a share.

    Returns
    -------
    (*space, 2) float32: foreground and centre region, each 0 or 1; both -1 where ignored.

    References
    ----------
    Tokuoka et al. 2020, doi:10.1038/s41540-020-00152-8.

    Examples
    --------
    >>> encode(np.array([[0, 3, 3, 3, 0]]), radius=0.5)[0].astype(int).tolist()
    [[0, 0], [1, 0], [1, 1], [1, 0], [0, 0]]
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
    """Find a pixel deep inside each nucleus.

    The depth of a pixel, its distance to the nearest pixel outside the nucleus, is weighed against
    its distance to the centre of mass: so the point lies in the middle of a round nucleus, and
    inside a bent one.

    Parameters
    ----------
    label : (*space) labels; only numbers above 0 count.
    spacing : pixel size along each axis; None for 1.

    Returns
    -------
    (N, ndim) float64, in the unit of the spacing, in the order of the labels' numbers.

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
    """Decode foreground and centres: a watershed on the distance to the background.

    Parameters
    ----------
    maps : (*space, 2) probabilities of foreground and of a centre, on isotropic pixels.
    threshold : foreground probability, 0 … 1, above which a pixel belongs to a nucleus.
    centre : probability, 0 … 1, above which a pixel belongs to a centre.
    merge : parts of centres less than so many pixels apart are one centre.
    min_size : smallest nucleus in pixels.
    without_marker : what becomes of a connected foreground region without a centre: "keep" it as a
        nucleus, or "drop" it.

    Returns
    -------
    (*space) int32 labels.

    References
    ----------
    Tokuoka et al. 2020, doi:10.1038/s41540-020-00152-8.
    """
    from skimage.segmentation import watershed

    foreground = maps[..., 0] > threshold
    markers = join_markers(foreground & (maps[..., 1] > centre), foreground, distance=merge)
    if without_marker == "keep":
        markers = seed_unseeded_regions(foreground, markers)
    depth = ndimage.distance_transform_edt(foreground).astype(np.float32)
    return remove_small_objects(watershed(-depth, markers, mask=foreground), min_size)


def join_markers(centres: np.ndarray, foreground: np.ndarray, *, distance: float) -> np.ndarray:
    """Number the connected centres; centres close together inside the foreground become one.

    Parameters
    ----------
    centres : (*space) bool.
    foreground : (*space) bool, through which centres are joined.
    distance : in pixels, below which two centres are one; 0 joins none.

    Returns
    -------
    (*space) int markers, 0 outside centres.
    """
    if not distance or not centres.any():
        return ndimage.label(centres)[0]
    near = foreground & (ndimage.distance_transform_edt(~centres) <= distance / 2)
    return ndimage.label(near | centres)[0] * centres


def count_without_marker(
    maps: np.ndarray, *, threshold: float = 0.5, centre: float = 0.5, min_size: int = 0
) -> int:
    """Count the connected foreground regions in which `decode` finds no centre.

    Parameters
    ----------
    maps : (*space, 2) probabilities of foreground and of a centre.
    threshold, centre : as in `decode`.
    min_size : smallest region in pixels.
    """
    regions, count = ndimage.label(maps[..., 0] > threshold)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    marked = np.zeros(count + 1, bool)
    marked[regions[maps[..., 1] > centre]] = True
    return int(((sizes >= max(min_size, 1)) & ~marked)[1:].sum())


def _measure_radii(own: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Radius of the disc or ball as large as each nucleus, in the unit of the pixel size.

    `own` is the nucleus of each pixel, from 0.
    """
    volume = np.bincount(own) * float(np.prod(size))
    return np.sqrt(volume / np.pi) if len(size) == 2 else np.cbrt(3 * volume / (4 * np.pi))


CHOSEN = "chosen on validation images if empty."
WITHOUT_MARKER = {"keep": "kept", "drop": "left out"}


@dataclass(frozen=True)
class CentreTarget(ClassHeadTarget):
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
    def label_outputs(self) -> dict[str, int]:
        return {"foreground": 1, "centre": 1}

    def encode_labels(self, example: Example) -> np.ndarray:
        """(*space, 2) foreground and centre region of each nucleus, see `encode`."""
        return encode(example.label, spacing=example.spacing, share=self.share)

    def activate_labels(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """Logits → probabilities of foreground and of centres."""
        return sigmoid(raw, ops)

    def find_labels(self, maps: np.ndarray, **parameters: float) -> np.ndarray:
        """(*space, 2) probabilities → (*space) int32 labels, see `decode`."""
        return decode(maps, without_marker=self.without_marker, **parameters)

    def describe(self, maps: np.ndarray, *, merge: float = 0.0, **parameters: float) -> str:
        """How many regions have no centre, and what became of them; "" where all have one."""
        count = count_without_marker(maps, **parameters)
        regions = "1 region without a centre was"
        if count != 1:
            regions = f"{count} regions without a centre were"
        return f"{regions} {WITHOUT_MARKER[self.without_marker]}." if count else ""
