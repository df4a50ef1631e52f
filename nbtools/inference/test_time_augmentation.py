"""Mirrored and turned views: predictions of each view of an image, turned back, are averaged.

Views are taken of a tile, margin included: where its size is a multiple of the network's grid, the
average of tiles equals that of the whole image as a single answer does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nbtools.inference.base import Forecast, Inference, Maps, Run

KINDS = ("none", "flips", "flips_and_rot90", "flips_and_rot90_3d")


@dataclass(frozen=True)
class View:
    """One view of an image: mirrored along some spatial axes, then Y and X exchanged or not.

    Examples
    --------
    >>> view, image = View((1,), swapped=True), np.arange(6).reshape(2, 3, 1)
    >>> view.forward(image)[..., 0].tolist()
    [[2, 5], [1, 4], [0, 3]]
    >>> bool((view.backward(view.forward(image)) == image).all())
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


def list_views(ndim: int, kind: str) -> list[View]:
    """List the views of an image, the image itself first.

    Parameters
    ----------
    ndim : number of spatial axes, 2 or 3.
    kind : "none" the image alone; "flips" along every axis (4 in 2D, 8 in 3D); "flips_and_rot90" in
        the plane of Y and X (8); "flips_and_rot90_3d" these, and in 3D each with Z reversed as well
        (8 in 2D, 16 in 3D).

    Examples
    --------
    >>> [len(list_views(3, kind)) for kind in ("none", "flips", "flips_and_rot90")]
    [1, 8, 8]
    """
    axes = {
        "none": (),
        "flips": range(ndim),
        "flips_and_rot90": range(ndim - 2, ndim),
        "flips_and_rot90_3d": range(ndim),
    }[kind]
    flips = []
    for count in range(len(axes) + 1):
        flips += itertools.combinations(axes, count)
    views = [View(mirrored) for mirrored in flips]
    if "rot90" in kind:
        views += [View(mirrored, swapped=True) for mirrored in flips]
    return views


def average(
    run: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray, *, kind: str
) -> np.ndarray:
    """Average the predictions of all views of a tile.

    Parameters
    ----------
    run : (*tile, C) → (*tile, K).
    pixels : (*tile, C); for views that swap Y and X, `run` must take the swapped shape, too.
    kind : which views, see `list_views`.

    Returns
    -------
    (*tile, K) float32.
    """
    views = list_views(pixels.ndim - 1, kind)
    total = None
    for view in views:
        maps = np.asarray(run(np.ascontiguousarray(view.forward(pixels))), np.float32)
        maps = view.backward(maps)
        total = maps.copy() if total is None else np.add(total, maps, out=total)
    return total / np.float32(len(views))


@dataclass(frozen=True)
class TestTimeAugmentation:
    """Predicts several flipped and turned views of each tile, and averages them.

    Parameters
    ----------
    inner : how the tiles are run.
    kind : which views, see `list_views`.
    """

    __test__ = False  # its name begins as those of test classes do

    inner: Inference
    kind: str

    def __call__(
        self, run: Run, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> Maps:
        """As that of the inner inference, averaged over the views."""
        if self.kind == "none":
            return self.inner(run, pixels, tile=tile)
        return self.inner(lambda cut: average(run, cut, kind=self.kind), pixels, tile=tile)

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """As that of the inner inference."""
        return self.inner.forecast(shape, tile=tile, frames=frames)
