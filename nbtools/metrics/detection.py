"""How well nuclei were found as points: gated one-to-one matching, precision, recall, F1, RMSE, and
AP where the points have scores.

Words. A true and a found point *match* if they lie no further apart than the *gate*, each at most
once: as many pairs as possible, and among those the smallest total distance (Hungarian method), or,
on request, always the nearest pair next ("greedy"). *rmse* is the root of the mean squared distance
of matched points. *ap* is the area under the precision-recall curve, with precision made to fall
(Everingham et al. 2010, doi:10.1007/s11263-009-0275-4); points are taken in the order of their
scores over all images, and each takes the nearest true point in its gate that is still free. Where
points have no scores the curve is one point, and ap is precision x recall.
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
    """Score a set of images in which nuclei were found as points.

    pairs : (name, true points (N, D), found points (M, D) or None, their scores (M,) or None), in
        the unit of the gate. None for the points means that the image has no result: all its nuclei
        are missed.
    gate, unit : the largest distance of a match, in "px" or "um".
    matching : "optimal" or "greedy", see the words at the top.

    Returns plain JSON values: `task`, `gate_px` or `gate_um`, `precision`, `recall`, `f1`,
    `ap`, `rmse` (None without a match), `tp`, `fp`, `fn`, `count_error`, `curve`, `missing`,
    `interval_95` (bootstrap over images or groups), and a row for each image.

    >>> found = evaluate([("a", np.array([[5.0, 5.0], [20.0, 5.0]]), np.array([[5.0, 8.0], [40.0, 40.0]]), None)])
    >>> found["f1"], found["rmse"]
    (0.5, 3.0)
    """
    _check(gate, unit=unit, matching=matching)
    rows, ranked, missing = [], [], []
    for name, truth, found, scores in pairs:
        if found is None:
            missing.append(name)
            found, scores = np.zeros((0, np.shape(truth)[1] if len(truth) else 2)), None
        truth, found = _check_points(truth, found, name=name)
        distance = match_points(truth, found, gate=gate, matching=matching)[2]
        counts = {
            "n_true": len(truth),
            "n_pred": len(found),
            "tp": len(distance),
            "squared": float((distance**2).sum()),
        }
        rows.append(
            {
                "name": name,
                **counts,
                "f1": float(rate_counts(np.array(list(counts.values()), float))["f1"]),
            }
        )
        ranked.append((scores, rank_points(truth, found, scores=scores, gate=gate)))
    if not rows:
        raise UserError(
            "At least one image with true points is needed to evaluate a result.",
            "none",
            "Check the folder of the truth.",
        )
    about = {"task": "detection", "images": len(rows), f"gate_{unit}": float(gate)}
    summary = _summary(rows, ranked, missing=missing, groups=groups, seed=seed)
    return about | {"matching": matching} | summary


def match_points(
    truth: np.ndarray, found: np.ndarray, *, gate: float, matching: str = "optimal"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matched points: which true ones (K,), which found ones (K,), and their distances (K,)."""
    row, column, distance = _find_near(truth, found, gate=gate)
    if matching == "greedy":
        chosen = choose_free(row, column, order=np.lexsort((column, row, distance)))
    else:
        chosen = np.flatnonzero(
            match_pairs(row, column, values=1 - distance / (2 * gate), least=0.5)
        )
    return row[chosen], column[chosen], distance[chosen]


def rank_points(
    truth: np.ndarray, found: np.ndarray, *, scores: np.ndarray | None, gate: float
) -> np.ndarray:
    """(found points,) bool: which of them is a hit, where those of higher score choose first, each
    the nearest free one.
    """
    row, column, distance = _find_near(truth, found, gate=gate)
    first = np.zeros(len(found)) if scores is None else -np.asarray(scores, float)
    hit = np.zeros(len(found), bool)
    order = np.lexsort((row, distance, column, first[column]))
    hit[column[choose_free(row, column, order=order)]] = True
    return hit


def find_centres(label: np.ndarray) -> np.ndarray:
    """(*space) label image → (N, D) centres of gravity of its labels, in pixels.

    >>> find_centres(np.pad(np.full((3, 5), 7), 1)).tolist()
    [[2.0, 3.0]]
    """
    from scipy.ndimage import center_of_mass

    names = np.unique(label[label > 0])
    return np.array(center_of_mass(label > 0, label, names), float).reshape(-1, label.ndim)


def rate_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """(..., 4) true points, found points, matches, sum of squared distances → metric → (...). 1
    where nothing is and was found.
    """
    true, found, tp, squared = np.moveaxis(np.asarray(counts, float), -1, 0)
    empty = (true + found == 0).astype(float)

    def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.where(whole > 0, part / np.maximum(whole, 1), empty)

    rmse = np.where(tp > 0, np.sqrt(squared / np.maximum(tp, 1)), np.nan)
    return {
        "f1": share(2 * tp, true + found),
        "precision": share(tp, found),
        "recall": share(tp, true),
        "rmse": rmse,
    }


