"""For which nuclei a method works: how many are found, by their size, their brightness, or any
other number of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from nbtools.image import Image
from nbtools.metrics import bootstrap
from nbtools.metrics.overlap import check_labels, find_overlap, match_nuclei

BINS = 5


def describe_nuclei(
    pairs: Iterable[
        tuple[str, np.ndarray | Image, np.ndarray | Image | None, np.ndarray | Image | None]
    ],
    *,
    iou: float = 0.5,
) -> dict[str, np.ndarray]:
    """One row for each true nucleus of a set of images.

    pairs : (name, truth, predicted or None, image or None).
    iou : overlap from which a nucleus counts as found.

    Returns columns of equal length: `image`, `label`, `size` (pixels), `contrast` (mean of the
    first channel above the background's median, in units of the background's spread; not a number
    without an image), `iou` (of its best prediction) and `found`.
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
        contrast = _measure_contrast(label, image, overlap.true_labels)
        row = {"image": [name] * len(best), "label": overlap.true_labels, "size": overlap.true_size}
        for key, values in (row | {"contrast": contrast, "iou": best, "found": found}).items():
            columns[key].extend(values)
    return {key: np.array(values) for key, values in columns.items()}


def stratify(
    nuclei: Mapping[str, np.ndarray], by: str, *, bins: int = BINS, seed: int = 0
) -> list[dict]:
    """Share of nuclei found in classes of equal number: from the smallest (dimmest) fifth to the
    largest (brightest).

    nuclei : columns as `describe_nuclei` returns them.     by : the column that sorts them.

    Returns a row for each class: `low`, `high`, `nuclei`, `found` (share) and its `interval_95`
    (bootstrap over images). Nuclei without a value are left out; [] where none has one.
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
        interval = bootstrap.find_intervals(
            table[table[:, 1] > 0], _rate_found, units=np.arange((table[:, 1] > 0).sum()), seed=seed
        )
        about = {
            "low": float(values[inside].min()),
            "high": float(values[inside].max()),
            "nuclei": int(inside.sum()),
        }
        rows.append(
            about
            | {"found": float(nuclei["found"][inside].mean()), "interval_95": interval["found"]}
        )
    return rows


def _rate_found(sums: np.ndarray) -> dict[str, np.ndarray]:
    return {"found": np.where(sums[..., 1] > 0, sums[..., 0] / np.maximum(sums[..., 1], 1), np.nan)}


def _measure_contrast(
    label: np.ndarray, image: np.ndarray | Image | None, names: np.ndarray
) -> np.ndarray:
    """How far each nucleus stands out from the background."""
    if image is None or not len(names):
        return np.full(len(names), np.nan)
    grey = (
        image.select(C=0).to(image.spatial).pixels
        if isinstance(image, Image)
        else np.asarray(image)
    )
    if grey.shape != label.shape:
        return np.full(len(names), np.nan)
    around = grey[label == 0]
    base, spread = (
        (np.median(around), np.subtract(*np.percentile(around, (75, 25))) / 1.35)
        if len(around)
        else (0.0, 1.0)
    )
    place = np.searchsorted(names, label[label > 0])
    mean = np.bincount(place, weights=grey[label > 0], minlength=len(names)) / np.bincount(
        place, minlength=len(names)
    )
    return (mean - base) / max(float(spread), 1e-9 * max(abs(float(base)), 1.0))
