"""Blind spots: hide single pixels of a noisy patch, so that a network learns to predict them.

It thereby learns to denoise without clean images.

It thereby learns to denoise without clean images.

Krull, Buchholz & Jug 2019, doi:10.1109/CVPR.2019.00223; replacement by the median of the
surroundings: Höck et al. 2022, arXiv:2211.08512; masks along a line for structured noise: Broaddus
et al. 2020, doi:10.1109/ISBI45749.2020.9098336.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nbtools.patches import Example
from nbtools.targets.restored import RestoredTarget

AVERAGES = {"median": np.median, "mean": np.mean}


@dataclass(frozen=True)
class BlindSpotMask:
    """How pixels of a patch are hidden.

    Parameters
    ----------
    percent : share of the pixels.
    radius : how far in pixels, along each axis, the values put in their place may come from.
    fill : "neighbour" draws one of the surrounding pixels, "median" and "mean" take all of them.
    line : (axis, reach): the pixels up to `reach` beside a hidden one along this axis are replaced
        as well, but not predicted.
    centre : a neighbour drawn may be the hidden pixel itself, as in the authors' package.
    """

    percent: float = 0.5
    radius: int = 5
    fill: str = "neighbour"
    line: tuple[int, int] | None = None
    centre: bool = False


def mask_pixels(
    rng: np.random.Generator, patch: np.ndarray, *, spots: BlindSpotMask
) -> tuple[np.ndarray, np.ndarray]:
    """Replace single pixels of a patch by values of their surroundings.

    Parameters
    ----------
    rng : source of the places and the values.
    patch : (*space, C) float; every channel of a pixel is hidden at once. It stays unchanged.
    spots : how many pixels are hidden, and by what.

    Returns
    -------
    (*space, C) patch with the replacements, which are read from the untouched patch; and (*space)
    bool, the hidden pixels that the network is to predict.

    References
    ----------
    Krull et al. 2019, doi:10.1109/CVPR.2019.00223.

    Examples
    --------
    >>> patch = np.arange(64.0).reshape(8, 8, 1)
    >>> spots = BlindSpotMask(percent=10)
    >>> hidden, mask = mask_pixels(np.random.default_rng(0), patch, spots=spots)
    >>> hidden.shape, mask.shape, bool((hidden != patch)[~mask].any())
    ((8, 8, 1), (8, 8), False)
    """
    space, line = patch.shape[:-1], spots.line
    places = draw_places(rng, space, percent=spots.percent)
    mask = np.zeros(space, bool)
    mask[tuple(places.T)] = True
    hidden, axis = patch.copy(), None if line is None else line[0]
    if line is not None:
        beside = _inside(_beside(places, *line), space)
        hidden[tuple(beside.T)] = patch[
            tuple(_draw_neighbours(rng, beside, space, radius=spots.radius, axis=axis).T)
        ]
    if spots.fill != "neighbour":
        around = _find_surroundings(places, space, radius=spots.radius)
        hidden[mask] = AVERAGES[spots.fill](patch[tuple(np.moveaxis(around, -1, 0))], axis=1)
        return hidden, mask
    # once in a window of so many pixels a draw that may hit its own centre does so
    drawn = _draw_neighbours(rng, places, space, radius=spots.radius, axis=axis)
    own = rng.random(len(places)) < (spots.centre / (2 * spots.radius + 1) ** len(space))
    hidden[mask] = patch[tuple(np.where(own[:, None], places, drawn).T)]
    return hidden, mask


def draw_places(rng: np.random.Generator, shape: tuple[int, ...], *, percent: float) -> np.ndarray:
    """Draw pixels spread evenly over a patch: one in each box of a grid that is shifted at random.

    A box has `100 / percent` pixels: its side is the square root of that in 2D, the cube root in
    3D.

    Parameters
    ----------
    rng : source of the shift, and of the places in the boxes.
    shape : (*space) of the patch.
    percent : share of the pixels to draw.

    Returns
    -------
    (n, ndim) int, each pixel at most once; every pixel is equally likely.
    """
    side = (100.0 / percent) ** (1 / len(shape))
    corners = [np.arange(-rng.uniform(0, side), n, side) for n in shape]
    boxes = np.stack(np.meshgrid(*corners, indexing="ij"), axis=-1).reshape(-1, len(shape))
    places = np.floor(boxes + rng.uniform(0, side, boxes.shape)).astype(int)
    return np.unique(_inside(places, shape), axis=0)


def list_hidden(patch: np.ndarray, mask: np.ndarray, *, percent: float) -> np.ndarray:
    """List the hidden pixels of a patch, for losses that are expensive per pixel.

    The length of the list depends on the shape and the percentage alone.

    Parameters
    ----------
    patch : (*space, C).
    mask : (*space) bool from `mask_pixels`, drawn with this percentage.
    percent : share of the pixels that are hidden.

    Returns
    -------
    (n, 1 + C + 1) float32: index in the flattened patch, values, and 1; spare rows are 0.
    """
    side, places = (100.0 / percent) ** (1 / mask.ndim), np.flatnonzero(mask)
    listed = np.zeros(
        (int(np.prod([np.ceil(n / side) + 1 for n in mask.shape])), patch.shape[-1] + 2), np.float32
    )
    listed[: len(places), 0], listed[: len(places), -1] = places, 1
    listed[: len(places), 1:-1] = patch[mask]
    return listed


def _inside(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return places[((places >= 0) & (places < shape)).all(axis=1)]


def _beside(places: np.ndarray, axis: int, reach: int) -> np.ndarray:
    """Pixels up to `reach` away along one axis: (n · 2 reach, ndim)."""
    steps = np.array([s for s in range(-reach, reach + 1) if s])
    shift = np.zeros((len(steps), places.shape[1]), int)
    shift[:, axis] = steps
    return (places[:, None] + shift).reshape(-1, places.shape[1])


def _windows(
    places: np.ndarray, shape: tuple[int, ...], *, radius: int
) -> tuple[np.ndarray, np.ndarray]:
    """First pixel of the window around each place, and its size.

    At the border windows move inside, so that none holds a pixel twice.
    """
    size = np.minimum(2 * radius + 1, shape)
    return np.clip(places - radius, 0, np.array(shape) - size), size


def _draw_neighbours(
    rng: np.random.Generator,
    places: np.ndarray,
    shape: tuple[int, ...],
    *,
    radius: int,
    axis: int | None,
) -> np.ndarray:
    """(n, ndim): one pixel of each window, all equally likely, but never the place itself.

    With an axis, it is none on the line through the place.
    """
    first, size = _windows(places, shape, radius=radius)
    free = [a for a in range(len(shape)) if a != axis]
    own = np.ravel_multi_index(tuple((places - first)[:, free].T), size[free])
    choice = rng.integers(max(1, int(size[free].prod()) - 1), size=len(places))
    found = first.copy()
    found[:, free] += np.stack(
        np.unravel_index((choice + (choice >= own)) % size[free].prod(), size[free]), axis=-1
    )
    if axis is not None:
        found[:, axis] += rng.integers(size[axis], size=len(places))
    return found


def _find_surroundings(places: np.ndarray, shape: tuple[int, ...], *, radius: int) -> np.ndarray:
    """Every pixel of each window but the place itself: (n, k, ndim)."""
    first, size = _windows(places, shape, radius=radius)
    steps = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1).reshape(
        -1, len(shape)
    )
    every = first[:, None] + steps
    others = (every != places[:, None]).any(axis=-1)
    return every[others].reshape(len(places), -1, len(shape))


@dataclass(frozen=True)
class BlindSpotTarget(RestoredTarget):
    """The values of hidden pixels, predicted from their surroundings.

    Parameters
    ----------
    mask : how pixels are hidden.
    """

    mask: BlindSpotMask = field(default_factory=BlindSpotMask)

    per_patch: ClassVar = True

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[np.ndarray, np.ndarray]:
        """The patch with hidden pixels, and (*space, C + 1): true values, and 1 where hidden."""
        hidden, mask = mask_pixels(rng, patch.image, spots=self.mask)
        return hidden, np.concatenate([patch.image, mask[..., None]], axis=-1)


@dataclass(frozen=True)
class ListedBlindSpots(BlindSpotTarget):
    """As `BlindSpotTarget`, with the hidden pixels as a list, for losses expensive per pixel."""

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[np.ndarray, np.ndarray]:
        """The patch with hidden pixels, and (n, 3): where they are, their grey values, and 1."""
        hidden, mask = mask_pixels(rng, patch.image, spots=self.mask)
        grey = self.scale.undo(patch.image)
        return hidden, list_hidden(grey, mask, percent=self.mask.percent)
