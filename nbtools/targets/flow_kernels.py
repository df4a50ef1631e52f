"""The two loops of flows, compiled: heat that diffuses inside each part, and points along flows.

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
def _diffuse_plane(
    starts: np.ndarray,
    beside: np.ndarray,
    centres: np.ndarray,
    rates: np.ndarray,
    steps: np.ndarray,
) -> np.ndarray:
    """`diffuse` in two dimensions, its loops over axes and sides unrolled."""
    count, stays = starts[-1], 1 - 2 * rates.sum()
    heat, spare = np.zeros(count + 1), np.zeros(count + 1)  # the last one stays cold
    near = np.empty((count, 4), np.int32)
    for point in range(count):
        for axis in range(2):
            for side in range(2):
                other = beside[point, axis, side]
                near[point, 2 * axis + side] = count if other == point else other
    for part in range(len(centres)):
        for _ in range(steps[part]):
            heat[centres[part]] += 1
            for point in range(starts[part], starts[part + 1]):
                along = rates[0] * (heat[near[point, 0]] + heat[near[point, 1]])
                across = rates[1] * (heat[near[point, 2]] + heat[near[point, 3]])
                spare[point] = stays * heat[point] + along + across
            for point in range(starts[part], starts[part + 1]):
                heat[point] = spare[point]
    return heat[:count]


@_compiled
def diffuse(
    starts: np.ndarray,
    beside: np.ndarray,
    *,
    centres: np.ndarray,
    rates: np.ndarray,
    steps: np.ndarray,
) -> np.ndarray:
    """Diffuse heat inside each connected part of nuclei, from its centre.

    In every step the centre of a part gets one unit, and each point shares with its neighbours.
    What would flow out of the part is lost.

    Parameters
    ----------
    starts : (P + 1,) index of the first point of each part, and the number n of points.
    beside : (n, ndim, 2) index of the neighbours before and after along each axis; the point's own
        where that is outside the part.
    centres : (P,) index of the centre of each part.
    rates : (ndim,) share of its heat that a point gives to each neighbour along an axis.
    steps : (P,) number of steps of each part.

    Returns
    -------
    (n,) heat of each point.
    """
    heat, stays = np.zeros(starts[-1]), 1 - 2 * rates.sum()
    spare = np.zeros(starts[-1])
    if len(rates) == 2:
        return _diffuse_plane(starts, beside, centres, rates, steps)
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
def _integrate_plane(
    flow: np.ndarray,
    shape: np.ndarray,
    ends: np.ndarray,
    steps: int,
    block: int,
    still: float,
) -> None:
    """`integrate_flows` in two dimensions, its loops over axes and corners unrolled."""
    rows, columns = shape
    bottom, right = np.float32(rows - 1), np.float32(columns - 1)
    for point in range(len(ends)):
        y, x = ends[point, 0], ends[point, 1]
        old_y, old_x = y, x
        for done in range(steps):
            if done % block == 0:
                if done and abs(y - old_y) <= still and abs(x - old_x) <= still:
                    break
                old_y, old_x = y, x
            row, column = min(np.int64(y), rows - 2), min(np.int64(x), columns - 2)
            b, d = y - np.float32(row), x - np.float32(column)
            a, c = np.float32(1) - b, np.float32(1) - d
            first = row * columns + column
            below = first + columns
            ac, ad, bc, bd = a * c, a * d, b * c, b * d
            down = ac * flow[first, 0] + ad * flow[first + 1, 0]
            down += bc * flow[below, 0] + bd * flow[below + 1, 0]
            aside = ac * flow[first, 1] + ad * flow[first + 1, 1]
            aside += bc * flow[below, 1] + bd * flow[below + 1, 1]
            y = min(max(y + down, np.float32(0)), bottom)
            x = min(max(x + aside, np.float32(0)), right)
        ends[point, 0], ends[point, 1] = y, x


@_compiled
def integrate_flows(
    flow: np.ndarray, shape: np.ndarray, *, ends: np.ndarray, steps: int, block: int, still: float
) -> None:
    """Move points along flows, in place, with linear interpolation between pixels.

    A point that moved no more than `still` along any axis in the last `block` steps has arrived.

    Parameters
    ----------
    flow : (pixels, ndim) float32, the flattened image; step of a point at each pixel.
    shape : (ndim,) of the image.
    ends : (n, ndim) float32 points in pixels; they are moved, and stay inside the image.
    steps : largest number of steps.
    block : steps between two tests for arrival.
    still : in pixels.
    """
    ndim = len(shape)
    if ndim == 2 and shape.min() > 1:
        _integrate_plane(flow, shape, ends, steps, block, still)
        return
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
