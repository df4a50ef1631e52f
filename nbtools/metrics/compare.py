"""How sure a difference between methods is: paired bootstrap over the images, or over groups of
them, that all methods were judged on.

Two methods fail on the same difficult images, so that their scores go up and down together from one
draw of images to the next. The difference on the same draw is therefore known better than either
score: whether two methods differ is read from its interval, not from whether the intervals of the
scores overlap (Efron & Tibshirani 1993, doi:10.1201/9780429246593).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nbtools.errors import UserError
from nbtools.metrics import classification, detection, instances, restoration, semantic
from nbtools.metrics.bootstrap import DRAWS, Counting, draw_sums, find_limits, find_units

COUNTINGS = {
    module.__name__.rpartition(".")[2]: module.COUNTING
    for module in (instances, semantic, detection, classification, restoration)
}


@dataclass(frozen=True)
class Draws:
    """A metric for all methods: as it is, and in each draw of the bootstrap."""

    value: np.ndarray  # (methods)
    drawn: (
        np.ndarray | None
    )  # (draws, methods); None where there is only one image or group to draw


def compare(
    results: Mapping[str, Mapping],
    *,
    task: str = "instances",
    counting: Counting | None = None,
    baseline: str | None = None,
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Methods side by side on the same images, with paired differences from a baseline and from
    each other.

    results : name to what `evaluate` of the task returned, each over the same images, in any order.
        Of restorations, images that one of the methods has no result for are left out of all.
    task : "instances", "semantic", "detection", "classification" or "restoration"; any other with
        its `counting`.
    counting : how scores of the task add up, where it is not one of these.
    baseline : name of the result that the others are compared with first; the first one if None.
    groups : name of an image to its group (mosaic, embryo, patient); whole groups are drawn.
    seed : of the bootstrap.

    Returns plain JSON values: `methods` (name → metric → value, and `interval_95`), `differences`
    (a row for each pair of methods and metric: `method` minus `against`, its `interval_95`, and
    `clear`: 0 lies outside; those against the baseline first), and what was drawn: `paired_over`
    "images" or "groups", their number `units`, `draws`. With one unit there is no interval: None.
    `metrics` are in order of weight; in those of `smaller_is_better` a negative difference is the
    better one.

    Raises
    ------
    UserError : fewer than two results, results over different images, an unknown baseline or task.

    Examples
    --------
    >>> compare({"classical": scores_a, "network": scores_b})["differences"][0]  # doctest: +SKIP
    {'method': 'network', 'against': 'classical', 'metric': 'mean_ap', 'difference': 0.12, 'interval_95': [0.07, 0.18], 'clear': True}
    """
    about = counting or _find_counting(task)
    names, images = _check(results, baseline)
    units = find_units(images, groups)
    rows = [_order(one["per_image"], images) for one in results.values()]
    counts, rate = about.count(rows, list(results.values()))  # (methods, images, ...)
    drawn = draw_sums(np.moveaxis(counts, 0, 1), units=units, seed=seed)  # (draws, methods, ...)
    values, every = rate(counts.sum(axis=1)), None if drawn is None else rate(drawn)
    found = {metric: Draws(values[metric], every and every[metric]) for metric in about.metrics}
    first = baseline or names[0]
    pairs = [(n, first) for n in names if n != first] + [
        (b, a) for i, a in enumerate(names) for b in names[i + 1 :] if first not in (a, b)
    ]
    return {
        "task": task,
        "images": len(images),
        "baseline": first,
        "paired_over": "groups" if groups else "images",
        "units": int(units.max()) + 1,
        "draws": DRAWS,
        "seed": seed,
        "metrics": list(about.metrics),
        "smaller_is_better": list(about.smaller_is_better),
        "methods": {name: _describe(found, i) for i, name in enumerate(names)},
        "differences": [
            _subtract(found, names, pair=pair, metric=metric)
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
            "Give one more.",
        )
    if baseline is not None and baseline not in results:
        raise UserError(
            "The baseline must be one of the results.",
            repr(baseline),
            f"Known: {', '.join(names)}.",
        )
    rows = {name: [row["name"] for row in one["per_image"]] for name, one in results.items()}
    told = {name: set(rows[name]) | set(one.get("missing", ())) for name, one in results.items()}
    for name in names[1:]:
        if odd := told[names[0]] ^ told[name]:
            received = f"{names[0]} and {name} differ in {', '.join(sorted(odd)[:3])}"
            raise UserError(
                "Methods are compared on the same images.",
                received,
                "Evaluate each on the same truth.",
            )
    images = [image for image in rows[names[0]] if all(image in set(rows[name]) for name in names)]
    if not images:
        raise UserError(
            "Methods are compared on images that all have results for.",
            "none",
            "Predict the missing images.",
        )
    return names, images


def _describe(found: dict[str, Draws], method: int) -> dict:
    values = {metric: _number(one.value[method]) for metric, one in found.items()}
    return values | {
        "interval_95": {
            metric: _limit(one, lambda d: d[:, method]) for metric, one in found.items()
        }
    }


def _subtract(
    found: dict[str, Draws], names: list[str], *, pair: tuple[str, str], metric: str
) -> dict:
    one, (a, b) = found[metric], (names.index(name) for name in pair)
    limits = _limit(one, lambda d: d[:, a] - d[:, b])
    about = {
        "method": pair[0],
        "against": pair[1],
        "metric": metric,
        "difference": _number(one.value[a] - one.value[b]),
    }
    return about | {
        "interval_95": limits,
        "clear": None if limits is None else not limits[0] <= 0 <= limits[1],
    }


def _limit(one: Draws, choose: Callable[[np.ndarray], np.ndarray]) -> list[float] | None:
    """Percentile interval of what `choose` takes of the draws."""
    return None if one.drawn is None else find_limits(choose(one.drawn))


def _number(value: float) -> float | None:
    """As JSON knows it: a number that does not exist, as the RMSE without a match, is None."""
    return float(value) if np.isfinite(value) else None
