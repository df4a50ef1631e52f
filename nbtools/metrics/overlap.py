"""Overlap of the nuclei of two label images, as a sparse table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.errors import UserError
from nbtools.geometry import MOST_IN_TABLE
from nbtools.image import Image
from nbtools.metrics.matching import match_pairs
from nbtools.metrics.stored_labels import find_pair_runs

VOID = -1  # of pixels that nobody looked at
MATCHED = 0.5  # IoU from which a nucleus that lies mostly in the void counts all the same


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

    Pixels that are -1 (void: nobody looked at them) on either side are left out on both. A nucleus
    most of which lies in the void of the other side is left out as well, unless what is left of it
    matches at an IoU of 0.5 (the rule of panoptic quality).

    Parameters
    ----------
    truth, predicted : integers of equal shape, 2D or 3D, 0 background, -1 void.

    Returns
    -------
    The table of overlaps.

    Raises
    ------
    UserError : shapes differ, or labels are below -1 or not whole numbers.

    References
    ----------
    Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963 (void).

    Examples
    --------
    >>> truth, predicted = np.array([[1, 1, 0, 2]]), np.array([[0, 1, 1, 2]])
    >>> find_overlap(truth, predicted).iou.round(2).tolist()
    [0.33, 1.0]
    >>> find_overlap(np.array([[1, 1, -1]]), np.array([[1, 1, 1]])).iou.tolist()
    [1.0]
    """
    truth, predicted = check_labels(truth), check_labels(predicted)
    if truth.shape != predicted.shape:
        raise UserError(
            "True and predicted labels must have the same shape.",
            f"{truth.shape} and {predicted.shape}",
            "Compare a prediction with the labels of its own image, not cropped or scaled.",
        )
    if io.is_stored(truth) or io.is_stored(predicted):
        true_run, predicted_run, length = find_pair_runs(truth, predicted)
    else:
        true_run, predicted_run, length = _runs(truth.ravel(), predicted.ravel())
    seen = (true_run != VOID) & (predicted_run != VOID)
    if seen.all():
        return _tabulate(true_run, predicted_run, length)
    hidden = [side[~seen & (side > 0)] for side in (true_run, predicted_run)]
    sizes = [length[~seen & (side > 0)] for side in (true_run, predicted_run)]
    table = _tabulate(true_run[seen], predicted_run[seen], length[seen])
    return _drop_hidden(table, hidden, sizes=sizes)


def _drop_hidden(table: Overlap, hidden: list[np.ndarray], *, sizes: list[np.ndarray]) -> Overlap:
    """The table without unmatched nuclei of which more than half of the pixels are void.

    hidden, sizes : of the true and of the predicted nuclei, labels in the void and their pixels.
    """
    matched = match_nuclei(table, table.iou, iou=MATCHED)
    kept = []
    for labels, size, pairs, void, count in (
        (table.true_labels, table.true_size, table.row, hidden[0], sizes[0]),
        (table.predicted_labels, table.predicted_size, table.column, hidden[1], sizes[1]),
    ):
        inside = np.isin(void, labels)
        place = np.searchsorted(labels, void[inside])
        unseen = np.bincount(place, weights=count[inside], minlength=len(labels))
        stays = unseen <= size
        stays[pairs[matched]] = True
        kept.append(stays)
    return keep_nuclei(table, kept[0], columns=kept[1])


def keep_nuclei(table: Overlap, rows: np.ndarray, *, columns: np.ndarray) -> Overlap:
    """Restrict an overlap table to some of the nuclei.

    Parameters
    ----------
    table : overlaps of all nuclei.
    rows : (true nuclei,) bool.
    columns : (predicted nuclei,) bool.

    Returns
    -------
    The table of the chosen nuclei, numbered anew.
    """
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


def mask_void(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both label arrays with background where either is void.

    Parameters
    ----------
    truth, predicted : integers of equal shape, -1 void.

    Examples
    --------
    >>> [side.tolist() for side in mask_void(np.array([1, -1]), np.array([2, 2]))]
    [[1, 0], [2, 0]]
    """
    void = (truth == VOID) | (predicted == VOID)
    if not void.any():
        return truth, predicted
    return np.where(void, 0, truth), np.where(void, 0, predicted)


def _tabulate(true_run: np.ndarray, predicted_run: np.ndarray, length: np.ndarray) -> Overlap:
    """The table of overlaps of runs of equal pixels."""
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
    """Return a label image as an array of integers from 0 upwards, or -1 for void pixels.

    Parameters
    ----------
    label : image, array or path of a file; it is checked, not converted.

    Raises
    ------
    UserError : labels are below -1 or not whole numbers.
    """
    if isinstance(label, str | Path):
        label = io.read_label(label)
    label = label.pixels if isinstance(label, Image) else np.asarray(label)
    if label.dtype.kind not in "ui":
        raise UserError(
            "Labels must be whole numbers: 0 for background, one number per nucleus.",
            f"{label.dtype} values",
            "Give each nucleus its own whole number, e.g. skimage.measure.label(mask).",
        )
    if label.dtype.kind == "i" and label.size and label.min() < VOID:
        raise UserError(
            "Labels must not be below -1.",
            int(label.min()),
            "Use 0 for background, 1, 2, 3… for nuclei, and -1 for pixels that nobody looked at.",
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
