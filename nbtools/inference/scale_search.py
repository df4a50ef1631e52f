"""At what magnification a plane is looked at: the one at which a network contradicts itself least.

A network trained on nuclei of one size finds others badly, and pixel sizes are often unknown. What
it says of each pixel can be compared with what would be true of the nuclei that its answer is
decoded to: where nuclei are too small or too large for it, the two differ. That needs no truth, and
no size given by a person (Cellpose asks a second model for it: Stringer et al. 2021,
doi:10.1038/s41592-020-01018-x).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from nbtools import tiling
from nbtools.config import setting
from nbtools.methods import _rescale
from nbtools.methods._keras import KerasMethod
from nbtools.methods.base import measure_diameters

PIECE, FEW = (
    640,
    3,
    # px of the middle of a look that are judged; with fewer nuclei than that nothing is known of
    # their
    # size
)
LEAST, MOST = 0.7, 1.5  # sizes, as share of the training's, with which one look is enough
LARGER, SMALLER = (1.4, 2.0, 2.8), (0.7, 0.5, 0.35, 0.25)  # magnifications to try
DOUBT = 0.1  # contradictions beyond which small nuclei may be pieces of large ones
CLOSER = setting(
    True,
    level="advanced",
    help=(
        "Look again, larger or smaller, at planes whose nuclei have another size than those of "
        "the training."
    ),
)
# how much a doubling of size counts beside the contradictions: of two looks alike, the one nearer
# to the training's size
APART = 0.15


@dataclass(frozen=True)
class Look:
    """One look at a plane.

    zoom : magnification.
    sizes : diameters of the nuclei found, in pixels of the look.
    off : how far the network contradicts itself.
    """

    zoom: float
    sizes: tuple[float, ...]
    off: float

    @property
    def size(self) -> float:
        return float(np.median(self.sizes)) if self.sizes else 0.0

    def cost(self, usual: float) -> float:
        """What is to be small.  usual : diameter of the training's nuclei, in pixels."""
        return self.off * (1 + APART * abs(np.log2(self.size / usual))) if self.size else np.inf


class LookingMethod(KerasMethod):
    """A network that looks at planes again, at a magnification at which it contradicts itself less;
    its settings have `closer`.
    """

    contradict: ClassVar[
        Callable[[np.ndarray, np.ndarray], float]
    ]  # maps, the labels they are decoded to → how far apart they are

    def see(
        self,
        pixels: np.ndarray,
        *,
        prepare: Callable = np.asarray,
        tile: tuple[int, ...] | None = None,
    ) -> np.ndarray:
        """As every network's; of a plane, the best look that there is memory for, on the grid of
        the image.
        """
        once = partial(super().see, prepare=prepare, tile=tile)
        maps = once(pixels)
        if self.domain.ndim != 2 or not self.settings.closer:
            return maps
        decide = partial(self.decode, **self.choices())
        zoom = find_zoom(
            pixels,
            maps,
            run=once,
            decide=decide,
            contradict=self.contradict,
            usual=self.domain.nucleus_size,
        )
        if zoom is None:
            return maps
        plan = tiling.make_plan(
            tuple(round(n * zoom) for n in maps.shape[:-1]),
            self.field,
            tile=self.fixed_tile() or tile,
        )
        told = tiling.forecast(plan, self.field)
        if told.needed > told.free:
            return maps
        return _rescale.return_maps(
            once(_rescale.zoom_pixels(pixels, (zoom, zoom))), maps.shape[:-1]
        )


def find_zoom(
    pixels: np.ndarray,
    maps: np.ndarray,
    *,
    run: Callable[[np.ndarray], np.ndarray],
    decide: Callable[[np.ndarray], np.ndarray],
    contradict: Callable[[np.ndarray, np.ndarray], float],
    usual: float | None,
) -> float | None:
    """The magnification to look at a plane (Y, X, C) with; None where one look is enough.

    maps : (Y, X, K) of the first look.
    run : pixels → maps.
    decide : maps → labels.
    contradict : (maps, labels) → how far apart.
    usual : diameter of the training's nuclei, in pixels.
    """
    middle = _cut_middle(maps, PIECE)
    label = decide(middle)
    sizes = measure_diameters(label)
    if usual is None or len(sizes) < FEW or LEAST <= np.median(sizes) / usual <= MOST:
        return None

    def again(zoom: float) -> Look:
        seen = run(_rescale.zoom_pixels(_cut_middle(pixels, round(PIECE / zoom)), (zoom, zoom)))
        label = decide(seen)
        return Look(zoom, tuple(measure_diameters(label)), contradict(seen, label))

    zoom = choose(Look(1.0, tuple(sizes), contradict(middle, label)), again, usual=usual).zoom
    return zoom if zoom != 1 else None


def choose(first: Look, again: Callable[[float], Look], *, usual: float) -> Look:
    """The look of least cost: from the first on, larger or smaller, until the next is worse.

    Nuclei that seem small where the network is in doubt may be pieces of large ones: then every
    smaller look is tried, too.
    """
    small = first.size < usual
    best = _climb(first, LARGER if small else SMALLER, again, usual=usual)
    if small and (best is first or first.off > DOUBT):
        return min([best, *map(again, SMALLER)], key=lambda found: found.cost(usual))
    return best


def _climb(
    first: Look, zooms: tuple[float, ...], again: Callable[[float], Look], *, usual: float
) -> Look:
    best = first
    for zoom in zooms:
        found = again(zoom)
        if found.cost(usual) >= best.cost(usual):
            break
        best = found
    return best


def _cut_middle(pixels: np.ndarray, side: int) -> np.ndarray:
    """(Y, X, …) → at most `side` pixels of the middle along each of the first two axes."""
    starts = [max(0, (n - side) // 2) for n in pixels.shape[:2]]
    return pixels[tuple(slice(s, s + side) for s in starts)]
