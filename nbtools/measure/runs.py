"""Stretches of one nucleus along a line: what sums over nuclei are made of, far fewer than
pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.metrics.overlap import count_pixels


@dataclass(frozen=True, eq=False)
class Runs:
    """Stretches of one nucleus along the last axis.

    first : (D, R) pixel coordinates of the first pixel. length : (R,) pixels. owner : (R,) index of
        the nucleus, from 0.
    """

    first: np.ndarray
    length: np.ndarray
    owner: np.ndarray

    def ends(self) -> np.ndarray:
        """First and last pixels (2, R, D)."""
        last = self.first.T.copy()
        last[:, -1] += self.length - 1
        return np.stack([self.first.T, last])

    def sum_per_nucleus(self, values: np.ndarray, n: int) -> np.ndarray:
        """Sum of values (R,) over the runs of each of n nuclei."""
        return np.bincount(self.owner, weights=values, minlength=n)

    def distance_to_sides(
        self, shape: tuple[int, ...], spacing: np.ndarray, *, n: int
    ) -> np.ndarray:
        """From each of n nuclei (n,) to the nearest side of an image of this shape; 0 where it
        touches it.
        """
        room = np.minimum(self.first[-1], shape[-1] - self.first[-1] - self.length) * spacing[-1]
        for axis, first in enumerate(self.first[:-1]):
            np.minimum(room, np.minimum(first, shape[axis] - 1 - first) * spacing[axis], out=room)
        distance = np.full(n, np.inf)
        np.minimum.at(distance, self.owner, room)
        return distance


def find_runs(pixels: np.ndarray) -> tuple[Runs, np.ndarray, np.ndarray, np.ndarray]:
    """Runs of all nuclei; index image (*space) int32 of 0 and 1..N; labels present (N,); pixels of
    each (N,).
    """
    flat = np.ascontiguousarray(pixels).ravel()
    first = np.ones(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=first[1:])
    first[:: pixels.shape[-1]] = True
    start = np.flatnonzero(first)
    length = np.diff(start, append=flat.size)
    labels, size, owner = count_pixels(flat[start], length)
    index = np.repeat((owner + 1).astype(np.int32), length).reshape(pixels.shape)
    kept = owner >= 0
    return (
        Runs(np.array(np.unravel_index(start[kept], pixels.shape)), length[kept], owner[kept]),
        index,
        labels,
        size,
    )


def find_moments(runs: Runs, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, D) and covariances (N, D, D) in pixels."""
    n, ndim = len(size), len(runs.first)
    length = runs.length.astype(float)
    place = [c.astype(float) for c in runs.first]
    place[-1] += (length - 1) / 2  # middle of the run
    centre = np.stack([runs.sum_per_nucleus(length * c, n) / size for c in place], axis=-1)
    away = [
        c - centre[runs.owner, a] for a, c in enumerate(place)
    ]  # two passes: exact far from the origin too
    covariance = np.empty((n, ndim, ndim))
    for a in range(ndim):
        for b in range(a, ndim):
            covariance[:, a, b] = covariance[:, b, a] = (
                runs.sum_per_nucleus(length * away[a] * away[b], n) / size
            )
    covariance[:, -1, -1] += (
        runs.sum_per_nucleus(length * (length**2 - 1) / 12, n) / size
    )  # spread within the runs
    return centre, covariance
