"""Shapes on pixel grids: centroids, equivalent diameters, central crops, inner borders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

SLAB = 2**24  # pixels of an array in a file that are looked at together
MOST_IN_TABLE = 10_000_000  # a table over all numbers up to a larger label would be too large
UNIT_BALL = {2: np.pi, 3: 4 / 3 * np.pi}  # area of the disc, volume of the ball of radius 1


def centroids(label: np.ndarray) -> np.ndarray:
    """Centroid of each nucleus of a label image.

    Parameters
    ----------
    label : (*space) label image; only numbers above 0 count.

    Returns
    -------
    (N, ndim) float64, in pixels, in the order of the labels' numbers.

    Examples
    --------
    >>> centroids(np.pad(np.full((3, 5), 7), 1)).tolist()
    [[2.0, 3.0]]
    """
    inside = np.nonzero(label > 0)
    _, own, counts = np.unique(label[inside], return_inverse=True, return_counts=True)
    return np.stack([np.bincount(own, along) for along in inside], axis=-1) / counts[:, None]


def count_sizes(label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels of an image and the pixels of each, whatever numbers the labels are.

    Parameters
    ----------
    label : (*space) label image; only numbers above 0 count.

    Returns
    -------
    labels, sizes : (N,) int64, ascending by label.

    Examples
    --------
    >>> labels, sizes = count_sizes(np.array([[0, 7, 7], [2_000_000_000, 0, 7]]))
    >>> labels.tolist(), sizes.tolist()
    ([7, 2000000000], [3, 1])
    """
    if not isinstance(label, np.ndarray):
        return _count_in_slabs(label)
    inside = label[label > 0].astype(np.int64)
    if inside.max(initial=0) > MOST_IN_TABLE:
        return np.unique(inside, return_counts=True)
    sizes = np.bincount(inside)
    labels = np.flatnonzero(sizes)
    return labels, sizes[labels]


