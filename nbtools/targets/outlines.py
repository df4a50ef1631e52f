"""Proximity beside the edges of the image, and the outlines that nuclei may have.

What the regulariser of SP-CNN compares: Tofighi et al. 2019, doi:10.1109/TMI.2019.2895318.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nbtools.patches import Example
from nbtools.targets.border import find_edges
from nbtools.targets.proximity import ProximityTarget

STEEPEST = 99.0  # percentile of the steepness of a patch that counts as a certain edge


def measure_edges(grey: np.ndarray, *, spacing: tuple[float, ...] | None = None) -> np.ndarray:
    """Measure how much of an edge each pixel is.

    Parameters
    ----------
    grey : (*space) grey values.
    spacing : relative pixel size along each axis, the finest 1; None for 1.

    Returns
    -------
    (*space) float32, 0 … 1: the steepness over that of the steepest pixels.
    """
    width = 1 / np.array(spacing or (1.0,) * grey.ndim)
    steep = ndimage.gaussian_gradient_magnitude(grey.astype(np.float32), width)
    most = np.percentile(steep, STEEPEST)
    return np.clip(steep / most, 0, 1) if most > 0 else np.zeros_like(steep)


def collect_outlines(
    labels: list[np.ndarray], *, count: int, side: tuple[int, ...], seed: int
) -> np.ndarray:
    """Collect outlines of nuclei, each in the middle of a window.

    Parameters
    ----------
    labels : (*space) label images.
    count : of outlines, chosen at random among the nuclei that fit into the window.
    side : of the window in pixels, odd.
    seed : of the choice.

    Returns
    -------
    (count, *side) float32, each in sum 1; fewer where there are fewer nuclei.
    """
    found = []
    for label in labels:
        found += _cut_outlines(label, np.array(side))
    if not found:
        return np.zeros((0, *side), np.float32)
    chosen = np.random.default_rng(seed).permutation(len(found))[:count]
    return np.stack([found[i] / found[i].sum() for i in chosen]).astype(np.float32)


def _cut_outlines(label: np.ndarray, side: np.ndarray) -> list[np.ndarray]:
    """The outline of each nucleus that fits into a window, in its middle."""
    found = []
    for number, box in enumerate(ndimage.find_objects(np.maximum(label, 0)), start=1):
        if box is None:
            continue
        inside = np.pad(label[box] == number, 1)
        if (np.array(inside.shape) > side).any():
            continue
        rim = inside & (find_edges(np.pad(inside, 1).astype(int))[(slice(1, -1),) * inside.ndim])
        spare = side - inside.shape
        found.append(np.pad(rim, [(int(n // 2), int(n - n // 2)) for n in spare]))
    return [rim for rim in found if rim.any()]


@dataclass(frozen=True)
class OutlinedTarget(ProximityTarget):
    """Proximity, and the edges of the image for the loss; only proximity is predicted."""

    def encode(self, example: Example) -> np.ndarray:
        """(*space, 2) proximity and edges of the image."""
        edges = measure_edges(example.image[..., 0], spacing=self.relative_spacing)
        return np.concatenate([super().encode(example), edges[..., None]], axis=-1)
