"""Which numbers of shape are right, by the pixels between centre and surface."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nbtools.measure.surface import ANGULAR, CONVEX, are_angular

# Pixels from where on a column is right within 5 %, whatever the position, the rotation and the z
# step, measured on bodies of known shape (benchmarks/shape_accuracy.py): along the shortest axis
# from centre to surface, and as the geometric mean of the axes. A disc of 5 px is thick enough, but
# has so few pixels that its area is off by 8 %.
SMOOTH_PX = {2: (3.5, 6.0), 3: (3.5, 4.2)}
ANGULAR_PX = {2: (5.0, 8.0), 3: (6.0, 6.0)}
AXES_PX = 3.5
SOLID_PX = 2.5  # thinner, a dent is as deep as a pixel


def name_unreliable(
    table: Mapping, covariance: np.ndarray, *, fullness: np.ndarray, solidity: np.ndarray
) -> np.ndarray:
    """Name the columns of each nucleus that may be off by more than 5 %.

    `sphericity_nucleusj` is a cube and so off by up to 15 %. A body with flat faces along the grid
    has its volume and surface as exactly as its edges are a whole number of pixels.

    Parameters
    ----------
    table : columns of shape.
    covariance : (n, D, D) second moments in pixels, not in µm: what counts is how finely the grid
        samples the nucleus.
    fullness : (n,) of `shape.compare_with_ellipsoid`.
    solidity : (n,); NaN where it was not measured.

    Returns
    -------
    (n,) names with a space between them, "" where all are right.
    """
    ndim = covariance.shape[1]
    angular = are_angular(fullness, ndim)
    thickness, mean = measure_thickness(covariance)
    coarse = (thickness < SMOOTH_PX[ndim][0]) | (mean < SMOOTH_PX[ndim][1])
    blunt = (thickness < ANGULAR_PX[ndim][0]) | (mean < ANGULAR_PX[ndim][1])
    # The hull is no help where a body that is no ellipsoid has dents as well.
    dented = (fullness < ANGULAR[ndim][1]) & ~(solidity >= CONVEX)
    wrong_surface = dented | coarse | (angular & blunt)
    wrong = {
        "volume": coarse,
        "area": coarse,
        "surface": wrong_surface,
        "perimeter": wrong_surface,
        "sphericity": wrong_surface,
        "flatness": thickness < AXES_PX,
        "elongation": thickness < AXES_PX,
        "solidity": thickness < SOLID_PX,
    }
    kinds = {name: name.split("_")[0] for name in table}
    judged = [(name, wrong[kind]) for name, kind in kinds.items() if kind in wrong]
    listed = [" ".join(name for name, bad in judged if bad[i]) for i in range(len(fullness))]
    return np.array(listed, object)


def measure_thickness(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure nuclei in pixels.

    Parameters
    ----------
    covariance : (n, D, D) second moments in pixels.

    Returns
    -------
    Shortest semi-axis and geometric mean of the semi-axes, (n,) each.
    """
    ndim = covariance.shape[1]
    axes = np.sqrt(np.maximum((ndim + 2) * np.linalg.eigvalsh(covariance), 0))
    return axes[:, 0], axes.prod(axis=1) ** (1 / ndim)
