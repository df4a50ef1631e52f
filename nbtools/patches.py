"""Training images in memory, where to cut patches of them, and padding to sizes a network
accepts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FOREGROUND = 0.9  # of patches that are laid on a nucleus


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
    boxes, box_classes : (N, 2 D) edges, columns y0, x0, y1, x1[, z0, z1]; classes as of points.
    class_index : number of the class of the image as a whole, from 0.
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
    boxes: np.ndarray | None = None
    box_classes: np.ndarray | None = None
    class_index: int | None = None
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
    """Centre of a patch: near one of the nuclei with probability `foreground`, each as likely as
    the other; anywhere otherwise.

    points : (n, ndim) a pixel of each nucleus, from `find_points`, or None.
    shape : space shape of the image.
    Returns (ndim,) float, pixel coordinates.
    """
    if points is None or not len(points) or rng.random() >= foreground:
        return rng.uniform(0, np.array(shape))
    return points[rng.integers(len(points))] + rng.uniform(0, 1, len(shape))


def find_points(label: np.ndarray) -> np.ndarray:
    """One pixel of each label: (*space) → (n, ndim)."""
    _, first = np.unique(label.ravel(), return_index=True)
    points = np.stack(np.unravel_index(first, label.shape), axis=-1)
    return points[label[tuple(points.T)] > 0]


def clip_centre(centre: np.ndarray, shape: tuple[int, ...], *, extent: np.ndarray) -> np.ndarray:
    """Move a centre so that a window of size `extent` lies inside `shape`; the middle where the
    image is smaller.
    """
    half, shape = np.asarray(extent) / 2, np.asarray(shape, float)
    return np.where(
        shape <= 2 * half, shape / 2, np.clip(centre, half, np.maximum(shape - half, half))
    )


def reflect_pad(pixels: np.ndarray, widths: list[tuple[int, int]]) -> np.ndarray:
    """Reflect beyond the border, also where the padding is wider than the image.  pixels : (*space,
    C).
    """
    if not any(sum(w) for w in widths):
        return pixels
    return np.pad(pixels, [*widths, (0, 0)], mode="symmetric")
