"""Agreement between two annotators of one image: the upper limit of any score against either.

Neither annotator is the truth, so every number is symmetric: exchanging the two exchanges the
names and nothing else. No method can be expected to agree with one annotator better than the other
annotator does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.errors import UserError
from nbtools.geometry import centroids
from nbtools.image import SPACE, Image
from nbtools.metrics import regions
from nbtools.metrics.instances import (
    LAST_AVERAGED,
    MATCHED,
    THRESHOLDS,
    find_mistakes,
    score_overlap,
)
from nbtools.metrics.overlap import Overlap, find_overlap, match_nuclei

DIFFERENT_OUTLINES = 0.7  # IoU below which the outlines of a matched pair are listed
EQUAL_SIZE = 0.02  # share by which sizes may differ and still count as equal


@dataclass(frozen=True, eq=False)
class Agreement:
    """Agreement between two label images of one image.

    Parameters
    ----------
    names : of the two annotators.
    nuclei : number of nuclei that each of them drew.
    matched : pairs with an IoU of at least 0.5.
    mean_iou : mean IoU of the matched pairs, 0.5 to 1; NaN without pairs.
    foreground_dice : 2 shared / (first + second) of all labelled pixels, 0 to 1; it ignores which
        nucleus a pixel belongs to.
    kappa : Cohen's kappa of nucleus against background per pixel; 1 for equal images, 0 for
        agreement by chance.
    f1 : IoU threshold ("0.50") to 2 matched / (nuclei of both), 0 to 1.
    size_ratio : median over the matched pairs of the second area (volume) divided by the first; NaN
        without pairs.
    disagreements : rows with `what`, `label_first`, `label_second` (None where there is none),
        `iou`, and the centre `z`, `y`, `x` in pixels; within each kind the lowest IoU first.

    References
    ----------
    Cohen 1960, doi:10.1177/001316446002000104 (kappa).
    """

    names: tuple[str, str]
    nuclei: tuple[int, int]
    matched: int
    mean_iou: float
    foreground_dice: float
    kappa: float
    f1: dict[str, float]
    size_ratio: float
    disagreements: list[dict]

    @property
    def mean_f1(self) -> float:
        """Mean of F1 over the IoU thresholds 0.50, 0.55, … 0.90."""
        return float(
            np.mean([value for iou, value in self.f1.items() if float(iou) <= LAST_AVERAGED])
        )

    @property
    def larger(self) -> str:
        """Name of the annotator who draws larger nuclei.

        "" where sizes differ by less than 2 % or no pair matches.
        """
        if not np.isfinite(self.size_ratio) or abs(np.log(self.size_ratio)) < np.log1p(EQUAL_SIZE):
            return ""
        return self.names[int(self.size_ratio > 1)]

    def summary(self) -> dict[str, list]:
        """Return a table for readers: columns "what", "value" and "read it as"."""
        first, second = self.names
        rows = [
            (f"nuclei by {first}", self.nuclei[0], ""),
            (f"nuclei by {second}", self.nuclei[1], ""),
            ("matched pairs", self.matched, f"IoU of at least {MATCHED:g}"),
            ("F1 at IoU 0.5", self.f1["0.50"], "do they find the same nuclei?"),
            (
                "mean F1, IoU 0.5 to 0.9",
                self.mean_f1,
                "do they draw the same outlines? A method can hardly score higher",
            ),
            ("mean IoU of matched pairs", self.mean_iou, ""),
            ("Dice of the foreground", self.foreground_dice, "ignores touching nuclei"),
            ("kappa of the pixels", self.kappa, "1 equal, 0 by chance"),
            (
                f"size, {second} over {first}",
                self.size_ratio,
                f"{self.larger} draws larger" if self.larger else "equal sizes",
            ),
            ("disagreements", len(self.disagreements), "worth discussing together"),
        ]
        return dict(
            zip(("what", "value", "read it as"), map(list, zip(*rows, strict=True)), strict=True)
        )

    def listing(self) -> dict[str, list]:
        """Return the disagreements as a table: column name to list of values."""
        columns = ["what", f"label of {self.names[0]}", f"label of {self.names[1]}", "iou"]
        keys = ["what", "label_first", "label_second", "iou"]
        if self.disagreements:
            places = [axis for axis in "zyx" if axis in self.disagreements[0]]
            columns, keys = columns + places, keys + places
        return {
            column: [row[key] for row in self.disagreements]
            for column, key in zip(columns, keys, strict=True)
        }


def compare_annotators(
    first: np.ndarray | Image,
    second: np.ndarray | Image,
    *,
    names: tuple[str, str] = ("first", "second"),
) -> Agreement:
    """Measure how well two label images of the same image agree.

    Parameters
    ----------
    first, second : integers of equal shape, 2D or 3D, 0 for background. Pixels that either of the
        two marks -1 are left out of both.
    names : of the two annotators.

    Returns
    -------
    The agreement, with one row per disagreement.

    Raises
    ------
    UserError : shapes differ, labels are not whole numbers, or both annotators have the same name.

    Examples
    --------
    >>> one = np.zeros((20, 20), int)
    >>> one[5:15, 5:15] = 1
    >>> agreement = compare_annotators(one, np.roll(one, 2, axis=1), names=("Ada", "Ben"))
    >>> agreement.matched, round(agreement.mean_iou, 3), round(agreement.foreground_dice, 3)
    (1, 0.667, 0.8)
    >>> agreement.f1["0.70"]
    0.0
    """
    if len(set(names)) != 2:
        raise UserError(
            "The two annotators must have different names.", names, 'Use names=("Ada", "Ben").'
        )
    first, second, known = _keep_known(first, second)
    overlap = find_overlap(first, second)
    pairs = match_nuclei(overlap, overlap.iou, iou=MATCHED)
    sizes = overlap.true_size[overlap.row[pairs]], overlap.predicted_size[overlap.column[pairs]]
    return Agreement(
        names=tuple(names),
        nuclei=(len(overlap.true_labels), len(overlap.predicted_labels)),
        matched=int(pairs.sum()),
        mean_iou=float(overlap.iou[pairs].mean()) if pairs.any() else float("nan"),
        foreground_dice=float(regions.rate_dice(regions.count_foreground(overlap))),
        kappa=measure_kappa(first[known] > 0, second[known] > 0),
        f1={f"{iou:.2f}": score_overlap(overlap, iou).f1 for iou in THRESHOLDS},
        # The median of logarithms: exchanging the annotators gives exactly the inverse ratio.
        size_ratio=float(np.exp(np.median(np.log(sizes[1] / sizes[0]))))
        if pairs.any()
        else float("nan"),
        disagreements=_list_disagreements(
            overlap, pairs, first=first, second=second, names=tuple(names)
        ),
    )


def measure_kappa(first: np.ndarray, second: np.ndarray) -> float:
    """Compute Cohen's kappa of two binary ratings: agreement beyond what chance would give.

    Parameters
    ----------
    first, second : (n,) bool, one rating per item.

    Returns
    -------
    Kappa, at most 1; 1 where both raters use the same single class throughout.

    References
    ----------
    Cohen 1960, doi:10.1177/001316446002000104.

    Examples
    --------
    >>> counts = (20, 5, 10, 15)
    >>> first = np.repeat([True, True, False, False], counts)
    >>> second = np.repeat([True, False, True, False], counts)
    >>> round(measure_kappa(first, second), 3)
    0.4
    """
    same, a, b = (
        float(np.mean(x)) if len(first) else 1.0 for x in (first == second, first, second)
    )
    chance = a * b + (1 - a) * (1 - b)
    return 1.0 if chance >= 1 else (same - chance) / (1 - chance)


def _keep_known(
    first: np.ndarray | Image, second: np.ndarray | Image
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both as arrays with 0 where either is -1, and (*space) bool: where neither is -1."""
    if isinstance(first, Image) and isinstance(second, Image):
        first, second = (
            label.to("".join(a for a in SPACE if a in label.axes)) for label in (first, second)
        )
    first, second = (
        np.asarray(label.pixels if isinstance(label, Image) else label) for label in (first, second)
    )
    if first.shape != second.shape:
        raise UserError(
            "Labels of two annotators must have the same shape.",
            f"{first.shape} and {second.shape}",
            "Compare labels of the same image, not cropped or scaled.",
        )
    known = (first != -1) & (second != -1)
    return np.where(known, first, 0), np.where(known, second, 0), known


