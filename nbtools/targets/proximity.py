"""Proximity: 1 at the centre of a nucleus, falling to 0 at a radius; a map per class.

A network that learns how near the next centre is learns from smooth truth, and finds centres more
easily than one that learns single pixels. Xing et al. 2019, doi:10.1109/TBME.2019.2900378.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nbtools.patches import Example
from nbtools.results import Grid, Points
from nbtools.targets.base import Parameter, Target, threshold_parameter
from nbtools.targets.peaks import find_peaks, suppress_near

CHOSEN = "chosen on validation images if empty."
DECAY = 3.0  # of the exponential, as published
THRESHOLD = threshold_parameter(
    *(0.15, 0.2, 0.3, 0.4, 0.5, 0.6),
    default=0.4,
    help=f"Lowest proximity of a centre; {CHOSEN}",
)
MIN_DISTANCE = Parameter(
    *("min_distance", 4.0, (2.0, 3.0, 4.0, 6.0, 8.0), 0.0, 1000.0),
    unit="px",
    help=f"Of two centres nearer than this, the less certain is left out; {CHOSEN}",
)


def encode(
    points: np.ndarray,
    *,
    shape: tuple[int, ...],
    radius: float,
    spacing: tuple[float, ...] | None = None,
    decay: float = DECAY,
) -> np.ndarray:
    """Encode points as their proximity, (exp(decay · (1 - d / radius)) - 1) / (exp(decay) - 1).

    Parameters
    ----------
    points : (N, ndim) in pixels; they may lie outside of the map.
    shape : of the map.
    radius : distance d at which proximity ends, in pixels of the finest axis.
    spacing : relative pixel size along each axis, the finest 1; None for 1.
    decay : how much steeper proximity is near the point; 0 is a cone.

    Returns
    -------
    (*shape) float32, 0 … 1; where points are near each other, the larger of their proximities.

    Examples
    --------
    >>> encode(np.array([[0.0, 2.0]]), shape=(1, 5), radius=2, decay=0).tolist()
    [[0.0, 0.5, 1.0, 0.5, 0.0]]
    """
    found = np.zeros(shape, np.float32)
    size = np.array(spacing or (1.0,) * len(shape))
    reach = np.ceil(radius / size).astype(int) + 1
    for point in points:
        low = np.maximum(np.rint(point).astype(int) - reach, 0)
        high = np.minimum(np.rint(point).astype(int) + reach + 1, shape)
        if (low >= high).any():
            continue
        axes = [
            ((np.arange(a, b) - p) * s) ** 2
            for a, b, p, s in zip(low, high, point, size, strict=True)
        ]
        near = 1 - np.sqrt(sum(np.ix_(*axes))) / radius
        near = np.expm1(decay * near) / np.expm1(decay) if decay else near
        place = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        found[place] = np.maximum(found[place], near)
    return found


@dataclass(frozen=True)
class ProximityTarget(Target):
    """Proximity of the next centre; a map per class where classes are told apart.

    Parameters
    ----------
    radius : distance at which proximity ends, in pixels of the finest axis.
    """

    radius: float | None = None

    per_patch: ClassVar = True
    parameters: ClassVar = (THRESHOLD, MIN_DISTANCE)

    @property
    def outputs(self) -> dict[str, int]:
        return {"proximity": max(1, len(self.classes))}

    def encode(self, example: Example) -> np.ndarray:
        """(*space, K) proximity of each class, see `encode`; a point of unknown class is of all."""
        own = np.zeros(len(example.points), int)
        if self.classes and example.point_classes is not None:
            own = example.point_classes
        about = {"shape": example.image.shape[:-1], "spacing": self.relative_spacing}
        maps = [
            encode(example.points[(own == k) | (own == 0)], radius=self.reach, **about)
            for k in range(1, 1 + self.outputs["proximity"])
        ]
        return np.stack(maps, axis=-1)

    @property
    def reach(self) -> float:
        """The radius, or 8 px where it is not known."""
        return self.radius or 8.0

    def decode(self, maps: np.ndarray, *, threshold: float, min_distance: float) -> Points:
        """(*space, K) proximity → points: maxima of the largest of the maps.

        Parameters
        ----------
        maps : proximity of each class.
        threshold : maxima that are not above it are left out.
        min_distance : between two points, in pixels of the finest axis; the higher one stays.
        """
        heat = maps[..., : self.outputs["proximity"]]
        places, height = find_peaks(heat.max(axis=-1), threshold=threshold)
        kept = suppress_near(places, reach=min_distance, spacing=self.relative_spacing)
        places, height = places[kept], height[kept]
        names = ()
        if self.classes:
            best = heat[tuple(np.rint(places).astype(int).T)].argmax(axis=-1)
            names = tuple(self.classes[k] for k in best)
        grid = Grid(self.axes, maps.shape[:-1])
        return Points(places, grid, np.clip(height, 0, 1), names)
