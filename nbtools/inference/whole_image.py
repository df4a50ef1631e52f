"""A network that is given the image as a whole: no tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.inference.base import Forecast, Maps, ReceptiveField, Run
from nbtools.inference.tiled import forecast, plan_tiles


@dataclass(frozen=True)
class WholeImage:
    """The image in one piece, whatever tile is asked for; the output may have no spatial axes.

    Parameters
    ----------
    field : the receptive field of the network, for the memory it takes.
    """

    field: ReceptiveField

    def __call__(
        self, run: Run, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> Maps:
        """(*space, C) → what the network predicts of it."""
        return run(pixels)

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """One tile."""
        return forecast(plan_tiles(shape, self.field, tile=shape), self.field, frames=frames)
