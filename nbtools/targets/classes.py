"""Classes of nuclei: the truth per pixel, and the class of a nucleus from those of its pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def number(classes: Mapping[int, str] | None, names: Sequence[str]) -> dict[int, int]:
    """Number the classes of nuclei.

    Parameters
    ----------
    classes : label → name of its class; None for no nuclei.
    names : of the classes known to a model, in order.

    Returns
    -------
    Label → number of its class, from 1; a nucleus whose class is not among the names is left out.

    Examples
    --------
    >>> number({4: "mitosis", 7: "debris"}, ["interphase", "mitosis"])
    {4: 2}
    """
    places = {name: i for i, name in enumerate(names, 1)}
    return {label: places[name] for label, name in (classes or {}).items() if name in places}


def encode(label: np.ndarray, classes: Mapping[int, int], *, count: int) -> np.ndarray:
    """Encode for each pixel what it may be: background, or one of the classes.

    Parameters
    ----------
    label : (*space) labels; negative ones are ignored.
    classes : label → number of its class, from 1. A nucleus that is not among them may be of any
        class.
    count : number of classes.

    Returns
    -------
    (*space, 1 + count) float32: 1 for background or the class, 0 else; an ignored pixel may be
    anything, so that all are 1.

    Examples
    --------
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
    """Decide the class of each nucleus, by the mean of its pixels' probabilities.

    Parameters
    ----------
    label : (*space) labels.
    maps : (*coarse, K) probability of each class, on the same field of view; its pixels may be
        larger.
    names : of the K classes.

    Returns
    -------
    Label → name of its class, and label → share of that class in the sum of probabilities,
    0 … 1.

    Examples
    --------
    >>> maps = np.array([[0.2, 0.8], [0.4, 0.6], [1.0, 0.0]])
    >>> names, share = decode(np.array([1, 1, 0]), maps, names=["interphase", "mitosis"])
    >>> names, {label: round(value, 3) for label, value in share.items()}
    ({1: 'mitosis'}, {1: 0.7})
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
