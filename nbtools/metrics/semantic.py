"""Scores of semantic segmentation: IoU, Dice, accuracy, precision and recall, pooled over images.

All of them ignore touching nuclei: where two nuclei are found as one, every pixel is right. Use
`instances` for counting and measuring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import bootstrap
from nbtools.metrics.overlap import VOID, check_labels

FOREGROUND = ("background", "foreground")
METRICS = ("dice", "iou", "precision", "recall", "accuracy", "mean_iou")


def evaluate(
    pairs: Iterable[tuple[str, np.ndarray | Image, np.ndarray | Image | None]],
    *,
    classes: Sequence[str] | None = None,
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Score class images, in which each pixel holds the number of its class.

    Parameters
    ----------
    pairs : (name, truth, predicted), integers of equal shape; None as predicted means that the
        image has no prediction: all of it counts as the first class.
    classes : names of the classes 0, 1, 2, …; the first is the background. None: all labels above
        0 are foreground.
    groups, seed : of the bootstrap, see `instances.evaluate`.

    Returns
    -------
    Plain JSON values: `task`, `dice`, `iou`, `precision`, `recall` (means over the classes that
    occur, without the background), `accuracy` (share of pixels that are right), `mean_iou` (over
    all classes that occur), the same per class under `per_class`, `confusion` (pixels; rows true,
    columns predicted), `missing`, `interval_95`, `interval_units`, and one row per image. All rates
    lie in 0 to 1.

    Raises
    ------
    UserError : no images, shapes differ, labels are not whole numbers, or a class has no name.

    Examples
    --------
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
            "Check the folder with the true labels.",
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
        "interval_units": bootstrap.describe_units([row["name"] for row in rows], groups),
        "per_image": rows,
    }


def count_pixels(truth: np.ndarray, predicted: np.ndarray, *, count: int) -> np.ndarray:
    """Count pixels by true and predicted class.

    Parameters
    ----------
    truth, predicted : (*space) class numbers from 0, of equal shape; pixels that are -1 on either
        side are not counted.
    count : K, the number of classes.

    Returns
    -------
    (K, K) pixels; rows true, columns predicted.

    Raises
    ------
    UserError : shapes differ.
    """
    if truth.shape != predicted.shape:
        raise UserError(
            "True and predicted classes must have the same shape.",
            f"{truth.shape} and {predicted.shape}",
            "Compare a prediction with the labels of its own image, not cropped or scaled.",
        )
    seen = (truth != VOID) & (predicted != VOID)
    pair = truth[seen].astype(np.int64) * count + predicted[seen]
    return np.bincount(pair, minlength=count**2).reshape(count, count)


def rate_classes(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Compute IoU, Dice, precision and recall per class.

    Parameters
    ----------
    confusion : (..., K, K) pixels; rows true, columns predicted.

    Returns
    -------
    Metric to (..., K), 0 to 1; NaN where a class neither occurs nor is predicted.
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
    """Compute the means over classes, and the accuracy.

    Parameters
    ----------
    confusion : (..., K, K) pixels; rows true, columns predicted.

    Returns
    -------
    Metric to (...), 0 to 1; 1 where truth and prediction hold only background.
    """
    each = rate_classes(confusion)
    means = {name: mean_known(values[..., 1:]) for name, values in each.items()}
    total = confusion.sum(axis=(-2, -1))
    means["accuracy"] = np.einsum("...kk->...", confusion) / np.maximum(total, 1)
    return means | {"mean_iou": mean_known(each["iou"])}


def mean_known(values: np.ndarray) -> np.ndarray:
    """Average the finite values over the last axis: (..., K) to (...); 1 where none is finite."""
    known = np.isfinite(values)
    return np.where(
        known.any(axis=-1),
        np.where(known, values, 0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1),
        1.0,
    )


def _number(label: np.ndarray | Image, classes: Sequence[str] | None) -> np.ndarray:
    """The class of each pixel, as a number that has a name."""
    label = check_labels(label)
    if classes is None:
        return np.where(label == VOID, VOID, label > 0).astype(np.int64)
    if (highest := int(label.max(initial=0))) >= len(classes):
        raise UserError(
            "Each pixel must hold the number of a named class.",
            f"{highest} with {len(classes)} names",
            (
                "Name every class, the background first; or leave out the names, and all labels "
                "above 0 are foreground."
            ),
        )
    return label


def _plain(rates: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: float(value) for name, value in rates.items()}


def count_tables(
    methods: Sequence[Sequence[Mapping]], scores: Sequence[Mapping]
) -> tuple[np.ndarray, bootstrap.Rate]:
    """Collect the confusion tables of every method and image, for the bootstrap.

    Parameters
    ----------
    methods : rows of each method, one per image.
    scores : of each method; they are not used.

    Returns
    -------
    (methods, images, K, K) pixels by true and predicted class, and `rate_confusion`.
    """
    tables = [[row["confusion"] for row in rows] for rows in methods]
    return np.array(tables, float), rate_confusion


COUNTING = bootstrap.Counting(METRICS, count_tables)
