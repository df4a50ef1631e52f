"""Blobs: how high a place stands above its surroundings, and at which scale it does so most.

The Laplacian of Gaussian of a bright disc or ball is strongest in its middle, at the scale radius /
sqrt(ndim). Multiplied by the square of the scale it can be compared between scales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.patches import Example
from nbtools.results import Grid, Points
from nbtools.targets.base import Parameter, Target
from nbtools.targets.peaks import find_peaks, suppress_near


def measure_blobs(
    grey: np.ndarray, *, diameters: tuple[float, ...], spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """Measure how much a blob around each pixel stands out, and how large it is.

    Parameters
    ----------
    grey : (*space) grey values, blobs bright.
    diameters : of the blobs that are looked for, in pixels of the finest axis.
    spacing : relative pixel size along each axis, the finest 1; None for 1.

    Returns
    -------
    (*space, 2) float32: the height, in grey values, which is that of a blob alone on an even
    ground; and the diameter at which it is largest.

    References
    ----------
    Lindeberg 1998, doi:10.1023/A:1008045108935.
    """
    relative = np.array(spacing or (1.0,) * grey.ndim)
    best = np.full((*grey.shape, 2), (-np.inf, diameters[0]), np.float32)
    for diameter in diameters:
        sigma = diameter / 2 / np.sqrt(grey.ndim)
        height = _laplacian(grey.astype(np.float32, copy=False), sigma / relative)
        height /= -response_of_ball(grey.ndim)
        higher = height > best[..., 0]
        best[higher] = np.stack([height[higher], np.full(higher.sum(), diameter)], axis=-1)
    return best


def _laplacian(grey: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Sum of the second derivatives of a smoothed image, each times the square of its scale."""
    total = np.zeros(grey.shape, np.float32)
    for axis, sigma in enumerate(sigmas):
        order = [2 if a == axis else 0 for a in range(grey.ndim)]
        total += sigma**2 * ndimage.gaussian_filter(grey, sigmas, order=order, mode="reflect")
    return total


def response_of_ball(ndim: int) -> float:
    """Response in the middle of a disc or ball of height 1, at the scale where it is strongest.

    Parameters
    ----------
    ndim : 2 or 3.

    Examples
    --------
    >>> round(response_of_ball(2), 3), round(response_of_ball(3), 3)
    (0.736, 0.925)
    """
    surface = {2: 2 * np.pi, 3: 4 * np.pi}[ndim]
    return float(surface * (ndim / (2 * np.pi * np.e)) ** (ndim / 2))


@dataclass(frozen=True)
class BlobTarget(Target):
    """Height of blobs over the usual height in the image, and their diameter."""

    parameters: ClassVar = (
        Parameter(
            *("threshold", 0.25, (0.1, 0.15, 0.25, 0.4, 0.6), 0.01, 10.0),
            help=(
                "Lowest height of a blob, over the usual one of the image; chosen on training "
                "images if empty."
            ),
        ),
        Parameter(
            *("overlap", 0.6, (0.4, 0.5, 0.6, 0.8, 1.0), 0.0, 5.0),
            help=(
                "Of two blobs nearer than this share of the diameter, the lower one is left out; "
                "chosen on training images if empty."
            ),
        ),
    )

    @property
    def outputs(self) -> dict[str, int]:
        return {"height": 1, "diameter": 1}

    def encode(self, example: Example) -> np.ndarray:
        """(*space, 2) what a perfect image of small blobs at the points would give.

        The usual height is 1, and the diameter 4 px.

        Parameters
        ----------
        example : image with its points.
        """
        shape = example.image.shape[:-1]
        places = np.moveaxis(np.indices(shape), 0, -1) * np.array(self.spacing_or_one())
        height = np.zeros(shape, np.float32)
        for point in example.points * self.spacing_or_one():
            away = ((places - point) ** 2).sum(axis=-1)
            height = np.maximum(height, np.exp(-away / 8))
        return np.stack([height, np.full(shape, 4.0)], axis=-1).astype(np.float32)

    def spacing_or_one(self) -> tuple[float, ...]:
        """Relative pixel size along each axis, 1 where it is unknown."""
        return self.relative_spacing or (1.0,) * self.ndim

    def decode(self, maps: np.ndarray, *, threshold: float, overlap: float) -> Points:
        """(*space, 2) height and diameter → points; the score of a height h is h / (1 + h)."""
        places, height = find_peaks(maps[..., 0], threshold=threshold)
        diameter = maps[..., 1][tuple(np.rint(places).astype(int).T)]
        about = {"threshold": threshold, "overlap": overlap}
        places, score = self.choose(places, height, diameter=diameter, **about)
        return Points(places, Grid(self.axes, maps.shape[:-1]), score)

    def choose(
        self,
        places: np.ndarray,
        height: np.ndarray,
        *,
        diameter: np.ndarray,
        threshold: float,
        overlap: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose, of all maxima, the points.

        Parameters
        ----------
        places : (N, ndim) in pixels, the highest first.
        height : (N,) over the usual one.
        diameter : (N,) in pixels of the finest axis.
        threshold, overlap : as for `decode`.

        Returns
        -------
        (n, ndim) places and (n,) scores of those that are left.
        """
        high = height > threshold
        places, height, reach = places[high], height[high], overlap * diameter[high]
        kept = suppress_near(places, reach=reach, spacing=self.relative_spacing)
        return places[kept], height[kept] / (1 + height[kept])
