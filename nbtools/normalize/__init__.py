"""Bring grey values to a common range, and back.

`Normalization` says how a method does it; the names a model file knows are in `KINDS`. The usual
one is `ROBUST`, the percentiles 1 and 99.8 of what is left of an image without its faults.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from nbtools.errors import UserError
from nbtools.normalize.prepare import mend_channels, prepare_channels
from nbtools.normalize.robust import HIGHEST, Levels

SAMPLE = 2_000_000  # pixels for percentiles: precise to 0.1 %, whatever the size of the image


@dataclass(frozen=True)
class Scale:
    """A linear map of grey values: normalised = (grey - offset) / factor.

    Parameters
    ----------
    offset : one value per channel, in grey values.
    factor : one value per channel, in grey values.
    highest : normalised values above it become it; None leaves them.

    Examples
    --------
    >>> scale = Scale((100.0,), (50.0,))
    >>> scale.apply(np.array([[100.0], [200.0]])).tolist()
    [[0.0], [2.0]]
    >>> scale.undo(np.array([[0.0], [2.0]])).tolist()
    [[100.0], [200.0]]
    """

    offset: tuple[float, ...]
    factor: tuple[float, ...]
    highest: float | None = dataclasses.field(default=None, repr=False)

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """(..., C) grey values → (..., C) float32 normalised."""
        found = (
            (pixels.astype(np.float32, copy=False) - np.float32(self.offset))
            / np.float32(self.factor)
        ).astype(np.float32, copy=False)
        return found if self.highest is None else np.minimum(found, np.float32(self.highest))

    def undo(self, pixels: np.ndarray) -> np.ndarray:
        """(..., C) normalised → (..., C) float32 grey values in the unit of the input."""
        return pixels * np.float32(self.factor) + np.float32(self.offset)


IDENTITY = Scale((0.0,), (1.0,))


def by_percentiles(pixels: np.ndarray, *, low: float = 1.0, high: float = 99.8) -> Scale:
    """Scale that maps two percentiles of each channel to 0 and 1.

    Parameters
    ----------
    pixels : (*space, C) grey values; those that are not finite are left out.
    low, high : percentiles, 0 … 100. A constant image maps to 0, not to amplified noise.

    Examples
    --------
    >>> by_percentiles(np.arange(101.0).reshape(101, 1), low=0, high=100)
    Scale(offset=(0.0,), factor=(100.0,))
    """
    flat = _sample(pixels)
    offset, top = np.percentile(flat, (low, high), axis=0)
    return Scale(tuple(map(float, offset)), tuple(float(f) if f > 0 else 1.0 for f in top - offset))


def by_moments(pixels: np.ndarray) -> Scale:
    """Scale that gives each channel mean 0 and standard deviation 1.

    Parameters
    ----------
    pixels : (*space, C) grey values; those that are not finite are left out.

    Examples
    --------
    >>> by_moments(np.array([[1.0], [3.0]]))
    Scale(offset=(2.0,), factor=(1.0,))
    """
    flat = _sample(pixels).astype(np.float64)
    return Scale(
        tuple(map(float, flat.mean(axis=0))),
        tuple(float(f) if f > 0 else 1.0 for f in flat.std(axis=0)),
    )


def to_unit_range(pixels: np.ndarray, *, low: float = 2.0, high: float = 99.9) -> Scale:
    """Scale that maps the low percentile of each channel to -1 and the high one to 1."""
    found = by_percentiles(pixels, low=low, high=high)
    half = tuple(f / 2 for f in found.factor)
    return Scale(tuple(o + h for o, h in zip(found.offset, half, strict=True)), half)


def by_robust_levels(pixels: np.ndarray) -> Scale:
    """Scale that does not depend on which share of the image is bright, blank or broken.

    On usual images it is that of `by_percentiles`; see `nbtools.normalize.robust`.

    Parameters
    ----------
    pixels : (*space, C) grey values.

    Examples
    --------
    >>> field = np.random.default_rng(0).normal(100, 5, (128, 128, 1))
    >>> field[40:60, 40:60] += 200
    >>> hot = field.copy()
    >>> hot[::20, ::20] = 65535
    >>> abs(by_robust_levels(hot).factor[0] / by_robust_levels(field).factor[0] - 1) < 0.02
    True
    """
    return prepare_robust(pixels)[1]


def prepare_robust(pixels: np.ndarray) -> tuple[np.ndarray, Scale]:
    """Mend an image, and find its robust scale.

    Parameters
    ----------
    pixels : (*space, C) grey values; is not changed.

    Returns
    -------
    Pixels without margins, hot pixels, stripes, and in volumes without fading with depth; and the
    scale to apply to them.
    """
    ready, levels = prepare_channels(pixels)
    return ready, to_scale(levels)


def to_scale(levels: list[Levels]) -> Scale:
    """The scale that levels of each channel give."""
    return Scale(tuple(one.dark for one in levels), tuple(one.span for one in levels), HIGHEST)


@dataclass(frozen=True)
class Normalization:
    """How a method scales grey values before the network.

    Parameters
    ----------
    measure : (*space, C) grey values → their `Scale`.
    words : how, for people and for the model's file.
    whole_set : one scale for all images, measured on the training set; else each image has its own,
        which never depends on tiles.
    kind, version : by which a model's file names it; "" where the words alone do.
    prepares : (*space, C) grey values → the same with faults mended, and their `Scale`; None
        leaves them as they are.
    mends : (*space, C) → the same with faults mended, before an image is resampled.
    beside : what it does that another program has no word for.
    """

    measure: Callable[[np.ndarray], Scale]
    words: str
    whole_set: bool = False
    kind: str = ""
    version: int = 0
    prepares: Callable[[np.ndarray], tuple[np.ndarray, Scale]] | None = None
    mends: Callable[[np.ndarray], np.ndarray] | None = None
    beside: str = ""

    def prepare(self, pixels: np.ndarray) -> tuple[np.ndarray, Scale]:
        """(*space, C) grey values → what the scale is to be applied to, and the scale."""
        return self.prepares(pixels) if self.prepares else (pixels, self.measure(pixels))

    def mend(self, pixels: np.ndarray) -> np.ndarray:
        """(*space, C) grey values → the same, faults mended where the kind does that."""
        return self.mends(pixels) if self.mends else pixels

    def describe(self) -> str | dict:
        """As a model's file has it."""
        if not self.kind:
            return self.words
        return {"kind": self.kind, "version": self.version, "how": self.words}


