"""Comparison of methods: paired bootstrap over the images (or groups of images) that all share.

Methods fail on the same difficult images, so their scores rise and fall together from one
bootstrap sample to the next. The difference on the same sample is therefore known more precisely
than either score. Whether two methods differ is read from the interval of the difference, not from
whether the intervals of the scores overlap.

References
----------
Efron & Tibshirani 1993, An Introduction to the Bootstrap, doi:10.1201/9780429246593.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nbtools.errors import UserError
from nbtools.metrics import classification, detection, instances, restoration, semantic
from nbtools.metrics.bootstrap import (
    DRAWS,
    FEWEST,
    Counting,
    count_units,
    find_percentile_interval,
    find_units,
    resample_sums,
)

COUNTINGS = {
    module.__name__.rpartition(".")[2]: module.COUNTING
    for module in (instances, semantic, detection, classification, restoration)
}


@dataclass(frozen=True)
class ResampledMetric:
    """A metric of all methods: its value, and its value in each bootstrap sample.

    Parameters
    ----------
    value : (methods,) on all images.
    drawn : (draws, methods); None where there is only one image or group to draw.
    units : number of images or groups.
    """

    value: np.ndarray
    drawn: np.ndarray | None
    units: int


def compare(
    results: Mapping[str, Mapping],
    *,
    task: str = "instances",
    counting: Counting | None = None,
    baseline: str | None = None,
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Compare methods on the same images, with paired differences and their intervals.

    Parameters
    ----------
    results : name to the result of `evaluate` of the task, each over the same images, in any order.
        For restoration, images for which one of the methods has no result are left out of all.
    task : "instances", "semantic", "detection", "classification" or "restoration"; any other with
        its `counting`.
    counting : how scores of the task add up over images, where it is not one of these.
    baseline : name of the result that the others are compared with; the first one if None.
    groups : name of an image to its group (mosaic, embryo, patient); whole groups are drawn.
    seed : of the bootstrap.

    Returns
    -------
    Plain JSON values: `methods` (name to metric to value, and `interval_95`); `differences`, one
    row per pair of methods and metric, those against the baseline first, with `method`, `against`,
    `difference` (method minus against), its `interval_95` and `clear` (0 lies outside the interval,
    which is of six units or more: of fewer there is no 95 % interval); and what was drawn:
    `paired_over` "images" or "groups", their number `units`, and `draws`. With one unit the
    intervals are None. `metrics` are ordered by importance; for those in `smaller_is_better` a
    negative difference is better.

    Raises
    ------
    UserError : fewer than two results, results over different images, an unknown baseline or task.

    Examples
    --------
    >>> from nbtools.metrics import instances
    >>> truth = np.pad(np.ones((4, 4), int), 2)
    >>> perfect = instances.evaluate([(name, truth, truth) for name in "abcdef"])
    >>> nothing = instances.evaluate([(name, truth, 0 * truth) for name in "abcdef"])
    >>> row = compare({"classical": nothing, "network": perfect})["differences"][0]
    >>> row["method"], row["metric"], row["difference"], row["interval_95"], row["clear"]
    ('network', 'mean_ap', 1.0, [1.0, 1.0], True)
    """
    about = counting or _find_counting(task)
    names, images = _check(results, baseline)
    units = find_units(images, groups)
    rows = [_order(one["per_image"], images) for one in results.values()]
    counts, rate = about.count(rows, list(results.values()))  # (methods, images, ...)
    # All methods share each sample of images: (draws, methods, ...)
    drawn = resample_sums(np.moveaxis(counts, 0, 1), units=units, seed=seed)
    values, every = rate(counts.sum(axis=1)), None if drawn is None else rate(drawn)
    metrics = {
        metric: ResampledMetric(values[metric], every and every[metric], count_units(units))
        for metric in about.metrics
    }
    first = baseline or names[0]
    pairs = [(n, first) for n in names if n != first] + [
        (b, a) for i, a in enumerate(names) for b in names[i + 1 :] if first not in (a, b)
    ]
    return {
        "task": task,
        "images": len(images),
        "baseline": first,
        "paired_over": "groups" if groups else "images",
        "units": count_units(units),
        "draws": DRAWS,
        "seed": seed,
        "metrics": list(about.metrics),
        "smaller_is_better": list(about.smaller_is_better),
        "methods": {name: _describe(metrics, i) for i, name in enumerate(names)},
        "differences": [
            _subtract(metrics, names, pair=pair, metric=metric)
            for pair in pairs
            for metric in about.metrics
        ],
    }


def _find_counting(task: str) -> Counting:
    if task not in COUNTINGS:
        raise UserError(
            "The task must be one that has metrics.", repr(task), f"Known: {', '.join(COUNTINGS)}."
        )
    return COUNTINGS[task]


def _order(rows: list[Mapping], images: list[str]) -> list[Mapping]:
    """The rows of a result in the order of the images."""
    table = {row["name"]: row for row in rows}
    return [table[name] for name in images]


def _check(results: Mapping[str, Mapping], baseline: str | None) -> tuple[list[str], list[str]]:
    """Names of the results and of their images."""
    names = list(results)
    if len(names) < 2:
        raise UserError(
            "At least two results are needed to compare.",
            ", ".join(names) or "none",
            "Add another result.",
        )
    if baseline is not None and baseline not in results:
        raise UserError(
            "The baseline must be one of the results.",
            repr(baseline),
            f"Known: {', '.join(names)}.",
        )
    rows = {name: [row["name"] for row in one["per_image"]] for name, one in results.items()}
    scored = {name: set(rows[name]) | set(one.get("missing", ())) for name, one in results.items()}
    for name in names[1:]:
        if odd := scored[names[0]] ^ scored[name]:
            raise UserError(
                "Methods are compared on the same images.",
                f"{names[0]} and {name} differ in {', '.join(sorted(odd)[:3])}",
                "Evaluate all of them on the same truth.",
            )
    images = [image for image in rows[names[0]] if all(image in set(rows[name]) for name in names)]
    if not images:
        raise UserError(
            "Methods are compared on images for which all have a result.",
            "none",
            "Predict the missing images.",
        )
    return names, images


def _describe(metrics: dict[str, ResampledMetric], method: int) -> dict:
    return {metric: _number(resampled.value[method]) for metric, resampled in metrics.items()} | {
        "interval_95": {
            metric: _limit(resampled, lambda d: d[:, method])
            for metric, resampled in metrics.items()
        }
    }


def _subtract(
    metrics: dict[str, ResampledMetric], names: list[str], *, pair: tuple[str, str], metric: str
) -> dict:
    resampled, (a, b) = metrics[metric], (names.index(name) for name in pair)
    limits = _limit(resampled, lambda d: d[:, a] - d[:, b])
    return {
        "method": pair[0],
        "against": pair[1],
        "metric": metric,
        "difference": _number(resampled.value[a] - resampled.value[b]),
        "interval_95": limits,
        "clear": None
        if limits is None
        else resampled.units >= FEWEST and not limits[0] <= 0 <= limits[1],
    }


def _limit(
    metric: ResampledMetric, choose: Callable[[np.ndarray], np.ndarray]
) -> list[float] | None:
    """Interval of what `choose` takes from the bootstrap samples."""
    if metric.drawn is None:
        return None
    return find_percentile_interval(choose(metric.drawn), units=metric.units)


def _number(value: float) -> float | None:
    """As a JSON value: a number that does not exist, as an RMSE without matches, is None."""
    return float(value) if np.isfinite(value) else None
