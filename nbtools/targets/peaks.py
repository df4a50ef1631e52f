"""Maps to points: local maxima, or connected regions, as every detector of points decodes them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def smooth(
    heat: np.ndarray, width: float, *, spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """Smooth maps, so that what is finer than a nucleus makes no maximum of its own.

    Parameters
    ----------
    heat : (*space, K) maps.
    width : standard deviation of the Gaussian, in pixels of the finest axis; 0 changes nothing.
    spacing : relative pixel size along each axis, the finest 1; None for 1.

    Examples
    --------
    >>> heat = np.array([[0.0], [0.0], [1.0], [0.0], [0.0]])
    >>> smooth(heat, 1.0)[:, 0].round(2).tolist()
    [0.05, 0.24, 0.4, 0.24, 0.05]
    """
    if not width:
        return heat
    widths = width / np.array(spacing or (1.0,) * (heat.ndim - 1))
    return ndimage.gaussian_filter(heat, (*widths, 0), mode="nearest")


def find_peaks(heat: np.ndarray, *, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the local maxima of a map, between pixels where its neighbours say so.

    A pixel is a maximum if no neighbour, diagonal ones included, is higher. A plateau is one
    maximum, in its middle. A maximum is moved by up to half a pixel along each axis, to the top of
    the parabola through the pixel and its two neighbours.

    Parameters
    ----------
    heat : (*space) map, high where a nucleus has its centre.
    threshold : maxima that are not above it are left out.

    Returns
    -------
    places : (N, ndim) float64 in pixels, the highest first.
    height : (N,) value of the map at each.

    Examples
    --------
    >>> places, height = find_peaks(np.array([[0.0, 0.5, 1.0, 0.75, 0.0]]), threshold=0.2)
    >>> places.round(2).tolist(), height.tolist()
    ([[0.0, 2.17]], [1.0])
    """
    if not heat.size:
        return np.zeros((0, heat.ndim)), np.zeros(0)
    top = (heat > threshold) & (heat >= ndimage.maximum_filter(heat, 3, mode="nearest"))
    pixels = np.argwhere(top)
    places, height = _refine(heat, pixels), heat[top].astype(float)
    own = _number_plateaus(top, pixels)
    counts = np.bincount(own)
    places = np.stack([np.bincount(own, along) for along in places.T], axis=-1)
    places, height = places / counts[:, None], np.bincount(own, height) / counts
    order = np.argsort(-height, kind="stable")
    return places[order], height[order]


def _number_plateaus(top: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N,) number of the plateau that each pixel above belongs to, from 0; most are alone."""
    # only where maxima touch each other is there a plateau to look for
    crowded = ndimage.uniform_filter(top.astype(np.float32), 3, mode="constant") * 3**top.ndim
    if not (crowded[top] > 1.5).any():
        return np.arange(len(pixels))
    parts, _ = ndimage.label(top, np.ones((3,) * top.ndim))
    return parts[top] - 1


def _refine(heat: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N, ndim) pixels of single maxima → tops of the parabolas through them along each axis."""
    places = pixels.astype(float)
    for axis, size in enumerate(heat.shape):
        inner = (pixels[:, axis] > 0) & (pixels[:, axis] < size - 1)
        here = pixels[inner]
        step = np.eye(heat.ndim, dtype=int)[axis]
        before, middle, after = (
            heat[tuple((here + shift * step).T)].astype(float) for shift in (-1, 0, 1)
        )
        bend = before - 2 * middle + after
        shift = np.where(bend < 0, (before - after) / np.where(bend < 0, 2 * bend, 1), 0)
        places[inner, axis] += np.clip(shift, -0.5, 0.5)
    return places


def grow_peaks(heat: np.ndarray, places: np.ndarray, *, share: float) -> np.ndarray:
    """Label the pixels around each peak that are not much lower than it.

    Parameters
    ----------
    heat : (*space) map.
    places : (N, ndim) of the peaks, in pixels.
    share : of the height of the nearest peak that a pixel must have.

    Returns
    -------
    (*space) int32: 1 … N, fewer where peaks share a pixel.

    Examples
    --------
    >>> heat = np.array([[0.2, 0.6, 1.0, 0.6, 0.2, 0.3, 0.2]])
    >>> grow_peaks(heat, np.array([[0, 2], [0, 5]]), share=0.5).tolist()
    [[0, 1, 1, 1, 2, 2, 2]]
    """
    pixels = np.clip(np.rint(places).astype(int), 0, np.array(heat.shape) - 1)
    pixels = np.unique(pixels, axis=0)
    if not len(pixels):
        return np.zeros(heat.shape, np.int32)
    own = np.zeros(heat.shape, np.int32)
    own[tuple(pixels.T)] = 1 + np.arange(len(pixels))
    about = {"return_distances": False, "return_indices": True}
    own = own[tuple(ndimage.distance_transform_edt(own == 0, **about))]
    height = np.concatenate([[np.inf], heat[tuple(pixels.T)]])
    return np.where(heat >= share * height[own], own, 0)


def suppress_near(
    places: np.ndarray, *, reach: float | np.ndarray, spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """Keep, of points that lie close together, the first.

    Parameters
    ----------
    places : (N, ndim) in pixels, the best first.
    reach : distance within which a kept point removes later ones; one for all or (N,), in pixels
        of the finest axis.
    spacing : relative pixel size along each axis, the finest 1; None for 1.

    Returns
    -------
    (N,) bool.

    Examples
    --------
    >>> suppress_near(np.array([[0.0, 0.0], [0.0, 3.0], [0.0, 5.0]]), reach=4).tolist()
    [True, False, True]
    """
    from scipy.spatial import cKDTree

    kept = np.ones(len(places), bool)
    reach = np.broadcast_to(np.asarray(reach, float), len(places))
    if not len(places) or reach.max() <= 0:
        return kept
    where = places * np.array(spacing or (1.0,) * places.shape[1])
    near = cKDTree(where).query_ball_point(where, reach, return_sorted=False)
    for i, others in enumerate(near):
        if kept[i] and len(others) > 1:
            others = np.array(others)
            kept[others[others > i]] = False
    return kept


def find_regions(heat: np.ndarray, *, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the centre of mass of each connected region above a threshold.

    Parameters
    ----------
    heat : (*space) probability.
    threshold : pixels above it belong to a region; faces connect them.

    Returns
    -------
    places : (N, ndim) float64 in pixels, the highest first.
    height : (N,) highest value of each region.

    Examples
    --------
    >>> places, height = find_regions(np.array([[0.9, 0.6, 0.0, 0.7]]), threshold=0.5)
    >>> places.round(2).tolist(), height.tolist()
    ([[0.0, 0.4], [0.0, 3.0]], [0.9, 0.7])
    """
    parts, count = ndimage.label(heat > threshold)
    if not count:
        return np.zeros((0, heat.ndim)), np.zeros(0)
    inside = np.nonzero(parts)
    own, weight = parts[inside] - 1, heat[inside].astype(float)
    total = np.bincount(own, weight)
    middles = [np.bincount(own, weight * along) / total for along in inside]
    height = np.full(count, -np.inf)
    np.maximum.at(height, own, weight)
    order = np.argsort(-height, kind="stable")
    return np.stack(middles, axis=-1)[order], height[order]
