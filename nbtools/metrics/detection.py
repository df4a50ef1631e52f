"""Scores of nuclei found as points: precision, recall, F1, RMSE and average precision.

A true and a predicted point *match* if they lie no further apart than the *gate*, each at most
once. "optimal" finds as many pairs as possible, and among those the smallest total distance
(Hungarian method); "greedy" always takes the nearest free pair next. *rmse* is the root mean
squared distance of matched points. *ap* is the area under the precision-recall curve with
precision made non-increasing: points are taken in the order of their scores over all images, and
each takes the nearest true point within its gate that is still free. Where points have no scores
the curve is a single point, and ap is precision x recall.

References
----------
Everingham et al. 2010, doi:10.1007/s11263-009-0275-4 (average precision).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nbtools.errors import UserError
from nbtools.metrics import bootstrap
from nbtools.metrics.matching import match_pairs

GATE_PX = 5.0  # of BIAFLOWS (Rubens et al. 2020, doi:10.1016/j.patter.2020.100040)
MATCHINGS = ("optimal", "greedy")
METRICS = ("f1", "precision", "recall", "rmse")
COUNTS = ("n_true", "n_pred", "tp", "squared")
CURVE = 200  # points of the precision-recall curve that are kept


def evaluate(
    pairs: Iterable[tuple[str, np.ndarray, np.ndarray | None, np.ndarray | None]],
    *,
    gate: float = GATE_PX,
    unit: str = "px",
    matching: str = "optimal",
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Score a set of images in which nuclei were predicted as points.

    Parameters
    ----------
    pairs : (name, true points (N, D), predicted points (M, D) or None, their scores (M,) or None),
        in the unit of the gate. None as predicted points means that the image has no result; all
        its nuclei count as missed.
    gate, unit : the largest distance of a match, and its unit, "px" or "um".
    matching : "optimal" or "greedy", as explained in the module.
    groups, seed : of the bootstrap, see `instances.evaluate`.

    Returns
    -------
    Plain JSON values: `task`, `gate_px` or `gate_um`, `precision`, `recall`, `f1`, `ap` (0 to 1),
    `rmse` (in the unit; None without a match), `tp`, `fp`, `fn`, `count_error`, `curve`, `missing`,
    `interval_95` (bootstrap over images or groups), `interval_units`, and one row per image.

    Raises
    ------
    UserError : no images, a gate that is not above 0, an unknown unit or matching, or points whose
        numbers of coordinates differ.

    Examples
    --------
    >>> truth = np.array([[5.0, 5.0], [20.0, 5.0]])
    >>> predicted = np.array([[5.0, 8.0], [40.0, 40.0]])
    >>> scores = evaluate([("a", truth, predicted, None)])
    >>> scores["f1"], scores["rmse"]
    (0.5, 3.0)
    """
    _check(gate, unit=unit, matching=matching)
    rows, ranked, missing = [], [], []
    for name, truth, predicted, scores in pairs:
        if predicted is None:
            missing.append(name)
            predicted, scores = np.zeros((0, np.shape(truth)[1] if len(truth) else 2)), None
        truth, predicted = _check_points(truth, predicted, name=name)
        distance = match_points(truth, predicted, gate=gate, matching=matching)[2]
        counts = len(truth), len(predicted), len(distance), float((distance**2).sum())
        row = dict(zip(COUNTS, counts, strict=True))
        rows.append({"name": name, **row, "f1": float(rate_counts(np.array(counts))["f1"])})
        ranked.append((scores, match_by_score(truth, predicted, scores=scores, gate=gate)))
    if not rows:
        raise UserError(
            "At least one image with true points is needed to evaluate a result.",
            "none",
            "Check the folder with the true points.",
        )
    counts = _list_counts(rows)
    units = bootstrap.find_units([row["name"] for row in rows], groups)
    return {
        "task": "detection",
        "images": len(rows),
        f"gate_{unit}": float(gate),
        "matching": matching,
        **_pool_counts(counts, ranked),
        "missing": missing,
        "interval_95": bootstrap.find_intervals(counts, rate_counts, units=units, seed=seed),
        "interval_units": bootstrap.describe_units([row["name"] for row in rows], groups),
        "per_image": rows,
    }


