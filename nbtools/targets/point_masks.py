"""Points as the only truth: what is surely nucleus, surely background, and where centres are.

Qu et al. 2020, doi:10.48550/arXiv.2007.05448. Two label images are made of points and grey values.
Cells of the Voronoi diagram: their edges are background, a small disc around each point is nucleus.
Clusters of pixels by distance to the next point and by grey value, seen from that point (the paper
takes colours as they are): the cluster that holds most of the discs is nucleus, the one least like
it background. What neither tells is left out. Beside the foreground, the network learns how near
the next point is, and points become markers.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.patches import Example
from nbtools.targets import proximity
from nbtools.targets.base import (
    LabelTarget,
    Parameter,
    min_size_parameter,
    sigmoid,
    threshold_parameter,
)
from nbtools.targets.border import find_edges
from nbtools.targets.objects import remove_small_objects, seed_unseeded_regions
from nbtools.targets.peaks import find_peaks, suppress_near

DISC = 2.0  # px, radius around a point that is surely nucleus, as published
SAMPLED = 20_000  # pixels that the clusters are found on
ROUNDS = 30  # of k-means, at most
REACH = 6.0, 40.0  # px; where the distance to the next point ends
APART = 0.3  # how much the distance to the point counts beside the grey values
DEPTH = 0.5  # how much the distance to the background counts beside that to the centre
LONE = 20.0  # px; the same where there is a single point, as published


def encode_voronoi(
    points: np.ndarray, shape: tuple[int, ...], *, spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """Encode points by their Voronoi diagram.

    Parameters
    ----------
    points : (N, ndim) in pixels, inside of the image.
    shape : (*space) of the image.
    spacing : relative pixel size along each axis, the finest 1; None for 1.

    Returns
    -------
    (*shape, 2) float32: nucleus, background; both 0 where it is not known. Without points all is
    background.

    Examples
    --------
    >>> maps = encode_voronoi(np.array([[0.0, 3.0], [0.0, 11.0]]), (1, 15))
    >>> "".join("?nb"[int(n + 2 * b)] for n, b in maps[0])
    '?nnnnn?bbnnnnn?'
    """
    if not len(points):
        return np.broadcast_to(np.float32([0, 1]), (*shape, 2)).copy()
    distance, cells = measure_cells(points, shape, spacing=spacing)
    disc = distance <= DISC
    edge = find_edges(cells) & ~disc
    return np.stack([disc, edge], axis=-1).astype(np.float32)


def measure_cells(
    points: np.ndarray, shape: tuple[int, ...], *, spacing: tuple[float, ...] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Measure the distance of each pixel to the next point, and which it is.

    Parameters
    ----------
    points : (N, ndim) in pixels, at least one.
    shape : (*space) of the image.
    spacing : relative pixel size along each axis; None for 1.

    Returns
    -------
    (*shape) distance in the unit of the spacing, and (*shape) int32 number of the point from 1.
    """
    seeds = draw_seeds(points, shape)
    distance, nearest = ndimage.distance_transform_edt(
        seeds == 0, sampling=spacing, return_indices=True
    )
    return distance, seeds[tuple(nearest)]


