"""Nuclei summarised per unit (plant, animal), and estimates of group means from such units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from nbtools.errors import UserError
from nbtools.metrics.table_values import find_missing, read_names, read_numbers

ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class UnitStatistics:
    """Statistics per unit that are sufficient for comparing groups.

    Parameters
    ----------
    mean : (U,) mean of the nuclei of each unit.
    count : (U,) number of nuclei.
    within : (U,) sum of squares of the nuclei around the mean of their unit.
    group : (U,) index of the group of each unit.
    names : of the G groups, the reference first.
    left_out : what is missing in rows of the table that were left out, and in how many.
    """

    mean: np.ndarray
    count: np.ndarray
    within: np.ndarray
    group: np.ndarray
    names: tuple[str, ...]
    left_out: dict[str, int] = field(default_factory=dict)

    def sum_by_group(self, values: np.ndarray) -> np.ndarray:
        """Sum values (U,) over the units of each group: (G,)."""
        return np.bincount(self.group, weights=values, minlength=len(self.names))

    @cached_property
    def sizes(self) -> np.ndarray:
        """(G,) number of units per group."""
        return np.bincount(self.group, minlength=len(self.names))

    @cached_property
    def between_variance(self) -> np.ndarray:
        """(G,) variance between the means of the units of each group."""
        centre = self.sum_by_group(self.mean) / self.sizes
        return self.sum_by_group((self.mean - centre[self.group]) ** 2) / np.maximum(
            self.sizes - 1, 1
        )


@dataclass(frozen=True, eq=False)
class Estimate:
    """Estimated means of the groups.

    Parameters
    ----------
    mean : (G,) of each group.
    variance : (G,) of that mean.
    degrees_of_freedom : (G,) of each variance, or one number for all.
    """

    mean: np.ndarray
    variance: np.ndarray
    degrees_of_freedom: np.ndarray | int


def summarize_units(
    table: Mapping, column: str, *, group: str, unit: str | None, reference: str | None = None
) -> UnitStatistics:
    """Summarise the nuclei of a table per unit.

    Parameters
    ----------
    table : column to values, one row per nucleus.
    column : the measurement, decimal commas understood; rows that are not finite are left out.
    group, unit : columns that name group and unit; unit None makes each nucleus a unit. Rows in
        which a name is missing are left out, and counted.
    reference : name of the group that comes first; the first in the table if None.

    Returns
    -------
    Statistics of U units in G groups.

    Raises
    ------
    UserError : a column or the reference is unknown, there are fewer than two groups, or a group
        has fewer than two units.
    """
    missing = [name for name in (column, group, unit) if name is not None and name not in table]
    if missing:
        raise UserError(
            "The columns to compare must be in the table.",
            ", ".join(missing),
            f"Known: {', '.join(map(str, table))}.",
        )
    values = read_numbers(table, column)
    known, left_out = find_known(table, values, columns=(column, group, unit))
    values, of_group = values[known], read_names(table[group])[known]
    of_unit = (
        np.arange(len(values))
        if unit is None
        else np.unique(read_names(table[unit])[known], return_inverse=True)[1]
    )
    names = _order(of_group, reference)
    group_names, member = np.unique(of_group, return_inverse=True)
    number = np.array([names.index(g) for g in group_names])[member]
    key, own = np.unique(number * (len(values) + 1) + of_unit, return_inverse=True)
    count = np.bincount(own)
    mean = np.bincount(own, weights=values) / count
    units = UnitStatistics(
        mean,
        count,
        np.bincount(own, weights=(values - mean[own]) ** 2),
        key // (len(values) + 1),
        names,
        left_out,
    )
    if (units.sizes < 2).any():
        received = ", ".join(f"{n}: {s}" for n, s in zip(names, units.sizes, strict=True))
        raise UserError(
            f"Each group needs two units ({unit or 'nuclei'}) or more.",
            received,
            "Measure more units: nuclei of one plant do not represent other plants.",
        )
    return units


def find_known(
    table: Mapping, values: np.ndarray, *, columns: tuple[str, str, str | None]
) -> tuple[np.ndarray, dict[str, int]]:
    """Find the rows that say all that a comparison needs.

    Parameters
    ----------
    table : column to values.
    values : (n,) numbers of the measurement.
    columns : the measurement, the group, and the unit or None.

    Returns
    -------
    (n,) bool, and what is missing in the other rows: column to number of rows.
    """
    lacking = {columns[0]: ~np.isfinite(values)}
    lacking |= {name: find_missing(table[name]) for name in columns[1:] if name is not None}
    known = ~np.any(list(lacking.values()), axis=0)
    return known, {name: int(rows.sum()) for name, rows in lacking.items() if rows.any()}


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
    """Estimate the means of the groups; each unit has equal weight."""
    return Estimate(
        units.sum_by_group(units.mean) / units.sizes,
        units.between_variance / units.sizes,
        units.sizes - 1,
    )


def estimate_by_nucleus(units: UnitStatistics) -> Estimate:
    """Estimate the means of the groups; each nucleus has equal weight, as if independent."""
    count = units.sum_by_group(units.count)
    mean = units.sum_by_group(units.mean * units.count) / count
    squares = units.sum_by_group(units.within + units.count * (units.mean - mean[units.group]) ** 2)
    return Estimate(mean, squares / (count - 1) / count, count - 1)


def fit_mixed_model(units: UnitStatistics) -> tuple[Estimate, float, float]:
    """Fit a linear mixed model by REML: a mean per group, a random intercept per unit.

    Only the means of the units depend on the group. Each therefore has the weight n / (1 + n
    between / within), and the degrees of freedom are units minus groups. The likelihood is
    maximised over the variance ratio alone; everything else follows from it in closed form.

    Parameters
    ----------
    units : statistics of U units in G groups.

    Returns
    -------
    Means of the groups, variance between units, variance within units.

    Raises
    ------
    UserError : every unit has a single nucleus.

    References
    ----------
    Patterson & Thompson 1971, doi:10.1093/biomet/58.3.545 (REML).
    Bates et al. 2015, doi:10.18637/jss.v067.i01 (profiled likelihood).
    """
    from scipy.optimize import minimize_scalar

    if (units.count == 1).all():
        raise UserError(
            "A mixed model needs units with several nuclei.",
            "one nucleus per unit",
            'Use method="units".',
        )
    degrees_of_freedom = int(units.count.sum() - len(units.names))

    # `share` is between / (between + within) variance of a nucleus; the residual sum of squares,
    # log|V| and log|X' inv(V) X| of the restricted likelihood reduce to sums over units.
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
    """Compute Hedges' g of a group against the reference, in pooled deviations between units.

    Parameters
    ----------
    units : statistics of U units in G groups.
    other : index of the group, above 0.

    Returns
    -------
    g, and its 95 % interval by the noncentral t-distribution; None for both where the units do not
    vary.

    References
    ----------
    Hedges 1981, doi:10.3102/10769986006002107.
    """
    from scipy.special import gammaln, nctdtrinc

    n = units.sizes[[0, other]]
    degrees_of_freedom = n.sum() - 2
    pooled = np.sqrt((units.between_variance[[0, other]] * (n - 1)).sum() / degrees_of_freedom)
    if not pooled > 0:
        return None, None
    means = units.sum_by_group(units.mean) / units.sizes
    d, scale = (means[other] - means[0]) / pooled, np.sqrt(1 / n[0] + 1 / n[1])
    # Hedges' correction: d is too large in small samples (exact form, with gamma functions).
    unbiased = (
        np.exp(gammaln(degrees_of_freedom / 2) - gammaln((degrees_of_freedom - 1) / 2))
        / np.sqrt(degrees_of_freedom / 2)
        if degrees_of_freedom > 1
        else 1.0
    )
    limits = [
        unbiased * scale * nctdtrinc(degrees_of_freedom, q, d / scale)
        for q in (1 - ALPHA / 2, ALPHA / 2)
    ]
    return unbiased * d, limits
