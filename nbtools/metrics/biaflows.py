"""The benchmark metrics of BIAFLOWS under their original names, per image and averaged.

ObjSeg: DC, AHD, FOVL, mAP; SptCnt: REC; PixCla: ACC, F1, PR, RE (weighted by class size); ObjDet:
TP, FN, FP, RE, PR, F1, RMSE at a gating distance of 5 px. They are kept as defined there, so that
results can be compared with those online: DC and AHD are computed on the foreground and ignore
touching nuclei, mAP includes IoU 0.95, and every image has equal weight, with two nuclei or two
hundred.

References
----------
Rubens et al. 2020, doi:10.1016/j.patter.2020.100040.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import classification, detection, instances, outlines, regions
from nbtools.metrics.overlap import check_labels, find_overlap, mask_void
from nbtools.metrics.semantic import count_pixels

Pairs = Iterable[tuple[str, np.ndarray | Image, np.ndarray | Image | None]]


def segment_objects(truth: np.ndarray | Image, predicted: np.ndarray | Image) -> dict[str, float]:
    """Compute ObjSeg of two label images.

    Parameters
    ----------
    truth, predicted : integers of equal shape, 2D or 3D, 0 background.

    Returns
    -------
    DC : Dice of the foreground.
    AHD : average Hausdorff distance of the foreground, in pixels.
    FOVL : mean fraction overlap of the true nuclei.
    mAP : mean over IoU 0.50, 0.55, … 0.95 of TP / (TP + FP + FN).

    Raises
    ------
    UserError : shapes differ, or labels are negative or not whole numbers.

    Examples
    --------
    >>> square = np.pad(np.ones((4, 4), int), 2)
    >>> segment_objects(square, square)
    {'DC': 1.0, 'AHD': 0.0, 'FOVL': 1.0, 'mAP': 1.0}
    """
    overlap = find_overlap(truth, predicted)
    fractions, alone = regions.score_fraction_overlap(overlap), not len(overlap.predicted_labels)
    return {
        "DC": float(regions.rate_dice(regions.count_foreground(overlap))),
        "AHD": outlines.measure_foreground(
            *mask_void(check_labels(truth), check_labels(predicted))
        ),
        "FOVL": float(fractions.mean()) if len(fractions) else float(alone),
        "mAP": float(
            np.mean([instances.score_overlap(overlap, iou).ap for iou in instances.THRESHOLDS])
        ),
    }


def count_spots(truth: int, predicted: int) -> dict[str, float]:
    """Compute SptCnt, the relative error of the count.

    Parameters
    ----------
    truth, predicted : numbers of objects.

    Returns
    -------
    REC : |predicted - truth| / truth; infinity where there is nothing to count and something was.

    Examples
    --------
    >>> count_spots(20, 25)
    {'REC': 0.25}
    """
    return {
        "REC": abs(predicted - truth) / truth
        if truth
        else 0.0
        if predicted == truth
        else float("inf")
    }


def classify_pixels(truth: np.ndarray | Image, predicted: np.ndarray | Image) -> dict[str, float]:
    """Compute PixCla of two class images.

    Parameters
    ----------
    truth, predicted : class numbers of equal shape.

    Returns
    -------
    ACC : share of pixels that are right.
    F1, PR, RE : means over classes, weighted by their true pixels.

    Raises
    ------
    UserError : shapes differ, or classes are negative or not whole numbers.
    """
    truth, predicted = check_labels(truth), check_labels(predicted)
    table = count_pixels(
        truth, predicted, count=int(max(truth.max(initial=0), predicted.max(initial=0))) + 1
    )
    padded = np.concatenate([table, np.zeros((len(table), 1))], axis=1)
    each, weight = classification.rate_classes(padded), table.sum(axis=1) / max(table.sum(), 1)
    named = {"F1": "f1", "PR": "precision", "RE": "recall"}
    means = {name: float(np.nansum(each[key] * weight)) for name, key in named.items()}
    return {"ACC": float(classification.rate_confusion(padded)["accuracy"]), **means}


def detect_objects(
    truth: np.ndarray, found: np.ndarray, *, gate: float = detection.GATE_PX
) -> dict[str, float]:
    """Compute ObjDet of points.

    Parameters
    ----------
    truth, found : (N, D) and (M, D) coordinates in pixels.
    gate : the largest distance of a match, in pixels.

    Returns
    -------
    TP, FN, FP, and RE, PR, F1, RMSE.

    Raises
    ------
    UserError : numbers of coordinates differ, or the gate is not above 0.
    """
    scores = detection.evaluate([("", truth, found, None)], gate=gate)
    named = {"RE": "recall", "PR": "precision", "F1": "f1", "RMSE": "rmse"}
    return {k: scores[k.lower()] for k in ("TP", "FN", "FP")} | {
        name: scores[key] for name, key in named.items()
    }


def average(rows: Iterable[dict[str, float]]) -> dict[str, float | None]:
    """Average each metric over images, as BIAFLOWS displays it.

    Parameters
    ----------
    rows : one dictionary of metrics per image.

    Returns
    -------
    Metric to mean; None where an image lacks the number (an empty one has no distance).

    Raises
    ------
    UserError : no images.
    """
    rows = list(rows)
    if not rows:
        raise UserError("At least one image is needed for a mean.", "none", "Check the folders.")
    means = {
        name: np.mean([np.nan if row[name] is None else row[name] for row in rows])
        for name in rows[0]
    }
    return {name: float(value) if np.isfinite(value) else None for name, value in means.items()}


def of_instances(truth: np.ndarray | Image, predicted: np.ndarray | Image) -> dict[str, float]:
    """Compute all BIAFLOWS metrics of two label images: ObjSeg, and SptCnt of their number."""
    table = find_overlap(truth, predicted)
    counts = len(table.true_labels), len(table.predicted_labels)
    return segment_objects(truth, predicted) | count_spots(*counts)
