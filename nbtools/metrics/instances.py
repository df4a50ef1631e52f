"""Scores of instance segmentation: matches, average precision, and kinds of mistakes.

All numbers come from one sparse table of overlaps, so that ten thousand nuclei in a volume take a
fraction of a second.

*IoU* of two nuclei is the shared area divided by the covered area. A true and a predicted nucleus
*match* at a threshold if IoU >= threshold, each at most once; as many pairs as possible match, and
among those the pairs of largest IoU. TP are matched pairs, FP (extra) predictions without a match,
FN (missed) true nuclei without a match. ap = TP / (TP + FP + FN). Where there are neither true nor
predicted nuclei, all rates are 1. Pixels of -1, which nobody looked at, are left out on both sides
(see `overlap.find_overlap`).

References
----------
Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7 (ap over IoU thresholds).
Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963 (panoptic quality).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from nbtools import io
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import bootstrap, outlines, regions
from nbtools.metrics.overlap import (
    Overlap,
    check_labels,
    find_overlap,
    mask_void,
    match_nuclei,
)
from nbtools.metrics.stored_labels import find_boxes, group_regions

THRESHOLDS = (0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
# 0.95 demands more than the accuracy of the true labels: it is reported, but not averaged.
LAST_AVERAGED = 0.90
MATCHED = 0.5  # IoU from which outlines and classes of two nuclei are compared


@dataclass(frozen=True)
class Score:
    """Agreement at one IoU threshold.

    Parameters
    ----------
    iou : the threshold.
    tp, fp, fn : matched, extra and missed nuclei.
    matched_iou : sum of the IoU over the matched pairs.
    """

    iou: float
    tp: int
    fp: int
    fn: int
    matched_iou: float = 0.0  # sum of the IoU over matched pairs

    @property
    def n_true(self) -> int:
        """Number of true nuclei."""
        return self.tp + self.fn

    @property
    def n_pred(self) -> int:
        """Number of predicted nuclei."""
        return self.tp + self.fp

    def _share(self, part: float, whole: float) -> float:
        return _share(part, whole, nuclei=self.n_true + self.n_pred)

    @property
    def ap(self) -> float:
        """TP / (TP + FP + FN)."""
        return self._share(self.tp, self.tp + self.fp + self.fn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return self._share(self.tp, self.n_pred)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return self._share(self.tp, self.n_true)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return self._share(2 * self.tp, self.n_true + self.n_pred)

    @property
    def panoptic_quality(self) -> float:
        """Sum of the matched IoU / (TP + FP / 2 + FN / 2)."""
        return self._share(self.matched_iou, (self.n_true + self.n_pred) / 2)

    @property
    def mean_matched_score(self) -> float:
        """Mean IoU of the matched pairs."""
        return self._share(self.matched_iou, self.tp)

    @property
    def mean_true_score(self) -> float:
        """Sum of the matched IoU divided by the number of true nuclei."""
        return self._share(self.matched_iou, self.n_true)

    def __add__(self, other: Score) -> Score:
        """Pool the counts of two images."""
        return Score(
            self.iou,
            self.tp + other.tp,
            self.fp + other.fp,
            self.fn + other.fn,
            self.matched_iou + other.matched_iou,
        )

    def rates(self) -> dict[str, float]:
        """Return ap, precision, recall and F1 by name."""
        return {"ap": self.ap, "precision": self.precision, "recall": self.recall, "f1": self.f1}

    def to_dict(self) -> dict:
        """Return rates and counts as plain JSON values."""
        return {**self.rates(), "tp": self.tp, "fp": self.fp, "fn": self.fn}


@dataclass(frozen=True, eq=False)
class Mistakes:
    """Labels by kind of mistake; "most of" means more than half of the pixels.

    A nucleus can appear in several lists.

    Parameters
    ----------
    split : true nuclei that contain most of each of two or more predictions.
    merged : predictions that contain most of each of two or more true nuclei.
    missed : true nuclei less than half of which is covered by predictions.
    extra : predictions less than half of which lies on true nuclei.
    """

    split: np.ndarray
    merged: np.ndarray
    missed: np.ndarray
    extra: np.ndarray


def score(truth: np.ndarray | Image, predicted: np.ndarray | Image, *, iou: float = 0.5) -> Score:
    """Compare two label images at one IoU threshold.

    Parameters
    ----------
    truth, predicted : integers of equal shape, 2D or 3D; 0 is background, labels need not be
        consecutive.
    iou : threshold, above 0 and up to 1.

    Returns
    -------
    Counts and rates at the threshold.

    Raises
    ------
    UserError : shapes differ, labels are negative or not whole numbers, or the threshold is not in
        range.

    Examples
    --------
    >>> truth = np.zeros((20, 20), int)
    >>> truth[5:15, 5:15] = 1
    >>> score(truth, np.roll(truth, 2, axis=1), iou=0.6).ap  # IoU is 80 / 120
    1.0
    """
    return score_overlap(find_overlap(truth, predicted), iou)


def evaluate(
    pairs: Iterable[tuple[str, np.ndarray | Image, np.ndarray | Image | None]],
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    groups: Mapping[str, object] | None = None,
    distances: bool = False,
    seed: int = 0,
) -> dict:
    """Score a set of label images: pooled counts, means over images, mistakes, and an interval.

    Parameters
    ----------
    pairs : (name, truth, predicted); None as predicted means that the image has no prediction, so
        that all its nuclei count as missed.
    thresholds : of the IoU, above 0 and up to 1.
    groups : name of an image to its group (mosaic, embryo, patient); the bootstrap draws whole
        groups.
    distances : also measure how far the outlines of matched nuclei (IoU 0.5) lie apart, see
        `outlines`; takes longer.
    seed : of the bootstrap.

    Returns
    -------
    Plain JSON values: `task`, `pooled` and `per_image_mean` by threshold ("0.50"); `mean_ap` (mean
    of the pooled ap up to 0.90), `panoptic_quality` (pooled, at 0.50), `seg` and `foreground_dice`
    (see `regions`), all 0 to 1; `count_error` (mean over images of |predicted - true| / true) and
    `count_bias` ((predicted - true) / true of all nuclei together); `splits`, `merges`, `missed`
    and `extra` (see `Mistakes`); `missing` (names); `interval_95` of the mean AP (bootstrap over
    images or groups; [0, 1] where there is only one); and one row per image. With `distances`:
    `hausdorff_average_um` and `hausdorff_95_um`, means over matched nuclei; `…_px` where a pixel
    size is unknown.

    Raises
    ------
    UserError : no images, shapes differ, or labels are negative or not whole numbers.

    Examples
    --------
    >>> truth = np.zeros((20, 20), int)
    >>> truth[5:15, 5:15] = 1
    >>> scores = evaluate([("a", truth, truth), ("b", truth, None)])
    >>> scores["mean_ap"], scores["missing"]
    (0.5, ['b'])
    """
    thresholds = sorted(round(float(t), 10) for t in thresholds) or list(THRESHOLDS)
    rows, counts, missing = [], [], []
    for name, truth, predicted in pairs:
        if predicted is None:
            missing.append(name)
            predicted = _make_empty(check_labels(truth))
        table = find_overlap(truth, predicted)
        counts.append([score_overlap(table, t) for t in thresholds])
        rows.append(_row(name, counts[-1], table=table))
        if distances:
            rows[-1] |= _measure_outlines(truth, predicted, table=table)
    if not rows:
        raise UserError(
            "At least one labelled image is needed to evaluate a result.",
            "none",
            "Check the folder with the true labels.",
        )
    return _summary(
        rows, counts, missing=missing, interval=_interval(rows, counts, groups=groups, seed=seed)
    ) | {
        "interval_units": bootstrap.describe_units([row["name"] for row in rows], groups),
        "per_image": _drop_private(rows),
    }


def score_overlap(overlap: Overlap, iou: float) -> Score:
    """Match nuclei at one IoU threshold and count.

    Parameters
    ----------
    overlap : table of two label images, see `overlap.find_overlap`.
    iou : threshold, above 0 and up to 1.

    Returns
    -------
    Counts and rates at the threshold.

    Raises
    ------
    UserError : the threshold is not in range.
    """
    if not 0 < iou <= 1:
        raise UserError("The IoU threshold must lie above 0 and not above 1.", iou, "Use 0.5.")
    values, iou = overlap.iou, round(float(iou), 10)  # 0.5 + 0.05 + 0.05 is above 0.6 in floats
    matched = match_nuclei(overlap, values, iou=iou)
    tp = int(np.count_nonzero(matched))
    fp, fn = len(overlap.predicted_labels) - tp, len(overlap.true_labels) - tp
    # fsum is exact, so that the order of the labels does not change the last digits.
    return Score(iou, tp, fp, fn, math.fsum(values[matched]))


def find_mistakes(overlap: Overlap) -> Mistakes:
    """Find split, merged, missed and extra nuclei, as defined in `Mistakes`."""
    n_true, n_predicted = len(overlap.true_labels), len(overlap.predicted_labels)
    inside = np.bincount(
        overlap.row[2 * overlap.shared > overlap.predicted_size[overlap.column]], minlength=n_true
    )
    holds = np.bincount(
        overlap.column[2 * overlap.shared > overlap.true_size[overlap.row]], minlength=n_predicted
    )
    covered = np.bincount(overlap.row, weights=overlap.shared, minlength=n_true)
    on_truth = np.bincount(overlap.column, weights=overlap.shared, minlength=n_predicted)
    return Mistakes(
        split=overlap.true_labels[inside >= 2],
        merged=overlap.predicted_labels[holds >= 2],
        missed=overlap.true_labels[2 * covered < overlap.true_size],
        extra=overlap.predicted_labels[2 * on_truth < overlap.predicted_size],
    )


def _share(part: float, whole: float, *, nuclei: int) -> float:
    """part / whole; 0 where the whole is 0, but 1 where there are no nuclei at all."""
    return part / whole if whole else float(nuclei == 0)


def _row(name: str, scores: list[Score], *, table: Overlap) -> dict:
    mistakes, foreground = find_mistakes(table), regions.count_foreground(table)
    seg, n_true, n_pred = float(regions.score_seg(table).sum()), scores[0].n_true, scores[0].n_pred
    return {
        "name": name,
        "n_true": n_true,
        "n_pred": n_pred,
        **{f"ap{round(100 * s.iou)}": s.ap for s in scores},
        **{kind: len(labels) for kind, labels in vars(mistakes).items()},
        "mean_ap": float(np.mean([s.ap for s in _averaged(scores)])),
        "seg": _share(seg, n_true, nuclei=n_true + n_pred),
        "foreground_dice": float(regions.rate_dice(foreground)),
        "count_error": abs(n_pred - n_true) / max(n_true, 1),
        "_seg": seg,
        "_foreground": foreground,
    }


def _measure_outlines(
    truth: np.ndarray | Image, predicted: np.ndarray | Image, *, table: Overlap
) -> dict:
    """Distances between matched outlines in pixels of the finest axis, and its size in µm."""
    matched = match_nuclei(table, table.iou, iou=MATCHED)
    names = table.true_labels[table.row[matched]], table.predicted_labels[table.column[matched]]
    image = truth if isinstance(truth, Image) else None
    spacing = (
        image.relative_spacing
        if image is not None and len(image.spatial) == image.pixels.ndim
        else None
    )
    pair = check_labels(truth), check_labels(predicted)
    if any(io.is_stored(side) for side in pair):
        average, highest = _measure_regions(pair, names, spacing=spacing)
    else:
        average, highest = outlines.measure_distances(
            *mask_void(*pair), pairs=names, spacing=spacing
        )
    um = min(image.spacing_um) if spacing is not None and image.spacing_um else None
    return {"_um": um, "_average": average, "_highest": highest}


def _make_empty(truth: np.ndarray | io.StoredPixels) -> np.ndarray:
    """Labels without nuclei; beside labels in a file, such that take no memory."""
    if io.is_stored(truth):
        return np.broadcast_to(np.zeros((), np.uint8), truth.shape)
    return np.zeros_like(truth)


def _measure_regions(
    pair: tuple, names: tuple[np.ndarray, np.ndarray], *, spacing: tuple[float, ...] | None
) -> tuple[np.ndarray, np.ndarray]:
    """As `outlines.measure_distances`, of labels in files: region after region."""
    low, high = [], []
    for side, wanted in zip(pair, names, strict=True):
        labels, *box = find_boxes(side)
        place = np.searchsorted(labels, wanted)
        low.append(box[0][place])
        high.append(box[1][place])
    found = np.zeros((2, len(names[0])))
    both = np.minimum(*low), np.maximum(*high)
    for some, place in group_regions(*both, shape=pair[0].shape):
        sides = mask_void(*(np.asarray(side[place]) for side in pair))
        chosen = names[0][some], names[1][some]
        found[:, some] = outlines.measure_distances(*sides, pairs=chosen, spacing=spacing)
    return found[0], found[1]


def _summary(
    rows: list[dict], counts: list[list[Score]], *, missing: list[str], interval: list[float]
) -> dict:
    pooled = [sum(scores[1:], scores[0]) for scores in zip(*counts, strict=True)]
    each = {f"{s[0].iou:.2f}": [one.rates() for one in s] for s in zip(*counts, strict=True)}
    n_true, n_pred = pooled[0].n_true, pooled[0].n_pred
    return {
        "task": "instances",
        "images": len(rows),
        "pooled": {f"{s.iou:.2f}": s.to_dict() for s in pooled},
        "per_image_mean": {
            iou: {k: float(np.mean([r[k] for r in rates])) for k in rates[0]}
            for iou, rates in each.items()
        },
        "mean_ap": float(np.mean([s.ap for s in _averaged(pooled)])),
        "panoptic_quality": min(pooled, key=lambda s: abs(s.iou - 0.5)).panoptic_quality,
        "seg": _share(math.fsum(r["_seg"] for r in rows), n_true, nuclei=n_true + n_pred),
        "foreground_dice": float(regions.rate_dice(sum(r["_foreground"] for r in rows))),
        "count_error": float(np.mean([r["count_error"] for r in rows])),
        "count_bias": (n_pred - n_true) / max(n_true, 1),
        **{key: sum(r[kind] for r in rows) for key, kind in _KINDS.items()},
        **_pool_distances(rows),
        "missing": missing,
        "interval_95": {"mean_ap": interval},
    }


def _pool_distances(rows: list[dict]) -> dict:
    """Mean distances over all matched nuclei; those of each image are added to its row.

    In µm where the pixel size of every image is known.
    """
    measured = [row for row in rows if "_average" in row]
    known = all(row["_um"] is not None for row in measured)
    unit, means = "um" if known else "px", {}
    for name, key in (("hausdorff_average", "_average"), ("hausdorff_95", "_highest")):
        values = [row[key] * (row["_um"] if known else 1.0) for row in measured]
        for row, one in zip(measured, values, strict=True):
            row[f"{name}_{unit}"] = float(one.mean()) if len(one) else None
        every = np.concatenate(values) if values else np.zeros(0)
        means |= {f"{name}_{unit}": float(every.mean()) if len(every) else None} if measured else {}
    return means


def _drop_private(rows: list[dict]) -> list[dict]:
    return [{key: value for key, value in row.items() if not key.startswith("_")} for row in rows]


_KINDS = {"splits": "split", "merges": "merged", "missed": "missed", "extra": "extra"}


def _averaged(scores: list[Score]) -> list[Score]:
    return [s for s in scores if s.iou <= LAST_AVERAGED] or scores


def _interval(
    rows: list[dict], counts: list[list[Score]], *, groups: Mapping[str, object] | None, seed: int
) -> list[float]:
    """95 % interval of the mean AP, drawing images or whole groups with replacement."""
    units = bootstrap.find_units([row["name"] for row in rows], groups)
    table = np.array(
        [[(s.tp, s.tp + s.fp + s.fn) for s in _averaged(scores)] for scores in counts], float
    )
    return bootstrap.find_intervals(table, _rate_mean_ap, units=units, seed=seed)["mean_ap"] or [
        0.0,
        1.0,
    ]


def _rate_mean_ap(table: np.ndarray) -> dict[str, np.ndarray]:
    """(..., thresholds, 2) of TP and TP + FP + FN to mean AP."""
    tp, nuclei = np.moveaxis(table, -1, 0)
    return {"mean_ap": np.where(nuclei > 0, tp / np.maximum(nuclei, 1), 1.0).mean(axis=-1)}


def count_nuclei(
    methods: Sequence[Sequence[Mapping]], scores: Sequence[Mapping]
) -> tuple[np.ndarray, bootstrap.Rate]:
    """Count matched, true and predicted nuclei of every method, image and threshold.

    A row of `evaluate` holds the number of true and predicted nuclei, and ap = TP / (true +
    predicted - TP), from which TP follows.

    Parameters
    ----------
    methods : rows of each method, one per image.
    scores : of each method, as `evaluate` returns them; they are not used.

    Returns
    -------
    (methods, images, thresholds, 3) counts, and the function that turns counts into metrics.
    """
    first = methods[0][0]
    keys = sorted(k for k in first if k[:2] == "ap" and k[2:].isdigit())
    counts = np.zeros((len(methods), len(methods[0]), len(keys), 3))
    for method, rows in enumerate(methods):
        for place, row in enumerate(rows):
            ap, true, predicted = np.array([row[k] for k in keys]), row["n_true"], row["n_pred"]
            counts[method, place, :, 0] = np.round(ap * (true + predicted) / (1 + ap))
            counts[method, place, :, 1:] = true, predicted
    return counts, partial(rate_nuclei, thresholds=np.array([int(k[2:]) / 100 for k in keys]))


def rate_nuclei(counts: np.ndarray, *, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """Turn counts of nuclei into metrics; without any nucleus all is right: 1.

    Parameters
    ----------
    counts : (..., thresholds, 3) matched, true and predicted nuclei, pooled over images.
    thresholds : (thresholds,) of the IoU, ascending.

    Returns
    -------
    Metric → (...): `mean_ap`, `ap50`, `ap75` and `f1_50`.

    Examples
    --------
    >>> counts = np.array([[8, 10, 10], [6, 10, 10]])
    >>> rates = rate_nuclei(counts, thresholds=np.array([0.5, 0.75]))
    >>> [round(float(rates[name]), 3) for name in ("ap50", "ap75", "f1_50")]
    [0.667, 0.429, 0.8]
    """
    tp, true, predicted = np.moveaxis(counts, -1, 0)
    ap = np.where(true + predicted > 0, tp / np.maximum(true + predicted - tp, 1), 1.0)
    f1 = np.where(true + predicted > 0, 2 * tp / np.maximum(true + predicted, 1), 1.0)
    averaged = thresholds <= LAST_AVERAGED + 1e-9
    at = {t: int(np.argmin(np.abs(thresholds - t))) for t in (0.5, 0.75)}
    return {
        "mean_ap": ap[..., averaged].mean(axis=-1) if averaged.any() else ap.mean(axis=-1),
        "ap50": ap[..., at[0.5]],
        "ap75": ap[..., at[0.75]],
        "f1_50": f1[..., at[0.5]],
    }


COUNTING = bootstrap.Counting(("mean_ap", "ap50", "ap75", "f1_50"), count_nuclei)