def _count_in_slabs(label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `count_sizes`, of labels in a file."""
    rows = max(1, SLAB // max(1, int(np.prod(label.shape[1:]))))
    starts = range(0, label.shape[0], rows)
    parts = [count_sizes(label[start : start + rows]) for start in starts]
    labels, place = np.unique(np.concatenate([one for one, _ in parts]), return_inverse=True)
    sizes = np.bincount(place, np.concatenate([size for _, size in parts]), minlength=len(labels))
    return labels, sizes.astype(np.int64)


def number_densely(
    label: np.ndarray, *, most: int = MOST_IN_TABLE
) -> tuple[np.ndarray, dict[int, int]]:
    """Labels that a table over all numbers can hold: far larger ones are numbered again from 1.

    Parameters
    ----------
    label : (*space) label image; numbers below 1 stay.
    most : highest number that stays.

    Returns
    -------
    The label image and new → old number of its labels; itself and {} where its numbers are small.

    Examples
    --------
    >>> label, before = number_densely(np.array([[-1, 0, 2_000_000_000]]))
    >>> label.tolist(), before
    ([[-1, 0, 1]], {1: 2000000000})
    """
    if label.max(initial=0) <= most:
        return label, {}
    values, place = np.unique(label, return_inverse=True)
    new = values.astype(np.int64)
    new[values > 0] = np.arange(1, np.count_nonzero(values > 0) + 1)
    before = {int(n): int(old) for n, old in zip(new, values, strict=True) if n > 0}
    return new.astype(np.int32)[place].reshape(label.shape), before


def equivalent_diameter(size: np.ndarray | float, ndim: int) -> np.ndarray | float:
    """Diameter of the disc (2D) or ball (3D) of an area or a volume.

    Parameters
    ----------
    size : area or volume, of any shape; in pixels, or in any unit of length to the power of `ndim`.
    ndim : 2 or 3.

    Returns
    -------
    Diameter, of the shape of `size`, in pixels or in that unit of length.

    Examples
    --------
    >>> float(equivalent_diameter(np.pi * 5**2, 2))
    10.0
    """
    if ndim == 2:
        return 2 * np.sqrt(size / np.pi)
    return 2 * np.cbrt(3 * size / (4 * np.pi))


def equivalent_diameters(label: np.ndarray) -> np.ndarray:
    """Equivalent diameter of each nucleus of a label image, in pixels.

    Parameters
    ----------
    label : (Y, X) or (Z, Y, X) label image; only numbers above 0 count.

    Returns
    -------
    (N,) float64, diameter of the disc or ball with the area or volume of each nucleus, in the order
    of the labels' numbers.

    Examples
    --------
    >>> equivalent_diameters(np.array([[0, 1, 1], [2, 1, 1]])).round(2).tolist()
    [2.26, 1.13]
    """
    return equivalent_diameter(count_sizes(label)[1], label.ndim)


def ball_pixels(diameter: float, spacing: Sequence[float]) -> float:
    """Number of pixels in a disc (2D) or ball (3D).

    Parameters
    ----------
    diameter : in the unit of the spacing.
    spacing : pixel size along each axis; two values for a disc, three for a ball.

    Examples
    --------
    >>> round(ball_pixels(10.0, (1.0, 1.0)), 2), round(ball_pixels(10.0, (2.0, 0.5, 0.5)), 2)
    (78.54, 1047.2)
    """
    shape = np.pi / 4 if len(spacing) == 2 else np.pi / 6
    return shape * diameter ** len(spacing) / float(np.prod(spacing))


def crop_centre(pixels: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """The central part of an array, as a view.

    Parameters
    ----------
    pixels : array with at least as many axes as `size` has values; further axes stay whole.
    size : pixels to keep along each of the first axes; shorter axes stay whole.

    Examples
    --------
    >>> crop_centre(np.zeros((9, 100, 3)), (16, 64)).shape
    (9, 64, 3)
    """
    starts = [max(0, (n - keep) // 2) for n, keep in zip(pixels.shape, size, strict=False)]
    return pixels[tuple(slice(a, a + keep) for a, keep in zip(starts, size, strict=True))]


def face_neighbours(ndim: int) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Along each axis, the slices of all pixels that have a next one, and of those next pixels.

    Parameters
    ----------
    ndim : number of axes of the image.

    Examples
    --------
    >>> row = np.array([3, 5, 9])
    >>> [(row[far] - row[near]).tolist() for near, far in face_neighbours(1)]
    [[2, 4]]
    """
    for axis in range(ndim):
        before, after = (slice(None),) * axis, (slice(None),) * (ndim - axis - 1)
        yield (*before, slice(None, -1), *after), (*before, slice(1, None), *after)


def leave_out_void(label: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Leave out the places where nobody has looked, with the nuclei that touch them.

    Such a nucleus may go on there, so that neither its centre nor its box is known.

    Parameters
    ----------
    label : (*space) label image; negative where nobody has looked.

    Returns
    -------
    The label image, -1 in all that is left out, and (*space) bool, what that is; itself and None
    where somebody has looked everywhere.

    Examples
    --------
    >>> label, void = leave_out_void(np.array([[-1, 4, 4, 0, 7, 7]]))
    >>> label.tolist(), void.astype(int).tolist()
    ([[-1, -1, -1, 0, 7, 7]], [[1, 1, 1, 0, 0, 0]])
    """
    void = label < 0
    if not void.any():
        return label, None
    beside = np.zeros(label.shape, bool)
    for near, far in face_neighbours(label.ndim):
        beside[near] |= void[far]
        beside[far] |= void[near]
    void |= np.isin(label, np.unique(label[beside & (label > 0)]))
    return np.where(void, -1, label), void


def inner_border(label: np.ndarray) -> np.ndarray:
    """Border pixels that belong to a nucleus, of the thickness of one pixel.

    These are labelled pixels with a face neighbour of another label or background. The image's own
    edge is no border. As `skimage.segmentation.find_boundaries(mode="inner")`, but several times
    faster.

    Parameters
    ----------
    label : (*space) label image; numbers below 1 are background.

    Returns
    -------
    (*space) bool.

    Examples
    --------
    >>> inner_border(np.array([[0, 4, 4, 4, 7, 7]])).astype(int).tolist()
    [[0, 1, 0, 1, 1, 0]]
    """
    border = np.zeros(label.shape, bool)
    for near, far in face_neighbours(label.ndim):
        differs = label[near] != label[far]
        border[near] |= differs
        border[far] |= differs
    return border & (label > 0)
