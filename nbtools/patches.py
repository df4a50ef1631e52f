"""Training images in memory, places to cut patches, and padding to sizes that a network accepts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FOREGROUND = 0.9  # share of the patches that are centred on a nucleus


@dataclass(frozen=True, eq=False)
class Example:
    """A training image, or a patch of one, with every partner it has; None where it has none.

    Parameters
    ----------
    image : (*space, C) float32, normalised.
    label : (*space) int32 instance labels; negative where nobody has looked.
    clean : (*space, C) the low-noise partner, on the scale of the image.
    unpaired : (*space, C) an image of another kind, of another field of view.
    points, point_classes : (N, D) centres of nuclei in pixels; (N,) numbers of their classes from
        1.
    point_sizes : (N,) diameter of the nucleus around each point, in pixels of the finest axis; NaN
        where it is not known.
    boxes, box_classes : (N, 2 D) edges, columns y0, x0, y1, x1[, z0, z1]; classes as of points.
    void : (*space) bool, where nobody has looked, and nuclei that touch such places; None where
        points and boxes are those of the whole image.
    class_index : number of the class of the image as a whole, from 0.
    style : number of the style of the image as a whole, from 0.
    classes : label → number of its class from 1; a label that is not in it is of unknown class.
    maps : (*space, K) float32, what the network is to predict, where that is encoded once per
        image.
    seeds : (N, D) a pixel of each nucleus, that patches are laid on.
    spacing : relative pixel size along each axis, the finest 1.
    """

    image: np.ndarray
    label: np.ndarray | None = None
    clean: np.ndarray | None = None
    unpaired: np.ndarray | None = None
    points: np.ndarray | None = None
    point_classes: np.ndarray | None = None
    point_sizes: np.ndarray | None = None
    boxes: np.ndarray | None = None
    box_classes: np.ndarray | None = None
    void: np.ndarray | None = None
    class_index: int | None = None
    style: int | None = None
    classes: dict[int, int] | None = None
    maps: np.ndarray | None = None
    seeds: np.ndarray | None = None
    spacing: tuple[float, ...] | None = None


def choose_centre(
    rng: np.random.Generator,
    points: np.ndarray | None,
    *,
    shape: tuple[int, ...],
    foreground: float = FOREGROUND,
) -> np.ndarray:
    """Choose the centre of a patch: on a nucleus, or anywhere in the image.

    Parameters
    ----------
    rng : random numbers.
    points : (n, ndim) a pixel of each nucleus, see `find_points`; None without labels.
    shape : spatial shape of the image.
    foreground : probability of a centre on a nucleus; all nuclei are equally likely.

    Returns
    -------
    (ndim,) float, in pixels.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> choose_centre(rng, np.array([[5, 9]]), shape=(64, 64), foreground=1.0).astype(int).tolist()
    [5, 9]
    """
    if points is None or not len(points) or rng.random() >= foreground:
        return rng.uniform(0, np.array(shape))
    return points[rng.integers(len(points))] + rng.uniform(0, 1, len(shape))


def find_points(label: np.ndarray) -> np.ndarray:
    """Find one pixel of each label.

    Parameters
    ----------
    label : (*space) label image; only numbers above 0 count.

    Returns
    -------
    (n, ndim) int, in the order of the labels' numbers.

    Examples
    --------
    >>> find_points(np.array([[0, 2, 2], [1, 1, 0]])).tolist()
    [[1, 0], [0, 1]]
    """
    _, first = np.unique(label.ravel(), return_index=True)
    points = np.stack(np.unravel_index(first, label.shape), axis=-1)
    return points[label[tuple(points.T)] > 0]


def clip_centre(centre: np.ndarray, shape: tuple[int, ...], *, extent: np.ndarray) -> np.ndarray:
    """Move the centre of a window so that the window lies inside the image.

    Parameters
    ----------
    centre : (ndim,) in pixels.
    shape : spatial shape of the image.
    extent : (ndim,) size of the window; along an axis where the image is smaller, the centre of the
        image is returned.

    Examples
    --------
    >>> clip_centre(np.array([2.0, 50.0]), (100, 20), extent=np.array([16, 32])).tolist()
    [8.0, 10.0]
    """
    half, shape = np.asarray(extent) / 2, np.asarray(shape, float)
    return np.where(
        shape <= 2 * half, shape / 2, np.clip(centre, half, np.maximum(shape - half, half))
    )


def reflect_pad(pixels: np.ndarray, widths: list[tuple[int, int]]) -> np.ndarray:
    """Pad an image by reflection, also where the padding is wider than the image.

    Parameters
    ----------
    pixels : (*space, C).
    widths : pixels to add before and after along each spatial axis.

    Examples
    --------
    >>> reflect_pad(np.array([[1], [2]]), [(1, 3)])[:, 0].tolist()
    [1, 1, 2, 2, 1, 1]
    """
    if not any(sum(w) for w in widths):
        return pixels
    return np.pad(pixels, [*widths, (0, 0)], mode="symmetric")
