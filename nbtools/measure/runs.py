"""Runs of equal labels along the last axis, far fewer than pixels: for sums over nuclei."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.metrics.overlap import count_pixels


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of one nucleus along the last axis.

    Parameters
    ----------
    first : (D, R) coordinates of the first pixel of each run.
    length : (R,) in pixels.
    owner : (R,) index of the nucleus, from 0.
    """

    first: np.ndarray
    length: np.ndarray
    owner: np.ndarray

    def choose(self, rows: np.ndarray) -> Runs:
        """Return some of the runs, by their numbers (M,)."""
        return Runs(self.first[:, rows], self.length[rows], self.owner[rows])

    def ends(self) -> np.ndarray:
        """Return first and last pixels (2, R, D)."""
        last = self.first.T.copy()
        last[:, -1] += self.length - 1
        return np.stack([self.first.T, last])

    def sum_per_nucleus(self, values: np.ndarray, n: int) -> np.ndarray:
        """Sum values (R,) over the runs of each of n nuclei: (n,)."""
        return np.bincount(self.owner, weights=values, minlength=n)

    def distance_to_sides(
        self, shape: tuple[int, ...], spacing: np.ndarray, *, n: int
    ) -> np.ndarray:
        """Measure the distance from each nucleus to the nearest side of the image.

        Parameters
        ----------
        shape : of the image.
        spacing : pixel size along each axis.
        n : number of nuclei.

        Returns
        -------
        (n,) in the unit of the spacing; 0 where a nucleus touches a side.
        """
        room = np.minimum(self.first[-1], shape[-1] - self.first[-1] - self.length) * spacing[-1]
        for axis, first in enumerate(self.first[:-1]):
            np.minimum(room, np.minimum(first, shape[axis] - 1 - first) * spacing[axis], out=room)
        distance = np.full(n, np.inf)
        np.minimum.at(distance, self.owner, room)
        return distance


def find_runs(pixels: np.ndarray) -> tuple[Runs, np.ndarray, np.ndarray, np.ndarray]:
    """Find the runs of all nuclei.

    Parameters
    ----------
    pixels : (*space) integer labels, 0 background.

    Returns
    -------
    The runs; an index image (*space) int32, 0 background and 1..N; the labels (N,); their pixels
    (N,).

    Examples
    --------
    >>> runs, index, labels, size = find_runs(np.array([[0, 7, 7], [5, 0, 0]]))
    >>> labels.tolist(), size.tolist(), index.tolist()
    ([5, 7], [1, 2], [[0, 2, 2], [1, 0, 0]])
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
    """Compute centres and second moments.

    Parameters
    ----------
    runs : of all nuclei.
    size : (N,) pixels of each.

    Returns
    -------
    Centres (N, D) and covariances (N, D, D), in pixels.
    """
    n, ndim = len(size), len(runs.first)
    length = runs.length.astype(float)
    place = [c.astype(float) for c in runs.first]
    place[-1] += (length - 1) / 2  # middle of the run
    centre = np.stack([runs.sum_per_nucleus(length * c, n) / size for c in place], axis=-1)
    # Two passes: the difference of two large sums of squares would lose digits far from the origin.
    away = [c - centre[runs.owner, a] for a, c in enumerate(place)]
    covariance = np.empty((n, ndim, ndim))
    for a in range(ndim):
        for b in range(a, ndim):
            covariance[:, a, b] = covariance[:, b, a] = (
                runs.sum_per_nucleus(length * away[a] * away[b], n) / size
            )
    # Variance within a run of n pixels: (n² - 1) / 12.
    covariance[:, -1, -1] += runs.sum_per_nucleus(length * (length**2 - 1) / 12, n) / size
    return centre, covariance
