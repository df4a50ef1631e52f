"""Mirrored and turned views: a network is asked of each view of an image, and its answers, turned
back, are averaged.

Views are taken of a tile, margin included: where its size is a multiple of the network's grid, the
average of tiles equals that of the whole image as a single answer does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

KINDS = ("none", "mirrors", "plane", "square")


@dataclass(frozen=True)
class Turn:
    """One view of an image: mirrored along some spatial axes, then Y and X exchanged or not.

    Examples
    --------
    >>> turn, image = Turn((1,), swapped=True), np.arange(6).reshape(2, 3, 1)
    >>> turn.forward(image)[..., 0].tolist()
    [[2, 5], [1, 4], [0, 3]]
    >>> bool((turn.backward(turn.forward(image)) == image).all())
    True
    """

    mirrored: tuple[int, ...] = ()
    swapped: bool = False

    def forward(self, pixels: np.ndarray) -> np.ndarray:
        """(*space, C) → the view of it, a view in NumPy's sense too."""
        pixels = np.flip(pixels, self.mirrored)
        return pixels.swapaxes(-3, -2) if self.swapped else pixels

    def backward(self, maps: np.ndarray) -> np.ndarray:
        """What was said of the view, (*space, K), on the grid of the image."""
        maps = maps.swapaxes(-3, -2) if self.swapped else maps
        return np.flip(maps, self.mirrored)


def turns(ndim: int, kind: str) -> list[Turn]:
    """The views of an image of `ndim` spatial axes, the image itself first.

    kind : "none" the image alone; "mirrors" along every axis (4 in 2D, 8 in 3D); "plane" mirrors
        and quarter turns of Y and X (8);
    "square" these, and in 3D each with Z reversed as well (8 in 2D, 16 in 3D).
    """
    axes = {
        "none": (),
        "mirrors": range(ndim),
        "plane": range(ndim - 2, ndim),
        "square": range(ndim),
    }[kind]
    mirrors = [
        chosen for count in range(len(axes) + 1) for chosen in itertools.combinations(axes, count)
    ]
    return [
        Turn(mirrored, swapped)
        for swapped in ((False, True) if kind in ("plane", "square") else (False,))
        for mirrored in mirrors
    ]


def average(
    run: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray, *, kind: str
) -> np.ndarray:
    """Mean over the views of what `run` says of each.  run : (*tile, C) → (*tile, K).   Returns
    (*tile, K) float32.
    """
    views = turns(pixels.ndim - 1, kind)
    total = None
    for turn in views:
        said = turn.backward(
            np.asarray(run(np.ascontiguousarray(turn.forward(pixels))), np.float32)
        )
        total = said.copy() if total is None else np.add(total, said, out=total)
    return total / np.float32(len(views))
