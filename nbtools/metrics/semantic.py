"""How well pixels were told apart by class: IoU, Dice, accuracy, precision and recall, pooled over
images.

All of it is blind to touching nuclei: two nuclei found as one have every pixel right. For counting
and measuring use `instances`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import bootstrap
from nbtools.metrics.overlap import check_labels

FOREGROUND = ("background", "foreground")
METRICS = ("dice", "iou", "precision", "recall", "accuracy", "mean_iou")


def evaluate(
    pairs: Iterable[tuple[str, np.ndarray | Image, np.ndarray | Image | None]],
    *,
    classes: Sequence[str] | None = None,
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Score class images: each pixel holds the number of its class.

    pairs : (name, truth, predicted); predicted None means that the image has no prediction: all of
        it counts as the first class.
    classes : names of the classes 0, 1, 2…, the first is the background. None: all labels above 0
        are foreground.
    groups, seed : of the bootstrap, see `instances.evaluate`.

    Returns plain JSON values: `task`, `dice`, `iou`, `precision`, `recall` (means over all
    classes but the background that occur), `accuracy` (share of right pixels), `mean_iou` (over
    all classes that occur), the same by class under `per_class`, `confusion` (pixels; rows are
    true), `missing`, `interval_95`, and a row for each image.

    >>> square = np.eye(4, dtype=int)
    >>> evaluate([("a", square, np.roll(square, 1, axis=1))])["accuracy"]
    0.5
    """
    names, rows, missing = tuple(classes or FOREGROUND), [], []
    for name, truth, predicted in pairs:
        if predicted is None:
            missing.append(name)
            predicted = np.zeros_like(check_labels(truth))
        table = count_pixels(_number(truth, classes), _number(predicted, classes), count=len(names))
        rows.append({"name": name, **_plain(rate_confusion(table)), "confusion": table.tolist()})
    if not rows:
        raise UserError(
            "At least one labelled image is needed to evaluate a result.",
            "none",
            "Check the folder of the true labels.",
        )
    tables = np.array([row["confusion"] for row in rows])
    pooled, units = tables.sum(axis=0), bootstrap.find_units([row["name"] for row in rows], groups)
    return {
        "task": "semantic",
        "images": len(rows),
        **_plain(rate_confusion(pooled)),
        "per_class": {
            name: {k: float(v[i]) for k, v in rate_classes(pooled).items()}
            for i, name in enumerate(names)
        },
        "classes": list(names),
        "confusion": pooled.tolist(),
        "missing": missing,
        "interval_95": bootstrap.find_intervals(tables, rate_confusion, units=units, seed=seed),
        "per_image": rows,
    }


def count_pixels(truth: np.ndarray, predicted: np.ndarray, *, count: int) -> np.ndarray:
    """(count, count) pixels by true class (rows) and predicted class (columns)."""
    if truth.shape != predicted.shape:
        remedy = (
            "Compare a prediction with the labels of its own image, neither cropped nor scaled."
        )
        raise UserError(
            "True and predicted classes must have the same shape.",
            f"{truth.shape} and {predicted.shape}",
            remedy,
        )
    return np.bincount(
        truth.ravel().astype(np.int64) * count + predicted.ravel(), minlength=count**2
    ).reshape(count, count)


def rate_classes(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """(..., K, K) pixels → metric → (..., K); not a number where a class neither is nor was
    predicted.
    """
    hit = np.einsum("...kk->...k", confusion).astype(float)
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    either = true + predicted - hit
    wholes = {"iou": either, "dice": (true + predicted) / 2, "precision": predicted, "recall": true}
    return {
        name: np.where(either > 0, hit / np.maximum(whole, 0.5), np.nan)
        for name, whole in wholes.items()
    }


def rate_confusion(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """(..., K, K) pixels → metric → (...). Where only background is and was predicted, all is
    right: 1.
    """
    each = rate_classes(confusion)
    found = {name: _mean_known(values[..., 1:]) for name, values in each.items()}
    total = confusion.sum(axis=(-2, -1))
    found["accuracy"] = np.einsum("...kk->...", confusion) / np.maximum(total, 1)
    return found | {"mean_iou": _mean_known(each["iou"])}


def _mean_known(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is a number; 1 where nothing is."""
    known = np.isfinite(values)
    return np.where(
        known.any(axis=-1),
        np.where(known, values, 0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1),
        1.0,
    )


def _number(label: np.ndarray | Image, classes: Sequence[str] | None) -> np.ndarray:
    """The class of each pixel as a number that has a name."""
    label = check_labels(label)
    if classes is None:
        return (label > 0).astype(np.int64)
    if (highest := int(label.max(initial=0))) >= len(classes):
        remedy = (
            "Name every class, the background first, or leave the names out: then all labels "
            "above 0 are foreground."
        )
        raise UserError(
            "Each pixel must hold the number of a named class.",
            f"{highest} with {len(classes)} names",
            remedy,
        )
    return label


def _plain(rates: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: float(value) for name, value in rates.items()}


def count_tables(
    methods: Sequence[Sequence[Mapping]], scores: Sequence[Mapping]
) -> tuple[np.ndarray, bootstrap.Rate]:
    """(methods, images, K, K) pixels, and how they are rated: see `rate_confusion`."""
    tables = [[row["confusion"] for row in rows] for rows in methods]
    return np.array(tables, float), rate_confusion


COUNTING = bootstrap.Counting(METRICS, count_tables)
