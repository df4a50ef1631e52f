"""Choose where to cut training patches, and pad images to sizes a network accepts."""

from __future__ import annotations

import numpy as np

FOREGROUND = 0.9  # of patches that are laid on a nucleus


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
