"""Surface of voxel objects: how often lines through the grid leave each nucleus."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from nbtools.geometry import UNIT_BALL

SLAB = 1_000_000  # pixels looked at together; bounds the memory
CAUCHY = {2: np.pi, 3: 4.0}  # perimeter or surface over the mean shadow


def count_exits(index: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """How often a step leaves each nucleus, and which nuclei touch.

    index : (*space) int32, 0 background, 1..n; what lies outside the image counts as background.
    Returns exits (n, K) for the K steps of `grid_steps`, and contacts (pairs, 2) of indices 1..n,
    corners included.
    """
    steps = grid_steps(index.ndim)
    exits, contacts = np.zeros((n, len(steps))), [np.empty(0, np.int64)]
    planes = max(SLAB // max(index[0].size, 1), 1)
    small = np.uint16 if n < 2**16 else np.int32  # half the memory to walk through
    for first in range(0, len(index), planes):
        last = min(first + planes, len(index))
        around = [(0, int(last == len(index)))] + [(1, 1)] * (index.ndim - 1)
        slab = np.pad(index[first : last + 1].astype(small), around)
        flat = slab.ravel()
        here = slab[0].size * (
            last - first
        )  # what lies beyond, and at the border, is padding or the next slab's
        for k, step in enumerate(steps @ (np.array(slab.strides) // slab.itemsize)):
            other = flat[step : step + here]  # every step leads onwards in memory
            leaves = np.flatnonzero(other != flat[: len(other)])
            inner, outer = flat.take(leaves), other.take(leaves)
            exits[:, k] += np.bincount(inner, minlength=n + 1)[1:]
            contacts.append(_name_pairs(inner, outer, n=n))
    return exits, np.stack(np.divmod(np.unique(np.concatenate(contacts)), n + 1), axis=-1)


def _name_pairs(inner: np.ndarray, outer: np.ndarray, *, n: int) -> np.ndarray:
    """A number for each pair of nuclei that stand side by side; some more than once."""
    both = np.flatnonzero((inner > 0) & (outer > 0))
    inner, outer = inner.take(both), outer.take(both)
    new = (
        np.flatnonzero((inner[1:] != inner[:-1]) | (outer[1:] != outer[:-1])) + 1
    )  # the same two often follow each other
    new = np.append(np.zeros(min(1, len(inner)), np.intp), new)
    inner, outer = inner.take(new).astype(np.int64), outer.take(new).astype(np.int64)
    return np.minimum(inner, outer) * (n + 1) + np.maximum(inner, outer)


def measure_surface(
    exits: np.ndarray, axes: tuple[np.ndarray, np.ndarray], *, spacing: np.ndarray
) -> np.ndarray:
    """Surface (3D) or perimeter (2D) of each nucleus, (n,), in the units of the spacing.

    Crofton's formula over the steps of the grid: the surface follows from how often parallel lines
    enter the nucleus, which has none of the bias of counting voxel faces (+50 % on a ball). The
    steps of a grid point in few directions, worst where z is coarse; what that costs is known
    exactly for an ellipsoid, so each nucleus is corrected by its own ellipsoid of equal second
    moments.

    exits : (n, K) from `count_exits`. axes : `np.linalg.eigh` of calibrated second moments, values
        (n, D) and vectors (n, D, D).
    Cauchy-Crofton: e.g. Legland et al. 2007, doi:10.5566/ias.v26.p83-92.
    """
    spacing = np.asarray(spacing, float)
    lengths, weights = _direction_weights(tuple(spacing))
    factor = CAUCHY[len(spacing)] * weights / lengths
    raw = (exits * np.prod(spacing)) @ factor
    values, vectors = axes
    radius = np.sqrt(
        np.maximum((len(spacing) + 2) * values, 1e-12)
    )  # (n, D) semi-axes of the ellipsoid
    into_ball = vectors / radius[:, None, :]
    across = np.linalg.norm(
        np.einsum("kd,nde->nke", grid_steps(len(spacing)) * spacing, into_ball), axis=-1
    )
    ellipsoid = (
        UNIT_BALL[len(spacing)]
        * radius.prod(axis=1)[:, None]
        * _share_left(across / 2, len(spacing))
    ) @ factor
    return raw * _ellipsoid_surface(radius) / np.maximum(ellipsoid, 1e-12)


def grid_steps(ndim: int) -> np.ndarray:
    """Half of the steps to the neighbours of a pixel, corners included: (4, 2) or (13, 3)."""
    return np.array([step for step in product((-1, 0, 1), repeat=ndim) if step > (0,) * ndim])


@lru_cache(maxsize=32)
def _direction_weights(spacing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of the steps, and weights (sum about 1) with which they stand best for all
    directions.
    """
    from scipy.optimize import nnls

    steps = grid_steps(len(spacing)) * np.array(spacing)
    lengths = np.linalg.norm(steps, axis=1)
    if len(spacing) == 2:
        angle = np.pi * np.arange(500) / 500
        normals, mean = np.stack([np.cos(angle), np.sin(angle)], axis=-1), 2 / np.pi
    else:
        height = np.linspace(-1, 1, 2001)
        angle, ring = np.pi * (1 + 5**0.5) * np.arange(2001), np.sqrt(1 - height**2)
        normals, mean = np.stack([height, ring * np.cos(angle), ring * np.sin(angle)], axis=-1), 0.5
    return lengths, nnls(
        np.abs(normals @ (steps / lengths[:, None]).T), np.full(len(normals), mean)
    )[0]


def _share_left(half: np.ndarray, ndim: int) -> np.ndarray:
    """Share of a unit ball that a shift by twice `half` leaves uncovered."""
    half = np.minimum(half, 1)
    if ndim == 3:
        return 1.5 * half - 0.5 * half**3
    return 1 - 2 / np.pi * (np.arccos(half) - half * np.sqrt(1 - half**2))


def _ellipsoid_surface(axes: np.ndarray) -> np.ndarray:
    """Exact surface of ellipsoids (perimeter of ellipses) with semi-axes (n, D), ascending."""
    from scipy.special import ellipe, elliprg

    if axes.shape[1] == 2:
        return 4 * axes[:, 1] * ellipe(1 - (axes[:, 0] / axes[:, 1]) ** 2)
    a, b, c = (axes**2).T
    return 4 * np.pi * elliprg(a * b, a * c, b * c)
