"""Centres and boxes drawn as labels for the painter, and read back from them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

BLOB = 3.0  # px, radius of the disc that stands for a centre


def draw_centres(centres: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Draw centres as discs 1..n of a label array, each in one plane.

    Parameters
    ----------
    centres : (n, ndim) in pixels.
    shape : (Z, Y, X) or (Y, X).

    Examples
    --------
    >>> np.unique(draw_centres(np.array([[9.0, 4.0], [9.0, 14.0]]), (20, 20))).tolist()
    [0, 1, 2]
    """
    label = np.zeros(shape, np.int32)
    reach = int(BLOB)
    disc = np.argwhere(np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= BLOB) - reach
    for number, centre in enumerate(np.rint(centres).astype(int), start=1):
        places = disc + centre[-2:]
        places = places[((places >= 0) & (places < shape[-2:])).all(axis=1)]
        label[(*centre[:-2], *places.T)] = number
    return label


def draw_boxes(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Draw boxes as outlines 1..n of a label array, in each plane that they reach through.

    Parameters
    ----------
    boxes : (n, 2 * ndim), y0, x0, y1, x1, and z0, z1 of a volume.
    shape : (Z, Y, X) or (Y, X).
    """
    label = np.zeros(shape, np.int32)
    for number, box in enumerate(np.rint(boxes).astype(int), start=1):
        rows, columns = (slice(max(0, box[i]), max(0, box[i + 2])) for i in (0, 1))
        planes = (slice(max(0, box[4]), max(0, box[5])),) if len(shape) == 3 else ()
        inside = label[(*planes, rows, columns)]
        edge = np.ones(inside.shape[-2:], bool)
        edge[1:-1, 1:-1] = False
        inside[..., edge] = number
    return label


def find_boxes(label: np.ndarray) -> np.ndarray:
    """Boxes (n, 2 * ndim) around the labels of an array, in the order of their numbers.

    Parameters
    ----------
    label : (Z, Y, X) or (Y, X) integers.

    Returns
    -------
    y0, x0, y1, x1, and z0, z1 of a volume.

    Examples
    --------
    >>> find_boxes(draw_boxes(np.array([[2.0, 3.0, 7.0, 9.0]]), (20, 20))).tolist()
    [[2.0, 3.0, 7.0, 9.0]]
    """
    found = [place for place in ndimage.find_objects(label) if place is not None]
    edges = [_list_edges(place) for place in found]
    return np.array(edges, float).reshape(-1, 2 * label.ndim)


def _list_edges(place: tuple[slice, ...]) -> list[int]:
    """y0, x0, y1, x1, and z0, z1 of a volume, of the slices of a box."""
    *depth, rows, columns = place
    edges = [rows.start, columns.start, rows.stop, columns.stop]
    return [*edges, depth[0].start, depth[0].stop] if depth else edges
