"""Shape of nuclei: axes by second moments, sphericity, angles and solidity."""

from __future__ import annotations

import numpy as np

BLOCK = 4_000_000  # pairs of row and plane processed together; bounds the memory
TOUCH = 1e-6  # pixels; points on the hull belong to it
MIN_RADIUS = 4.9  # pixels from centre to surface: five, minus the uncertainty of counting
ROUND = 1.03  # ratio of axes; closer axes have no direction


def axis_ratios(
    axes: tuple[np.ndarray, np.ndarray], spacing: np.ndarray, *, thinnest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the ratios of neighbouring semi-axes of the ellipsoid of equal second moments.

    Parameters
    ----------
    axes : values (n, D) and vectors (n, D, D) of `np.linalg.eigh` of calibrated second moments.
    spacing : (D,) pixel size.
    thinnest : least shortest semi-axis, in pixels along its direction.

    Returns
    -------
    Ratios (n, D - 1), that of the two shortest axes first, and (n,) bool: thick enough to have a
    shape.
    """
    values, vectors = axes
    radius = np.sqrt(np.maximum((len(spacing) + 2) * values, 0))
    pixel = 1 / np.linalg.norm(vectors[:, :, 0] / spacing, axis=1)
    thick = radius[:, 0] >= thinnest * pixel
    with np.errstate(divide="ignore", invalid="ignore"):
        return radius[:, 1:] / radius[:, :-1], thick


def describe_shape(
    ratios: np.ndarray, *, radius: np.ndarray, faces: np.ndarray, thick: np.ndarray
) -> dict[str, np.ndarray]:
    """Compute the columns of shape; NaN where a nucleus is too thin.

    Parameters
    ----------
    ratios : (n, D - 1) of neighbouring axes, as of `axis_ratios`.
    radius : (n,) of the ball (2D: disc) of equal volume.
    faces : (n,) surface, or perimeter in 2D.
    thick : (n,) bool.

    Returns
    -------
    `sphericity` and `elongation`; in 3D also `sphericity_nucleusj` (36 pi V² / S³) and
    `flatness`.

    References
    ----------
    Wadell 1935, doi:10.1086/624298 (sphericity).
    Dubos et al. 2020, doi:10.1080/19491034.2020.1845012 (NucleusJ 2.0).
    """
    ndim = ratios.shape[1] + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        sphericity = (2 * np.pi * radius if ndim == 2 else 4 * np.pi * radius**2) / faces
    columns = {"sphericity": sphericity}
    if ndim == 3:
        columns |= {"sphericity_nucleusj": sphericity**3, "flatness": ratios[:, 0]}
    columns["elongation"] = ratios[:, -1]
    return {name: np.where(thick, values, np.nan) for name, values in columns.items()}


def are_reliable(covariance: np.ndarray) -> np.ndarray:
    """Decide which nuclei are thick enough for their numbers to be right.

    Parameters
    ----------
    covariance : (n, D, D) second moments in pixels, not in µm: what counts is how finely the grid
        samples the nucleus.

    Returns
    -------
    (n,) bool: five pixels or more from centre to surface in every direction.
    """
    shortest = np.linalg.eigvalsh(covariance)[:, 0]
    return np.sqrt(np.maximum((covariance.shape[1] + 2) * shortest, 0)) >= MIN_RADIUS


def measure_angles(axes: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute the directions of the axes, in degrees.

    Parameters
    ----------
    axes : values (n, D) and vectors (n, D, D) of `np.linalg.eigh` of calibrated second moments, in
        the order (z), y, x.

    Returns
    -------
    Columns, (n,) each; NaN where axes are equal within 3 % and so have no direction.

    orientation_deg : 2D; of the long axis, 0 along x, 90 along y, counter-clockwise on the screen,
        0 to 180.
    azimuth_deg : 3D; the same for the long axis seen along z.
    elevation_deg : 3D; angle between long axis and plane, -90 to 90, above 0 where the axis rises
        towards larger z on the way along its azimuth.
    tilt_deg : 3D; angle between short axis and z, 0 for a flat nucleus that lies in the plane, 90
        for one that stands on edge.
    """
    values, vectors = axes
    long, short = vectors[:, :, -1], vectors[:, :, 0]
    differs = values[:, 1:] > ROUND**2 * np.maximum(values[:, :-1], 1e-12)
    # An axis has no sign: choose the end that points up on the screen, which is -y.
    down = (long[:, -2] > 0) | ((long[:, -2] == 0) & (long[:, -1] < 0))
    long = np.where(down[:, None], -long, long)
    angle = np.where(
        differs[:, -1], np.degrees(np.arctan2(-long[:, -2], long[:, -1])) % 180, np.nan
    )
    if values.shape[1] == 2:
        return {"orientation_deg": angle}
    rise = np.degrees(np.arcsin(np.clip(long[:, 0], -1, 1)))
    tilt = np.degrees(np.arccos(np.clip(np.abs(short[:, 0]), 0, 1)))
    return {
        "azimuth_deg": angle,
        "elevation_deg": np.where(differs[:, -1], rise, np.nan),
        "tilt_deg": np.where(differs[:, 0], tilt, np.nan),
    }


def measure_solidity(ends: np.ndarray, owner: np.ndarray, *, size: np.ndarray) -> np.ndarray:
    """Compute the pixels of each nucleus divided by the pixels in its convex hull.

    As in scikit-image, the hull is that of the midpoints of the pixel faces, and a pixel lies in
    the hull if its centre does.

    Parameters
    ----------
    ends : (2, R, D) first and last pixels of runs along the last axis.
    owner : (R,) index of the nucleus of each run, from 0.
    size : (n,) pixels.

    Returns
    -------
    (n,) above 0 and up to 1; NaN where the nucleus is flat.
    """
    order = np.argsort(owner, kind="stable")
    pieces = np.split(
        ends[:, order].astype(float), np.cumsum(np.bincount(owner, minlength=len(size))), axis=1
    )[:-1]
    return np.array(
        [pixels / _count_in_hull(piece) for piece, pixels in zip(pieces, size, strict=True)]
    )


def _count_in_hull(ends: np.ndarray) -> float:
    """Pixels with their centre in the hull of the pixels between ends (2, R, D); NaN where flat."""
    from scipy.spatial import ConvexHull

    ndim = ends.shape[-1]
    low, high = ends.min(axis=(0, 1)), ends.max(axis=(0, 1))
    if np.any(high == low):
        return np.nan
    # From a pixel to the midpoints of its faces on the outside of the run.
    outward = np.zeros((2, 1, 2 * ndim - 1, ndim))
    outward[:, 0, : ndim - 1, :-1], outward[:, 0, ndim - 1 : -1, :-1] = (
        np.eye(ndim - 1) / 2,
        -np.eye(ndim - 1) / 2,
    )
    outward[:, 0, -1, -1] = -0.5, 0.5
    points = ((ends - low)[:, :, None] + outward).reshape(-1, ndim)
    # QJ moves points by less than TOUCH, which is faster than merging coplanar facets.
    planes = ConvexHull(points, qhull_options="QJ").equations
    rows = np.indices((high - low + 1).astype(int)[:-1]).reshape(ndim - 1, -1).T  # (R, D - 1)
    blocks = np.array_split(rows, 1 + len(rows) * len(planes) // BLOCK)
    return float(sum(_count_in_rows(block, planes) for block in blocks))


def _count_in_rows(rows: np.ndarray, planes: np.ndarray) -> int:
    """Count integers x between the planes (F, D + 1) along each row (R, D - 1).

    Each plane bounds x from one side, so that no pixel is tested by itself.
    """
    slope = planes[:, -2]
    steep = np.abs(slope) > TOUCH
    room = -(rows @ planes[:, :-2].T + planes[:, -1])  # (R, F): slope * x <= room
    bound = room[:, steep] / slope[steep]
    last = np.min(bound, axis=1, where=slope[steep] > 0, initial=np.inf)
    first = np.max(bound, axis=1, where=slope[steep] < 0, initial=-np.inf)
    hit = np.all(room[:, ~steep] >= -TOUCH, axis=1)
    return int((np.floor(last + TOUCH) - np.ceil(first - TOUCH) + 1)[hit].clip(0).sum())
