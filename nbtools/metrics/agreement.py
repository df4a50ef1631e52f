"""How well two people agree who labelled the same image: the limit of what a score against either
of them can mean.

Neither is the truth, so everything here is symmetric: exchanging the two changes the names and
nothing else. No method can be expected to agree with one annotator better than the other does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.errors import UserError
from nbtools.image import SPACE, Image
from nbtools.metrics import regions
from nbtools.metrics.detection import find_centres
from nbtools.metrics.instances import LAST_AVERAGED, THRESHOLDS, find_mistakes, score_overlap
from nbtools.metrics.overlap import Overlap, find_overlap, match_nuclei

MATCHED = 0.5  # IoU from which two outlines are of one nucleus
UNLIKE = 0.7  # IoU below which outlines of one nucleus are told as unlike
ALIKE = 0.02  # share by which sizes may differ before one of the two is said to draw larger


@dataclass(frozen=True, eq=False)
class Agreement:
    """What two label images of one image have in common.

    names : of the two annotators.
    nuclei : how many each drew.
    matched : pairs with an IoU of at least 0.5.
    mean_iou : mean IoU of the matched pairs; not a number where there is none.
    foreground_dice : 2 shared / (first + second) of all pixels drawn; blind to which nucleus they
        belong to.
    kappa : Cohen's kappa of nucleus or background by pixel: 1 same, 0 as by chance
        (doi:10.1177/001316446002000104).
    f1 : IoU threshold ("0.50") → 2 matched / (nuclei of both); `mean_f1` is its mean up to 0.90.
    size_ratio : median over matched pairs of the second's pixels over the first's; not a number
        without pairs.
    disagreements : rows with what, label_first, label_second (None where there is none), iou, and
        the place z, y, x in pixels, worst first.
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
        """Mean of F1 over the thresholds 0.50, 0.55 … 0.90."""
        return float(
            np.mean([value for iou, value in self.f1.items() if float(iou) <= LAST_AVERAGED])
        )

    @property
    def larger(self) -> str:
        """Who drew nuclei larger: a name, or "" where sizes differ by less than 2 %, or nothing
        matched.
        """
        if not np.isfinite(self.size_ratio) or abs(np.log(self.size_ratio)) < np.log1p(ALIKE):
            return ""
        return self.names[int(self.size_ratio > 1)]

    def summary(self) -> dict[str, list]:
        """A table for people: columns "what", "value" and "read it as"."""
        first, second = self.names
        ratio = f"{self.larger} draws larger" if self.larger else "equally large"
        rows = [
            (f"nuclei by {first}", self.nuclei[0], ""),
            (f"nuclei by {second}", self.nuclei[1], ""),
            ("matched pairs", self.matched, f"IoU of at least {MATCHED:g}"),
            ("F1 at IoU 0.5", self.f1["0.50"], "do they see the same nuclei?"),
            (
                "mean F1, IoU 0.5 to 0.9",
                self.mean_f1,
                "do they draw the same outlines? A method can hardly do better",
            ),
            ("mean IoU of matched pairs", self.mean_iou, ""),
            ("Dice of the foreground", self.foreground_dice, "blind to touching nuclei"),
            ("kappa of the pixels", self.kappa, "1 same, 0 as by chance"),
            (f"size, {second} over {first}", self.size_ratio, ratio),
            ("disagreements", len(self.disagreements), "worth a look together"),
        ]
        return dict(
            zip(("what", "value", "read it as"), map(list, zip(*rows, strict=True)), strict=True)
        )

    def listing(self) -> dict[str, list]:
        """The disagreements as a table: column to values."""
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
    """How well two label images of the same image agree.

    first, second : integers of equal shape, 2D or 3D, 0 background; what either has marked -1 is
        left out of both.
    names : of the annotators.

    Raises
    ------
    UserError : unequal shapes, labels that are no whole numbers, the same name twice.

    Examples
    --------
    >>> one = np.zeros((20, 20), int)
    >>> one[5:15, 5:15] = 1
    >>> found = compare_annotators(one, np.roll(one, 2, axis=1), names=("Ada", "Ben"))
    >>> found.matched, round(found.mean_iou, 3), round(found.foreground_dice, 3), found.f1["0.70"]
    (1, 0.667, 0.8, 0.0)
    """
    if len(set(names)) != 2:
        raise UserError("The two annotators need two names.", names, 'Use names=("Ada", "Ben").')
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
        size_ratio=float(np.exp(np.median(np.log(sizes[1] / sizes[0]))))
        if pairs.any()
        else float("nan"),  # logarithms: symmetric
        disagreements=_list_disagreements(
            overlap, pairs, first=first, second=second, names=tuple(names)
        ),
    )


def measure_kappa(first: np.ndarray, second: np.ndarray) -> float:
    """Cohen's kappa of two judgements, (n,) bool each: agreement beyond what the two would reach by
    chance; 1 where all is one class.

    >>> counts = (20, 5, 10, 15)
    >>> round(measure_kappa(np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)), 3)
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
    """Both as arrays, 0 where either is marked -1, and where neither is."""
    if isinstance(first, Image) and isinstance(second, Image):
        first, second = (
            label.to("".join(a for a in SPACE if a in label.axes)) for label in (first, second)
        )
    first, second = (
        np.asarray(label.pixels if isinstance(label, Image) else label) for label in (first, second)
    )
    if first.shape != second.shape:
        remedy = "Compare labels of the same image, neither cropped nor scaled."
        raise UserError(
            "Labels of two annotators must have the same shape.",
            f"{first.shape} and {second.shape}",
            remedy,
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
    """Nuclei that one annotator parts, or draws alone, or draws otherwise."""
    kinds = find_mistakes(overlap)
    told = [(f"{names[1]} parts it", label, None, 0.0) for label in kinds.split]
    told += [(f"{names[0]} parts it", None, label, 0.0) for label in kinds.merged]
    told += [(f"only {names[0]} drew it", label, None, 0.0) for label in kinds.missed]
    told += [(f"only {names[1]} drew it", None, label, 0.0) for label in kinds.extra]
    unlike = pairs & (overlap.iou < UNLIKE)
    told += [
        (
            "outlines unlike",
            overlap.true_labels[overlap.row[k]],
            overlap.predicted_labels[overlap.column[k]],
            float(overlap.iou[k]),
        )
        for k in np.flatnonzero(unlike)[np.argsort(overlap.iou[unlike], kind="stable")]
    ]
    axes = "zyx"[-first.ndim :]
    centres = [_find_centres(image) for image in (first, second)]
    return [
        {"what": what, "label_first": _plain(a), "label_second": _plain(b), "iou": iou}
        | dict(zip(axes, centres[0][int(a)] if a is not None else centres[1][int(b)], strict=True))
        for what, a, b, iou in told
    ]


def _find_centres(label: np.ndarray) -> dict[int, list[float]]:
    names = np.unique(label[label > 0])
    return {
        int(name): [round(float(c), 1) for c in centre]
        for name, centre in zip(names, find_centres(label), strict=True)
    }


def _plain(label: object) -> int | None:
    return None if label is None else int(label)
