"""Confidence intervals by the bootstrap: how much a score depends on the images it was measured on.

Images are drawn with replacement, or whole groups of them where images of a group resemble each
other. Only sums over images are drawn again, so that each of the 2000 draws costs a product of
matrices and no new matching.

The percentiles of few units are too close together; they are moved out as far as the t-distribution
is wider than the normal one (Hesterberg 2015). That helps down to six units. No draw leaves the
range from the lowest to the highest unit, and of n units that range holds the median of all others
with a probability of 1 - 2^(1-n): 97 % of six, 94 % of five, 88 % of four, 75 % of three, 50 % of
two. An interval of fewer than six is therefore no 95 % interval, and everything that shows one says
so (benchmarks/interval_coverage.py measures what it holds).

References
----------
Efron & Tibshirani 1993, An Introduction to the Bootstrap, doi:10.1201/9780429246593.
Hesterberg 2015, doi:10.1080/00031305.2015.1089789 (few units).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000  # bootstrap samples: limits of the interval then vary by about 0.002
FEWEST = 6  # units; of fewer there is no 95 % interval

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
    """Compute the 95 % interval of each rate that follows from sums over images.

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
    count = count_units(units)
    return {n: find_percentile_interval(v, units=count) for n, v in rate(drawn).items()}


def find_percentile_interval(drawn: np.ndarray, *, units: int) -> list[float] | None:
    """Compute the 95 % interval from bootstrap samples, wider where there are few units.

    Parameters
    ----------
    drawn : (DRAWS,) values; samples that are not finite are left out.
    units : number of units that were drawn from, two or more.

    Returns
    -------
    [low, high]; None where no sample is finite.
    """
    drawn = drawn[np.isfinite(drawn)]
    tail = 100 * find_tail(units)
    return [float(v) for v in np.percentile(drawn, (tail, 100 - tail))] if len(drawn) else None


def find_tail(units: int, degrees_of_freedom: float | None = None) -> float:
    """Compute the share of the draws that lies outside the interval on each side.

    Parameters
    ----------
    units : number of units, two or more.
    degrees_of_freedom : of the t-distribution; units - 1 if None.

    Examples
    --------
    >>> [round(100 * find_tail(n), 2) for n in (6, 20, 1000)]
    [0.24, 1.59, 2.48]
    """
    from scipy.special import ndtr, stdtrit

    t = stdtrit(units - 1 if degrees_of_freedom is None else degrees_of_freedom, 0.975)
    return float(ndtr(-np.sqrt(units / (units - 1)) * t))


def count_units(units: np.ndarray) -> int:
    """Count the units, from the index (images,) of the unit of each image."""
    return int(units.max(initial=-1)) + 1


def describe_units(names: Sequence[str], groups: Mapping[str, object] | None = None) -> dict:
    """What intervals were drawn over, as `evaluate` returns it.

    Parameters
    ----------
    names, groups : as of `find_units`.

    Examples
    --------
    >>> describe_units(["a", "b", "c"], {"a": "embryo 1", "c": "embryo 1"})
    {'drawn': 'groups', 'count': 2}
    """
    drawn = "groups" if groups else "images"
    return {"drawn": drawn, "count": count_units(find_units(names, groups))}


def find_best_coverage(units: int) -> float:
    """Share of intervals, at best, that hold the truth, of so few units that it is below 95 %.

    Parameters
    ----------
    units : number of units.

    Examples
    --------
    >>> [find_best_coverage(n) for n in (3, 4, 5, 6)]
    [0.75, 0.875, 0.9375, 0.95]
    """
    return min(0.95, 1 - 2.0 ** (1 - units))


def name_interval(about: Mapping | None) -> str:
    """Name an interval by what it is worth.

    Parameters
    ----------
    about : of `describe_units`; None where it is not known.

    Examples
    --------
    >>> name_interval({"drawn": "images", "count": 20})
    '95 % interval'
    >>> name_interval({"drawn": "groups", "count": 4})
    'interval of only 4 groups, right in 88 % of cases at best'
    """
    if not about or about["count"] >= FEWEST:
        return "95 % interval"
    if about["count"] < 2:
        return f"no interval from one {about['drawn'].removesuffix('s')}"
    share = 100 * find_best_coverage(about["count"])
    few = f"{about['count']} {about['drawn']}"
    return f"interval of only {few}, right in {share:.0f} % of cases at best"


def format_interval(limits: Sequence[float], about: Mapping | None, *, digits: int = 3) -> str:
    """Format an interval with what it is worth.

    Parameters
    ----------
    limits : lowest and highest value.
    about : of `describe_units`; None where it is not known.
    digits : behind the point.

    Examples
    --------
    >>> format_interval((0.8, 0.9), {"drawn": "images", "count": 20}, digits=2)
    '95 % interval 0.80 to 0.90'
    >>> format_interval((0.8, 0.9), {"drawn": "images", "count": 3}, digits=2)
    'interval of only 3 images, right in 75 % of cases at best: 0.80 to 0.90'
    """
    name = name_interval(about)
    if about and about["count"] < 2:
        return name
    between = ":" if about and about["count"] < FEWEST else ""
    return f"{name}{between} {limits[0]:.{digits}f} to {limits[1]:.{digits}f}"
