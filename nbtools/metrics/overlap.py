"""Overlap of the nuclei of two label images, as a sparse table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.errors import UserError
from nbtools.geometry import MOST_IN_TABLE
from nbtools.image import Image
from nbtools.metrics.matching import match_pairs


@dataclass(frozen=True, eq=False)
class Overlap:
    """Sizes of all nuclei and the pixels that they share.

    Parameters
    ----------
    true_labels, predicted_labels : (N,) and (M,) labels, ascending, without 0.
    true_size, predicted_size : (N,) and (M,) pixels per nucleus.
    row, column : (pairs,) index of the true and of the predicted nucleus of each overlapping pair.
    shared : (pairs,) pixels that the two nuclei of a pair share.
    """

    true_labels: np.ndarray
    true_size: np.ndarray
    predicted_labels: np.ndarray
    predicted_size: np.ndarray
    row: np.ndarray
    column: np.ndarray
    shared: np.ndarray

    @property
    def iou(self) -> np.ndarray:
        """(pairs,) intersection over union, above 0 and up to 1."""
        return self.shared / (
            self.true_size[self.row] + self.predicted_size[self.column] - self.shared
        )


def find_overlap(truth: np.ndarray | Image, predicted: np.ndarray | Image) -> Overlap:
    """Compute sizes and shared pixels of all nuclei, in one pass over runs of equal pixels.

    Parameters
    ----------
    truth, predicted : integers of equal shape, 2D or 3D, 0 background.

    Returns
    -------
    The table of overlaps.

    Raises
    ------
    UserError : shapes differ, or labels are negative or not whole numbers.

    Examples
    --------
    >>> truth, predicted = np.array([[1, 1, 0, 2]]), np.array([[0, 1, 1, 2]])
    >>> find_overlap(truth, predicted).iou.round(2).tolist()
    [0.33, 1.0]
    """
    truth, predicted = check_labels(truth), check_labels(predicted)
    if truth.shape != predicted.shape:
        raise UserError(
            "True and predicted labels must have the same shape.",
            f"{truth.shape} and {predicted.shape}",
            "Compare a prediction with the labels of its own image, not cropped or scaled.",
        )
    true_run, predicted_run, length = _runs(truth.ravel(), predicted.ravel())
    true_labels, true_size, row = count_pixels(true_run, length)
    predicted_labels, predicted_size, column = count_pixels(predicted_run, length)
    both = (row >= 0) & (column >= 0)
    keys = row[both] * np.int64(max(len(predicted_labels), 1)) + column[both]
    keys, inverse = np.unique(keys, return_inverse=True)
    shared = np.bincount(inverse, weights=length[both], minlength=len(keys)).astype(np.int64)
    row, column = np.divmod(keys, max(len(predicted_labels), 1))
    return Overlap(true_labels, true_size, predicted_labels, predicted_size, row, column, shared)


def match_nuclei(overlap: Overlap, values: np.ndarray, *, iou: float) -> np.ndarray:
    """Choose which overlapping pairs match.

    Parameters
    ----------
    overlap : table of two label images.
    values : (pairs,) quality of each pair, usually its IoU.
    iou : threshold that the value must reach.

    Returns
    -------
    (pairs,) bool. Above 0.5 a nucleus has at most one candidate; ties and lower thresholds are
    resolved by optimal assignment.
    """
    return match_pairs(overlap.row, overlap.column, values=values, threshold=iou)


def check_labels(label: np.ndarray | Image) -> np.ndarray:
    """Return a label image as an array of integers from 0 upwards.

    Parameters
    ----------
    label : image or array; it is checked, not converted.

    Raises
    ------
    UserError : labels are negative or not whole numbers.
    """
    label = label.pixels if isinstance(label, Image) else np.asarray(label)
    if label.dtype.kind not in "ui":
        raise UserError(
            "Labels must be whole numbers: 0 for background, one number per nucleus.",
            f"{label.dtype} values",
            "Give each nucleus its own whole number, e.g. skimage.measure.label(mask).",
        )
    if label.dtype.kind == "i" and label.size and label.min() < 0:
        raise UserError(
            "Labels must not be negative.",
            int(label.min()),
            "Use 0 for background and 1, 2, 3… for nuclei.",
        )
    return label


def count_pixels(
    values: np.ndarray, length: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the pixels of each label from runs of equal pixels.

    Parameters
    ----------
    values : (runs,) label of each run.
    length : (runs,) pixels in each run.

    Returns
    -------
    Labels present (N,) without 0, their pixels (N,), and the index of each run's label (runs,), -1
    for background.
    """
    values = values.astype(np.int64)
    highest = int(values.max(initial=0))
    if highest > MOST_IN_TABLE:  # rare
        labels, index = np.unique(values, return_inverse=True)
        size = np.bincount(index, weights=length)
        background = int(labels[0] == 0)
        return labels[background:], size[background:].astype(np.int64), index - background
    size = np.bincount(values, weights=length, minlength=1).astype(np.int64)
    size[0] = 0
    labels = np.flatnonzero(size)
    index = np.full(highest + 1, -1)
    index[labels] = np.arange(len(labels))
    return labels, size[labels], index[values]


def _runs(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs in which both labels stay the same: (true label, predicted label, length).

    There are far fewer runs than pixels.
    """
    start = np.ones(truth.size, bool)
    np.not_equal(truth[1:], truth[:-1], out=start[1:])
    start[1:] |= predicted[1:] != predicted[:-1]
    start = np.flatnonzero(start)
    return truth[start], predicted[start], np.diff(start, append=truth.size)
