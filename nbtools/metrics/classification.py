"""Scores of image classification: accuracies, F1, confusion matrix and calibration.

*Balanced accuracy* is the mean recall over classes: where nine of ten images belong to one class,
always predicting that class has an accuracy of 0.9 and a balanced accuracy of 0.5. *Macro F1* is
the mean F1 over classes. A method is *calibrated* if 80 % of the images that it predicts with a
probability of 0.8 are right; *ece*, the expected calibration error, is the mean gap between the
two over bins of probability.

References
----------
Brodersen et al. 2010, doi:10.1109/ICPR.2010.764 (balanced accuracy).
Guo et al. 2017, arXiv:1706.04599 (expected calibration error).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nbtools.errors import UserError
from nbtools.metrics import bootstrap
from nbtools.metrics.semantic import mean_known

METRICS = ("balanced_accuracy", "macro_f1", "accuracy")
BINS = 10


def evaluate(
    pairs: Iterable[tuple[str, str, str | None, float | None]],
    *,
    classes: Sequence[str] | None = None,
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Score the predicted classes of a set of images.

    Parameters
    ----------
    pairs : (name, true class, predicted class or None, probability of the predicted class or None).
        None as predicted class means that the image has no prediction; it counts as wrong.
    classes : all classes in order; by default those that occur, sorted.
    groups, seed : of the bootstrap, see `instances.evaluate`.

    Returns
    -------
    Plain JSON values: `task`, `accuracy`, `balanced_accuracy` (over classes that occur in the
    truth), `macro_f1` (over classes that occur or are predicted), `classes`, `confusion` (rows
    true, columns predicted, in the order of `classes`), `per_class`, `calibration` (`ece` and its
    bins; None without probabilities), `missing`, `interval_95`, `interval_units`, and `per_image`.
    All rates lie in 0 to 1.

    Raises
    ------
    UserError : no images, a class that is not in `classes`, or a probability outside 0 to 1.

    Examples
    --------
    >>> pairs = [("a", "wild type", "wild type", 0.9), ("b", "mutant", "wild type", 0.6)]
    >>> evaluate(pairs)["balanced_accuracy"]
    0.5
    """
    rows = [
        {"name": n, "truth": str(t), "predicted": None if p is None else str(p), "probability": s}
        for n, t, p, s in pairs
    ]
    if not rows:
        raise UserError(
            "At least one true class is needed to evaluate a result.",
            "none",
            "Check the table of the true classes.",
        )
    answers = {row[side] for row in rows for side in ("truth", "predicted")} - {None}
    names = list(classes or sorted(answers))
    tables = count_classes(rows, names)
    pooled, units = tables.sum(axis=0), bootstrap.find_units([row["name"] for row in rows], groups)
    each = rate_classes(pooled)
    return {
        "task": "classification",
        "images": len(rows),
        **{name: float(value) for name, value in rate_confusion(pooled).items()},
        "classes": names,
        "confusion": pooled[:, :-1].astype(int).tolist(),
        "per_class": {
            n: {k: float(v[i]) for k, v in each.items()} | {"count": int(pooled[i].sum())}
            for i, n in enumerate(names)
        },
        "calibration": measure_calibration(rows),
        "missing": [row["name"] for row in rows if row["predicted"] is None],
        "interval_95": bootstrap.find_intervals(tables, rate_confusion, units=units, seed=seed),
        "interval_units": bootstrap.describe_units([row["name"] for row in rows], groups),
        "per_image": rows,
    }


def count_classes(rows: Sequence[Mapping], classes: Sequence[str]) -> np.ndarray:
    """Count the confusions of each image.

    Parameters
    ----------
    rows : one per image, with `truth` and `predicted` (None where there is no prediction).
    classes : the K classes in order.

    Returns
    -------
    (images, K, K + 1): a 1 at the true class (row) and the predicted class (column); the last
    column holds images without a prediction.

    Raises
    ------
    UserError : a class that is not in `classes`.
    """
    place = {name: i for i, name in enumerate(classes)}
    if unknown := [
        r
        for row in rows
        for r in (row["truth"], row["predicted"])
        if r is not None and r not in place
    ]:
        raise UserError(
            "Each class must be one of the named ones.",
            repr(unknown[0]),
            f"Known: {', '.join(classes)}.",
        )
    tables = np.zeros((len(rows), len(classes), len(classes) + 1))
    for i, row in enumerate(rows):
        tables[i, place[row["truth"]], place.get(row["predicted"], len(classes))] = 1
    return tables


