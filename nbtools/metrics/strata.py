"""Recall by size, brightness or any other property of the nuclei."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from nbtools.image import Image
from nbtools.metrics import bootstrap
from nbtools.metrics.overlap import check_labels, find_overlap, match_nuclei

BINS = 5
IQR = 1.35  # interquartile range of a normal distribution, in standard deviations


def describe_nuclei(
    pairs: Iterable[
        tuple[str, np.ndarray | Image, np.ndarray | Image | None, np.ndarray | Image | None]
    ],
    *,
    iou: float = 0.5,
) -> dict[str, np.ndarray]:
    """Describe each true nucleus of a set of images, and whether it was found.

    Parameters
    ----------
    pairs : (name, truth, predicted or None, image or None), label images and grey values of equal
        shape.
    iou : from which a nucleus counts as found.

    Returns
    -------
    Columns of equal length, one row per true nucleus: `image`, `label`, `size` (pixels), `contrast`
    (mean of the first channel minus the median of the background, divided by the standard deviation
    of the background; NaN without an image), `iou` (with the best prediction) and `found`.

    Raises
    ------
    UserError : shapes of the labels differ, or labels are not whole numbers.

    Examples
    --------
    >>> truth = np.pad(np.ones((4, 4), int), 2)
    >>> describe_nuclei([("a", truth, truth, None)])["found"].tolist()
    [True]
    """
    columns: dict[str, list] = {
        name: [] for name in ("image", "label", "size", "contrast", "iou", "found")
    }
    for name, truth, predicted, image in pairs:
        label = check_labels(truth)
        overlap = find_overlap(
            label, np.zeros_like(label) if predicted is None else check_labels(predicted)
        )
        best, found = np.zeros(len(overlap.true_labels)), np.zeros(len(overlap.true_labels), bool)
        np.maximum.at(best, overlap.row, overlap.iou)
        found[overlap.row[match_nuclei(overlap, overlap.iou, iou=iou)]] = True
        row = {
            "image": [name] * len(best),
            "label": overlap.true_labels,
            "size": overlap.true_size,
            "contrast": _measure_contrast(label, image, overlap.true_labels),
            "iou": best,
            "found": found,
        }
        for key, values in row.items():
            columns[key].extend(values)
    return {key: np.array(values) for key, values in columns.items()}


def stratify(
    nuclei: Mapping[str, np.ndarray], by: str, *, bins: int = BINS, seed: int = 0
) -> list[dict]:
    """Compute the share of nuclei found in bins of equal number.

    Parameters
    ----------
    nuclei : columns, as of `describe_nuclei`.
    by : the column that defines the bins, for example "size" or "contrast".
    bins : number of bins, from the smallest (dimmest) to the largest (brightest).
    seed : of the bootstrap.

    Returns
    -------
    One row per bin: `low`, `high`, `nuclei`, `found` (share, 0 to 1) and its `interval_95`
    (bootstrap over images). Nuclei without a value are left out; [] where none has one.

    Examples
    --------
    >>> nuclei = {"image": np.array(["a"] * 4), "size": np.array([10, 20, 30, 40])}
    >>> nuclei["found"] = nuclei["size"] > 20
    >>> [row["found"] for row in stratify(nuclei, "size", bins=2)]
    [0.0, 1.0]
    """
    values = np.asarray(nuclei[by], float)
    known = np.isfinite(values)
    if not known.any():
        return []
    limits = np.unique(np.quantile(values[known], np.linspace(0, 1, bins + 1)))
    place = np.clip(np.searchsorted(limits, values, side="right") - 1, 0, max(len(limits) - 2, 0))
    names, image = np.unique(nuclei["image"], return_inverse=True)
    rows = []
    for i in range(max(len(limits) - 1, 1)):
        inside = known & (place == i)
        if not inside.any():
            continue
        table = np.zeros((len(names), 2))
        np.add.at(
            table, image[inside], np.column_stack([nuclei["found"][inside], np.ones(inside.sum())])
        )
        table = table[table[:, 1] > 0]
        interval = bootstrap.find_intervals(
            table, _rate_found, units=np.arange(len(table)), seed=seed
        )
        rows.append(
            {
                "low": float(values[inside].min()),
                "high": float(values[inside].max()),
                "nuclei": int(inside.sum()),
                "found": float(nuclei["found"][inside].mean()),
                "interval_95": interval["found"],
            }
        )
    return rows


def _rate_found(sums: np.ndarray) -> dict[str, np.ndarray]:
    return {"found": np.where(sums[..., 1] > 0, sums[..., 0] / np.maximum(sums[..., 1], 1), np.nan)}


def _measure_contrast(
    label: np.ndarray, image: np.ndarray | Image | None, names: np.ndarray
) -> np.ndarray:
    """Contrast of each nucleus against the background, in its standard deviations."""
    if image is None or not len(names):
        return np.full(len(names), np.nan)
    grey = (
        image.select(C=0).to(image.spatial).pixels
        if isinstance(image, Image)
        else np.asarray(image)
    )
    if grey.shape != label.shape:
        return np.full(len(names), np.nan)
    around, inside = grey[label == 0], np.isin(label, names)
    base, spread = (
        (np.median(around), np.subtract(*np.percentile(around, (75, 25))) / IQR)
        if len(around)
        else (0.0, 1.0)
    )
    place = np.searchsorted(names, label[inside])
    mean = np.bincount(place, weights=grey[inside], minlength=len(names)) / np.bincount(
        place, minlength=len(names)
    )
    return (mean - base) / max(float(spread), 1e-9 * max(abs(float(base)), 1.0))
