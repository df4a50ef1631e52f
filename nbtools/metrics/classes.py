"""How well classes of single nuclei agree: the scores of `instances` class by class, and the share
put into the right class.

For a class, only its true and its predicted nuclei are looked at: a nucleus found but called
something else is missed in one class and extra in the other. Where the true class is unknown, the
prediction that matches the nucleus (IoU >= 0.5) is left aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nbtools.image import Image
from nbtools.metrics.instances import LAST_AVERAGED, THRESHOLDS, Score, score_overlap
from nbtools.metrics.overlap import Overlap, find_overlap, match_nuclei

MATCHED = 0.5  # IoU from which a nucleus counts as found, when its class is compared


class ClassScores:
    """Collects images one at a time; `summarize` says what they amount to."""

    def __init__(self):
        self.scores: dict[str, list[Score]] = {}
        self.right = self.found = 0

    def add(
        self,
        truth: np.ndarray | Image,
        predicted: np.ndarray | Image,
        *,
        true_classes: Mapping[int, str],
        classes: Mapping[int, str],
    ) -> None:
        """An image.  truth, predicted : label images.   true_classes, classes : label → class of
        their nuclei.
        """
        table = find_overlap(truth, predicted)
        ours = np.array([true_classes.get(int(v), "") for v in table.true_labels], dtype=object)
        theirs = np.array([classes.get(int(v), "") for v in table.predicted_labels], dtype=object)
        matched = match_nuclei(table, table.iou, iou=MATCHED)
        row, column = table.row[matched], table.column[matched]
        known = ours[row] != ""
        self.found += int(known.sum())
        self.right += int((ours[row] == theirs[column])[known].sum())
        theirs[column[~known]] = ""
        for name in {*ours, *theirs} - {""}:
            part = keep_nuclei(table, ours == name, columns=theirs == name)
            scores = [score_overlap(part, iou) for iou in THRESHOLDS]
            before = self.scores.get(name)
            self.scores[name] = (
                [a + b for a, b in zip(before, scores, strict=True)] if before else scores
            )

    def summarize(self) -> dict:
        """Plain values: `classes`, name → {"nuclei", "mean_ap", "pooled": by IoU}, and
        `class_accuracy`, of the nuclei that were found.

        {} where no image had classes.
        """
        if not self.scores:
            return {}
        classes = {}
        for name, scores in sorted(self.scores.items()):
            mean_ap = float(np.mean([s.ap for s in scores if s.iou <= LAST_AVERAGED]))
            classes[name] = {
                "nuclei": scores[0].n_true,
                "mean_ap": mean_ap,
                "pooled": {f"{s.iou:.2f}": s.to_dict() for s in scores},
            }
        return {
            "classes": classes,
            "class_accuracy": self.right / self.found if self.found else None,
        }


def keep_nuclei(table: Overlap, rows: np.ndarray, *, columns: np.ndarray) -> Overlap:
    """The table of some of the nuclei: rows (true,) and columns (predicted,) bool."""
    pairs = rows[table.row] & columns[table.column]
    return replace(
        table,
        true_labels=table.true_labels[rows],
        true_size=table.true_size[rows],
        predicted_labels=table.predicted_labels[columns],
        predicted_size=table.predicted_size[columns],
        row=(np.cumsum(rows) - 1)[table.row[pairs]],
        column=(np.cumsum(columns) - 1)[table.column[pairs]],
        shared=table.shared[pairs],
    )
