"""How a network runs over an image: small objects that are put one into the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Maps = np.ndarray | dict[str, np.ndarray]
Run = Callable[[np.ndarray], Maps]  # (*tile, C) → (*tile / stride, K), normalisation included


@dataclass(frozen=True)
class ReceptiveField:
    """What a network needs to know of its surroundings, and how much memory it takes.

    Parameters
    ----------
    radius : pixels of the input on either side that can change an output pixel, along each axis;
        None if unbounded.
    grid : sizes must be multiples of this, along each axis.
    features : values per input pixel, the largest total in memory at one time.
    outputs : values per input pixel that are kept in the end.
    """

    radius: tuple[int, ...] | None
    grid: tuple[int, ...]
    features: float
    outputs: float = 1.0


@dataclass(frozen=True)
class Forecast:
    """What a prediction will need.

    Parameters
    ----------
    tiles : their number.
    tile : shape of each, in pixels.
    needed : bytes beyond what the program has taken already.
    free : bytes that are free.

    Examples
    --------
    >>> print(Forecast(12, (16, 64, 64), needed=0.8e9, free=13.1e9))
    12 tiles of 16 x 64 x 64 px, about 0.80 GB of memory (13.1 GB are free)
    """

    tiles: int
    tile: tuple[int, ...]
    needed: float
    free: float

    def __str__(self) -> str:
        count = f"{self.tiles} tiles" if self.tiles > 1 else "1 tile"
        size = " x ".join(map(str, self.tile))
        return (
            f"{count} of {size} px, about {max(self.needed, 1e7) / 1e9:.2f} GB of memory "
            f"({self.free / 1e9:.1f} GB are free)"
        )


class Inference(Protocol):
    """A way to run a network over an image."""

    def __call__(
        self, run: Run, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> Maps:
        """(*space, C) grey values → maps on the grid of the image, or coarser by a stride."""
        ...

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """What an image of this spatial shape, and so many time points, will need."""
        ...


@dataclass(frozen=True)
class Activated:
    """What the inner inference gives, after the last activation: probabilities of logits."""

    inner: Inference
    activate: Callable[[Maps], Maps]

    def __call__(
        self, run: Run, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> Maps:
        """As that of the inner inference, activated."""
        return self.activate(self.inner(run, pixels, tile=tile))

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """As that of the inner inference."""
        return self.inner.forecast(shape, tile=tile, frames=frames)
