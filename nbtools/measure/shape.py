"""Shape of nuclei: axes of the ellipsoid of equal second moments, sphericity, solidity."""

from __future__ import annotations

import numpy as np

BLOCK = 4_000_000  # row-plane pairs looked at together; bounds the memory
TOUCH = 1e-6  # pixels; what lies on the hull is in it
ENOUGH = 4.9  # pixels from centre to surface: five, less what counting pixels leaves open
ROUND = 1.03  # axes that differ by less have no direction


def axis_ratios(
    axes: tuple[np.ndarray, np.ndarray], spacing: np.ndarray, *, thinnest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ratios of neighbouring semi-axes (n, D - 1), shortest first, and which nuclei are thick
    enough for them (n,) bool.

    axes : values (n, D) and vectors (n, D, D) of `np.linalg.eigh` of calibrated second moments.
    thinnest : least shortest semi-axis, in pixels along its direction.
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
    """Columns of shape; NaN where a nucleus is too thin. radius : of equal volume; faces : surface,
    or perimeter in 2D.

    Flatness, elongation and `sphericity_nucleusj` (36 pi V² / S³) as in NucleusJ (Dubos et al.
    2020, doi:10.1080/19491034.2020.1845012); `sphericity` after Wadell, surface of the ball of
    equal volume over the surface.
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
    """Which nuclei are thick enough for their numbers to be right, (n,) bool: five pixels from
    centre to surface in every direction.

    covariance : (n, D, D) second moments in pixels, not in µm: what counts is how finely the grid
        samples the nucleus.
    """
    shortest = np.linalg.eigvalsh(covariance)[:, 0]
    return np.sqrt(np.maximum((covariance.shape[1] + 2) * shortest, 0)) >= ENOUGH


def measure_angles(axes: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """Directions of the axes, in degrees; NaN where axes are equal within 3 %, so that they have
    none.

    axes : values (n, D) and vectors (n, D, D) of `np.linalg.eigh` of calibrated second moments, in
        the order of the image (z), y, x.
    2D: `orientation_deg`, of the long axis, 0 along x, 90 along y, counter-clockwise as seen on the
    screen, from 0 to 180. 3D: `azimuth_deg`, the same for the long axis seen along z;
    `elevation_deg`, its angle with the plane, -90 to 90, above 0 where it rises towards larger z on
    the way along its azimuth; `tilt_deg`, angle between the short axis and z: 0 for a flat nucleus
    that lies in the plane, 90 for one that stands on edge.
    """
    values, vectors = axes
    long, short = vectors[:, :, -1], vectors[:, :, 0]
    differs = values[:, 1:] > ROUND**2 * np.maximum(values[:, :-1], 1e-12)
    long = (
        long
        * np.where((long[:, -2] > 0) | ((long[:, -2] == 0) & (long[:, -1] < 0)), -1, 1)[:, None]
    )  # up on the screen is -y
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
    """Pixels of each nucleus over the pixels in its convex hull, (n,); NaN where the nucleus is
    flat.

    ends : (2, R, D) first and last pixels of runs along the last axis. owner : (R,) nucleus 0..n-1
        of each. size : (n,) pixels.
    As scikit-image's solidity: the hull is that of the midpoints of the pixels' faces, and pixels
    count by their centres.
    """
    order = np.argsort(owner, kind="stable")
    pieces = np.split(
        ends[:, order].astype(float), np.cumsum(np.bincount(owner, minlength=len(size))), axis=1
    )[:-1]
    return np.array(
        [pixels / _count_in_hull(piece) for piece, pixels in zip(pieces, size, strict=True)]
    )


def _count_in_hull(ends: np.ndarray) -> float:
    """Pixels whose centre lies in the hull of the pixels between ends (2, R, D); NaN where these
    are flat.
    """
    from scipy.spatial import ConvexHull

    ndim = ends.shape[-1]
    low, high = ends.min(axis=(0, 1)), ends.max(axis=(0, 1))
    if np.any(high == low):
        return np.nan
    outward = np.zeros(
        (2, 1, 2 * ndim - 1, ndim)
    )  # midpoints of the faces that a run shows, none inside the run
    outward[:, 0, : ndim - 1, :-1], outward[:, 0, ndim - 1 : -1, :-1] = (
        np.eye(ndim - 1) / 2,
        -np.eye(ndim - 1) / 2,
    )
    outward[:, 0, -1, -1] = -0.5, 0.5
    points = ((ends - low)[:, :, None] + outward).reshape(-1, ndim)
    planes = ConvexHull(
        points, qhull_options="QJ"
    ).equations  # QJ moves points by less than TOUCH; it is quicker than merging planes
    rows = np.indices((high - low + 1).astype(int)[:-1]).reshape(ndim - 1, -1).T  # (R, D - 1)
    blocks = np.array_split(rows, 1 + len(rows) * len(planes) // BLOCK)
    return float(sum(_count_in_rows(block, planes) for block in blocks))


def _count_in_rows(rows: np.ndarray, planes: np.ndarray) -> int:
    """Whole numbers x between the planes (F, D + 1) along each row (R, D - 1): each plane bounds x
    from one side.
    """
    slope = planes[:, -2]
    steep = np.abs(slope) > TOUCH
    room = -(rows @ planes[:, :-2].T + planes[:, -1])  # (R, F): slope * x <= room
    bound = room[:, steep] / slope[steep]
    last = np.min(bound, axis=1, where=slope[steep] > 0, initial=np.inf)
    first = np.max(bound, axis=1, where=slope[steep] < 0, initial=-np.inf)
    hit = np.all(room[:, ~steep] >= -TOUCH, axis=1)
    return int((np.floor(last + TOUCH) - np.ceil(first - TOUCH) + 1)[hit].clip(0).sum())
