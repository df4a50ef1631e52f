"""Agreement of the classes of single nuclei: instance scores per class, and class accuracy.

For a class, only its true and its predicted nuclei count: a nucleus that is found but assigned
another class is missed in one class and extra in the other. Where the true class is unknown, the
prediction that matches the nucleus (IoU >= 0.5) is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nbtools.image import Image
from nbtools.metrics.found_classes import MatchedClasses
from nbtools.metrics.instances import LAST_AVERAGED, MATCHED, THRESHOLDS, Score, score_overlap
from nbtools.metrics.overlap import find_overlap, keep_nuclei, match_nuclei


class ClassScores:
    """Scores per class, added up image by image."""

    def __init__(self):
        self.scores: dict[str, list[Score]] = {}
        self.n_right = self.n_matched = 0
        self.matches = MatchedClasses()

    def add(
        self,
        truth: np.ndarray | Image,
        predicted: np.ndarray | Image,
        *,
        true_classes: Mapping[int, str],
        classes: Mapping[int, str],
    ) -> None:
        """Add one image.

        Parameters
        ----------
        truth, predicted : label images of equal shape, 2D or 3D.
        true_classes, classes : label to class name, of the true and of the predicted nuclei; labels
            that are not in the mapping have an unknown class.

        Raises
        ------
        UserError : shapes differ, or labels are not whole numbers.
        """
        table = find_overlap(truth, predicted)
        ours = np.array([true_classes.get(int(v), "") for v in table.true_labels], dtype=object)
        theirs = np.array([classes.get(int(v), "") for v in table.predicted_labels], dtype=object)
        matched = match_nuclei(table, table.iou, iou=MATCHED)
        row, column = table.row[matched], table.column[matched]
        known = ours[row] != ""
        self.n_matched += int(known.sum())
        self.n_right += int((ours[row] == theirs[column])[known].sum())
        theirs[column[~known]] = ""
        self._count(ours, theirs, matched=(row[known], column[known]))
        for name in {*ours, *theirs} - {""}:
            part = keep_nuclei(table, ours == name, columns=theirs == name)
            scores = [score_overlap(part, iou) for iou in THRESHOLDS]
            before = self.scores.get(name)
            self.scores[name] = (
                [a + b for a, b in zip(before, scores, strict=True)] if before else scores
            )

    def _count(
        self, ours: np.ndarray, theirs: np.ndarray, *, matched: tuple[np.ndarray, np.ndarray]
    ) -> None:
        """Count nuclei of known class by their classes."""
        named = theirs[matched[1]] != ""
        places = []
        for side, indices in zip((ours, theirs), matched, strict=True):
            places.append((np.cumsum(side != "") - 1)[indices[named]])
        names = [side[side != ""].tolist() for side in (ours, theirs)]
        self.matches.add(tuple(names), matched=tuple(places))

    def summarize(self) -> dict:
        """Return the scores as plain JSON values; {} where no image has classes.

        Returns
        -------
        `classes` : name to {"nuclei", "mean_ap", "pooled": {"0.50": {"ap", "precision", …}}}.
        `class_accuracy` : share of the matched nuclei with a known class that are predicted with
            it, 0 to 1; None without such nuclei.
        `confusion`, `per_class`, `macro_f1` : of nuclei that match at an IoU of 0.5, see
            `found_classes.MatchedClasses`.
        """
        if not self.scores:
            return {}
        classes = {}
        for name, scores in sorted(self.scores.items()):
            classes[name] = {
                "nuclei": scores[0].n_true,
                "mean_ap": float(np.mean([s.ap for s in scores if s.iou <= LAST_AVERAGED])),
                "pooled": {f"{s.iou:.2f}": s.to_dict() for s in scores},
            }
        return {
            "classes": classes,
            "class_accuracy": self.n_right / self.n_matched if self.n_matched else None,
            **self.matches.summarize(),
        }
