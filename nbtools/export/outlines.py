"""Outlines of labels, for Fiji's ROI Manager."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.errors import UserError
from nbtools.geometry import number_densely
from nbtools.image import Image

# The centre of the first pixel is (0.5, 0.5) in Fiji and (0, 0) in scikit-image. Fiji fills the
# same pixels for shifts from 0.25 to 0.75;
# this one, near the lower end, also lets programs that count from pixel centres fill nearly the
# same ones (IoU 0.96 for small nuclei).
SHIFT = 0.3


def rois(label: Image, path: str | Path) -> int:
    """Write the outline of every nucleus as polygons for the ROI Manager of Fiji.

    A polygon that is filled in Fiji gives back the pixels of the nucleus, with its holes filled. In
    a volume each slice of a nucleus is a polygon of its own, at the position of its slice.

    Parameters
    ----------
    label : label image, axes YX or ZYX.
    path : of the zip; written whole or not at all.

    Returns
    -------
    int : number of polygons. Their names are "nucleus-0012", in volumes "nucleus-0012-z003" (slices
        count from 1, as in Fiji); further parts of a nucleus of several parts end in "-2", "-3" …

    Raises
    ------
    UserError : other axes.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rois(Image(np.array([[0, 5], [5, 5]]), "YX"), Path(folder) / "nuclei.zip")
    1
    """
    space = "ZYX" if label.size("Z") > 1 else "YX"
    if set(label.axes) - set("ZYX"):
        raise UserError(
            "Outlines are of labels in a plane or a volume.",
            f"axes {label.axes}",
            (
                "Choose a time point first: label.select(T=0)."
                if "T" in label.axes
                else "Give labels with axes YX or ZYX."
            ),
        )
    count = 0
    with io.atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for z, plane in enumerate(np.atleast_3d(label.to(space).pixels.T).T):
            for number, part, points in trace_plane(plane):
                slice_name = f"-z{z + 1:03d}" if space == "ZYX" else ""
                part_name = f"-{part}" if part > 1 else ""
                name = f"nucleus-{number:04d}{slice_name}{part_name}"
                archive.writestr(
                    f"{name}.roi", _encode(name, points, position=z + 1 if space == "ZYX" else 0)
                )
                count += 1
    return count


def trace_plane(label: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Trace the outlines of all nuclei of a plane.

    Parameters
    ----------
    label : (Y, X) label image; numbers below 1 are background.

    Returns
    -------
    Iterator of number, part (from 1, the largest first) and outline, (N, 2) in the order x, y; for
    the origin see `SHIFT`.

    Examples
    --------
    >>> label = np.array([[7, 7, 0], [0, 0, 4]])
    >>> [(number, part, len(outline)) for number, part, outline in trace_plane(label)]
    [(4, 1, 4), (7, 1, 6)]
    """
    from scipy.ndimage import find_objects

    dense, numbers = number_densely(np.maximum(label, 0), most=label.size + 1000)
    label = dense.astype(np.int32, copy=False)
    for number, box in enumerate(find_objects(label), start=1):
        if box is None:
            continue
        corner = box[1].start, box[0].start
        for part, points in enumerate(trace_mask(label[box] == number), start=1):
            yield numbers.get(number, number), part, points + corner


def trace_mask(mask: np.ndarray) -> list[np.ndarray]:
    """Trace the outlines of the parts of a mask, without their holes.

    Parameters
    ----------
    mask : (Y, X) bool.

    Returns
    -------
    Outlines (N, 2) in the order x, y, the largest first; for the origin see `SHIFT`.

    Examples
    --------
    >>> (trace_mask(np.ones((1, 1), bool))[0] - SHIFT).tolist()
    [[0.0, 0.5], [-0.5, 0.0], [0.0, -0.5], [0.5, 0.0]]
    """
    from skimage.measure import find_contours

    padded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.float32)
    padded[1:-1, 1:-1] = mask
    outlines = [
        _keep_corners(c[:-1, ::-1]) - 1 + SHIFT
        for c in find_contours(padded, 0.5, fully_connected="high")
    ]
    if len(outlines) > 1:
        outlines = [o for o in outlines if _signed_area(o) > 0]  # holes run the other way round
    return sorted(outlines, key=_signed_area, reverse=True) if len(outlines) > 1 else outlines


def _keep_corners(points: np.ndarray) -> np.ndarray:
    """The closed path without the points on a straight line between their neighbours."""
    step = np.diff(points, axis=0, append=points[:1])
    return points[(step != np.concatenate([step[-1:], step[:-1]])).any(axis=1)]


def _signed_area(points: np.ndarray) -> float:
    x, y = points.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _encode(name: str, points: np.ndarray, *, position: int) -> bytes:
    from roifile import ROI_TYPE, ImagejRoi

    roi = ImagejRoi.frompoints(points.astype(np.float32), name=name)
    roi.roitype = ROI_TYPE.POLYGON
    roi.position = position
    return roi.tobytes()
