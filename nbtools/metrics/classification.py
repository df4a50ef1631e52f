"""How well whole images (or nuclei) were told apart by class: accuracies that rare classes count
in, confusion, and calibration.

Words. *balanced accuracy* is the mean recall over classes: where nine of ten images are of one
class, always saying that class has an accuracy of 0.9 and a balanced accuracy of 0.5. *macro F1* is
the mean F1 over classes. *Calibration*: of the images that a method is 80 % sure of, 80 % should be
right; *ece* is the mean gap between the two, over bins of probability (Guo et al. 2017,
arXiv:1706.04599).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nbtools.errors import UserError
from nbtools.metrics import bootstrap

METRICS = ("balanced_accuracy", "macro_f1", "accuracy")
BINS = 10


def evaluate(
    pairs: Iterable[tuple[str, str, str | None, float | None]],
    *,
    classes: Sequence[str] | None = None,
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Score classes.

    pairs : (name, true class, predicted class or None, probability of the predicted class or None).
        None means that there is no prediction: it counts as wrong.
    classes : all classes in order; by default those that occur, sorted.
    groups, seed : of the bootstrap, see `instances.evaluate`.

    Returns plain JSON values: `task`, `accuracy`, `balanced_accuracy` (over classes that truly
    occur), `macro_f1` (over classes that occur or were predicted), `classes`, `confusion` (rows
    are true, columns predicted, in the order of `classes`), `per_class`, `calibration` (`ece`
    and its bins; None without probabilities), `missing`, `interval_95` and a row for each.

    >>> evaluate([("a", "wild type", "wild type", 0.9), ("b", "mutant", "wild type", 0.6)])["balanced_accuracy"]
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
        "calibration": calibrate(rows),
        "missing": [row["name"] for row in rows if row["predicted"] is None],
        "interval_95": bootstrap.find_intervals(tables, rate_confusion, units=units, seed=seed),
        "per_image": rows,
    }


def count_classes(rows: Sequence[Mapping], classes: Sequence[str]) -> np.ndarray:
    """(images, K, K + 1): one 1 a row of `evaluate`, at its true class and its predicted class; the
    last column holds missing ones.
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
    """(..., K, K + 1) counts → metric → (..., K); not a number where a class does not occur."""
    hit = np.einsum("...kk->...k", confusion[..., :-1])
    true, predicted = confusion.sum(axis=-1), confusion[..., :-1].sum(axis=-2)
    occurs = true + predicted > 0
    precision = np.where(occurs, hit / np.maximum(predicted, 1), np.nan)
    return {
        "precision": precision,
        "recall": np.where(true > 0, hit / np.maximum(true, 1), np.nan),
        "f1": np.where(occurs, 2 * hit / np.maximum(true + predicted, 1), np.nan),
    }


def rate_confusion(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """(..., K, K + 1) counts → metric → (...)."""
    each = rate_classes(confusion)
    hit = np.einsum("...kk->...", confusion[..., :-1])
    return {
        "balanced_accuracy": _mean_known(each["recall"]),
        "macro_f1": _mean_known(each["f1"]),
        "accuracy": hit / np.maximum(confusion.sum(axis=(-2, -1)), 1),
    }


def calibrate(rows: Sequence[Mapping], *, bins: int = BINS) -> dict | None:
    """How sure the method said it was, against how often it was right: `ece`, and for each bin that
    holds any `count`, mean `probability`
    and `accuracy`. None where no prediction has a probability.
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
    told = [
        {
            "count": int(h.sum()),
            "probability": float(sure[h].mean()),
            "accuracy": float(right[h].mean()),
        }
        for h in held
    ]
    return {
        "ece": sum(b["count"] * abs(b["probability"] - b["accuracy"]) for b in told) / len(known),
        "bins": told,
    }


def _mean_known(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return np.where(known, values, 0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)


def count_answers(
    methods: Sequence[Sequence[Mapping]], scores: Sequence[Mapping]
) -> tuple[np.ndarray, bootstrap.Rate]:
    """(methods, images, K, K + 1), and how they are rated: see `rate_confusion`; the classes are
    those of any method.
    """
    names = sorted({name for one in scores for name in one["classes"]})
    return np.array([count_classes(rows, names) for rows in methods]), rate_confusion


COUNTING = bootstrap.Counting(METRICS, count_answers)
