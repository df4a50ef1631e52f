"""Scores without an IoU threshold: SEG, fraction overlap and the Dice of the foreground."""

from __future__ import annotations

import numpy as np

from nbtools.metrics.overlap import Overlap


def score_seg(overlap: Overlap) -> np.ndarray:
    """Compute SEG of the Cell Tracking Challenge for each true nucleus.

    Parameters
    ----------
    overlap : table of two label images.

    Returns
    -------
    (true nuclei,) IoU with the prediction that covers more than half of the nucleus, 0 where none
    does. Their mean is SEG; extra predictions do not lower it.

    References
    ----------
    Maška et al. 2014, doi:10.1093/bioinformatics/btu080.
    """
    scores = np.zeros(len(overlap.true_labels))
    covers = 2 * overlap.shared > overlap.true_size[overlap.row]
    scores[overlap.row[covers]] = overlap.iou[covers]
    return scores


def score_fraction_overlap(overlap: Overlap) -> np.ndarray:
    """Compute the fraction overlap of BIAFLOWS for each true nucleus.

    Parameters
    ----------
    overlap : table of two label images.

    Returns
    -------
    (true nuclei,) pixels shared with the prediction that covers most of the nucleus, divided by the
    size of the larger of the two; 0 where no prediction overlaps.

    References
    ----------
    Rubens et al. 2020, doi:10.1016/j.patter.2020.100040.
    """
    larger = np.maximum(overlap.true_size[overlap.row], overlap.predicted_size[overlap.column])
    scores = np.zeros(len(overlap.true_labels))
    # The last assignment to a nucleus stays: that of most shared pixels, of equals the smaller one.
    order = np.lexsort((-larger, overlap.shared))
    scores[overlap.row[order]] = (overlap.shared / larger)[order]
    return scores


def count_foreground(overlap: Overlap) -> np.ndarray:
    """Return (3,) pixels: shared, of the true foreground, of the predicted foreground."""
    return np.array(
        [overlap.shared.sum(), overlap.true_size.sum(), overlap.predicted_size.sum()], float
    )


def rate_dice(counts: np.ndarray) -> np.ndarray:
    """Compute the Dice coefficient of the foreground: 2 shared / (true + predicted).

    It ignores nuclei: two nuclei predicted as one cost nothing.

    Parameters
    ----------
    counts : (..., 3) pixels: shared, true, predicted.

    Returns
    -------
    (...) Dice, 0 to 1; 1 where there is no foreground at all.

    References
    ----------
    Dice 1945, doi:10.2307/1932409.
    """
    shared, true, predicted = np.moveaxis(np.asarray(counts, float), -1, 0)
    return np.where(true + predicted > 0, 2 * shared / np.maximum(true + predicted, 1), 1.0)
