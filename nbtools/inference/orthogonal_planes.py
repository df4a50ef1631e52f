"""A flat network for volumes: shown the planes across each of the three axes, and its three answers
put together (2.5D).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nbtools import patches, tiling
from nbtools.methods._keras import Example

VIEWS = (
    (0, 1, 2),
    (1, 0, 2),
    (2, 0, 1),
)  # axis along which planes are stacked, axes of their rows and of their columns
TRIES = 4  # planes drawn in search of one with a nucleus


def describe_stack(field: tiling.Field) -> tiling.Field:
    """The field of a flat network for a stack of planes, which know nothing of each other."""
    return replace(field, radius=field.radius and (0, *field.radius), grid=(1, *field.grid))


def choose_plane(rng: np.random.Generator, example: Example) -> Example:
    """A plane of a volume to learn from: across any axis, at any depth, with nuclei if a few tries
    find some.
    """
    for _ in range(TRIES):
        axis = rng.integers(3)
        depth = rng.integers(example.label.shape[axis])
        label = np.ascontiguousarray(example.label.take(depth, axis))
        if (label > 0).any():
            break
    return Example(
        np.ascontiguousarray(example.image.take(depth, axis)),
        label,
        None,
        patches.find_points(label),
    )


def look(
    see: Callable, pixels: np.ndarray, *, field: tiling.Field, tile: tuple[int, ...] | None = None
) -> np.ndarray:
    """What a flat network says of a volume: (Z, Y, X, C) → (Z, Y, X, 4) mean logit, and along each
    axis the mean of the two flows.

    see : (planes, rows, columns, C) → (planes, rows, columns, 3) logit, flow along rows and along
        columns.
    field : of a stack, see `describe_stack`.   tile : shape of a tile of the volume.
    Across every axis the network sees two components of the flow, so each component is seen twice.
    """
    total = np.zeros((*pixels.shape[:-1], 4), np.float32)
    for view in VIEWS:
        stack = pixels.transpose(*view, 3)
        plan = tiling.make_plan(
            stack.shape[:-1], field, tile=tile and tuple(tile[axis] for axis in view)
        )
        said = tiling.predict(see, stack, plan=plan, field=field).transpose(*np.argsort(view), 3)
        total[..., 0] += said[..., 0] / 3
        total[..., 1 + view[1]] += said[..., 1] / 2
        total[..., 1 + view[2]] += said[..., 2] / 2
    return total
