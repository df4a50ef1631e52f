"""Scores of nuclei that need no threshold: SEG of the Cell Tracking Challenge, fraction overlap of
BIAFLOWS, and the foreground's Dice.
"""

from __future__ import annotations

import numpy as np

from nbtools.metrics.overlap import Overlap


def score_seg(overlap: Overlap) -> np.ndarray:
    """(true nuclei,) IoU of each with the prediction that covers more than half of it, 0 where none
    does.

    Their mean is SEG (Maška et al. 2014, doi:10.1093/bioinformatics/btu080). It does not see
    predictions where nothing is.
    """
    scores = np.zeros(len(overlap.true_labels))
    covers = 2 * overlap.shared > overlap.true_size[overlap.row]
    scores[overlap.row[covers]] = overlap.iou[covers]
    return scores


def score_fraction_overlap(overlap: Overlap) -> np.ndarray:
    """(true nuclei,) pixels shared with the prediction that covers most of each, over the size of
    the larger of the two; 0 without one.
    """
    larger = np.maximum(overlap.true_size[overlap.row], overlap.predicted_size[overlap.column])
    scores = np.zeros(len(overlap.true_labels))
    order = np.lexsort(
        (-larger, overlap.shared)
    )  # the most shared last; of equals, the smaller nucleus
    scores[overlap.row[order]] = (overlap.shared / larger)[order]
    return scores


def count_foreground(overlap: Overlap) -> np.ndarray:
    """Pixels: shared, of the true foreground, of the predicted foreground."""
    return np.array(
        [overlap.shared.sum(), overlap.true_size.sum(), overlap.predicted_size.sum()], float
    )


def rate_dice(counts: np.ndarray) -> np.ndarray:
    """(..., 3) pixels shared, true, predicted → Dice = 2 shared / (true + predicted); 1 where there
    is no foreground at all.

    It is of the foreground: two nuclei predicted as one cost nothing.
    """
    shared, true, predicted = np.moveaxis(np.asarray(counts, float), -1, 0)
    return np.where(true + predicted > 0, 2 * shared / np.maximum(true + predicted, 1), 1.0)