def count_points(
    methods: Sequence[Sequence[Mapping]], scores: Sequence[Mapping]
) -> tuple[np.ndarray, bootstrap.Rate]:
    """(methods, images, 4) counts, and how they are rated: see `rate_counts`."""
    return np.array([_list_counts(rows) for rows in methods]), rate_counts


def _list_counts(rows: Sequence[Mapping]) -> np.ndarray:
    keys = ("n_true", "n_pred", "tp", "squared")
    return np.array([[row[k] for k in keys] for row in rows], float)


COUNTING = bootstrap.Counting(METRICS, count_points, smaller_is_better=("rmse",))


def draw_curve(hit: np.ndarray, scores: np.ndarray, *, n_true: int) -> dict[str, np.ndarray]:
    """Precision and recall at each distinct score, from the highest down: arrays of one length.

    hit : (points,) bool.     scores : (points,), those of equal score are taken together.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    tp = np.cumsum(hit[order])[last]
    return {
        "score": scores[order][last],
        "precision": tp / (last + 1),
        "recall": tp / max(n_true, 1),
    }


def thin_curve(curve: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """At most 200 points of a curve that has one or more, as plain values."""
    last = len(curve["score"]) - 1
    kept = np.unique(np.linspace(0, last, CURVE).round().astype(int))
    return {name: values[kept].tolist() for name, values in curve.items()}


def measure_area(curve: Mapping[str, np.ndarray]) -> float:
    """Area under a precision-recall curve, its precision replaced by the best at equal or higher
    recall.
    """
    falling = np.maximum.accumulate(curve["precision"][::-1])[::-1]
    return float(np.sum(np.diff(curve["recall"], prepend=0.0) * falling))


def _summary(
    rows: list[dict],
    ranked: list,
    *,
    missing: list[str],
    groups: Mapping[str, object] | None,
    seed: int,
) -> dict:
    counts = _list_counts(rows)
    pooled, units = counts.sum(axis=0), bootstrap.find_units([row["name"] for row in rows], groups)
    true, found, tp = (int(v) for v in pooled[:3])
    rates = {
        name: None if np.isnan(value) else float(value)
        for name, value in rate_counts(pooled).items()
    }
    scored = all(scores is not None for scores, hit in ranked if len(hit))
    scores = np.concatenate(
        [np.asarray(s, float) if scored and len(h) else np.zeros(len(h)) for s, h in ranked]
    )
    curve = draw_curve(np.concatenate([hit for _, hit in ranked]), scores, n_true=true)
    area = measure_area(curve) if scored and found else rates["precision"] * rates["recall"]
    return {
        **rates,
        "ap": area,
        "tp": tp,
        "fp": found - tp,
        "fn": true - tp,
        "count_error": float(
            np.mean(np.abs(counts[:, 1] - counts[:, 0]) / np.maximum(counts[:, 0], 1))
        ),
        "curve": thin_curve(curve) if scored and found else None,
        "missing": missing,
        "interval_95": bootstrap.find_intervals(counts, rate_counts, units=units, seed=seed),
        "per_image": rows,
    }


def _find_near(
    truth: np.ndarray, found: np.ndarray, *, gate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs within the gate: true point, found point, distance."""
    from scipy.spatial import cKDTree

    if not len(truth) or not len(found):
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    near = cKDTree(truth).sparse_distance_matrix(
        cKDTree(found), gate * (1 + 1e-9), output_type="ndarray"
    )
    return near["i"].astype(int), near["j"].astype(int), np.minimum(near["v"], gate)


def choose_free(row: np.ndarray, column: np.ndarray, *, order: np.ndarray) -> np.ndarray:
    """Of pairs in an order, those whose two points are still free."""
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
            "The gate must be a distance above 0.", gate, "Use 5 px, or about half a nucleus in µm."
        )
    if unit not in ("px", "um") or matching not in MATCHINGS:
        raise UserError(
            'The unit is "px" or "um", and the matching "optimal" or "greedy".',
            f"{unit}, {matching}",
            "Leave them out.",
        )


def _check_points(
    truth: np.ndarray, found: np.ndarray, *, name: str
) -> tuple[np.ndarray, np.ndarray]:
    truth, found = np.asarray(truth, float), np.asarray(found, float)
    shapes = [points.shape[1] for points in (truth, found) if points.ndim == 2 and len(points)]
    if len(set(shapes)) > 1 or any(points.size and points.ndim != 2 for points in (truth, found)):
        received = f"{name} with {truth.shape} and {found.shape}"
        raise UserError(
            "True and found points must have the same number of coordinates.",
            received,
            "Give y, x or z, y, x for both.",
        )
    return tuple(points.reshape(-1, shapes[0] if shapes else 2) for points in (truth, found))
