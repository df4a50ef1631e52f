"""How well nuclei were found as boxes: average precision by the overlap that a match needs.

A found and a true box *match* if their IoU (shared area over covered area) reaches a threshold.
Boxes are taken in the order of their scores over all images, and each takes the true box of largest
IoU that is still free; *ap* is the area under the precision-recall curve, with precision made to
fall (Everingham et al. 2010, doi:10.1007/s11263-009-0275-4). *map50_95* is its mean over the IoU
0.50, 0.55, …, 0.95 (Lin et al. 2014, doi:10.1007/978-3-319-10602-1_48).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbtools.metrics.detection import average_precision, choose_free, precision_recall_curve
from nbtools.metrics.instances import THRESHOLDS

Pair = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def score_boxes(pairs: Sequence[Pair]) -> dict[str, float]:
    """`ap50` and `map50_95` of a set of images.

    Parameters
    ----------
    pairs : (true boxes (N, 2 D), found boxes (M, 2 D), their scores (M,) or None) of each image,
        half-open and in pixels: y0, x0, y1, x1 and in 3D z0, z1 behind them.

    Examples
    --------
    >>> box = np.array([[0.0, 0.0, 10.0, 10.0]])
    >>> score_boxes([(box, box + [0, 2, 0, 2], np.array([0.9]))])  # their IoU is 80 / 120
    {'ap50': 1.0, 'map50_95': 0.4}
    """
    each = [measure_ap(pairs, iou=iou) for iou in THRESHOLDS]
    return {"ap50": each[0], "map50_95": float(np.mean(each))}


def measure_ap(pairs: Sequence[Pair], *, iou: float = 0.5) -> float:
    """Average precision at one IoU threshold; 1 where there are neither true nor found boxes.

    Parameters
    ----------
    pairs : true boxes, found boxes, and scores of these or None, for each image.
    iou : from which a found box can be a hit.
    """
    n_true, n_found = (sum(len(pair[side]) for pair in pairs) for side in (0, 1))
    if not n_true or not n_found:
        return float(n_true == n_found)
    every = [np.zeros(len(f)) if s is None else np.asarray(s, float) for _, f, s in pairs]
    hits = [
        rank_boxes(true, found, scores=scores, iou=iou)
        for (true, found, _), scores in zip(pairs, every, strict=True)
    ]
    return average_precision(
        precision_recall_curve(np.concatenate(hits), np.concatenate(every), n_true=n_true)
    )


def measure_f1(pairs: Sequence[Pair], *, iou: float = 0.5) -> float:
    """2 TP / (true boxes + found boxes), over all images; 1 where there are neither.

    Parameters
    ----------
    pairs : true boxes, found boxes, and scores of these or None, for each image.
    iou : from which a found box can be a hit.

    Examples
    --------
    >>> box = np.array([[0.0, 0.0, 10.0, 10.0]])
    >>> measure_f1([(box, np.concatenate([box, box + 20]), None)])
    0.6666666666666666
    """
    hits, boxes = 0, sum(len(pair[side]) for pair in pairs for side in (0, 1))
    for true, found, scores in pairs:
        scores = np.zeros(len(found)) if scores is None else np.asarray(scores, float)
        hits += int(rank_boxes(true, found, scores=scores, iou=iou).sum())
    return 2 * hits / boxes if boxes else 1.0


def rank_boxes(
    truth: np.ndarray, found: np.ndarray, *, scores: np.ndarray, iou: float
) -> np.ndarray:
    """Find which boxes are hits, where those of higher score choose first.

    Parameters
    ----------
    truth : (N, 2 D) edges of the true boxes.
    found : (M, 2 D) edges of the found ones.
    scores : (M,) of the found boxes.
    iou : from which a found box can be a hit.

    Returns
    -------
    (M,) bool.
    """
    overlap = find_box_iou(truth, found)
    row, column = np.nonzero(overlap >= iou - 1e-9)
    order = np.lexsort((row, -overlap[row, column], column, -scores[column]))
    hit = np.zeros(len(found), bool)
    hit[column[choose_free(row, column, order=order)]] = True
    return hit


def find_box_iou(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Compute the IoU of each true box with each found one.

    Parameters
    ----------
    truth : (N, 2 D) edges, columns y0, x0, y1, x1[, z0, z1].
    found : (M, 2 D).

    Returns
    -------
    (N, M), 0 … 1.

    Examples
    --------
    >>> find_box_iou(np.array([[0.0, 0, 2, 2]]), np.array([[0.0, 0, 2, 1], [5, 5, 6, 6]])).tolist()
    [[0.5, 0.0]]
    """
    low, high = split_edges(truth)
    other_low, other_high = split_edges(found)
    shared = np.minimum(high[:, None], other_high) - np.maximum(low[:, None], other_low)
    shared = np.maximum(shared, 0).prod(axis=-1)
    sizes = (high - low).prod(axis=-1)[:, None] + (other_high - other_low).prod(axis=-1)
    return shared / np.maximum(sizes - shared, 1e-12)


def split_edges(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 2 D) → their lower and their upper corners (N, D), columns z, y, x."""
    ndim = boxes.shape[1] // 2
    return boxes[:, (4, 0, 1)[-ndim:]], boxes[:, (5, 2, 3)[-ndim:]]
