"""Classes of nuclei: what a pixel's class may be, and what most of a nucleus' pixels say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def number(classes: Mapping[int, str] | None, names: Sequence[str]) -> dict[int, int]:
    """Label → class by name, as label → number of the class from 1; a class that is not among the
    names is unknown, and left out.
    """
    places = {name: i for i, name in enumerate(names, 1)}
    return {label: places[name] for label, name in (classes or {}).items() if name in places}


def encode(label: np.ndarray, classes: Mapping[int, int], *, count: int) -> np.ndarray:
    """(*space) labels → (*space, 1 + count) float32: 1 for what a pixel may be, background or one
    of the classes.

    A nucleus that is not in `classes` may be any of them; where the label is negative (ignored), a
    pixel may be anything.

    >>> encode(np.array([0, 5, 6, -1]), {5: 2}, count=2).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    present, place = np.unique(label, return_inverse=True)
    rows = np.ones((len(present), 1 + count), np.float32)
    for row, value in zip(rows, present.tolist(), strict=True):
        if value == 0:
            row[1:] = 0
        elif value > 0:
            row[0] = 0
            if value in classes:
                row[1:] = np.arange(1, 1 + count) == classes[value]
    return rows[place.reshape(label.shape)]


def decode(
    label: np.ndarray, maps: np.ndarray, *, names: Sequence[str]
) -> tuple[dict[int, str], dict[int, float]]:
    """The class of each nucleus, by the mean of its pixels' probabilities, and how much of that the
    class has.

    label : (*space).
    maps : (*coarse, K) probability of each class, on the same field of view, with other pixels or
        the same.
    Returns ({label: name}, {label: probability, 0 … 1}).
    """
    at = np.ix_(
        *(
            ((np.arange(new) + 0.5) * old / new).astype(int)
            for new, old in zip(label.shape, maps.shape, strict=False)
        )
    )
    inside = np.maximum(label, 0).ravel()
    present = np.flatnonzero(np.bincount(inside)[1:]) + 1
    sums = np.stack(
        [np.bincount(inside, maps[..., k][at].ravel())[present] for k in range(len(names))], axis=-1
    )
    share = sums / np.maximum(sums.sum(axis=-1, keepdims=True), 1e-9)
    best = share.argmax(axis=-1)
    chosen = zip(present.tolist(), best.tolist(), share.max(axis=-1).tolist(), strict=True)
    found = [(value, names[i], probability) for value, i, probability in chosen]
    return {value: name for value, name, _ in found}, {
        value: probability for value, _, probability in found
    }