def match_points(
    truth: np.ndarray, predicted: np.ndarray, *, gate: float, matching: str = "optimal"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Match true and predicted points one to one.

    Parameters
    ----------
    truth, predicted : (N, D) and (M, D) coordinates, in the unit of the gate.
    gate : the largest distance of a match.
    matching : "optimal" or "greedy", as explained in the module.

    Returns
    -------
    Indices of the matched true points (K,), of the matched predicted points (K,), and their
    distances (K,).
    """
    row, column, distance = _find_near(truth, predicted, gate=gate)
    if matching == "greedy":
        chosen = choose_free(row, column, order=np.lexsort((column, row, distance)))
    else:
        # All pairs within the gate have values from 0.5 to 1, as the assignment expects.
        chosen = np.flatnonzero(
            match_pairs(row, column, values=1 - distance / (2 * gate), threshold=0.5)
        )
    return row[chosen], column[chosen], distance[chosen]


def match_by_score(
    truth: np.ndarray, predicted: np.ndarray, *, scores: np.ndarray | None, gate: float
) -> np.ndarray:
    """Decide which predicted points are hits where higher scores choose first.

    Parameters
    ----------
    truth, predicted : (N, D) and (M, D) coordinates, in the unit of the gate.
    scores : (M,); None treats all points alike.
    gate : the largest distance of a match.

    Returns
    -------
    (M,) bool: the point takes the nearest true point in its gate that is still free.
    """
    row, column, distance = _find_near(truth, predicted, gate=gate)
    first = np.zeros(len(predicted)) if scores is None else -np.asarray(scores, float)
    hit = np.zeros(len(predicted), bool)
    order = np.lexsort((row, distance, column, first[column]))
    hit[column[choose_free(row, column, order=order)]] = True
    return hit


def rate_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute precision, recall, F1 and RMSE from counts.

    Parameters
    ----------
    counts : (..., 4) true points, predicted points, matches, sum of squared distances.

    Returns
    -------
    Metric to (...). Rates are 1 where there are neither true nor predicted points; `rmse` is NaN
    without a match.
    """
    true, predicted, tp, squared = np.moveaxis(np.asarray(counts, float), -1, 0)
    empty = (true + predicted == 0).astype(float)

    def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.where(whole > 0, part / np.maximum(whole, 1), empty)

    return {
        "f1": share(2 * tp, true + predicted),
        "precision": share(tp, predicted),
        "recall": share(tp, true),
        "rmse": np.where(tp > 0, np.sqrt(squared / np.maximum(tp, 1)), np.nan),
    }


def count_points(
    methods: Sequence[Sequence[Mapping]], scores: Sequence[Mapping]
) -> tuple[np.ndarray, bootstrap.Rate]:
    """Count the points of each image for several methods.

    Parameters
    ----------
    methods : rows of `evaluate` of each method, in one order of the images.
    scores : of `evaluate` of each method; not needed here.

    Returns
    -------
    (methods, images, 4) counts in the order of COUNTS, and `rate_counts`.
    """
    return np.array([_list_counts(rows) for rows in methods]), rate_counts


def _list_counts(rows: Sequence[Mapping]) -> np.ndarray:
    """(images, 4) counts in the order of COUNTS."""
    return np.array([[row[key] for key in COUNTS] for row in rows], float)


COUNTING = bootstrap.Counting(METRICS, count_points, smaller_is_better=("rmse",))


def precision_recall_curve(
    hit: np.ndarray, scores: np.ndarray, *, n_true: int
) -> dict[str, np.ndarray]:
    """Compute precision and recall at each distinct score, from the highest down.

    Parameters
    ----------
    hit : (points,) bool, whether a predicted point is a hit.
    scores : (points,); points of equal score are taken together.
    n_true : number of true points.

    Returns
    -------
    `score`, `precision`, `recall` and `f1`, arrays of one length: what is reached where points
    below that score are left out.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    tp = np.cumsum(hit[order])[last]
    return {
        "score": scores[order][last],
        "precision": tp / (last + 1),
        "recall": tp / max(n_true, 1),
        "f1": 2 * tp / np.maximum(last + 1 + n_true, 1),
    }


def thin_curve(curve: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """Keep at most CURVE points of a precision-recall curve, as plain values."""
    kept = np.unique(np.linspace(0, len(curve["score"]) - 1, CURVE).round().astype(int))
    return {name: values[kept].tolist() for name, values in curve.items()}


def average_precision(curve: Mapping[str, np.ndarray]) -> float:
    """Compute the area under a precision-recall curve, with precision made non-increasing.

    Parameters
    ----------
    curve : `precision` and `recall`, ordered by rising recall.

    Returns
    -------
    The area, 0 to 1.

    References
    ----------
    Everingham et al. 2010, doi:10.1007/s11263-009-0275-4.

    Examples
    --------
    >>> curve = {"precision": np.array([1.0, 0.5, 0.6]), "recall": np.array([0.2, 0.2, 0.6])}
    >>> round(average_precision(curve), 2)
    0.44
    """
    # At each recall, the best precision at this or a higher recall (all-point interpolation).
    falling = np.maximum.accumulate(curve["precision"][::-1])[::-1]
    return float(np.sum(np.diff(curve["recall"], prepend=0.0) * falling))


def _pool_counts(counts: np.ndarray, ranked: list[tuple[np.ndarray | None, np.ndarray]]) -> dict:
    """Rates, counts and precision-recall curve over all images.

    counts : (images, 4), in the order of COUNTS. ranked : scores and hits of the points per image.
    """
    true, predicted, tp = (int(v) for v in counts[:, :3].sum(axis=0))
    rates = rate_counts(counts.sum(axis=0))
    n_true, n_pred = counts[:, 0], counts[:, 1]
    area, curve = _pool_curve(ranked, n_true=true)
    return {
        **{name: None if np.isnan(value) else float(value) for name, value in rates.items()},
        "ap": float(rates["precision"] * rates["recall"]) if area is None else area,
        "tp": tp,
        "fp": predicted - tp,
        "fn": true - tp,
        "count_error": float(np.mean(np.abs(n_pred - n_true) / np.maximum(n_true, 1))),
        "curve": curve,
    }


def _pool_curve(
    ranked: list[tuple[np.ndarray | None, np.ndarray]], *, n_true: int
) -> tuple[float | None, dict[str, list[float]] | None]:
    """AP and at most CURVE points of the curve over all images; None where points lack scores."""
    hit = np.concatenate([hit for _, hit in ranked])
    if not len(hit) or any(scores is None for scores, hits in ranked if len(hits)):
        return None, None
    scores = np.concatenate([np.asarray(s, float) for s, hits in ranked if len(hits)])
    curve = precision_recall_curve(hit, scores, n_true=n_true)
    return average_precision(curve), thin_curve(curve)


def _find_near(
    truth: np.ndarray, predicted: np.ndarray, *, gate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs within the gate: index of the true point, index of the predicted point, distance."""
    from scipy.spatial import cKDTree

    if not len(truth) or not len(predicted):
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    # A little beyond the gate: points exactly at its distance must not be lost to rounding.
    near = cKDTree(truth).sparse_distance_matrix(
        cKDTree(predicted), gate * (1 + 1e-9), output_type="ndarray"
    )
    return near["i"].astype(int), near["j"].astype(int), np.minimum(near["v"], gate)


def choose_free(row: np.ndarray, column: np.ndarray, *, order: np.ndarray) -> np.ndarray:
    """Take pairs in the given order, each only if both of its sides are still free.

    Parameters
    ----------
    row, column : (pairs,) the two sides of each pair.
    order : (pairs,) indices of the pairs, the first choice first.

    Returns
    -------
    Indices of the chosen pairs.

    Examples
    --------
    >>> row, column = np.array([0, 0, 1]), np.array([0, 1, 0])
    >>> choose_free(row, column, order=np.array([2, 0, 1])).tolist()
    [2, 1]
    """
    taken: tuple[set, set] = (set(), set())
    chosen = []
    for pair in order.tolist():
        if row[pair] not in taken[0] and column[pair] not in taken[1]:
            taken[0].add(row[pair])
            taken[1].add(column[pair])
            chosen.append(pair)
    return np.array(chosen, int)


def _check(gate: float, *, unit: str, matching: str) -> None:
    if not (np.isfinite(gate) and gate > 0):
        raise UserError(
            "The gate must be a distance above 0.",
            gate,
            "Use 5 px, or about half the diameter of a nucleus in µm.",
        )
    if unit not in ("px", "um") or matching not in MATCHINGS:
        raise UserError(
            'The unit is "px" or "um", and the matching "optimal" or "greedy".',
            f"{unit}, {matching}",
            "Leave them out for px and optimal.",
        )


def _check_points(
    truth: np.ndarray, predicted: np.ndarray, *, name: str
) -> tuple[np.ndarray, np.ndarray]:
    truth, predicted = np.asarray(truth, float), np.asarray(predicted, float)
    shapes = [points.shape[1] for points in (truth, predicted) if points.ndim == 2 and len(points)]
    if len(set(shapes)) > 1 or any(
        points.size and points.ndim != 2 for points in (truth, predicted)
    ):
        raise UserError(
            "True and predicted points must have the same number of coordinates.",
            f"{name} with {truth.shape} and {predicted.shape}",
            "Give y, x or z, y, x for both.",
        )
    return tuple(points.reshape(-1, shapes[0] if shapes else 2) for points in (truth, predicted))
