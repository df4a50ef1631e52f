"""Outlines of labels, for Fiji's ROI Manager."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import io
from nbtools.errors import UserError
from nbtools.geometry import number_densely
from nbtools.image import Image

if TYPE_CHECKING:
    from roifile import ImagejRoi

# The centre of the first pixel is (0.5, 0.5) in Fiji and (0, 0) in scikit-image. Fiji fills the
# same pixels for shifts from 0.25 to 0.75;
# this one, near the lower end, also lets programs that count from pixel centres fill nearly the
# same ones (IoU 0.96 for small nuclei).
SHIFT = 0.3
COMPOSITE_VERSION = 227  # of ImageJ's ROI format, which holds composite ROIs


def rois(label: Image, path: str | Path) -> int:
    """Write the outline of every nucleus as polygons for the ROI Manager of Fiji.

    A polygon that is filled in Fiji gives back the pixels of the nucleus; one with holes is a
    composite ROI. In a volume each slice of a nucleus is a ROI of its own, at the position of its
    slice; in a movie each time point, at the position of its frame.

    Parameters
    ----------
    label : label image, axes YX or ZYX, with or without T.
    path : of the zip; written whole or not at all.

    Returns
    -------
    int : number of ROIs. Their names are "nucleus-0012", in volumes "nucleus-0012-z003" (slices
        count from 1, as in Fiji), in movies "nucleus-0012-t003" (frames count from 1, too);
        further parts of a nucleus of several parts end in "-2", "-3" …

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
    if set(label.axes) - set("TZYX"):
        raise UserError(
            "Outlines are of labels in a plane, a volume or a movie of these.",
            f"axes {label.axes}",
            "Give labels with axes YX or ZYX, with or without T.",
        )
    count = 0
    with io.atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for place, plane in list_planes(label):
            for number, part, rings in trace_shapes(plane):
                part_name = f"-{part}" if part > 1 else ""
                name = f"nucleus-{number:04d}{place.suffix}{part_name}"
                archive.writestr(f"{name}.roi", _encode(name, rings, place=place))
                count += 1
    return count


@dataclass(frozen=True)
class Place:
    """Where a plane lies in the stack that Fiji shows.

    Parameters
    ----------
    z, t : slice and frame, from 1; 0 where there is one only.
    position : of the plane in the whole stack, from 1; 0 where it is the only one.
    """

    z: int = 0
    t: int = 0
    position: int = 0

    @property
    def suffix(self) -> str:
        """What names of outlines get behind the number of the nucleus."""
        return f"-t{self.t:03d}" * bool(self.t) + f"-z{self.z:03d}" * bool(self.z)


def list_planes(label: Image) -> Iterator[tuple[Place, np.ndarray]]:
    """Every plane (Y, X) of a label image, frame by frame and slice by slice, with its place.

    Parameters
    ----------
    label : axes YX or ZYX, with or without T.
    """
    volume, movie = label.size("Z") > 1, "T" in label.axes
    stack = label.to("TZYX").pixels
    for t, frame in enumerate(stack):
        for z, plane in enumerate(frame):
            position = t * len(frame) + z + 1 if volume or movie else 0
            yield Place((z + 1) * volume, (t + 1) * movie, position), plane


def trace_plane(label: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Trace the outlines of all nuclei of a plane, without their holes.

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
    for number, part, rings in trace_shapes(label):
        yield number, part, rings[0]


def trace_shapes(label: np.ndarray) -> Iterator[tuple[int, int, list[np.ndarray]]]:
    """Trace all nuclei of a plane with their holes.

    Parameters
    ----------
    label : (Y, X) label image; numbers below 1 are background.

    Returns
    -------
    Iterator of number, part (from 1, the largest first) and rings, (N, 2) in the order x, y: the
    outline, then its holes; for the origin see `SHIFT`.

    Examples
    --------
    >>> ring = np.pad(np.zeros((1, 1), int), 1, constant_values=3)
    >>> [(number, part, len(rings)) for number, part, rings in trace_shapes(ring)]
    [(3, 1, 2)]
    """
    from scipy.ndimage import find_objects

    dense, numbers = number_densely(np.maximum(label, 0), most=label.size + 1000)
    label = dense.astype(np.int32, copy=False)
    for number, box in enumerate(find_objects(label), start=1):
        if box is None:
            continue
        corner = box[1].start, box[0].start
        for part, rings in enumerate(_trace_rings(label[box] == number), start=1):
            yield numbers.get(number, number), part, [ring + corner for ring in rings]


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
    return [rings[0] for rings in _trace_rings(mask)]


def _trace_rings(mask: np.ndarray) -> list[list[np.ndarray]]:
    """The outline and the holes of each part of a mask, the largest part first."""
    from skimage.measure import label as label_parts

    outlines = _trace(mask)
    if all(_signed_area(o) > 0 for o in outlines):
        return [[o] for o in sorted(outlines, key=_signed_area, reverse=True)]
    parts, count = label_parts(mask, connectivity=2, return_num=True)
    traced = [_trace(parts == n) for n in range(1, count + 1)]
    # the outline has the largest area; holes run the other way round, which makes theirs negative
    rings = [sorted(found, key=_signed_area, reverse=True) for found in traced]
    return sorted(rings, key=lambda found: _signed_area(found[0]), reverse=True)


def _trace(mask: np.ndarray) -> list[np.ndarray]:
    from skimage.measure import find_contours

    padded = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), np.float32)
    padded[1:-1, 1:-1] = mask
    return [
        _keep_corners(c[:-1, ::-1]) - 1 + SHIFT
        for c in find_contours(padded, 0.5, fully_connected="high")
    ]


def _keep_corners(points: np.ndarray) -> np.ndarray:
    """The closed path without the points on a straight line between their neighbours."""
    step = np.diff(points, axis=0, append=points[:1])
    return points[(step != np.concatenate([step[-1:], step[:-1]])).any(axis=1)]


def _signed_area(points: np.ndarray) -> float:
    x, y = points.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _encode(name: str, rings: list[np.ndarray], *, place: Place) -> bytes:
    from roifile import ROI_TYPE, ImagejRoi

    if len(rings) > 1:
        roi = _make_composite(rings)
        roi.name = name
    else:
        roi = ImagejRoi.frompoints(rings[0].astype(np.float32), name=name)
        roi.roitype = ROI_TYPE.POLYGON
    roi.position = place.position
    if place.t:  # a hyperstack finds its place by these, an ordinary stack by its position
        roi.c_position, roi.z_position, roi.t_position = 1, max(1, place.z), place.t
    return roi.tobytes()


def _make_composite(rings: list[np.ndarray]) -> ImagejRoi:
    """A composite ROI: a path of commands, 0 begins a ring, 1 draws a line, 4 closes the ring."""
    from roifile import ROI_TYPE, ImagejRoi

    path = []
    for ring in rings:
        commands = np.ones((len(ring), 1))
        commands[0] = 0
        path += [np.hstack([commands, ring]).ravel(), np.array([4.0])]
    left, top = np.floor(rings[0].min(axis=0)).astype(int)
    right, bottom = np.ceil(rings[0].max(axis=0)).astype(int)
    roi = ImagejRoi()
    roi.roitype, roi.version = ROI_TYPE.RECT, COMPOSITE_VERSION
    roi.left, roi.top, roi.right, roi.bottom = map(int, (left, top, right, bottom))
    roi.multi_coordinates = np.concatenate(path).astype(np.float32)
    roi.shape_roi_size = len(roi.multi_coordinates)
    return roi
