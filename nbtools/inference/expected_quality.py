"""What score a result may be expected to have, where nobody knows the truth.

A model looks at an image as it is and at a mirrored copy of other contrast. How well the two looks
agree goes with how well the first agrees with the truth: a line between the two, drawn through
images whose labels are known, turns agreement into an expected score. What both looks get wrong in
the same way is not seen, and images of another kind than those of the line are judged by it all
the same.

References
----------
Jiang et al. 2022, arXiv:2106.13799 (two runs disagree about as often as either is wrong).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from nbtools.errors import UserError
from nbtools.metrics import instances, overlap

FEWEST = 8  # labelled images to draw a line through
COVERED = 0.9  # of the images whose score lies within the interval


def find_agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Mean AP, at an IoU of 0.5 to 0.9, of one look against the other.

    Parameters
    ----------
    first, second : (*space) labels on the same pixels, or the truth and a result.

    Returns
    -------
    0 … 1; NaN where neither has a nucleus.

    Examples
    --------
    >>> first, second = np.array([[1, 1, 0, 2]]), np.array([[5, 5, 0, 0]])
    >>> find_agreement(first, second)
    0.5
    """
    table = overlap.find_overlap(first, second)
    if not len(table.true_labels) + len(table.predicted_labels):
        return float("nan")
    levels = [iou for iou in instances.THRESHOLDS if iou <= instances.LAST_AVERAGED]
    return float(np.mean([instances.score_overlap(table, iou).ap for iou in levels]))


@dataclass(frozen=True)
class QualityLine:
    """A line from the agreement of two looks to the mean AP that is to be expected.

    Parameters
    ----------
    slope, intercept : of the line; the slope is not below 0.
    margin : nine of ten of the images that it was drawn through lie within this distance.
    rank_correlation : Spearman's, between agreement and score of these images.
    images : number of these.
    """

    slope: float
    intercept: float
    margin: float
    rank_correlation: float
    images: int

    def expect(self, agreement: float) -> tuple[float, float, float]:
        """The expected score and the ends of its interval, each 0 … 1.

        Parameters
        ----------
        agreement : of `find_agreement`.
        """
        middle = self.intercept + self.slope * agreement
        ends = np.clip([middle, middle - self.margin, middle + self.margin], 0, 1)
        return tuple(ends.tolist())


def draw_line(agreements: np.ndarray, scores: np.ndarray) -> QualityLine:
    """The line through images whose score is known.

    Parameters
    ----------
    agreements : (N,) of the two looks; images where it is NaN do not count.
    scores : (N,) of the first look against the truth.

    Raises
    ------
    UserError : fewer than eight images count, or all agree alike.

    Examples
    --------
    >>> agreements = np.linspace(0.2, 0.9, 8)
    >>> line = draw_line(agreements, agreements - 0.1)
    >>> [round(value, 2) for value in (line.slope, line.intercept, line.margin)]
    [1.0, -0.1, 0.0]
    """
    known = np.isfinite(agreements) & np.isfinite(scores)
    agreements, scores = np.asarray(agreements)[known], np.asarray(scores)[known]
    if len(agreements) < FEWEST or np.ptp(agreements) == 0:
        raise UserError(
            f"A line from agreement to score needs {FEWEST} labelled images that differ.",
            f"{len(agreements)} with nuclei",
            "Give more labelled images, such as those of validation; easy and hard ones.",
        )
    slope, intercept = np.polyfit(agreements, scores, 1)
    if slope < 0:
        slope, intercept = 0.0, scores.mean()
    away = np.abs(scores - intercept - slope * agreements)
    return QualityLine(
        slope=float(slope),
        intercept=float(intercept),
        margin=float(np.quantile(away, COVERED)),
        rank_correlation=find_rank_correlation(agreements, scores),
        images=len(agreements),
    )


def find_rank_correlation(agreements: np.ndarray, scores: np.ndarray) -> float:
    """Spearman's rank correlation; 0 where all values of one side are equal.

    Parameters
    ----------
    agreements, scores : (N,), two or more.
    """
    if np.ptp(agreements) == 0 or np.ptp(scores) == 0:
        return 0.0
    return float(stats.spearmanr(agreements, scores).statistic)
