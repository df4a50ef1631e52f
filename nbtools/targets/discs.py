"""Small discs: a pixel is near a centre, or it is not.

Valkonen et al. 2020, doi:10.1109/JBHI.2020.3039414: discs of 2 px at the centres of nuclei.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np

from nbtools.patches import Example
from nbtools.results import Grid, Points
from nbtools.targets import proximity
from nbtools.targets.base import Target, sigmoid, threshold_parameter
from nbtools.targets.peaks import find_regions, smooth, suppress_near

RADIUS = 2.0  # px, as published
SHARE = 0.2  # radius of a disc over the diameter of its nucleus, where that is larger


@dataclass(frozen=True)
class DiscTarget(Target):
    """Probability that a pixel lies in the small disc around a centre.

    Parameters
    ----------
    disc : radius of the discs, in pixels of the finest axis; None for a fifth of the diameter of
        each nucleus whose size is known, and `RADIUS` at least.
    """

    disc: float | None = None

    per_patch: ClassVar = True
    parameters: ClassVar = (
        threshold_parameter(
            *(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
            help=f"Probability of a disc; {proximity.CHOSEN}",
        ),
        proximity.MIN_DISTANCE,
        proximity.SMOOTHING,
    )

    @property
    def outputs(self) -> dict[str, int]:
        return {"disc": 1}

    def encode(self, example: Example) -> np.ndarray:
        """(*space, 1): 1 within the radius of a point, and at the pixel nearest to it; else 0.

        Where nobody has looked it is -1.

        Parameters
        ----------
        example : with points, and with what else is known of them.
        """
        about = {"shape": example.image.shape[:-1], "spacing": self.relative_spacing}
        radii = self.find_radii(example)
        near = proximity.encode(example.points, radius=2 * radii, decay=0, **about)
        disc = (near >= 0.5).astype(np.float32)
        pixels = np.rint(example.points).astype(int)
        inside = ((pixels >= 0) & (pixels < disc.shape)).all(axis=-1)
        disc[tuple(pixels[inside].T)] = 1
        return proximity.hide_void(disc[..., None], example)

    def find_radii(self, example: Example) -> np.ndarray:
        """(N,) radius of the disc at each point, in pixels of the finest axis.

        Nobody can tell the middle of a large nucleus to 2 px, and no network learns to.

        Parameters
        ----------
        example : with points, and with what else is known of them.
        """
        radii = np.full(len(example.points), self.disc or RADIUS)
        if self.disc is not None or example.point_sizes is None:
            return radii
        return np.fmax(radii, SHARE * example.point_sizes)

    def activate(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """Logits → probabilities."""
        return sigmoid(raw, ops)

    def decode(
        self, maps: np.ndarray, *, threshold: float, min_distance: float, smoothing: float = 0.0
    ) -> Points:
        """(*space, 1) probabilities → points: centres of mass of connected regions.

        Parameters
        ----------
        maps : probability of a disc.
        threshold : pixels above it belong to a disc.
        min_distance : between two points, in pixels of the finest axis; the more certain stays.
        smoothing : standard deviation of a Gaussian over the map, in the same pixels.
        """
        heat = smooth(maps[..., :1], smoothing, spacing=self.relative_spacing)[..., 0]
        places, height = find_regions(heat, threshold=threshold)
        kept = suppress_near(places, reach=min_distance, spacing=self.relative_spacing)
        return Points(places[kept], Grid(self.axes, maps.shape[:-1]), np.clip(height[kept], 0, 1))
