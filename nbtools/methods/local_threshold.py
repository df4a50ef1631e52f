"""A threshold that follows the light: half-way between the nuclei and the background around.

Otsu's threshold begins. Then each place is given the middle between the mean of the nuclei and the
mean of the background nearby, again and again, as Ridler and Calvard 1978
(doi:10.1109/TSMC.1978.4310039) do for a whole image. Where light is so uneven that the beginning is
wrong, it is made again above a background that is found by opening (Sternberg 1983,
doi:10.1109/MC.1983.1654163), and of logarithms, in which dim nuclei weigh as much as bright ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from nbtools.populations import (
    find_outlines,
    follows_edges,
    measure_edge_contrast,
    measure_noise,
    measure_steepness,
    thin,
)
from nbtools.targets.objects import remove_small_objects
from nbtools.targets.persistence import persistence_watershed

REACH = 0.4  # of the diameter: standard deviation of the neighbourhood that means are taken over
ROUNDS = 3
CERTAIN = 5.0  # standard deviations of the noise by which nuclei exceed the background
RARE = 6.0  # the same, where nuclei are too few for Otsu's threshold to see them
FAINT = 0.15  # of the usual height of nuclei, that the threshold lies above the background at least
BRIGHTER = 3.0  # times as high as most; what is brighter counts as this
USUAL = 75  # percentile of the heights of nuclei: below it may be haze, above it dead cells
STARTS = ((0, False), (0, True), (40, True), (120, False))  # width of the opening, of logarithms
MORE, SHARP = 1.2, 3.0  # times the outline, and how steep it is, for which the start is changed
SCREENED = 500_000  # pixels, about, on which starts are tried and diameters estimated
SMALLEST = 20  # px
CLEAR = 18.0  # standard deviations of the noise between nuclei and background; with less,
FURTHER = 1.1  # px, by which grey values are smoothed again


@dataclass(frozen=True)
class Attempt:
    """Nuclei as one start finds them.

    Parameters
    ----------
    surface : (*space) threshold at each pixel.
    inside : (*space) bool.
    diameter : of the nuclei, in pixels of the finest axis.
    """

    surface: np.ndarray
    inside: np.ndarray
    diameter: float


def subtract_threshold(grey: np.ndarray, *, spacing: tuple[float, ...] | None = None) -> np.ndarray:
    """Subtract the threshold of each place from an image.

    Parameters
    ----------
    grey : (*space) grey values, smoothed over about a pixel; nuclei are bright.
    spacing : relative pixel size along each axis; None for 1.

    Returns
    -------
    (*space) float32, above 0 inside nuclei; 0 everywhere where grey values are of one group only.
    """
    nothing = np.zeros(grey.shape, np.float32)
    if grey.size < SMALLEST or grey.min() == grey.max():
        return nothing
    smooth = ndimage.gaussian_filter(grey, FURTHER) if _is_noisy(grey) else grey
    factor = max(1, round((grey.size / SCREENED) ** (1 / grey.ndim)))
    start = _choose_start(shrink(smooth, factor), factor, spacing)
    tries = [lambda: attempt(smooth, start, spacing=spacing), lambda: _find_rare(smooth, spacing)]
    for make in tries:
        found = make()
        if found is not None and _is_separate(grey, found):
            return smooth - found.surface
    return nothing


def find_field(pixels: np.ndarray) -> tuple[slice, ...]:
    """The box of an image without margins of one grey value, however wide they are.

    A margin ends at a line that shows a background of its own; a background that was cut off at 0
    goes on there.

    Parameters
    ----------
    pixels : (*space) grey values.

    Returns
    -------
    A slice along each axis.
    """
    box = [slice(0, n) for n in pixels.shape]
    for axis, count in enumerate(pixels.shape):
        lines = np.moveaxis(pixels, axis, 0).reshape(count, -1)
        varied = np.flatnonzero(lines.min(axis=1) < lines.max(axis=1))
        if not len(varied):
            continue
        first, last = int(varied[0]), int(varied[-1])
        ends = np.median(lines[[first, last]], axis=1)
        start = first if ends[0] != lines[0, 0] else 0
        stop = last + 1 if ends[1] != lines[-1, 0] else count
        box[axis] = slice(start, stop)
    return tuple(box)


def attempt(
    grey: np.ndarray, start: tuple[float, bool], *, spacing: tuple[float, ...] | None = None
) -> Attempt | None:
    """Find nuclei from one start.

    Parameters
    ----------
    grey, spacing : as for `subtract_threshold`.
    start : width of the opening that gives the background, in pixels, 0 for none; and whether
        Otsu's threshold is that of the logarithms.

    Returns
    -------
    What was found; None where all is background.
    """
    from skimage.filters import threshold_otsu

    width, logarithm = start
    height = grey - find_background(grey, width, spacing=spacing) if width else grey
    some = thin(height)
    if some.min() == some.max():
        return None
    low = some[some <= threshold_otsu(some)]
    ground = float(np.median(low))
    noise = max(float(np.median(np.abs(low - ground))) / 0.6745, 1e-6 * float(np.ptp(height)))
    logs = np.log1p(np.maximum(some - ground, 0) / (3 * noise))
    level = ground + 3 * noise * float(np.expm1(threshold_otsu(logs)))
    usual = float(np.percentile(some[some > level], USUAL)) - ground
    # dead cells and dust are few, but would draw the threshold and the means around to themselves
    highest = ground + BRIGHTER * usual
    if not logarithm:
        level = threshold_otsu(np.minimum(some, highest))
    capped = np.minimum(grey, grey - height + highest)
    return refine(capped, height > level, usual=usual, spacing=spacing)


def refine(
    grey: np.ndarray,
    inside: np.ndarray,
    *,
    usual: float,
    spacing: tuple[float, ...] | None = None,
) -> Attempt | None:
    """Move outlines to half the height between the nuclei and the background around.

    Parameters
    ----------
    grey, spacing : as for `subtract_threshold`.
    inside : (*space) bool, the nuclei at first.
    usual : height of most nuclei above the background.

    Returns
    -------
    What was found; None where nothing is left.
    """
    relative = np.ones(grey.ndim) if spacing is None else np.asarray(spacing)
    diameter = estimate_diameter(inside, spacing=spacing)
    width = np.maximum(REACH * diameter / relative, 1.5)
    noise = measure_noise(grey) / 0.29  # of what is smoothed over a pixel
    least = max(FAINT * usual, min(CERTAIN * noise, usual / 2))
    whole, surface = float(np.median(thin(grey))), grey
    for _ in range(ROUNDS):
        share, bright, every, factors = _average_around(grey, inside, width)
        dark = np.where(share < 0.98, (every - bright) / np.maximum(1 - share, 1e-3), whole)
        bright = np.where(share > 0.02, bright / np.maximum(share, 1e-6), dark + usual)
        middle = np.maximum((bright + dark) / 2, dark + least)
        surface = enlarge(middle.astype(np.float32), factors, shape=grey.shape)
        inside = grey > surface
        if not inside.any():
            return None
    return Attempt(surface, inside, diameter)


def find_background(
    grey: np.ndarray, width: float, *, spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """Find the background by an opening: what is left without all that is narrower than a width.

    Parameters
    ----------
    grey : (*space) grey values.
    width : in pixels of the finest axis.
    spacing : relative pixel size along each axis; None for 1.

    Returns
    -------
    (*space) float32, nowhere above the image.
    """
    relative = np.ones(grey.ndim) if spacing is None else np.asarray(spacing)
    factors = tuple(int(f) for f in np.maximum(width / relative // 12, 1))
    small = ndimage.gaussian_filter(shrink(grey, factors), 0.5)
    size = np.maximum(width / relative / factors, 1).round().astype(int) // 2 * 2 + 1
    opened = ndimage.gaussian_filter(ndimage.grey_opening(small, tuple(size)), size / 4)
    return np.minimum(enlarge(opened, factors, shape=grey.shape), grey)


def estimate_diameter(inside: np.ndarray, *, spacing: tuple[float, ...] | None = None) -> float:
    """Diameter of the nuclei that most of the area belongs to, in pixels of the finest axis.

    Parameters
    ----------
    inside : (*space) bool; nuclei that touch are split at their waists.
    spacing : relative pixel size along each axis; None for 1.
    """
    factor = max(1, round((inside.size / SCREENED) ** (1 / inside.ndim)))
    inside = inside[(slice(factor // 2, None, factor),) * inside.ndim]
    depth = ndimage.distance_transform_edt(inside, sampling=spacing).astype(np.float32)
    parts = persistence_watershed(depth, inside, min_persistence=1.0)
    sizes = np.sort(np.bincount(parts.ravel())[1:])
    sizes = sizes[sizes >= SMALLEST / factor**inside.ndim]
    if not len(sizes):
        return float(SMALLEST) ** (1 / inside.ndim)
    total = np.cumsum(sizes)
    typical = float(sizes[np.searchsorted(total, total[-1] / 2)])
    typical *= 1.0 if spacing is None else float(np.prod(spacing))
    shape = 4 / np.pi if inside.ndim == 2 else 6 / np.pi
    return factor * (shape * typical) ** (1 / inside.ndim)


def shrink(image: np.ndarray, factors: int | tuple[int, ...]) -> np.ndarray:
    """Means of blocks, the last ones filled up with the nearest pixels.

    Parameters
    ----------
    image : (*space).
    factors : side of a block along each axis.

    Examples
    --------
    >>> shrink(np.array([[1.0, 3.0, 5.0]]), (1, 2)).tolist()
    [[2.0, 5.0]]
    """
    factors = np.broadcast_to(factors, image.ndim)
    if (factors == 1).all():
        return image.astype(np.float32, copy=False)
    filled = [(0, int(-n % f)) for n, f in zip(image.shape, factors, strict=True)]
    image = np.pad(image, filled, mode="edge")
    blocks = [k for n, f in zip(image.shape, factors, strict=True) for k in (n // f, f)]
    within = tuple(range(1, 2 * image.ndim, 2))
    return image.reshape(blocks).mean(within, dtype=np.float32)


def enlarge(
    small: np.ndarray, factors: int | tuple[int, ...], *, shape: tuple[int, ...]
) -> np.ndarray:
    """Interpolate the means of blocks linearly between their centres; undoes `shrink`.

    Parameters
    ----------
    small : (*coarse) float32.
    factors : side of a block along each axis.
    shape : of the result.
    """
    for axis, factor in enumerate(np.broadcast_to(factors, small.ndim)):
        if factor > 1:
            count = small.shape[axis]
            place = np.clip((np.arange(shape[axis]) + 0.5) / factor - 0.5, 0, count - 1)
            low = np.minimum(place.astype(int), max(count - 2, 0))
            share = (place - low).astype(np.float32)
            share = share.reshape([-1 if a == axis else 1 for a in range(small.ndim)])
            high = np.minimum(low + 1, count - 1)
            small = np.take(small, low, axis) * (1 - share) + np.take(small, high, axis) * share
    return small


def _average_around(grey: np.ndarray, inside: np.ndarray, width: np.ndarray) -> tuple:
    """Share of nuclei, their grey values and all grey values, averaged on a coarser grid."""
    factors = tuple(int(f) for f in np.maximum(width // 2.5, 1))
    blur = width / factors
    means = [
        ndimage.gaussian_filter(shrink(image, factors), blur, truncate=3.0)
        for image in (inside, np.where(inside, grey, np.float32(0)), grey)
    ]
    return *means, factors


def _choose_start(grey: np.ndarray, factor: int, spacing: tuple[float, ...] | None) -> tuple:
    """The first start, or another one that finds clearly more outline on sharp edges."""
    steepness = measure_steepness(ndimage.gaussian_filter(grey, 1.0))
    least = 3 * float(np.percentile(steepness, 30)) + 1e-6
    usual = best = None
    for width, logarithm in STARTS:
        found = attempt(grey, (width / factor, logarithm), spacing=spacing)
        if found is None:
            continue
        along = steepness[find_outlines(found.inside)]
        outline = 2 * int((along > least).sum()) - len(along)  # on edges, less that on none
        contrast = measure_edge_contrast(grey, found.inside, diameter=found.diameter)
        one = (outline, contrast, (width, logarithm))
        usual = usual or one
        enough = contrast >= max(SHARP**2, usual[1] / 4) and outline > MORE * max(usual[0], 0)
        if best is None or (enough and outline > best[0]):
            best = one
    return best[2] if best else STARTS[0]


def _is_noisy(grey: np.ndarray) -> bool:
    """Whether noise would make the outline of a local threshold ragged."""
    from skimage.filters import threshold_otsu

    some = thin(grey)
    bright = some > threshold_otsu(some)
    height = float(some[bright].mean() - some[~bright].mean())
    return height < CLEAR * measure_noise(grey) / 0.29  # 0.29: of what is smoothed over a pixel


def _is_separate(grey: np.ndarray, found: Attempt) -> bool:
    """Whether the outlines of what is large enough for a nucleus follow edges."""
    parts, _ = ndimage.label(found.inside)
    inside = remove_small_objects(parts, SMALLEST) > 0
    return follows_edges(grey, inside, diameter=found.diameter)


def _find_rare(grey: np.ndarray, spacing: tuple[float, ...] | None) -> Attempt | None:
    """What exceeds the background by far, where it is too little for Otsu's threshold."""
    ground = float(np.median(thin(grey)))
    noise = float(np.median(np.abs(thin(grey) - ground))) / 0.6745
    bright = grey > ground + RARE * max(noise, 1e-6 * float(np.ptp(grey)))
    parts, _ = ndimage.label(bright)
    bright = remove_small_objects(parts, SMALLEST) > 0
    if not bright.any():
        return None
    usual = float(np.percentile(grey[bright], USUAL)) - ground
    capped = np.minimum(grey, ground + BRIGHTER * usual)
    return refine(capped, bright, usual=usual, spacing=spacing)
