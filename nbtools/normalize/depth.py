"""Brightness that falls with depth in volumes, and volumes made even again.

In cleared or scattering tissue nuclei are dimmer the deeper they lie, by a constant share a plane
(Beer and Lambert). How bright nuclei are is asked of each by itself, at the places where grey
values have their maxima, so that neither their number nor their size plays a part.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nbtools.normalize.field import SIGNIFICANT, Field, weighted_median

PLANES = 8  # fewer say nothing about depth
AROUND = (5, 9, 9)  # samples among which a nucleus is the brightest place
NUCLEI = 8  # maxima; fewer say nothing
MOST = 600  # of them that a line is fitted through
REACH = 0.4  # of the depth that they must cover
LEAST = 1.5  # times as bright at one end as at the other; less is left as it is
SURE = 0.6  # rank correlation of brightness and depth
STRAIGHT = 0.25  # of the fall by which the slabs of a volume may leave the line
SLABS, KNOWN = 6, 4  # slabs, and how many of them must have nuclei
CLEAR, LEVELS = 2.0, 8  # times the usual certainty, and grey values, that a maximum is high
FAINT = 0.35  # of the usual height in its slab; lower maxima are specks or texture
NOISE = 0.15  # of the brightness of nuclei that amplified noise may reach


def find_gain(field: Field) -> np.ndarray | None:
    """Find by what factor each plane must be brightened.

    Parameters
    ----------
    field : sample of a volume.

    Returns
    -------
    (Z,) float32, 1 at the brighter end; None where brightness does not fall for certain.
    """
    if len(field.raw) < PLANES:
        return None
    depth, height = find_maxima(field)
    if len(depth) < NUCLEI or np.ptp(depth) < REACH * len(field.raw):
        return None
    line = fit_fall(depth, np.log(height), planes=len(field.raw))
    if line is None:
        return None
    slope, start = line
    fitted = start + slope * np.arange(len(field.raw))
    gain = np.exp(fitted.max() - fitted)
    noise = np.maximum(_noise_of_planes(field), 1e-9)
    bearable = np.maximum(NOISE * np.exp(fitted.max()) / noise, 1.0)
    return np.minimum(gain, bearable).astype(np.float32)


def find_maxima(field: Field) -> tuple[np.ndarray, np.ndarray]:
    """(n,) depth in planes and (n,) height above the background of the brightest places."""
    height = ndimage.uniform_filter1d(field.height, 3, axis=0, mode="nearest")
    known = height[field.valid]
    if not known.size:
        return np.zeros(0), np.zeros(0)
    low, middle = np.percentile(known[:: max(1, known.size // 200_000)], (16, 50))
    least = CLEAR * SIGNIFICANT * max(float(middle - low), 0.1 * field.noise)
    least = max(least, LEVELS * field.quantum)
    size = tuple(min(n, m) for n, m in zip(AROUND, field.raw.shape, strict=True))
    peaks = (height == ndimage.maximum_filter(height, size)) & (height > least) & field.valid
    depth, height = np.nonzero(peaks)[0], height[peaks].astype(float)
    chosen = np.zeros(len(depth), bool)
    for inside in _part(depth, len(field.raw)):
        order = inside[np.argsort(height[inside])]
        if len(order):  # specks are many, but not where each counts as much as it is bright
            typical = weighted_median(height[order], height[order])
            chosen[inside] = height[inside] > FAINT * typical
    return depth[chosen].astype(float), height[chosen]


def _part(depth: np.ndarray, planes: int) -> list[np.ndarray]:
    """Indices of the maxima in each slab."""
    slab = np.minimum((depth * SLABS / planes).astype(int), SLABS - 1)
    return [np.flatnonzero(slab == k) for k in range(SLABS)]


def fit_fall(depth: np.ndarray, bright: np.ndarray, *, planes: int) -> tuple[float, float] | None:
    """Fit a straight line through the logarithm of brightness, robustly (Theil and Sen).

    Parameters
    ----------
    depth : (n,) in planes.
    bright : (n,) logarithm of the brightness.
    planes : of the volume.

    Returns
    -------
    Slope a plane, and value at the first plane; None where it is no steady fall.
    """
    if len(depth) > MOST:
        chosen = np.linspace(0, len(depth) - 1, MOST).astype(int)
        depth, bright = depth[chosen], bright[chosen]
    slope, start = fit_line(depth, bright)
    fall = abs(slope) * planes
    if fall < np.log(LEAST) or abs(_rank_correlation(depth, bright)) < SURE:
        return None
    slabs = [inside for inside in _part(depth, planes) if len(inside) >= 2]
    if len(slabs) < KNOWN:
        return None
    left = bright - start - slope * depth
    spread = 1.4826 * np.median(np.abs(left))
    off = [
        abs(np.median(left[inside])) - 1.25 * spread / np.sqrt(len(inside)) for inside in slabs
    ]  # beyond the standard error of a median
    return (slope, start) if max(off) < STRAIGHT * fall else None


def fit_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the median of all lines through two points.

    Parameters
    ----------
    x, y : (n,) coordinates of the points.

    Examples
    --------
    >>> fit_line(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 3.0, 5.0, 7.0]))
    (2.0, 1.0)
    """
    i, j = np.triu_indices(len(x), 1)
    apart = x[j] != x[i]
    if not apart.any():
        return 0.0, float(np.median(y))
    slope = float(np.median((y[j] - y[i])[apart] / (x[j] - x[i])[apart]))
    return slope, float(np.median(y - slope * x))


def flatten(volume: np.ndarray, field: Field, *, gain: np.ndarray) -> np.ndarray:
    """Brighten planes above their own background.

    Parameters
    ----------
    volume : (Z, Y, X) grey values.
    field : its sample.
    gain : (Z,) by `find_gain`.

    Returns
    -------
    (Z, Y, X) float32.
    """
    ground = np.median(field.background, axis=(1, 2))
    usual = ground[int(np.argmin(gain))]
    even = volume.astype(np.float32)
    even -= ground[:, None, None]
    even *= gain[:, None, None]
    even += usual
    return even


def _noise_of_planes(field: Field) -> np.ndarray:
    bend = np.abs(field.bend).reshape(len(field.bend), -1)
    found = np.median(bend, axis=1) / 0.6745 / np.sqrt(6)
    return np.maximum(found, field.quantum / np.sqrt(12))


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(v)).astype(float) for v in (x, y)]
    return float(np.corrcoef(*ranks)[0, 1])
