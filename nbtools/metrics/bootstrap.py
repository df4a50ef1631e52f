"""Confidence intervals by the bootstrap: how much a score depends on the images it was measured on.

Images are drawn with replacement, or whole groups of them where images of a group resemble each
other. Only sums over images are drawn again, so that each of the 2000 draws costs a product of
matrices and no new matching.

References
----------
Efron & Tibshirani 1993, An Introduction to the Bootstrap, doi:10.1201/9780429246593.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000  # bootstrap samples: limits of the interval then vary by about 0.002
LIMITS = (2.5, 97.5)  # percentiles of the draws

# (..., counts) summed over images to a dictionary: name to (...) rates
Rate = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Counting:
    """How the scores of a task add up over images, so that any draw of images can be scored.

    Parameters
    ----------
    metrics : by name, the one that methods are ranked by first.
    count : (rows of `evaluate` for each method, its whole scores) → (methods, images, …)
        numbers that add up over images, and the function that turns their sums into metrics.
    smaller_is_better : those of the metrics where less is better.
    """

    metrics: tuple[str, ...]
    count: Callable[[Sequence[Sequence[Mapping]], Sequence[Mapping]], tuple[np.ndarray, Rate]]
    smaller_is_better: tuple[str, ...] = ()


def find_units(names: Sequence[str], groups: Mapping[str, object] | None = None) -> np.ndarray:
    """Number the units that are drawn: single images, or groups (mosaic, embryo, patient).

    Parameters
    ----------
    names : of the images.
    groups : name of an image to its group; an image without a group is a group of its own.

    Returns
    -------
    (images,) index of the unit that each image belongs to.

    Examples
    --------
    >>> find_units(["a", "b", "c"], {"a": "embryo 1", "c": "embryo 1"}).tolist()
    [1, 0, 1]
    """
    if not groups:
        return np.arange(len(names))
    return np.unique([str(groups.get(name, name)) for name in names], return_inverse=True)[1]


def resample_sums(table: np.ndarray, *, units: np.ndarray, seed: int = 0) -> np.ndarray | None:
    """Sum a table over the images of each bootstrap sample.

    Parameters
    ----------
    table : (images, ...) quantities that add up over images.
    units : (images,) index of the unit that each image is drawn with.
    seed : of the random draws.

    Returns
    -------
    (DRAWS, ...) sums; None where there is only one unit.
    """
    n = int(units.max(initial=-1)) + 1
    if n < 2:
        return None
    sums = np.zeros((n, *table.shape[1:]))
    np.add.at(sums, units, table)
    # How often each unit is drawn is multinomial: one product replaces DRAWS indexed copies.
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    return np.tensordot(times, sums, axes=1)


def find_intervals(
    table: np.ndarray, rate: Rate, *, units: np.ndarray, seed: int = 0
) -> dict[str, list[float] | None]:
    """Compute the 95 % percentile interval of each rate that follows from sums over images.

    Parameters
    ----------
    table : (images, ...) quantities that add up over images.
    rate : (..., ...) sums to a dictionary: name to (...) values.
    units : (images,) index of the unit that each image is drawn with.
    seed : of the random draws.

    Returns
    -------
    Name to [low, high]; None where there is only one unit to draw.

    Examples
    --------
    >>> table = np.array([[1.0, 2.0], [1.0, 2.0]])  # found and true nuclei in two images
    >>> def recall(sums):
    ...     return {"recall": sums[..., 0] / sums[..., 1]}
    >>> find_intervals(table, recall, units=find_units(["a", "b"]))
    {'recall': [0.5, 0.5]}
    """
    drawn = resample_sums(table, units=units, seed=seed)
    if drawn is None:
        return dict.fromkeys(rate(table.sum(axis=0)))
    return {name: find_percentile_interval(values) for name, values in rate(drawn).items()}


def find_percentile_interval(drawn: np.ndarray) -> list[float] | None:
    """Compute the interval that holds the central 95 % of the bootstrap samples.

    Parameters
    ----------
    drawn : (DRAWS,) values; samples that are not finite are left out.

    Returns
    -------
    [low, high]; None where no sample is finite.
    """
    drawn = drawn[np.isfinite(drawn)]
    return [float(v) for v in np.percentile(drawn, LIMITS)] if len(drawn) else None
