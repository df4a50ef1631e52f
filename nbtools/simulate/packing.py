"""Positions, sizes and orientations of nuclei without overlap, in µm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from nbtools.geometry import UNIT_BALL

FINEST = 5  # planes rendered for each plane of the camera, at most
ROUNDS = 80  # of pushing neighbours apart; enough for 60 % of a volume filled


@dataclass(frozen=True, eq=False)
class Ellipsoids:
    """Nuclei as ellipsoids.

    Parameters
    ----------
    centre : (N, D) µm.
    matrix : (N, D, D) maps an offset in µm into the unit ball.
    radius : (N,) µm, of the ball of equal volume.
    reach : (N, D) half of the bounding box, in µm.
    """

    centre: np.ndarray
    matrix: np.ndarray
    radius: np.ndarray
    reach: np.ndarray  # (N, D) half of the bounding box, in µm

    def __len__(self) -> int:
        return len(self.radius)


def place_nuclei(
    size_um: np.ndarray,
    drawn: dict[str, float],
    *,
    count: int | None,
    cut: float,
    rng: np.random.Generator,
) -> Ellipsoids:
    """Draw nuclei at random, and push them apart until none overlap.

    Parameters
    ----------
    size_um : (D,) extent of the field.
    drawn : values of this image, see `NucleiSettings.draw`.
    count : number of nuclei; None fills the share `density` of the field.
    cut : how far centres may lie from the inside: 0 keeps nuclei inside, 1 lets the border cut them
        anywhere (with a given count, through the centre at most).
    rng : random numbers.
    """
    ndim = len(size_um)
    margin = drawn["radius_um"] * (1 - 2 * cut)  # of centres; a negative one reaches outside
    margin = margin if count is None else max(margin, 0)  # a given number must be visible
    low = np.minimum(margin, size_um / 2)
    high = np.maximum(size_um - margin, size_um / 2)
    if count is None:
        extent = np.maximum(high, size_um) - np.minimum(low, 0)
        mean_volume = (
            UNIT_BALL[ndim] * drawn["radius_um"] ** ndim * (1 + ndim * drawn["radius_spread"] ** 2)
        )
        count = max(round(drawn["density"] * np.prod(extent) / mean_volume), 1)
    radius, matrix, reach = draw_shapes(count, drawn, ndim=ndim, rng=rng)
    centre = _scatter(radius, (low, high), clustering=drawn["clustering"], rng=rng)
    centre = push_apart(centre, matrix, box=(low, high), closeness=1 - drawn["squeeze"])
    return Ellipsoids(centre, matrix, radius, reach)


def draw_shapes(
    count: int, drawn: dict[str, float], *, ndim: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw ellipsoids of random size, elongation and orientation.

    Parameters
    ----------
    count : N.
    drawn : values of this image; radius_um, radius_spread and elongation count, and flattening, a
        factor by which the shortest axis is shorter still.
    ndim : D, 2 or 3.
    rng : random numbers.

    Returns
    -------
    radius : (N,) µm, of the ball of equal volume.
    matrix : (N, D, D) maps an offset in µm into the unit ball.
    reach : (N, D) half of the bounding box, in µm.
    """
    spread = np.sqrt(np.log1p(drawn["radius_spread"] ** 2))
    radius = drawn["radius_um"] * np.exp(
        spread * rng.standard_normal(count).clip(-2.5, 2.5) - spread**2 / 2
    )
    stretch = rng.random((count, ndim))
    stretch[:, 0] = 0
    stretch[:, -1] = 1
    stretch *= np.log(drawn["elongation"]) * rng.uniform(0.3, 1, (count, 1))
    stretch[:, 0] -= np.log(drawn.get("flattening", 1.0))
    # the volume stays that of the radius
    stretch = np.exp(stretch - stretch.mean(axis=1, keepdims=True))
    axes = radius[:, None] * stretch  # (N, D) semi-axes
    turn = _rotations(count, ndim, rng=rng)
    matrix = turn.transpose(0, 2, 1) / axes[:, :, None]
    reach = np.sqrt(((turn * axes[:, None, :]) ** 2).sum(axis=2))
    return radius, matrix, reach


def _rotations(count: int, ndim: int, *, rng: np.random.Generator) -> np.ndarray:
    """Uniform random rotations (N, D, D)."""
    if ndim == 2:
        angle = rng.random(count) * 2 * np.pi
        c = np.cos(angle)
        s = np.sin(angle)
        rows = [[c, -s], [s, c]]
    else:
        q = rng.standard_normal((count, 4))
        w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
        rows = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    return np.stack([np.stack(row, -1) for row in rows], axis=1)


def _scatter(
    radius: np.ndarray,
    box: tuple[np.ndarray, np.ndarray],
    *,
    clustering: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """First positions: anywhere, or in contact with a nucleus placed before."""
    low, high = box
    count = len(radius)
    centre = low + rng.random((count, len(low))) * (high - low)
    beside = rng.random(count) < clustering
    host = (rng.random(count) * np.arange(count)).astype(int)
    way = rng.standard_normal(centre.shape)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    for i in np.flatnonzero(beside)[1:]:
        centre[i] = (centre[host[i]] + way[i] * (radius[i] + radius[host[i]])).clip(low, high)
    return centre


def push_apart(
    centre: np.ndarray, matrix: np.ndarray, *, box: tuple[np.ndarray, np.ndarray], closeness: float
) -> np.ndarray:
    """Move neighbours away from each other until none overlap.

    Parameters
    ----------
    centre : (N, D) µm.
    matrix : (N, D, D) maps an offset in µm into the unit ball.
    box : lowest and highest centre, each (D,) or (N, D).
    closeness : they may come as close as this share of their radii along the line between them.

    Returns
    -------
    (N, D) centres.
    """
    if len(centre) < 2:
        return centre
    longest = 1 / np.linalg.svd(matrix, compute_uv=False).min(axis=1)
    for _ in range(ROUNDS):
        pairs = cKDTree(centre).query_pairs(2 * longest.max(), output_type="ndarray")
        pairs = pairs[np.lexsort(pairs.T)]  # the same order of sums everywhere
        i, j = pairs.T
        between = centre[j] - centre[i] + 1e-9
        distance = np.linalg.norm(between, axis=1)
        way = between / distance[:, None]
        contact = closeness * (_radius_along(matrix[i], way) + _radius_along(matrix[j], way))
        push = np.maximum(contact - distance, 0)[:, None] * way / 2
        if (push**2).sum(axis=1).max(initial=0) <= (0.01 * longest.min()) ** 2:
            break
        step = np.zeros_like(centre)
        np.add.at(step, j, push)
        np.add.at(step, i, -push)
        centre = (centre + 0.7 * step).clip(*box)
    return centre


def count_finer_planes(spacing_um: tuple[float, ...]) -> int:
    """Planes to render for each plane of the camera: the optics mix light between these.

    Parameters
    ----------
    spacing_um : pixel size along Y, X or Z, Y, X.

    Examples
    --------
    >>> count_finer_planes((1.5, 0.5, 0.5)), count_finer_planes((0.5, 0.5))
    (3, 1)
    """
    if len(spacing_um) == 2:
        return 1
    return int(np.clip(round(spacing_um[0] / spacing_um[-1]), 1, FINEST))


def _radius_along(matrix: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Distance from centre to surface along unit vectors: (N,)."""
    return 1 / np.linalg.norm(np.einsum("nij,nj->ni", matrix, way), axis=1)
