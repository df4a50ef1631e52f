"""Images in files brought to another pixel size, and their labels back, part by part.

Each part is cut from the grid of the whole: its pixels lie where those of the whole image would,
had it been resampled in one piece, so that there is no seam.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from nbtools import runtime
from nbtools.inference.blocks import Place, plan_blocks
from nbtools.inference.rescaling import find_neighbours, find_shape, vote
from nbtools.io.stored import StoredPixels, create_temporary, read_slabs

TRUNCATE = 4.0  # standard deviations that a Gaussian filter reaches, as scikit-image has it
BYTES = 40.0  # that a pixel takes while it is resampled, on the finer grid


def zoom_stored(
    read: Callable[[Place], np.ndarray], shape: tuple[int, ...], *, zoom: tuple[float, ...]
) -> StoredPixels:
    """Resample grey values as `rescaling.zoom_pixels` does, into a temporary file.

    Parameters
    ----------
    read : place → (*place, C) grey values.
    shape : (*space, C) of the image.
    zoom : factor of the number of pixels along each spatial axis.

    Returns
    -------
    (*zoomed, C) float32.
    """
    space, channels = shape[:-1], shape[-1]
    zoomed = find_shape(space, zoom)
    steps = tuple(old / new for old, new in zip(space, zoomed, strict=True))
    sigma = tuple(max(0.0, (step - 1) / 2) for step in steps)
    found = create_temporary((*zoomed, channels), np.float32)
    finer = np.prod([max(1.0, step) for step in steps])
    about = {"bytes_per_pixel": BYTES * channels * finer, "free": runtime.memory().available}
    reach = [int(TRUNCATE * s + 0.5) + 2 for s in sigma]
    halo = tuple(int(np.ceil(r / step)) for r, step in zip(reach, steps, strict=True))
    for block in plan_blocks(zoomed, halo=halo, **about):
        wanted = list(zip(block.core, steps, reach, space, strict=True))
        outer = tuple(_find_source(place, step, r, n) for place, step, r, n in wanted)
        first = [(c.start + 0.5) * s - 0.5 - o.start for (c, s, *_), o in zip(wanted, outer)]
        size = tuple(place.stop - place.start for place in block.core)
        grey = read(outer).astype(np.float32)
        for channel in range(channels):
            smooth = ndimage.gaussian_filter(
                grey[..., channel], sigma, mode="mirror", truncate=TRUNCATE
            )
            found[(*block.core, channel)] = ndimage.affine_transform(
                smooth, steps, first, output_shape=size, order=1, mode="mirror"
            )
    return found


def _find_source(place: slice, step: float, reach: int, length: int) -> slice:
    """The pixels of the image that pixels of the resampled one are computed from."""
    low, high = (place.start + 0.5) * step - 0.5, (place.stop - 0.5) * step - 0.5
    return slice(max(int(np.floor(low)) - reach, 0), min(int(np.ceil(high)) + reach + 1, length))


def return_stored_size(label: StoredPixels, shape: tuple[int, ...]) -> StoredPixels:
    """Resample labels to a grid of another shape, as `rescaling.return_size`, with their numbers.

    Parameters
    ----------
    label : (*space) labels.
    shape : (*space) of the new grid, over the same field of view.
    """
    found = create_temporary(shape, label.dtype)
    pairs = zip(shape, label.shape, strict=True)
    low, share = zip(*(find_neighbours(new, old) for new, old in pairs), strict=True)
    finer = max(1.0, np.prod(label.shape) / np.prod(shape))
    about = {"bytes_per_pixel": BYTES * finer, "free": runtime.memory().available}
    for block in plan_blocks(shape, halo=(0,) * len(shape), **about):
        before = [known[place] for known, place in zip(low, block.core, strict=True)]
        source = tuple(slice(int(b[0]), int(b[-1]) + 2) for b in before)
        near = tuple(b - b[0] for b in before)
        part = tuple(known[place] for known, place in zip(share, block.core, strict=True))
        found[block.core] = vote(label[source].astype(np.int32), near, share=part)
    return found


def close_gaps(label: StoredPixels, count: int) -> np.ndarray:
    """Number labels 1 … N where some have no pixel any more, in their file.

    Parameters
    ----------
    label : (*space) labels from 0; is changed.
    count : of the labels that there were.

    Returns
    -------
    (N,) the former numbers of those that are left.
    """
    seen = np.zeros(count + 1, bool)
    for _, slab in read_slabs(label):
        seen[np.unique(slab)] = True
    seen[0] = False
    if not seen[1:].all():
        numbers = np.where(seen, np.cumsum(seen), 0).astype(label.dtype)
        for place, slab in read_slabs(label):
            label[place] = numbers[slab]
    return np.flatnonzero(seen)
