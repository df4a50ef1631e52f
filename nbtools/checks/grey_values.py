"""Whether numbers that stand in place of labels are the grey values of a photograph."""

from __future__ import annotations

import numpy as np

from nbtools.checks.finding import Regions
from nbtools.geometry import crop_centre, face_neighbours

LOOKED_AT = 1024  # px along each axis
FEWEST_GREYS = 16  # different values; classes and a handful of nuclei have fewer
STREWN = 3  # pieces of the median value
MANY_PAIRS, FEW_ALIKE = 1000, 0.3  # neighbours that are both above 0, and share of equal ones


def are_grey_values(pixels: np.ndarray) -> bool:
    """Whether numbers that stand in place of labels are those of a photograph.

    A nucleus has one number and is one piece, or a few. In a photograph each grey value is strewn
    over the image, or, where there are very many, differs from its neighbours.

    Parameters
    ----------
    pixels : (*space) integers; the centre of the middle plane is looked at.
    """
    while pixels.ndim > 2:
        pixels = pixels[len(pixels) // 2]
    plane = crop_centre(pixels, (LOOKED_AT, LOOKED_AT))
    regions = Regions.of(plane)
    if len(regions.values) < FEWEST_GREYS:
        return False
    pairs = [(plane[near], plane[far]) for near, far in face_neighbours(2)]
    inside = [(one > 0) & (other > 0) for one, other in pairs]
    count = sum(int(both.sum()) for both in inside)
    same = sum(
        int((one == other)[both].sum()) for (one, other), both in zip(pairs, inside, strict=True)
    )
    strewn = np.median(regions.n_parts) >= STREWN
    return bool(strewn or (count > MANY_PAIRS and same < FEW_ALIKE * count))
