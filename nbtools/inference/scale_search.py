"""At what magnification a plane is predicted: the one at which a network contradicts itself least.

A network trained on nuclei of one size finds others badly, and pixel sizes are often unknown. What
it predicts for each pixel can be compared with what would be true of the nuclei that its prediction
is decoded to: where nuclei are too small or too large for it, the two differ. That needs no truth,
and no size given by a person (Cellpose asks a second model for it: Stringer et al. 2021,
doi:10.1038/s41592-020-01018-x).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nbtools.config import setting
from nbtools.geometry import crop_centre, equivalent_diameters
from nbtools.inference import rescaling
from nbtools.inference.base import Forecast, Inference, Maps, Run

PIECE = 640  # px of the middle of a plane that candidates are compared on
FEW = 3  # nuclei; with fewer nothing is known of their size
LEAST, MOST = 0.7, 1.5  # sizes, as share of the training's, at which one prediction is enough
LARGER, SMALLER = (1.4, 2.0, 2.8), (0.7, 0.5, 0.35, 0.25)  # magnifications to try
DOUBT = 0.1  # self-consistency error beyond which small nuclei may be pieces of large ones
# how much a doubling of size counts beside the error: of two candidates alike, the one nearer to
# the
# size of the training's nuclei
APART = 0.15
AUTO_SCALE = setting(
    True,
    level="advanced",
    help=(
        "Predict again, enlarged or reduced, where nuclei in a plane have another size than those "
        "of the training."
    ),
)


@dataclass(frozen=True)
class ScaleCandidate:
    """A prediction at one magnification.

    Parameters
    ----------
    zoom : magnification.
    sizes : diameters of the nuclei found, in pixels of the magnified image.
    error : self-consistency error, see `targets.distance.self_consistency_error`.
    """

    zoom: float
    sizes: tuple[float, ...]
    error: float

    @property
    def size(self) -> float:
        """Median diameter; 0 without nuclei."""
        return float(np.median(self.sizes)) if self.sizes else 0.0

    def cost(self, usual: float) -> float:
        """What is to be small.

        Parameters
        ----------
        usual : diameter of the training's nuclei, in pixels.
        """
        if not self.size:
            return np.inf
        return self.error * (1 + APART * abs(np.log2(self.size / usual)))


@dataclass(frozen=True)
class ScaleSearch:
    """Predicts planes at the magnification of least self-consistency error.

    The maps come back on the grid of the image; it stays at its size if memory is short.

    Parameters
    ----------
    inner : how the network runs, activation included.
    decide : maps → labels.
    error : (maps, the labels they are decoded to) → self-consistency error.
    usual : diameter of the training's nuclei, in pixels; None where it is unknown.
    """

    inner: Inference
    decide: Callable[[np.ndarray], np.ndarray]
    error: Callable[[np.ndarray, np.ndarray], float]
    usual: float | None

    def __call__(
        self, run: Run, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> Maps:
        """(Y, X, C) → (Y, X, K) float32."""
        maps = self.inner(run, pixels, tile=tile)
        zoom = self.find_zoom(run, pixels, maps=maps)
        if zoom is None:
            return maps
        shape = maps.shape[:-1]
        needed = self.inner.forecast(tuple(round(n * zoom) for n in shape), tile=tile)
        if needed.needed > needed.free:
            return maps
        magnified = rescaling.zoom_pixels(pixels, (zoom, zoom))
        return rescaling.return_maps(self.inner(run, magnified, tile=tile), shape)

    def settle(self, run: Run, pixels: np.ndarray) -> Inference:
        """The inference at one magnification, chosen on a piece of an image for all of it.

        Parameters
        ----------
        run : as of a call.
        pixels : (Y, X, C) from the middle of the image.
        """
        zoom = self.find_zoom(run, pixels, maps=self.inner(run, pixels))
        return self.inner if zoom is None else Magnified(self.inner, zoom)

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """As that of the inner inference."""
        return self.inner.forecast(shape, tile=tile, frames=frames)

    def find_zoom(self, run: Run, pixels: np.ndarray, *, maps: np.ndarray) -> float | None:
        """Find the magnification at which a plane is predicted best; None where the first suffices.

        Parameters
        ----------
        run : network on tiles, (*tile, C) → (*tile, K).
        pixels : (Y, X, C) grey values.
        maps : (Y, X, K) prediction at the size of the image.
        """
        middle = crop_centre(maps, (PIECE, PIECE))
        label = self.decide(middle)
        sizes = equivalent_diameters(label)
        if self.usual is None or len(sizes) < FEW:
            return None
        if LEAST <= np.median(sizes) / self.usual <= MOST:
            return None

        def again(zoom: float) -> ScaleCandidate:
            side = round(PIECE / zoom)
            piece = rescaling.zoom_pixels(crop_centre(pixels, (side, side)), (zoom, zoom))
            found = self.inner(run, piece)
            return self._describe(zoom, found, label=self.decide(found))

        first = self._describe(1.0, middle, label=label)
        zoom = choose(first, again, usual=self.usual).zoom
        return zoom if zoom != 1 else None

    def _describe(self, zoom: float, maps: np.ndarray, *, label: np.ndarray) -> ScaleCandidate:
        return ScaleCandidate(zoom, tuple(equivalent_diameters(label)), self.error(maps, label))


@dataclass(frozen=True)
class Magnified:
    """Predicts planes at one magnification; the maps come back on the grid of the image.

    Parameters
    ----------
    inner : how the network runs, activation included.
    zoom : magnification.
    """

    inner: Inference
    zoom: float

    def __call__(
        self, run: Run, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> Maps:
        """(Y, X, C) → (Y, X, K) float32."""
        magnified = rescaling.zoom_pixels(pixels, (self.zoom, self.zoom))
        return rescaling.return_maps(self.inner(run, magnified, tile=tile), pixels.shape[:-1])

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """As that of the inner inference, of the magnified image."""
        shape = tuple(round(n * self.zoom) for n in shape)
        return self.inner.forecast(shape, tile=tile, frames=frames)


def choose(
    first: ScaleCandidate, again: Callable[[float], ScaleCandidate], *, usual: float
) -> ScaleCandidate:
    """Choose the magnification of least cost: larger or smaller ones, until the next is worse.

    Where small nuclei are predicted with large error, they may be pieces of large ones: every
    smaller magnification is then tried as well.

    Parameters
    ----------
    first : the prediction at the size of the image.
    again : magnification → prediction.
    usual : median diameter of the nuclei of the training images, in pixels.
    """
    small = first.size < usual
    best = _ascend(first, LARGER if small else SMALLER, again, usual=usual)
    if small and (best is first or first.error > DOUBT):
        return min([best, *map(again, SMALLER)], key=lambda found: found.cost(usual))
    return best


def _ascend(
    first: ScaleCandidate,
    zooms: tuple[float, ...],
    again: Callable[[float], ScaleCandidate],
    *,
    usual: float,
) -> ScaleCandidate:
    best = first
    for zoom in zooms:
        found = again(zoom)
        if found.cost(usual) >= best.cost(usual):
            break
        best = found
    return best