PERCENTILES = Normalization(
    by_percentiles, "percentiles 1 and 99.8 of each image", kind="percentiles", version=1
)
ROBUST = Normalization(
    by_robust_levels,
    "percentiles 1 and 99.8 of each image, its faults left out",
    kind="robust",
    version=1,
    prepares=prepare_robust,
    mends=mend_channels,
    beside="it leaves out margins, hot pixels, stripes and debris, finds the brightness of rare "
    "nuclei, and evens out fading with depth",
)
MOMENTS = Normalization(by_moments, "mean 0 and standard deviation 1 of each image")
MIN_MAX = Normalization(
    partial(by_percentiles, low=0, high=100), "minimum and maximum of each image"
)
SET_MOMENTS = Normalization(by_moments, "of the whole training set", whole_set=True)
SET_RANGE = Normalization(to_unit_range, "of the whole training set", whole_set=True)
KINDS = {(one.kind, one.version): one for one in (PERCENTILES, ROBUST)}


def recall(told: object, *, usual: Normalization) -> Normalization:
    """The normalisation that a model's file names.

    Parameters
    ----------
    told : entry `normalisation` of model.json; text in models of older versions, or None.
    usual : of the method today.

    Returns
    -------
    Normalization
        Of a model that was trained before there was a robust scale: by percentiles.

    Raises
    ------
    UserError : a kind or version that is not known here.

    Examples
    --------
    >>> recall("percentiles 1 and 99.8 of each image", usual=ROBUST) is PERCENTILES
    True
    >>> recall(ROBUST.describe(), usual=ROBUST) is ROBUST
    True
    """
    if not usual.kind:
        return usual
    if not isinstance(told, dict):
        return PERCENTILES
    name = told.get("kind"), told.get("version")
    if name not in KINDS:
        raise UserError(
            "The way a model scales grey values must be known.",
            f"normalisation {name[0]}, version {name[1]}",
            "Install the newest nbtools, or train the model again with this one.",
        )
    return KINDS[name]


def _sample(pixels: np.ndarray) -> np.ndarray:
    """(n, C) finite pixels on a regular grid through the whole image, about SAMPLE at most."""
    space = pixels.shape[:-1]
    step = max(1, int(np.ceil((np.prod(space) / SAMPLE) ** (1 / len(space)))))
    flat = pixels[(slice(None, None, step),) * len(space)].reshape(-1, pixels.shape[-1])
    finite = np.isfinite(flat).all(axis=1) if flat.dtype.kind == "f" else np.ones(len(flat), bool)
    return flat[finite] if finite.any() else np.zeros((1, flat.shape[-1]), np.float32)