def _list_disagreements(
    overlap: Overlap,
    pairs: np.ndarray,
    *,
    first: np.ndarray,
    second: np.ndarray,
    names: tuple[str, str],
) -> list[dict]:
    """Nuclei that one annotator splits, draws alone, or outlines differently."""
    mistakes = find_mistakes(overlap)
    rows = [(f"{names[1]} splits it", label, None, 0.0) for label in mistakes.split]
    rows += [(f"{names[0]} splits it", None, label, 0.0) for label in mistakes.merged]
    rows += [(f"only {names[0]} drew it", label, None, 0.0) for label in mistakes.missed]
    rows += [(f"only {names[1]} drew it", None, label, 0.0) for label in mistakes.extra]
    different = pairs & (overlap.iou < DIFFERENT_OUTLINES)
    rows += [
        (
            "outlines differ",
            overlap.true_labels[overlap.row[k]],
            overlap.predicted_labels[overlap.column[k]],
            float(overlap.iou[k]),
        )
        for k in np.flatnonzero(different)[np.argsort(overlap.iou[different], kind="stable")]
    ]
    axes = "zyx"[-first.ndim :]
    centres = [_find_centres(image) for image in (first, second)]
    return [
        {"what": what, "label_first": _plain(a), "label_second": _plain(b), "iou": iou}
        | dict(zip(axes, centres[0][int(a)] if a is not None else centres[1][int(b)], strict=True))
        for what, a, b, iou in rows
    ]


def _find_centres(label: np.ndarray) -> dict[int, list[float]]:
    """Label to its centre of mass, in pixels."""
    return {
        int(name): [round(float(c), 1) for c in centre]
        for name, centre in zip(np.unique(label[label > 0]), centroids(label), strict=True)
    }


def _plain(label: object) -> int | None:
    return None if label is None else int(label)
