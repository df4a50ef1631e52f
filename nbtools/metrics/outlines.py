"""Distances between outlines: average and 95 % Hausdorff distance, in µm where spacing is known.

An IoU tells how much area is wrong, not where. A spur one pixel wide hardly changes the IoU, but
every measurement of shape; these distances show it. An outline consists of the pixels of a nucleus
that touch another label, the background or the border of the image along an axis. The distance of
two outlines is the larger of the two directed ones: from each point of one outline to the nearest
of the other, averaged or its 95th percentile.

References
----------
Dubuisson & Jain 1994, doi:10.1109/ICPR.1994.576361 (average).
Huttenlocher et al. 1993, doi:10.1109/34.232073 (percentile).
"""

from __future__ import annotations

import numpy as np

from nbtools.geometry import inner_border


def find_outlines(label: np.ndarray) -> np.ndarray:
    """Find the outline pixels of all nuclei.

    Parameters
    ----------
    label : (*space) integers, 0 background.

    Returns
    -------
    (*space) bool.

    Examples
    --------
    >>> int(find_outlines(np.pad(np.ones((4, 4), int), 2)).sum())
    12
    """
    edge = inner_border(label)
    for axis in np.flatnonzero(np.array(label.shape) > 1):
        np.moveaxis(edge, axis, 0)[[0, -1]] = True
    return edge & (label > 0)


def measure_distances(
    truth: np.ndarray,
    predicted: np.ndarray,
    *,
    pairs: tuple[np.ndarray, np.ndarray],
    spacing: tuple[float, ...] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Measure average and 95 % Hausdorff distance of pairs of nuclei.

    Parameters
    ----------
    truth, predicted : label images of equal shape.
    pairs : (pairs,) true labels, and (pairs,) predicted labels; no label occurs in two pairs.
    spacing : pixel size along each axis; without, distances are in pixels.

    Returns
    -------
    Two arrays (pairs,), in the unit of the spacing.

    Examples
    --------
    >>> square = np.pad(np.ones((4, 4), int), 4)
    >>> pair = np.array([1]), np.array([1])
    >>> measure_distances(square, np.roll(square, 1, axis=1), pairs=pair)[1].tolist()
    [1.0]
    """
    scale = np.asarray(spacing or (1.0,) * truth.ndim, float)
    far = 4 * float(np.linalg.norm(scale * truth.shape)) + 1
    one, two = (
        _find_points(label, names, scale=scale, far=far)
        for label, names in zip((truth, predicted), pairs, strict=True)
    )
    directed = [
        _summarize(*_measure_directed(a, b), count=len(pairs[0]))
        for a, b in ((one, two), (two, one))
    ]
    return tuple(np.maximum(*both) for both in zip(*directed, strict=True))


def measure_foreground(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Measure the average Hausdorff distance of two foregrounds, over all of their pixels.

    Parameters
    ----------
    truth, predicted : label images of equal shape.

    Returns
    -------
    The distance in pixels; 0 where both are empty, infinity where one is.

    References
    ----------
    Taha & Hanbury 2015, doi:10.1186/s12880-015-0068-x.
    """
    from scipy.ndimage import distance_transform_edt

    one, two = truth > 0, predicted > 0
    if not one.any() or not two.any():
        return 0.0 if one.any() == two.any() else float("inf")
    return float(max(distance_transform_edt(~b)[a].mean() for a, b in ((one, two), (two, one))))


def _find_points(
    label: np.ndarray, names: np.ndarray, *, scale: np.ndarray, far: float
) -> tuple[np.ndarray, np.ndarray]:
    """Outline points of the named labels, and the index of the pair of each point.

    Each pair gets an extra coordinate `far` away from the others, so that one tree serves all
    pairs.
    """
    points = np.argwhere(find_outlines(label))
    order = np.argsort(names)
    values = label[tuple(points.T)]
    place = np.minimum(np.searchsorted(names[order], values), max(len(names) - 1, 0))
    wanted = (names[order][place] == values) if len(names) else np.zeros(len(values), bool)
    pair = order[place[wanted]] if len(names) else place[wanted]
    return np.column_stack([pair * far, points[wanted] * scale]), pair


def _measure_directed(
    one: tuple[np.ndarray, np.ndarray], two: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each point of one to the nearest of the other in its pair, and that pair."""
    from scipy.spatial import cKDTree

    if not len(one[0]):
        return np.zeros(0), one[1]
    return cKDTree(two[0]).query(one[0])[0], one[1]


def _summarize(
    distance: np.ndarray, pair: np.ndarray, *, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and 95th percentile of the distances per pair."""
    points = np.bincount(pair, minlength=count)
    mean = np.bincount(pair, weights=distance, minlength=count) / np.maximum(points, 1)
    ordered, start = distance[np.lexsort((distance, pair))], np.cumsum(points) - points
    position = 0.95 * (points - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, points - 1)
    share = position - low
    return mean, ordered[start + low] * (1 - share) + ordered[start + high] * share
