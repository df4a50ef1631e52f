"""What `compare` needs of each task: what adds up over images, how the sums become metrics, and
which metrics count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nbtools.metrics import classification, detection, restoration, semantic
from nbtools.metrics.bootstrap import Rate
from nbtools.metrics.instances import LAST_AVERAGED

Results = Sequence[Mapping]  # what `evaluate` of the task returned, one a method


@dataclass(frozen=True)
class Task:
    """count : (results, names of images) → (methods, images, ...) and the function that turns sums
        over images into metrics.

    metrics : by name, the one that methods are ranked by first.
    smaller_is_better : those of them where less is better.
    """

    metrics: tuple[str, ...]
    count: Callable[[Results, Sequence[str]], tuple[np.ndarray, Rate]]
    smaller_is_better: tuple[str, ...] = ()


def count_nuclei(results: Results, images: Sequence[str]) -> tuple[np.ndarray, Rate]:
    """(methods, images, thresholds, 3) matched, true and predicted nuclei.

    A row of `evaluate` holds the number of true and predicted nuclei, and ap = TP / (true +
    predicted - TP), from which TP follows.
    """
    keys = sorted(
        {
            k
            for one in results
            for row in one["per_image"]
            for k in row
            if k[:2] == "ap" and k[2:].isdigit()
        }
    )
    counts = np.zeros((len(results), len(images), len(keys), 3))
    for method, rows in enumerate(_ordered(results, images)):
        for place, row in enumerate(rows):
            ap, true, predicted = np.array([row[k] for k in keys]), row["n_true"], row["n_pred"]
            counts[method, place, :, 0] = np.round(ap * (true + predicted) / (1 + ap))
            counts[method, place, :, 1:] = true, predicted
    return counts, partial(rate_nuclei, thresholds=np.array([int(k[2:]) / 100 for k in keys]))


def rate_nuclei(counts: np.ndarray, *, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """(..., thresholds, 3) pooled counts → metric → (...). Where there is no nucleus at all, all is
    right: 1.
    """
    tp, true, predicted = np.moveaxis(counts, -1, 0)
    ap = np.where(true + predicted > 0, tp / np.maximum(true + predicted - tp, 1), 1.0)
    f1 = np.where(true + predicted > 0, 2 * tp / np.maximum(true + predicted, 1), 1.0)
    averaged = thresholds <= LAST_AVERAGED + 1e-9
    at = {t: int(np.argmin(np.abs(thresholds - t))) for t in (0.5, 0.75)}
    mean = ap[..., averaged].mean(axis=-1) if averaged.any() else ap.mean(axis=-1)
    return {
        "mean_ap": mean,
        "ap50": ap[..., at[0.5]],
        "ap75": ap[..., at[0.75]],
        "f1_50": f1[..., at[0.5]],
    }


def count_points(results: Results, images: Sequence[str]) -> tuple[np.ndarray, Rate]:
    """(methods, images, 4), see `detection.rate_counts`."""
    keys = ("n_true", "n_pred", "tp", "squared")
    return np.array(
        [[[row[k] for k in keys] for row in rows] for rows in _ordered(results, images)], float
    ), detection.rate_counts


def count_pixels(results: Results, images: Sequence[str]) -> tuple[np.ndarray, Rate]:
    """(methods, images, K, K), see `semantic.rate_confusion`."""
    return np.array(
        [[row["confusion"] for row in rows] for rows in _ordered(results, images)], float
    ), semantic.rate_confusion


def count_classes(results: Results, images: Sequence[str]) -> tuple[np.ndarray, Rate]:
    """(methods, images, K, K + 1), see `classification.rate_confusion`; the classes are those of
    any method.
    """
    names = sorted({name for one in results for name in one["classes"]})
    tables = [classification.count_classes(rows, names) for rows in _ordered(results, images)]
    return np.array(tables), classification.rate_confusion


def count_restored(results: Results, images: Sequence[str]) -> tuple[np.ndarray, Rate]:
    """(methods, images, metrics, 2) values, and whether there is one."""
    rows = [
        [[row[m] for m in restoration.METRICS] for row in rows]
        for rows in _ordered(results, images)
    ]
    values = np.array(rows, float)
    return np.stack([np.nan_to_num(values), np.isfinite(values)], axis=-1), rate_restored


def rate_restored(sums: np.ndarray) -> dict[str, np.ndarray]:
    """(..., metrics, 2) sums of values and how many → metric → (...) mean."""
    mean = np.where(sums[..., 1] > 0, sums[..., 0] / np.maximum(sums[..., 1], 1), np.nan)
    return {name: mean[..., i] for i, name in enumerate(restoration.METRICS)}


def _ordered(results: Results, images: Sequence[str]) -> list[list[Mapping]]:
    """The rows of each result in the order of the images."""
    tables = [{row["name"]: row for row in one["per_image"]} for one in results]
    return [[table[name] for name in images] for table in tables]


TASKS = {
    "instances": Task(("mean_ap", "ap50", "ap75", "f1_50"), count_nuclei),
    "semantic": Task(semantic.METRICS, count_pixels),
    "detection": Task(detection.METRICS, count_points, smaller_is_better=("rmse",)),
    "classification": Task(classification.METRICS, count_classes),
    "restoration": Task(restoration.METRICS, count_restored, smaller_is_better=("rmse", "nrmse")),
}
