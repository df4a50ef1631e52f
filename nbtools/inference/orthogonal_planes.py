"""A flat network predicts a volume: planes across each of its three axes, combined (2.5D)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nbtools import patches
from nbtools.inference.base import Forecast, Inference, Maps, ReceptiveField, Run
from nbtools.patches import Example

# axis along which planes are stacked, axes of their rows and of their columns
VIEWS = ((0, 1, 2), (1, 0, 2), (2, 0, 1))
TRIES = 4  # planes drawn in search of one with a nucleus


@dataclass(frozen=True)
class OrthogonalPlanes:
    """Predicts a volume plane by plane across each axis, with a network of planes.

    The network predicts a logit, the flow along rows and columns, and what else there is, as
    classes.

    Across every axis the network predicts two components of the flow, so each component is
    predicted twice. The result is (Z, Y, X, 4 + further): the mean logit, along each axis the mean
    of the two flows, and the mean of what else there is.

    Parameters
    ----------
    inner : how a stack of planes is run, with the field of `stack_field`. `run` is given (planes,
        rows, columns, C).
    """

    inner: Inference

    def __call__(
        self, run: Run, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> Maps:
        """(Z, Y, X, C) → (Z, Y, X, 4 + further) float32."""
        total = None
        for view in VIEWS:
            stack = pixels.transpose(*view, 3)
            turned = tile and tuple(tile[axis] for axis in view)
            maps = self.inner(run, stack, tile=turned).transpose(*np.argsort(view), 3)
            if total is None:
                total = np.zeros((*pixels.shape[:-1], maps.shape[-1] + 1), np.float32)
            total[..., 0] += maps[..., 0] / 3
            total[..., 4:] += maps[..., 3:] / 3
            total[..., 1 + view[1]] += maps[..., 1] / 2
            total[..., 1 + view[2]] += maps[..., 2] / 2
        return total

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """As that of the inner inference."""
        return self.inner.forecast(shape, tile=tile, frames=frames)


def stack_field(field: ReceptiveField) -> ReceptiveField:
    """The field of a flat network for a stack of planes, which know nothing of each other."""
    radius = field.radius and (0, *field.radius)
    return replace(field, radius=radius, grid=(1, *field.grid))


def choose_plane(rng: np.random.Generator, example: Example) -> Example:
    """Draw one plane of a volume to train on: across any of the three axes, at any depth.

    Up to TRIES planes are drawn, until one holds nuclei.

    Parameters
    ----------
    rng : source of the axis and the depth.
    example : image (Z, Y, X, C) and label (Z, Y, X).

    Returns
    -------
    Example of image (A, B, C) and label (A, B), where A and B are the two axes that remain.
    """
    for _ in range(TRIES):
        axis = rng.integers(3)
        depth = rng.integers(example.label.shape[axis])
        label = np.ascontiguousarray(example.label.take(depth, axis))
        if (label > 0).any():
            break
    image = np.ascontiguousarray(example.image.take(depth, axis))
    return Example(image, label, classes=example.classes, seeds=patches.find_points(label))
