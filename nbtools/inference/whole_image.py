"""A network that is given the image as a whole: no tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.inference.base import Forecast, Maps, ReceptiveField, Run
from nbtools.inference.tiled import forecast, plan_tiles
from nbtools.patches import reflect_pad


@dataclass(frozen=True)
class WholeImage:
    """The image in one piece, whatever tile is asked for; the output may have no spatial axes.

    Parameters
    ----------
    field : the receptive field of the network, for the memory it takes.
    pads : an image smaller than the coarsest pixel of the network is reflected to its size; for
        outputs without spatial axes.
    """

    field: ReceptiveField
    pads: bool = False

    def __call__(
        self, run: Run, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> Maps:
        """(*space, C) → what the network predicts of it."""
        if self.pads:
            sizes = zip(pixels.shape, self.field.grid, strict=False)
            missing = [max(0, coarse - size) for size, coarse in sizes]
            pixels = reflect_pad(pixels, [(m // 2, m - m // 2) for m in missing])
        return run(pixels)

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """One tile."""
        return forecast(plan_tiles(shape, self.field, tile=shape), self.field, frames=frames)
