"""Brightness around nuclei: the mean grey value in a ring outside of each."""

from __future__ import annotations

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.measure.inputs import read_channels, to_spatial


def describe_rings(
    image: Image | None,
    label: Image,
    *,
    index: np.ndarray,
    width: float,
    spacing: np.ndarray,
) -> dict[str, np.ndarray]:
    """Measure each channel in a ring around each nucleus, which ends where a neighbour's begins.

    Parameters
    ----------
    image : the same field as the labels.
    label : 2D or 3D label image; pixels of -1, which nobody looked at, are in no ring.
    index : (*space) int32, 0 background, 1..n for nuclei.
    width : of the ring, above 0, in the unit of `spacing`; in 3D it is a shell.
    spacing : pixel size along each axis.

    Returns
    -------
    Columns, (n,) each:

    ring_mean_C : of each channel C; NaN where neighbours or the image's sides leave no pixel.
    ring_px : pixels in the ring.

    Raises
    ------
    UserError : no image, a width of 0 or less, or one below a pixel along every axis.

    Examples
    --------
    >>> label, grey = np.zeros((9, 9), np.uint8), np.full((9, 9), 5.0)
    >>> label[3:6, 3:6] = 1
    >>> rings = describe_rings(
    ...     Image(grey, "YX"), Image(label, "YX"), index=label, width=1.0, spacing=np.ones(2)
    ... )
    >>> rings["ring_mean_0"], rings["ring_px"]
    (array([5.]), array([12]))
    """
    from skimage.segmentation import expand_labels

    if image is None:
        raise UserError(
            "Rings are measured in the image.",
            "labels alone",
            "Give the images, too (--images).",
        )
    check_width(width, spacing)
    ring = expand_labels(index, distance=width, spacing=tuple(spacing))
    ring[(index > 0) | (to_spatial(label).pixels < 0)] = 0
    outside = ring > 0
    owner, n = ring[outside] - 1, int(index.max(initial=0))
    size = np.bincount(owner, minlength=n)
    table = {}
    for name, pixels in read_channels(image, label):
        total = np.bincount(owner, weights=pixels[outside].astype(float), minlength=n)
        table[f"ring_mean_{name}"] = np.where(size > 0, total / np.maximum(size, 1), np.nan)
    return table | {"ring_px": size}


def check_width(width: float, spacing: np.ndarray) -> None:
    """A UserError where a ring of this width holds no pixel.

    Parameters
    ----------
    width : of the ring, in the unit of `spacing`.
    spacing : pixel size along each axis.
    """
    finest = float(np.min(spacing))
    if not width >= finest:
        raise UserError(
            f"A ring around nuclei is at least a pixel wide, here {finest:g}.",
            f"{width:g}",
            f"Choose a wider ring, such as {3 * finest:g}; it is in µm where the pixel size is "
            "known, else in pixels.",
        )


def find_reach(width: float | None, spacing: np.ndarray) -> np.ndarray:
    """How far from a nucleus, in pixels along each axis, others change what is measured of it.

    Parameters
    ----------
    width : of the ring; None where there is none.
    spacing : pixel size along each axis.
    """
    if width is None:
        return np.ones(len(spacing), int)
    return 1 + np.ceil(2 * width / spacing).astype(int)