def rate_classes(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Compute precision, recall and F1 per class.

    Parameters
    ----------
    confusion : (..., K, K + 1) counts, as of `count_classes`.

    Returns
    -------
    Metric to (..., K), 0 to 1; NaN where a class does not occur.
    """
    hit = np.einsum("...kk->...k", confusion[..., :-1])
    true, predicted = confusion.sum(axis=-1), confusion[..., :-1].sum(axis=-2)
    occurs = true + predicted > 0
    return {
        "precision": np.where(occurs, hit / np.maximum(predicted, 1), np.nan),
        "recall": np.where(true > 0, hit / np.maximum(true, 1), np.nan),
        "f1": np.where(occurs, 2 * hit / np.maximum(true + predicted, 1), np.nan),
    }


def rate_confusion(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Compute balanced accuracy, macro F1 and accuracy.

    Parameters
    ----------
    confusion : (..., K, K + 1) counts, as of `count_classes`.

    Returns
    -------
    Metric to (...), 0 to 1.
    """
    each = rate_classes(confusion)
    hit = np.einsum("...kk->...", confusion[..., :-1])
    return {
        "balanced_accuracy": mean_known(each["recall"]),
        "macro_f1": mean_known(each["f1"]),
        "accuracy": hit / np.maximum(confusion.sum(axis=(-2, -1)), 1),
    }


def measure_calibration(rows: Sequence[Mapping], *, bins: int = BINS) -> dict | None:
    """Compare predicted probabilities with the accuracy that is reached.

    Parameters
    ----------
    rows : one per image, with `truth`, `predicted` and `probability` (0 to 1, or None).
    bins : number of bins of equal width between 0 and 1.

    Returns
    -------
    `ece`, and per bin that is not empty `count`, mean `probability` and `accuracy`; None where no
    prediction has a probability.

    Raises
    ------
    UserError : a probability outside 0 to 1.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599.
    """
    known = [row for row in rows if row["predicted"] is not None and row["probability"] is not None]
    if not known:
        return None
    sure = np.array([row["probability"] for row in known], float)
    if ((sure < 0) | (sure > 1)).any():
        raise UserError(
            "A probability lies between 0 and 1.",
            f"{sure.min():g} to {sure.max():g}",
            "Divide percentages by 100.",
        )
    right = np.array([row["predicted"] == row["truth"] for row in known], float)
    place = np.minimum((sure * bins).astype(int), bins - 1)
    held = [place == i for i in range(bins) if (place == i).any()]
    filled = [
        {
            "count": int(h.sum()),
            "probability": float(sure[h].mean()),
            "accuracy": float(right[h].mean()),
        }
        for h in held
    ]
    return {
        "ece": sum(b["count"] * abs(b["probability"] - b["accuracy"]) for b in filled) / len(known),
        "bins": filled,
    }


def count_answers(
    methods: Sequence[Sequence[Mapping]], scores: Sequence[Mapping]
) -> tuple[np.ndarray, bootstrap.Rate]:
    """Count the confusions of each image for several methods.

    Parameters
    ----------
    methods : rows of `evaluate` of each method, in one order of the images.
    scores : of `evaluate` of each method; their `classes` are united.

    Returns
    -------
    (methods, images, K, K + 1) counts, and `rate_confusion`.
    """
    names = sorted({name for one in scores for name in one["classes"]})
    return np.array([count_classes(rows, names) for rows in methods]), rate_confusion


COUNTING = bootstrap.Counting(METRICS, count_answers)