def draw_seeds(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(N, ndim) points → (*shape) int32 with the number of each, from 1, at its pixel."""
    seeds = np.zeros(shape, np.int32)
    places = np.rint(points).astype(int).clip(0, np.array(shape) - 1)
    seeds[tuple(places.T)] = np.arange(1, len(points) + 1)
    return seeds


def encode_clusters(
    image: np.ndarray, points: np.ndarray, *, spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """Encode points by three clusters of the pixels around them.

    Parameters
    ----------
    image : (*space, C) grey values.
    points : (N, ndim) in pixels, inside of the image.
    spacing : relative pixel size along each axis, the finest 1; None for 1.

    Returns
    -------
    (*space, 2) float32: nucleus, background; both 0 in the third cluster. Without points all is
    background.
    """
    shape = image.shape[:-1]
    if not len(points):
        return np.broadcast_to(np.float32([0, 1]), (*shape, 2)).copy()
    distance, cells = measure_cells(points, shape, spacing=spacing)
    reach = measure_reach(points, spacing=spacing)
    near = np.minimum(distance, reach) / reach
    disc, far = distance <= DISC, near >= 1
    smooth = ndimage.gaussian_filter(image, (1.0,) * len(shape) + (0,))
    likeness = compare_to_points(smooth, cells, disc=disc, far=far if far.any() else ~disc)
    features = np.stack([likeness, APART * near], axis=-1).reshape(-1, 2)
    own = cluster(features, nucleus=disc.ravel(), far=far.ravel()).reshape(shape)
    return np.stack([own == 0, own == 1], axis=-1).astype(np.float32)


def compare_to_points(
    image: np.ndarray, cells: np.ndarray, *, disc: np.ndarray, far: np.ndarray
) -> np.ndarray:
    """Compare the grey values of each pixel with those of its point and of the background.

    So a dim nucleus is as much a nucleus as a bright one.

    Parameters
    ----------
    image : (*space, C) grey values.
    cells : (*space) number of the nearest point, from 1.
    disc : (*space) bool, pixels at points.
    far : (*space) bool, pixels that are probably background.

    Returns
    -------
    (*space) float, -1 … 2: 0 as the background, 1 as the point; along the line between both.
    """
    background = np.median(image[far], axis=0)
    count = int(cells.max()) + 1
    inside = np.bincount(cells[disc], minlength=count)
    sums = [np.bincount(cells[disc], channel, minlength=count) for channel in image[disc].T]
    step = np.stack(sums, axis=-1) / np.maximum(inside, 1)[:, None] - background
    length = np.maximum((step**2).sum(axis=-1), 1e-12)
    along = ((image - background) * step[cells]).sum(axis=-1) / length[cells]
    return np.clip(along, -1, 2)


def measure_reach(points: np.ndarray, *, spacing: tuple[float, ...] | None = None) -> float:
    """Half the median distance between neighbouring points, in bounds, where distance ends.

    Parameters
    ----------
    points : (N, ndim) in pixels.
    spacing : relative pixel size along each axis; None for 1.
    """
    from scipy.spatial import cKDTree

    if len(points) < 2:
        return LONE
    places = points * np.array(spacing or (1.0,) * points.shape[1])
    apart = cKDTree(places).query(places, k=2)[0][:, 1]
    return float(np.clip(np.median(apart) / 2, *REACH))


def cluster(features: np.ndarray, *, nucleus: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Divide pixels in three clusters by k-means, and say which is nucleus and which background.

    Parameters
    ----------
    features : (P, F).
    nucleus : (P,) bool, pixels that are surely nucleus; at least one.
    far : (P,) bool, pixels that are probably background.

    Returns
    -------
    (P,) int: 0 nucleus, the cluster of the largest share of sure pixels; 1 background, that which
    is least like it; 2 the third.
    """
    inside = features[nucleus].mean(axis=0)
    outside = features[far if far.any() else ~nucleus].mean(axis=0)
    middles = np.stack([inside, outside, (inside + outside) / 2])
    some = features[:: max(1, len(features) // SAMPLED)]
    for _ in range(ROUNDS):
        own = assign(some, middles)
        moved = [some[own == k].mean(axis=0) if (own == k).any() else middles[k] for k in range(3)]
        if np.allclose(moved, middles, atol=1e-4):
            break
        middles = np.stack(moved)
    own = assign(features, middles)
    counts = np.maximum(np.bincount(own, minlength=3), 1)
    first = int(np.argmax(np.bincount(own[nucleus], minlength=3) / counts))
    farthest = int(np.argmax(((middles - middles[first]) ** 2).sum(axis=-1)))
    rank = np.full(3, 2)
    rank[farthest], rank[first] = 1, 0
    return rank[own]


def assign(features: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """(P, F) features, (K, F) middles → (P,) number of the nearest."""
    return np.argmin([((features - m) ** 2).sum(axis=-1) for m in middles], axis=0)


def decode(
    maps: np.ndarray,
    *,
    threshold: float = 0.5,
    centre: float = 0.3,
    min_distance: float = 4.0,
    min_size: int = 0,
    spacing: tuple[float, ...] | None = None,
) -> np.ndarray:
    """Decode foreground and proximity: a watershed from the maxima of the proximity.

    It floods by the distance to the next maximum, less half of that to the background. A connected
    foreground region without a maximum becomes one nucleus.

    Parameters
    ----------
    maps : (*space, 2) foreground probability, and proximity of the next centre.
    threshold : foreground probability, 0 … 1, above which a pixel belongs to a nucleus.
    centre : lowest proximity of a centre.
    min_distance : of two centres nearer than this, in pixels of the finest axis, the less certain
        is left out.
    min_size : smallest nucleus in pixels.
    spacing : relative pixel size along each axis, the finest 1; None for 1.

    Returns
    -------
    (*space) int32 labels.
    """
    from skimage.segmentation import watershed

    foreground = maps[..., 0] > threshold
    places, _ = find_peaks(np.where(foreground, maps[..., 1], 0.0), threshold=centre)
    places = places[suppress_near(places, reach=min_distance, spacing=spacing)]
    seeds = draw_seeds(places, foreground.shape) * foreground
    seeds = seed_unseeded_regions(foreground, seeds)
    # by depth alone, where many nuclei touch, the deepest pixel of all would decide
    depth = ndimage.distance_transform_edt(foreground, sampling=spacing)
    away = ndimage.distance_transform_edt(seeds == 0, sampling=spacing)
    height = (away - DEPTH * depth).astype(np.float32)
    return remove_small_objects(watershed(height, seeds, mask=foreground), min_size)


@dataclass(frozen=True)
class PointMaskTarget(LabelTarget):
    """Foreground that follows from points, and the proximity of the next point.

    Parameters
    ----------
    radius : distance at which proximity ends, in pixels of the finest axis; None: 8.
    """

    radius: float | None = None

    parameters: ClassVar = (
        threshold_parameter(help="Foreground probability of a nucleus; points do not tell it."),
        Parameter(
            *("centre", 0.3, (0.15, 0.2, 0.3, 0.4, 0.5, 0.6), 0.01, 0.99),
            help="Lowest proximity of a centre; chosen on validation images if empty.",
        ),
        proximity.MIN_DISTANCE,
        min_size_parameter(),
    )

    @property
    def outputs(self) -> dict[str, int]:
        return {"foreground": 1, "proximity": 1}

    def encode(self, example: Example) -> np.ndarray:
        """(*space, 5): nucleus and background by cells, the same by clusters, and proximity."""
        shape, spacing = example.image.shape[:-1], self.relative_spacing
        inside = (np.rint(example.points) >= 0) & (np.rint(example.points) < shape)
        points = example.points[inside.all(axis=1)]
        near = proximity.encode(points, shape=shape, radius=self.radius or 8.0, spacing=spacing)
        cells = encode_voronoi(points, shape, spacing=spacing)
        clusters = encode_clusters(example.image, points, spacing=spacing)
        return np.concatenate([cells, clusters, near[..., None]], axis=-1)

    def activate(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """Logit → foreground probability; proximity is clipped to 0 … 1."""
        return ops.stack([sigmoid(raw[..., 0], ops), ops.clip(raw[..., 1], 0, 1)], axis=-1)

    def find_labels(self, maps: np.ndarray, **parameters: float) -> np.ndarray:
        """(*space, 2) foreground and proximity → (*space) int32 labels, see `decode`."""
        return decode(maps, spacing=self.relative_spacing, **parameters)
