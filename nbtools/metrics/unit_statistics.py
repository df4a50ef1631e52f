"""Nuclei gathered by the plant or animal they come from, and what groups of such units estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nbtools.errors import UserError

ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class UnitStatistics:
    """All that a comparison needs to know of the nuclei, gathered by unit.

    mean, count, within : (U,) mean of the nuclei of a unit, their number, and their sum of squares
        around that mean.
    group : (U,) index of its group. names : of the groups, the reference first.
    """

    mean: np.ndarray
    count: np.ndarray
    within: np.ndarray
    group: np.ndarray
    names: tuple[str, ...]

    def sum_by_group(self, values: np.ndarray) -> np.ndarray:
        """Sum of values (U,) over the units of each group: (G,)."""
        return np.bincount(self.group, weights=values, minlength=len(self.names))

    @cached_property
    def sizes(self) -> np.ndarray:
        """UnitStatistics of each group (G,)."""
        return np.bincount(self.group, minlength=len(self.names))

    @cached_property
    def between_variance(self) -> np.ndarray:
        """Variance between the means of the units of each group (G,)."""
        centre = self.sum_by_group(self.mean) / self.sizes
        return self.sum_by_group((self.mean - centre[self.group]) ** 2) / np.maximum(
            self.sizes - 1, 1
        )


@dataclass(frozen=True, eq=False)
class Estimate:
    """Mean of each group (G,), the variance of that mean (G,), and the degrees of degrees_of_freedom of each
    variance (G,), or of all together.
    """

    mean: np.ndarray
    variance: np.ndarray
    degrees_of_freedom: np.ndarray | int


def summarize_units(
    table: Mapping, column: str, *, group: str, unit: str | None, reference: str | None = None
) -> UnitStatistics:
    """The nuclei of a table by unit; a UserError where they cannot be compared."""
    missing = [name for name in (column, group, unit) if name is not None and name not in table]
    if missing:
        raise UserError(
            "Columns to compare must stand in the table.",
            ", ".join(missing),
            f"Known: {', '.join(map(str, table))}.",
        )
    values = np.asarray(table[column], float)
    known = np.isfinite(values)
    values, of_group = values[known], np.asarray(table[group])[known].astype(str)
    of_unit = (
        np.arange(len(values))
        if unit is None
        else np.unique(np.asarray(table[unit])[known].astype(str), return_inverse=True)[1]
    )
    names = _order(of_group, reference)
    found, member = np.unique(of_group, return_inverse=True)
    number = np.array([names.index(g) for g in found])[member]
    key, own = np.unique(number * (len(values) + 1) + of_unit, return_inverse=True)
    count = np.bincount(own)
    mean = np.bincount(own, weights=values) / count
    units = UnitStatistics(
        mean,
        count,
        np.bincount(own, weights=(values - mean[own]) ** 2),
        key // (len(values) + 1),
        names,
    )
    if (units.sizes < 2).any():
        received = ", ".join(f"{n}: {s}" for n, s in zip(names, units.sizes, strict=True))
        raise UserError(
            f"Each group needs two units ({unit or 'nuclei'}) or more.",
            received,
            "Nuclei of one plant cannot stand for other plants.",
        )
    return units


def _order(of_group: np.ndarray, reference: str | None) -> tuple[str, ...]:
    """Names of the groups in the order of the table, the reference first."""
    names = list(dict.fromkeys(of_group))
    if len(names) < 2:
        raise UserError(
            "At least two groups are needed to compare.",
            ", ".join(names) or "none",
            "Add the rows of another group.",
        )
    if reference is not None and str(reference) not in names:
        raise UserError(
            "The reference must be one of the groups.",
            repr(reference),
            f"Known: {', '.join(names)}.",
        )
    first = names[0] if reference is None else str(reference)
    return (first, *(n for n in names if n != first))


def estimate_by_unit(units: UnitStatistics) -> Estimate:
    """Each unit counts once."""
    return Estimate(
        units.sum_by_group(units.mean) / units.sizes,
        units.between_variance / units.sizes,
        units.sizes - 1,
    )


def estimate_by_nucleus(units: UnitStatistics) -> Estimate:
    """Each nucleus counts once, as if it were independent of the others."""
    count = units.sum_by_group(units.count)
    mean = units.sum_by_group(units.mean * units.count) / count
    squares = units.sum_by_group(units.within + units.count * (units.mean - mean[units.group]) ** 2)
    return Estimate(mean, squares / (count - 1) / count, count - 1)


def fit_mixed_model(units: UnitStatistics) -> tuple[Estimate, float, float]:
    """Linear mixed model: a mean for each group, a random intercept for each unit; REML, exact up
    to a search in one dimension.

    Returns the means, and the variances between and within units. Only the means of the units carry
    the group, so that each counts with the weight n / (1 + n between / within), and the degrees of
    degrees_of_freedom are units less groups.
    """
    from scipy.optimize import minimize_scalar

    if (units.count == 1).all():
        raise UserError(
            "A mixed model needs units with several nuclei.",
            "one nucleus a unit",
            'Use method="units".',
        )
    degrees_of_freedom = int(units.count.sum() - len(units.names))

    def solve(share: float) -> tuple[float, np.ndarray, np.ndarray, float]:
        ratio = share / (1 - share)  # between over within
        weight = units.count / (1 + ratio * units.count)
        total = units.sum_by_group(weight)
        mean = units.sum_by_group(weight * units.mean) / total
        within = (
            units.within.sum() + (weight * (units.mean - mean[units.group]) ** 2).sum()
        ) / degrees_of_freedom
        loss = (
            degrees_of_freedom * np.log(max(within, 1e-300))
            + np.log1p(ratio * units.count).sum()
            + np.log(total).sum()
        )
        return loss, mean, within / total, within

    best = minimize_scalar(
        lambda share: solve(share)[0],
        bounds=(0, 1 - 1e-9),
        method="bounded",
        options={"xatol": 1e-9},
    ).x
    share = best if solve(best)[0] < solve(0.0)[0] else 0.0
    _, mean, variance, within = solve(share)
    return (
        Estimate(mean, variance, int(units.sizes.sum()) - len(units.names)),
        within * share / (1 - share),
        within,
    )


def measure_hedges_g(units: UnitStatistics, other: int) -> tuple[float | None, list[float] | None]:
    """Hedges' g of a group against the first, in pooled standard deviations between units, and its
    95 % interval by the noncentral t.

    Hedges 1981, doi:10.3102/10769986006002107. None where the units of both groups do not vary.
    """
    from scipy.special import gammaln, nctdtrinc

    n = units.sizes[[0, other]]
    degrees_of_freedom = n.sum() - 2
    pooled = np.sqrt((units.between_variance[[0, other]] * (n - 1)).sum() / degrees_of_freedom)
    if not pooled > 0:
        return None, None
    means = units.sum_by_group(units.mean) / units.sizes
    d, scale = (means[other] - means[0]) / pooled, np.sqrt(1 / n[0] + 1 / n[1])
    fair = (
        np.exp(gammaln(degrees_of_freedom / 2) - gammaln((degrees_of_freedom - 1) / 2))
        / np.sqrt(degrees_of_freedom / 2)
        if degrees_of_freedom > 1
        else 1.0
    )
    limits = [
        fair * scale * nctdtrinc(degrees_of_freedom, q, d / scale)
        for q in (1 - ALPHA / 2, ALPHA / 2)
    ]
    return fair * d, limits
