"""Comparison of groups of nuclei, with the plant or the animal as the unit, not the nucleus.

Nuclei of one plant share its age, its position on the slide and its staining: they resemble each
other, and a hundred of them tell little more about *other* plants than ten. Counted as independent
they make every interval too narrow and produce differences where there are none
(pseudo-replication).

References
----------
Hurlbert 1984, doi:10.2307/1942661.
Lord et al. 2020, doi:10.1083/jcb.202001064.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nbtools.errors import UserError
from nbtools.metrics.bootstrap import FEWEST, find_best_coverage, find_tail
from nbtools.metrics.unit_statistics import (
    ALPHA,
    Estimate,
    UnitStatistics,
    estimate_by_nucleus,
    estimate_by_unit,
    fit_mixed_model,
    measure_hedges_g,
    summarize_units,
)

METHODS = ("units", "mixed", "bootstrap")
DRAWS, SEED = 4000, 0


def compare_groups(
    table: Mapping,
    columns: str | Sequence[str],
    *,
    group: str,
    unit: str | None,
    method: str = "units",
    reference: str | None = None,
) -> dict:
    """Estimate how much groups differ from a reference, with intervals that hold for new units.

    Parameters
    ----------
    table : column to values, one row per nucleus (a dictionary or a pandas table).
    columns : name or names of the columns that are compared.
    group : column that names the group (genotype, treatment).
    unit : column that names the plant, animal or dish. Units belong to one group: plant 1 of one
        group is not plant 1 of the next. None treats each nucleus as a unit of its own, which is
        right only if each comes from another plant.
    method : "units" compares the means of the units by Welch's t-test, simple and robust. "mixed"
        fits a linear mixed model with a random intercept per unit by REML, in which units with many
        nuclei count more. "bootstrap" draws units with replacement and widens the percentiles for
        few units: for values far from normal, with at least ten units.
    reference : name of the group that others are compared with; the first in the table if None.

    Returns
    -------
    Plain JSON values: `unit`, `method`, `reference`, `groups` (name to units and nuclei) and
    `rows`, one per column and group: `difference` (group minus reference) with `interval_95`,
    `ratio` with `ratio_interval_95` (None where a mean is not above 0), `p`, `p_holm` (corrected
    for the number of rows), `hedges_g` in standard deviations between units with its interval, and
    `icc`, the share of the variance that lies between units. Rows of the table without a number, or
    without the name of a group or unit, are left out: `left_out` has what is missing in how many
    rows. `notes` are sentences on what was left out and on what intervals of few units are worth;
    whoever shows the intervals shows them.

    Raises
    ------
    UserError : an unknown column, method or reference, fewer than two groups, fewer than two units
        in a group, or a mixed model with one nucleus per unit.

    References
    ----------
    Hesterberg 2015, doi:10.1080/00031305.2015.1089789 (bootstrap with few units).

    Examples
    --------
    >>> table = {
    ...     "volume_um3": [1, 2, 3, 4, 6, 7, 8, 9],
    ...     "plant": list("aabbccdd"),
    ...     "line": ["wt"] * 4 + ["mutant"] * 4,
    ... }
    >>> comparison = compare_groups(table, "volume_um3", group="line", unit="plant")
    >>> comparison["rows"][0]["difference"]
    5.0
    """
    if method not in METHODS:
        raise UserError(
            "The method of comparison must be a known one.",
            repr(method),
            f"Use one of: {', '.join(METHODS)}.",
        )
    rows, left_out = [], {}
    for column in [columns] if isinstance(columns, str) else columns:
        units = summarize_units(table, column, group=group, unit=unit, reference=reference)
        rows += _compare(units, column, method=method)
        left_out |= units.left_out
    for row, p in zip(rows, _correct([row["p"] for row in rows]), strict=True):
        row["p_holm"] = p
    names = [str(name) for name in units.names]
    return {
        "unit": unit or "nucleus",
        "method": method,
        "reference": names[0],
        "groups": {
            n: {"units": int(u), "nuclei": int(c)}
            for n, u, c in zip(names, units.sizes, units.sum_by_group(units.count), strict=True)
        },
        "rows": rows,
        "left_out": left_out,
        "notes": [
            *(f"{count} rows without {name} are left out." for name, count in left_out.items()),
            *_describe_worth(units, unit=unit or "nucleus", method=method),
        ],
    }


def _describe_worth(units: UnitStatistics, *, unit: str, method: str) -> list[str]:
    """What intervals of few units are worth, in a sentence; [] where there are enough."""
    fewest = int(units.sizes.min())
    if fewest >= FEWEST:
        return []
    which = f"{fewest} per group" if len(set(units.sizes)) == 1 else f"as few as {fewest}"
    if method == "bootstrap":
        share = 100 * find_best_coverage(fewest)
        return [
            f"Of so few units ({unit}: {which}) a bootstrap interval holds the true difference in "
            f"some {share:.0f} % of cases, not in 95 %: use method='units'."
        ]
    return [
        f"Of so few units ({unit}: {which}) the intervals are 95 % intervals only if the means of "
        "units are normally distributed, which nobody can see of fewer than six; and one unusual "
        "unit decides. Repeat with more before you conclude."
    ]


def count_false_alarms(
    table: Mapping, column: str, *, group: str, unit: str, splits: int = 1000, seed: int = 0
) -> dict:
    """Estimate the false positive rate: units are assigned to the groups at random, many times.

    First all groups are shifted to a mean of 0, so that no true difference is left.

    Parameters
    ----------
    table, column, group, unit : as in `compare_groups`.
    splits : number of random assignments.
    seed : of the random assignments.

    Returns
    -------
    Share of assignments with p < 0.05 in Welch's test, `by_unit` and `by_nucleus` (each nucleus
    counted as independent), both of which should be 0.05, and `splits`.

    Raises
    ------
    UserError : as in `compare_groups`.
    """
    units = summarize_units(table, column, group=group, unit=unit)
    centre = units.sum_by_group(units.mean * units.count) / units.sum_by_group(units.count)
    mean, rng, alarms = units.mean - centre[units.group], np.random.default_rng(seed), np.zeros(2)
    for _ in range(splits):
        order = rng.permutation(len(mean))
        shuffled = UnitStatistics(
            mean[order], units.count[order], units.within[order], units.group, units.names
        )
        alarms += [
            _test(estimate, (0, 1))[2] < ALPHA
            for estimate in (estimate_by_unit(shuffled), estimate_by_nucleus(shuffled))
        ]
    return {
        "by_unit": float(alarms[0] / splits),
        "by_nucleus": float(alarms[1] / splits),
        "splits": splits,
    }


def _compare(units: UnitStatistics, column: str, *, method: str) -> list[dict]:
    """One row per group, without the reference."""
    mixed = fit_mixed_model(units) if method == "mixed" or (units.count > 1).any() else None
    estimate = mixed[0] if method == "mixed" else estimate_by_unit(units)
    return [
        _describe(units, estimate, column=column, other=k, drawn=method == "bootstrap")
        | {"icc": mixed[1] / (mixed[1] + mixed[2]) if mixed and mixed[1] + mixed[2] > 0 else None}
        for k in range(1, len(units.names))
    ]


def _describe(
    units: UnitStatistics, estimate: Estimate, *, column: str, other: int, drawn: bool
) -> dict:
    reference, mean = estimate.mean[0], estimate.mean[other]
    difference, half, p = _test(estimate, (0, other))
    interval, positive = [difference - half, difference + half], reference > 0 and mean > 0
    ratio = _ratio_interval(estimate, other) if positive else None
    if drawn:
        interval, ratio = _draw(units, estimate, other=other, positive=positive)
    g, limits = measure_hedges_g(units, other)
    return {
        name: _plain(value)
        for name, value in {
            "column": column,
            "group": units.names[other],
            "against": units.names[0],
            "means": [reference, mean],
            "difference": difference,
            "interval_95": interval,
            "ratio": mean / reference if positive else None,
            "ratio_interval_95": ratio,
            "p": p,
            "hedges_g": g,
            "hedges_g_interval_95": limits,
        }.items()
    }


def _degrees(estimate: Estimate, pair: tuple[int, int], weights: np.ndarray) -> float:
    """Degrees of freedom of two weighted variances: the model's, or Welch-Satterthwaite's."""
    if np.ndim(estimate.degrees_of_freedom) == 0:
        return float(estimate.degrees_of_freedom)
    parts = estimate.variance[list(pair)] * weights
    return float(
        parts.sum() ** 2 / max((parts**2 / estimate.degrees_of_freedom[list(pair)]).sum(), 1e-300)
    )


def _test(estimate: Estimate, pair: tuple[int, int]) -> tuple[float, float, float]:
    """Difference of two means, half of its 95 % interval, and p of the t-test."""
    from scipy.special import stdtr, stdtrit

    difference = estimate.mean[pair[1]] - estimate.mean[pair[0]]
    error, degrees_of_freedom = (
        np.sqrt(estimate.variance[list(pair)].sum()),
        _degrees(estimate, pair, np.ones(2)),
    )
    p = (
        2 * stdtr(degrees_of_freedom, -abs(difference) / error)
        if error > 0
        else float(difference == 0)
    )
    return difference, stdtrit(max(degrees_of_freedom, 1), 1 - ALPHA / 2) * error, p


def _ratio_interval(estimate: Estimate, other: int) -> list[float]:
    """Interval of the ratio of two means, by the delta method on its logarithm."""
    from scipy.special import stdtrit

    pair = [0, other]
    weights = 1 / estimate.mean[pair] ** 2
    error = np.sqrt((estimate.variance[pair] * weights).sum())
    half = stdtrit(max(_degrees(estimate, (0, other), weights), 1), 1 - ALPHA / 2) * error
    return list(estimate.mean[other] / estimate.mean[0] * np.exp([-half, half]))


def _draw(
    units: UnitStatistics, estimate: Estimate, *, other: int, positive: bool
) -> tuple[list[float], list[float] | None]:
    """Intervals of difference and ratio over bootstrap samples of whole units.

    Percentiles of few units are too narrow; they are moved out as far as the t-distribution is
    wider than the normal one (Hesterberg 2015, doi:10.1080/00031305.2015.1089789).
    """
    rng, drawn = np.random.default_rng(SEED), []
    for k in (0, other):
        own = units.mean[units.group == k]
        drawn.append(own[rng.integers(len(own), size=(DRAWS, len(own)))].mean(axis=1))
    smaller = min(units.sizes[0], units.sizes[other])
    tail = find_tail(smaller, _degrees(estimate, (0, other), np.ones(2)))
    limits = [100 * tail, 100 * (1 - tail)]
    ratio = (
        list(np.percentile(drawn[1] / drawn[0], limits))
        if positive and (drawn[0] > 0).all()
        else None
    )
    return list(np.percentile(drawn[1] - drawn[0], limits)), ratio


def _correct(values: list[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979, https://www.jstor.org/stable/4615733)."""
    order, worst, corrected = np.argsort(values), 0.0, [1.0] * len(values)
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(values) - rank) * values[i]))
        corrected[i] = float(worst)
    return corrected


def _plain(value: object) -> object:
    return (
        [float(v) for v in value]
        if isinstance(value, list)
        else float(value)
        if isinstance(value, (np.floating, int))
        else value
    )
