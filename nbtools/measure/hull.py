"""Convex hulls of nuclei: solidity, and the surface of bodies with faces and edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.spatial import ConvexHull

    from nbtools.measure.runs import Runs

BLOCK = 4_000_000  # pairs of row and plane processed together; bounds the memory
TOUCH = 1e-6  # pixels; points on the hull belong to it
# Share of the surface that the hull of pixel centres misses on the mean, times the edge length in
# pixels: nothing of a cube along the grid, twice as much of one that stands askew, whose corners
# fall between the pixels (benchmarks/shape_accuracy.py).
LOST_CORNERS = {2: 0.25, 3: 0.36}


def measure_hulls(
    runs: Runs, size: np.ndarray, *, spacing: np.ndarray, of: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Measure the convex hull of the pixel centres of each nucleus.

    A pixel lies in the hull if its centre does. The hull of the centres of a convex body holds no
    pixel from outside the body, whatever the pixel size, so that its solidity is exactly 1; that of
    pixel faces or corners (the choice of scikit-image) holds more, 10 % of a ball of 10 pixels at a
    z step of 2.

    Parameters
    ----------
    runs : of all nuclei.
    size : (n,) pixels.
    spacing : (D,) pixel size.
    of : (n,) bool, which nuclei are measured; NaN for the others.

    Returns
    -------
    Solidity (n,), pixels divided by the pixels in the hull, above 0 and up to 1; and the surface
    (2D: perimeter) of the hull (n,), in the unit of the spacing. NaN where a nucleus is flat.
    """
    solidity, surface = np.full((2, len(size)), np.nan)
    for i, ends in _split_runs(runs, np.broadcast_to(of, len(size))):
        hull = _find_hull(ends.reshape(-1, len(spacing)))
        if hull is None:
            continue
        count = _count_inside(ends, hull.equations)
        solidity[i] = size[i] / count
        surface[i] = _extrapolate_surface(hull, count, spacing=spacing)
    return solidity, surface


def _split_runs(runs: Runs, of: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Index of each nucleus `of` (n,) bool, and first and last pixels (2, R, D) of its runs."""
    kept = np.flatnonzero(of[runs.owner])
    kept = kept[np.argsort(runs.owner[kept], kind="stable")]
    ends = runs.choose(kept).ends().astype(float)
    last = np.cumsum(np.bincount(runs.owner[kept], minlength=len(of)))
    for i in np.flatnonzero(of):
        yield int(i), ends[:, (last[i - 1] if i else 0) : last[i]]


def _find_hull(points: np.ndarray) -> ConvexHull | None:
    """Convex hull of points (P, D), moved to the origin; None where they are flat."""
    from scipy.spatial import ConvexHull, QhullError

    low = points.min(axis=0)
    if np.any(points.max(axis=0) == low):
        return None
    try:
        return ConvexHull(points - low)
    except QhullError:  # all points in one oblique plane
        return None


def _extrapolate_surface(hull: ConvexHull, count: int, *, spacing: np.ndarray) -> float:
    """Surface of the body that fills the hull of its pixel centres: of its shape, but as large as
    the pixels in it.
    """
    ndim = len(spacing)
    corners = hull.points[hull.simplices] * spacing  # (facets, D, D)
    sides = corners[:, 1:] - corners[:, :1]
    if ndim == 2:
        surface = np.linalg.norm(sides[:, 0], axis=-1).sum()
    else:
        surface = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=-1).sum() / 2
    growth = count / max(hull.volume, TOUCH)
    lost = LOST_CORNERS[ndim] / count ** (1 / ndim)
    return float(surface * growth ** ((ndim - 1) / ndim) * (1 + lost))


def _count_inside(ends: np.ndarray, planes: np.ndarray) -> int:
    """Pixels with their centre between planes (F, D + 1); ends (2, R, D) of the nucleus."""
    ndim = ends.shape[-1]
    extent = np.ptp(ends.reshape(-1, ndim), axis=0).astype(int) + 1
    rows = np.indices(extent[:-1]).reshape(ndim - 1, -1).T  # (R, D - 1)
    blocks = np.array_split(rows, 1 + len(rows) * len(planes) // BLOCK)
    return sum(_count_in_rows(block, planes) for block in blocks)


def _count_in_rows(rows: np.ndarray, planes: np.ndarray) -> int:
    """Count integers x between the planes (F, D + 1) along each row (R, D - 1).

    Each plane bounds x from one side, so that no pixel is tested by itself.
    """
    slope = planes[:, -2]
    steep = np.abs(slope) > TOUCH
    room = TOUCH - (rows @ planes[:, :-2].T + planes[:, -1])  # (R, F): slope * x <= room
    bound = room[:, steep] / slope[steep]
    last = np.min(bound, axis=1, where=slope[steep] > 0, initial=np.inf)
    first = np.max(bound, axis=1, where=slope[steep] < 0, initial=-np.inf)
    hit = np.all(room[:, ~steep] >= 0, axis=1)
    return int((np.floor(last) - np.ceil(first) + 1)[hit].clip(0).sum())
