"""The two loops of flows that NumPy has no words for, compiled: heat that spreads inside each part,
and points that follow flows.

Compiled at the first call and kept beside the source or in the user's cache; where neither can be
written, compiled in every process.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np


def _compiled(function: Callable) -> Callable:
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # there is no place for a cache
        return numba.njit(nogil=True)(function)


@_compiled
def diffuse(
    starts: np.ndarray,
    beside: np.ndarray,
    *,
    centres: np.ndarray,
    rates: np.ndarray,
    steps: np.ndarray,
) -> np.ndarray:
    """Heat (n,) of points after the steps (P,) of their part, in each of which its centre gets one
    unit and neighbours share.

    starts : (P + 1,) where the points of each part begin.
    beside : (n, ndim, 2) neighbours; the point itself where there is none, and
    what would flow there is lost.
    centres : (P,) points.
    rates : (ndim,) share that goes to each neighbour.
    """
    heat, stays = np.zeros(starts[-1]), 1 - 2 * rates.sum()
    spare = np.zeros(starts[-1])
    for part in range(len(centres)):
        for _ in range(steps[part]):
            heat[centres[part]] += 1
            for point in range(starts[part], starts[part + 1]):
                total = stays * heat[point]
                for axis in range(len(rates)):
                    for side in range(2):
                        other = beside[point, axis, side]
                        if other != point:
                            total += rates[axis] * heat[other]
                spare[point] = total
            heat[starts[part] : starts[part + 1]] = spare[starts[part] : starts[part + 1]]
    return heat


@_compiled
def integrate_flows(
    flow: np.ndarray, shape: np.ndarray, *, ends: np.ndarray, steps: int, block: int, still: float
) -> None:
    """Move points (n, ndim) float32, in place, along flows (pixels, ndim) float32 of an image of
    this shape, linear between its pixels.

    A point that moved no more than `still` along any axis in the last `block` steps has arrived.
    """
    ndim = len(shape)
    strides, low, share = np.ones(ndim, np.int64), np.empty(ndim, np.int64), np.empty(ndim)
    for axis in range(ndim - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    before, step = np.empty(ndim, np.float32), np.empty(ndim)
    for point in range(len(ends)):
        at = ends[point]
        for done in range(steps):
            if done % block == 0:
                if done and np.abs(at - before).max() <= still:
                    break
                before[:] = at
            for axis in range(ndim):
                low[axis] = min(np.int64(at[axis]), max(shape[axis] - 2, 0))
                share[axis] = at[axis] - low[axis]
                step[axis] = 0
            for corner in range(2**ndim):
                weight, pixel = 1.0, 0
                for axis in range(ndim):
                    far = (corner >> axis) & 1
                    weight *= share[axis] if far else 1 - share[axis]
                    pixel += (low[axis] + far) * strides[axis]
                if weight > 0:
                    for axis in range(ndim):
                        step[axis] += weight * flow[pixel, axis]
            for axis in range(ndim):
                at[axis] = min(
                    max(at[axis] + np.float32(step[axis]), np.float32(0)),
                    np.float32(shape[axis] - 1),
                )
