"""How sure a difference between methods is: paired bootstrap over the images, or over groups of them, that all methods were judged on.

Two methods fail on the same difficult images, so that their scores go up and down together from one draw of images to the next. The
difference on the same draw is therefore known better than either score: whether two methods differ is read from its interval, not from
whether the intervals of the scores overlap (Efron & Tibshirani 1993, doi:10.1201/9780429246593).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nbtools.errors import UserError
from nbtools.metrics.instances import DRAWS, LAST_AVERAGED

METRICS = ("mean_ap", "ap50", "ap75", "f1_50")
LIMITS = (2.5, 97.5)  # percentiles of the draws


@dataclass(frozen=True)
class Draws:
    """A metric for all methods: as it is, and in each draw of the bootstrap."""

    value: np.ndarray  # (methods)
    drawn: np.ndarray | None  # (draws, methods); None where there is only one image or group to draw


def compare(
    results: Mapping[str, Mapping], *, baseline: str | None = None, groups: Mapping[str, object] | None = None, seed: int = 0
) -> dict:
    """Methods side by side on the same images, with paired differences from a baseline and from each other.

    results : name to what `metrics.instances.evaluate` returned, each over the same images, in any order.
    baseline : name of the result that the others are compared with first; the first one if None.
    groups : name of an image to its group (mosaic, embryo, patient); whole groups are drawn.
    seed : of the bootstrap.

    Returns plain JSON values: `methods` (name → metric → value, and `interval_95`), `differences` (a row for each pair of methods and
    metric: `method` minus `against`, its `interval_95`, and `clear`: 0 lies outside; those against the baseline first), and what was
    drawn: `paired_over` "images" or "groups", their number `units`, `draws`. With one unit there is no interval: None.

    Raises
    ------
    UserError : fewer than two results, results over different images, an unknown baseline.

    Examples
    --------
    >>> compare({"classical": scores_a, "network": scores_b})["differences"][0]  # doctest: +SKIP
    {'method': 'network', 'against': 'classical', 'metric': 'mean_ap', 'difference': 0.12, 'interval_95': [0.07, 0.18], 'clear': True}
    """
    names, images = _check(results, baseline)
    units = _find_units(images, groups)
    counts, thresholds = _count(results, images)  # (methods, images, thresholds, 3)
    sums = np.zeros((len(names), units.max() + 1, *counts.shape[2:]))
    np.add.at(sums, (slice(None), units), counts)
    found = _draw(sums, thresholds, seed=seed)
    first = baseline or names[0]
    pairs = [(n, first) for n in names if n != first] + [(b, a) for i, a in enumerate(names) for b in names[i + 1 :] if first not in (a, b)]
    return {
        "images": len(images),
        "baseline": first,
        "paired_over": "groups" if groups else "images",
        "units": int(units.max()) + 1,
        "draws": DRAWS,
        "seed": seed,
        "methods": {name: _describe(found, i) for i, name in enumerate(names)},
        "differences": [_subtract(found, names, pair=pair, metric=metric) for pair in pairs for metric in METRICS],
    }


def _check(results: Mapping[str, Mapping], baseline: str | None) -> tuple[list[str], list[str]]:
    """Names of the results and of their images."""
    names = list(results)
    if len(names) < 2:
        raise UserError("At least two results are needed to compare.", ", ".join(names) or "none", "Give one more.")
    if baseline is not None and baseline not in results:
        raise UserError("The baseline must be one of the results.", repr(baseline), f"Known: {', '.join(names)}.")
    images = [row["name"] for row in results[names[0]]["per_image"]]
    for name in names[1:]:
        if odd := set(images) ^ {row["name"] for row in results[name]["per_image"]}:
            received = f"{names[0]} and {name} differ in {', '.join(sorted(odd)[:3])}"
            raise UserError("Methods are compared on the same images.", received, "Evaluate each on the same truth.")
    return names, images


def _count(results: Mapping[str, Mapping], images: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(methods, images, thresholds, 3) matched, true and predicted nuclei, and the thresholds.

    A row of `evaluate` holds the number of true and predicted nuclei, and ap = TP / (true + predicted - TP), from which TP follows.
    """
    keys = sorted({k for one in results.values() for row in one["per_image"] for k in row if k[:2] == "ap" and k[2:].isdigit()})
    counts = np.zeros((len(results), len(images), len(keys), 3))
    for method, one in enumerate(results.values()):
        rows = {row["name"]: row for row in one["per_image"]}
        for place, image in enumerate(images):
            row = rows[image]
            ap, true, predicted = np.array([row[k] for k in keys]), row["n_true"], row["n_pred"]
            counts[method, place, :, 0] = np.round(ap * (true + predicted) / (1 + ap))
            counts[method, place, :, 1:] = true, predicted
    return counts, np.array([int(k[2:]) / 100 for k in keys])


def _find_units(images: list[str], groups: Mapping[str, object] | None) -> np.ndarray:
    """Number of the unit that each image is drawn with: its own, or that of its group."""
    if not groups:
        return np.arange(len(images))
    return np.unique([str(groups.get(name, name)) for name in images], return_inverse=True)[1]


def _draw(sums: np.ndarray, thresholds: np.ndarray, *, seed: int) -> dict[str, Draws]:
    """Every metric of every method, and in every draw of units with replacement, the same draw for all methods.

    sums : (methods, units, thresholds, 3).
    """
    n = sums.shape[1]
    values, drawn = _rate(sums.sum(axis=1), thresholds), None
    if n > 1:
        times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=DRAWS).astype(float)  # (draws, units)
        drawn = _rate(np.einsum("du,mutc->dmtc", times, sums, optimize=True), thresholds)
    return {name: Draws(values[name], drawn and drawn[name]) for name in METRICS}


def _rate(counts: np.ndarray, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """(..., thresholds, 3) pooled counts → metric → (...). Where there is no nucleus at all, all is right: 1."""
    tp, true, predicted = np.moveaxis(counts, -1, 0)
    ap = np.where(true + predicted > 0, tp / np.maximum(true + predicted - tp, 1), 1.0)
    f1 = np.where(true + predicted > 0, 2 * tp / np.maximum(true + predicted, 1), 1.0)
    averaged = thresholds <= LAST_AVERAGED + 1e-9
    at = {t: int(np.argmin(np.abs(thresholds - t))) for t in (0.5, 0.75)}
    mean = ap[..., averaged].mean(axis=-1) if averaged.any() else ap.mean(axis=-1)
    return {"mean_ap": mean, "ap50": ap[..., at[0.5]], "ap75": ap[..., at[0.75]], "f1_50": f1[..., at[0.5]]}


def _describe(found: dict[str, Draws], method: int) -> dict:
    values = {metric: float(one.value[method]) for metric, one in found.items()}
    return values | {"interval_95": {metric: _limit(one, lambda d: d[:, method]) for metric, one in found.items()}}


def _subtract(found: dict[str, Draws], names: list[str], *, pair: tuple[str, str], metric: str) -> dict:
    one, (a, b) = found[metric], (names.index(name) for name in pair)
    limits = _limit(one, lambda d: d[:, a] - d[:, b])
    about = {"method": pair[0], "against": pair[1], "metric": metric, "difference": float(one.value[a] - one.value[b])}
    return about | {"interval_95": limits, "clear": None if limits is None else not limits[0] <= 0 <= limits[1]}


def _limit(one: Draws, choose: Callable[[np.ndarray], np.ndarray]) -> list[float] | None:
    """Percentile interval of what `choose` takes of the draws."""
    return None if one.drawn is None else [float(v) for v in np.percentile(choose(one.drawn), LIMITS)]
