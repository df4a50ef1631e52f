"""Shape of nuclei: axes by second moments, sphericity and angles; and which numbers are right."""

from __future__ import annotations

import numpy as np

from nbtools.geometry import UNIT_BALL

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


def compare_with_ellipsoid(volume: np.ndarray, axes: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Compute how much of the ellipsoid of equal second moments a nucleus fills.

    Of all bodies with given second moments the ellipsoid is the largest: 1 for ellipsoids, less for
    everything else, 0.89 for a cube (2D: 0.95 for a square).

    Parameters
    ----------
    volume : (n,) or area.
    axes : values (n, D) and vectors (n, D, D) of `np.linalg.eigh` of calibrated second moments.

    Returns
    -------
    (n,) share.
    """
    ndim = axes[0].shape[1]
    radius = np.sqrt(np.maximum((ndim + 2) * axes[0], 1e-12))
    return volume / (UNIT_BALL[ndim] * radius.prod(axis=1))


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
