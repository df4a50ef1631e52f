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
from functools import partial

import numpy as np

from nbtools.config import setting
from nbtools.geometry import crop_centre, equivalent_diameters
from nbtools.inference import rescaling
from nbtools.inference.base import Forecast, Inference, Maps, Run
from nbtools.targets.base import Target

PIECE = 640  # px of the middle of a plane that candidates are compared on
FIELD = 2560  # px of the middle of a plane that is looked at from afar
FEW = 3  # nuclei; with fewer nothing is known of their size
# sizes, as share of the training's, at which one prediction is enough; and where patches of the
# training were shown at half to twice their size
ENOUGH, ENOUGH_WIDE = (0.7, 1.5), (0.6, 2.2)
LARGER, SMALLER = (1.4, 2.0, 2.8), (0.5, 0.25, 0.125)  # magnifications to try
# magnifications that are always looked at, where so many pixels are left
AFAR, FARTHER, SMALLEST = 0.25, 0.125, 32
FILLS = 0.5  # of what nuclei cover at the one look, that they must cover at another
# how much a doubling of size counts beside the error: of two candidates alike, the one nearer to
# the size of the training's nuclei
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
    share : of the field that nuclei cover.
    """

    zoom: float
    sizes: tuple[float, ...]
    error: float
    share: float = 1.0

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

    The maps come back on the grid of the magnified image, on which they are decoded: there small
    nuclei have as many pixels as those of the training. The image stays at its size if memory is
    short.

    Parameters
    ----------
    inner : how the network runs, activation included.
    decide : maps → labels.
    error : (maps, the labels they are decoded to) → self-consistency error.
    usual : diameter of the training's nuclei, in pixels; None where it is unknown.
    enough : sizes, as share of the usual one, at which one prediction is enough.
    returns : bring maps back to the grid of the image.
    """

    inner: Inference
    decide: Callable[[np.ndarray], np.ndarray]
    error: Callable[[np.ndarray, np.ndarray], float]
    usual: float | None
    enough: tuple[float, float] = ENOUGH
    returns: bool = False

    @classmethod
    def by(
        cls, inner: Inference, target: Target, *, values: dict, usual: float | None, varied: float
    ) -> ScaleSearch:
        """The search that suits a target.

        Parameters
        ----------
        inner : how the network runs, activation included.
        target : that decodes maps, and knows how far they contradict what they are decoded to.
        values : of decoding.
        usual : diameter of the training's nuclei, in pixels; None where it is unknown.
        varied : by how much the training varied their size, see `AugmentationPolicy.scale`.
        """
        decide = partial(target.find_labels, **values)
        enough = ENOUGH_WIDE if varied >= 1 else ENOUGH
        return cls(inner, decide, target.self_consistency_error, usual, enough)

    def __call__(
        self, run: Run, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> Maps:
        """(Y, X, C) → (magnified Y, magnified X, K) float32; or (Y, X, K)."""
        maps = self.inner(run, pixels, tile=tile)
        zoom = self.find_zoom(run, pixels, maps=maps)
        if zoom is None:
            return maps
        shape = maps.shape[:-1]
        needed = self.inner.forecast(tuple(round(n * zoom) for n in shape), tile=tile)
        if needed.needed > needed.free:
            return maps
        magnified = rescaling.zoom_pixels(pixels, (zoom, zoom))
        maps = self.inner(run, magnified, tile=tile)
        return rescaling.return_maps(maps, shape) if self.returns else maps

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

        The whole field is looked at from afar as well, which costs a sixteenth: there nuclei are
        seen that are too large for the first look, which finds pieces of them, or nothing; and
        where that shows none, from farther away, for a quarter of this.

        Parameters
        ----------
        run : network on tiles, (*tile, C) → (*tile, K).
        pixels : (Y, X, C) grey values.
        maps : (Y, X, K) prediction at the size of the image.
        """
        if self.usual is None:
            return None
        middle = crop_centre(maps, (PIECE, PIECE))
        label = self.decide(middle)
        sizes = equivalent_diameters(label)
        afar = self._look_from_afar(run, pixels)
        small = len(sizes) >= FEW and np.median(sizes) < self.enough[0] * self.usual
        large = len(sizes) >= FEW and np.median(sizes) > self.enough[1] * self.usual
        if not (large or small or afar):
            return None

        def again(zoom: float) -> ScaleCandidate:
            return self._look(run, pixels, zoom=zoom, most=FIELD if zoom < 1 else PIECE)

        best = first = self._describe(1.0, middle, label=label)
        if large or afar:
            afar = afar or again(AFAR)
            best = choose_smaller(first, again, afar=afar, usual=self.usual)
        if small and best is first:
            best = choose_larger(first, again, usual=self.usual)
        return best.zoom if best.zoom != 1 else None

    def _look_from_afar(self, run: Run, pixels: np.ndarray) -> ScaleCandidate | None:
        """What is seen from afar; None where nothing there is too large for the first look.

        From farther away only nuclei count that are seen there as large as those of the training:
        smaller ones may be groups, and a large nucleus is seen at the first of the two looks.
        """
        for zoom, least in ((AFAR, self.enough[1] * AFAR), (FARTHER, self.enough[0])):
            if min(pixels.shape[:2]) * zoom < SMALLEST:
                return None
            maps, label = self._see(run, pixels, zoom=zoom, most=FIELD)
            sizes = equivalent_diameters(label)
            if len(sizes) >= FEW and np.median(sizes) > least * self.usual:
                return self._describe(zoom, maps, label=label)
        return None

    def _look(self, run: Run, pixels: np.ndarray, *, zoom: float, most: int) -> ScaleCandidate:
        maps, label = self._see(run, pixels, zoom=zoom, most=most)
        return self._describe(zoom, maps, label=label)

    def _see(
        self, run: Run, pixels: np.ndarray, *, zoom: float, most: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Maps and labels of the middle of a plane at a magnification, `most` px of the image."""
        side = round(most / max(zoom, 1))
        piece = rescaling.zoom_pixels(crop_centre(pixels, (side, side)), (zoom, zoom))
        maps = self.inner(run, piece)
        return maps, self.decide(maps)

    def _describe(self, zoom: float, maps: np.ndarray, *, label: np.ndarray) -> ScaleCandidate:
        sizes, share = tuple(equivalent_diameters(label)), float((label > 0).mean())
        return ScaleCandidate(zoom, sizes, self.error(maps, label), share)


@dataclass(frozen=True)
class Magnified:
    """Predicts planes at one magnification; the maps are those of the magnified image.

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
        """(Y, X, C) → (magnified Y, magnified X, K) float32."""
        magnified = rescaling.zoom_pixels(pixels, (self.zoom, self.zoom))
        return self.inner(run, magnified, tile=tile)

    def forecast(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None = None, frames: int = 1
    ) -> Forecast:
        """As that of the inner inference, of the magnified image."""
        shape = tuple(round(n * self.zoom) for n in shape)
        return self.inner.forecast(shape, tile=tile, frames=frames)


def choose_larger(
    first: ScaleCandidate, again: Callable[[float], ScaleCandidate], *, usual: float
) -> ScaleCandidate:
    """Choose among larger magnifications that of least cost: until the next is worse.

    Parameters
    ----------
    first : the prediction at the size of the image.
    again : magnification → prediction.
    usual : median diameter of the nuclei of the training images, in pixels.
    """
    best = first
    for zoom in LARGER:
        found = again(zoom)
        if found.cost(usual) >= best.cost(usual):
            break
        best = found
    return best


def choose_smaller(
    first: ScaleCandidate,
    again: Callable[[float], ScaleCandidate],
    *,
    afar: ScaleCandidate,
    usual: float,
) -> ScaleCandidate:
    """Choose that of least cost among the smaller magnifications at which nuclei fill the field.

    Where nuclei are far too large, hardly anything is found, and that without contradiction: such a
    look is none to trust.

    Parameters
    ----------
    first : the prediction at the size of the image.
    again : magnification → prediction.
    afar : that from afar, or from farther away.
    usual : median diameter of the nuclei of the training images, in pixels.
    """
    others = [zoom for zoom in SMALLER if zoom != afar.zoom]
    seen = [first, afar, *map(again, others)]
    most = max(one.share for one in seen if one.sizes) if any(one.sizes for one in seen) else 0.0
    trusted = [one for one in seen if one.share >= FILLS * most] or [first]
    return min(trusted, key=lambda one: one.cost(usual))
