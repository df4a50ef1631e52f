"""Proximity: 1 at the centre of a nucleus, falling to 0 at a radius; a map per class.

A network that learns how near the next centre is learns from smooth truth, and finds centres more
easily than one that learns single pixels. Xing et al. 2019, doi:10.1109/TBME.2019.2900378.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nbtools.geometry import centroids, equivalent_diameters
from nbtools.patches import Example
from nbtools.results import Grid, Points
from nbtools.targets.base import Parameter, Target, threshold_parameter
from nbtools.targets.peaks import find_peaks, grow_peaks, smooth, suppress_near

CHOSEN = "chosen on validation images if empty."
DECAY = 3.0  # of the exponential, as published
REACH, SMALLEST = 1.0, 4.0  # radius over the diameter of a nucleus; px
SURE = 0.5  # proximity of a peak whose width is believed
# share of its height that a peak has at the rim of its nucleus, half a radius from the centre
RIM = float(np.expm1(DECAY / 2) / np.expm1(DECAY))
THRESHOLD = threshold_parameter(
    *(0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6),
    default=0.3,
    help=f"Lowest proximity of a centre; {CHOSEN}",
)
MIN_DISTANCE = Parameter(
    *("min_distance", 4.0, (2.0, 3.0, 4.0, 6.0, 8.0, 12.0), 0.0, 1000.0),
    unit="px",
    help=f"Of two centres nearer than this, the less certain is left out; {CHOSEN}",
)
SMOOTHING = Parameter(
    *("smoothing", 1.0, (0.0, 1.0, 2.0, 3.0, 5.0), 0.0, 100.0),
    unit="px",
    help=f"How far maps are smoothed before maxima are looked for; {CHOSEN}",
)


def encode(
    points: np.ndarray,
    *,
    shape: tuple[int, ...],
    radius: float | np.ndarray,
    spacing: tuple[float, ...] | None = None,
    decay: float = DECAY,
) -> np.ndarray:
    """Encode points as their proximity, (exp(decay · (1 - d / radius)) - 1) / (exp(decay) - 1).

    Parameters
    ----------
    points : (N, ndim) in pixels; they may lie outside of the map.
    shape : of the map.
    radius : distance d at which proximity ends, in pixels of the finest axis; one for all or (N,).
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
    radii = np.broadcast_to(np.asarray(radius, float), len(points))
    for point, radius in zip(points, radii, strict=True):
        reach = np.ceil(radius / size).astype(int) + 1
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


def hide_void(maps: np.ndarray, example: Example) -> np.ndarray:
    """Maps with -1, which losses leave out, where nobody has looked.

    Parameters
    ----------
    maps : (*space, K); is changed.
    example : with or without `void`.
    """
    if example.void is not None:
        maps[example.void] = -1
    return maps


@dataclass(frozen=True)
class ProximityTarget(Target):
    """Proximity of the next centre; a map per class where classes are told apart.

    Parameters
    ----------
    radius : distance at which proximity ends, in pixels of the finest axis.
    radius_of : "each" where it ends one diameter from the centre of a nucleus whose size is known,
        else that of "all".
    """

    radius: float | None = None
    radius_of: str = "all"

    per_patch: ClassVar = True
    parameters: ClassVar = (THRESHOLD, MIN_DISTANCE, SMOOTHING)

    @property
    def outputs(self) -> dict[str, int]:
        return {"proximity": max(1, len(self.classes))}

    def encode(self, example: Example) -> np.ndarray:
        """(*space, K) proximity of each class, see `encode`; -1 where nobody has looked.

        A point of unknown class is of all.

        Parameters
        ----------
        example : with points, and with what else is known of them.
        """
        own = np.zeros(len(example.points), int)
        if self.classes and example.point_classes is not None:
            own = example.point_classes
        about = {"shape": example.image.shape[:-1], "spacing": self.relative_spacing}
        radii, maps = self.find_radii(example), []
        for k in range(1, 1 + self.outputs["proximity"]):
            mine = (own == k) | (own == 0)
            maps.append(encode(example.points[mine], radius=radii[mine], **about))
        return hide_void(np.stack(maps, axis=-1), example)

    def find_radii(self, example: Example) -> np.ndarray:
        """(N,) radius of each point: the diameter of its nucleus where that is asked for and known.

        A peak as wide as its nucleus allows is as certain, and so as high, in large ones as in
        small.

        Parameters
        ----------
        example : with points, and with what else is known of them.
        """
        radii = np.full(len(example.points), self.reach)
        if self.radius_of != "each" or example.point_sizes is None:
            return radii
        own = np.maximum(REACH * example.point_sizes, SMALLEST)
        return np.where(np.isfinite(own), own, radii)

    def find_labels(self, maps: np.ndarray, **values: float) -> np.ndarray:
        """(*space, K) proximity → (*space) int32 labels as large as the nuclei, roughly.

        A peak that ends one diameter from its centre tells how large its nucleus is. Low ones may
        be none, and are left out.

        Parameters
        ----------
        maps : proximity of each class, of nuclei whose radius is their diameter.
        values : as of `decode`.
        """
        heat = maps[..., : self.outputs["proximity"]].max(axis=-1)
        sure = values | {"threshold": max(values["threshold"], SURE)}
        return grow_peaks(heat, self.decode(maps, **sure).coordinates, share=RIM)

    def self_consistency_error(self, maps: np.ndarray, label: np.ndarray) -> float:
        """Compare predicted proximity with that of the nuclei it is decoded to.

        Parameters
        ----------
        maps : (*space, K) proximity of each class.
        label : (*space) labels that `find_labels` made of it.

        Returns
        -------
        Mean absolute difference over the pixels of nuclei and of other peaks; 1 where there are
        none.
        """
        heat = maps[..., : self.outputs["proximity"]].max(axis=-1)
        seen = (label > 0) | (heat > RIM)
        if not seen.any():
            return 1.0
        radii = np.maximum(REACH * equivalent_diameters(label), SMALLEST)
        expected = encode(centroids(label), shape=label.shape, radius=radii)
        return float(np.abs(expected - heat)[seen].mean())

    @property
    def reach(self) -> float:
        """The radius, or 8 px where it is not known."""
        return self.radius or 8.0

    def decode(
        self, maps: np.ndarray, *, threshold: float, min_distance: float, smoothing: float = 0.0
    ) -> Points:
        """(*space, K) proximity → points: maxima of the largest of the maps.

        Parameters
        ----------
        maps : proximity of each class.
        threshold : maxima that are not above it are left out.
        min_distance : between two points, in pixels of the finest axis; the higher one stays.
        smoothing : standard deviation of a Gaussian over the maps, in the same pixels.
        """
        heat = maps[..., : self.outputs["proximity"]]
        heat = smooth(heat, smoothing, spacing=self.relative_spacing)
        places, height = find_peaks(heat.max(axis=-1), threshold=threshold)
        kept = suppress_near(places, reach=min_distance, spacing=self.relative_spacing)
        places, height = places[kept], height[kept]
        names = ()
        if self.classes:
            best = heat[tuple(np.rint(places).astype(int).T)].argmax(axis=-1)
            names = tuple(self.classes[k] for k in best)
        grid = Grid(self.axes, maps.shape[:-1])
        return Points(places, grid, np.clip(height, 0, 1), names)
