"""Pair results with the truth they are held against, and score several results on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nbtools.image import Image
from nbtools.metrics import instances


def pair_results(truth: object, results: object) -> list[tuple]:
    """The pairs that `evaluate` of instances and semantic take.

    Parameters
    ----------
    truth : samples with labels; or one label image, 2D or 3D.
    results : predictions or label images in the order of the samples, None where an image has no
        prediction; or one prediction or label image.

    Returns
    -------
    (name, true labels, predicted labels) of each image.

    Examples
    --------
    >>> [(name, same.shape) for name, same, _ in pair_results(np.eye(3, dtype=int), np.eye(3))]
    [('image', (3, 3))]
    """
    if isinstance(truth, (Image, np.ndarray)):
        return [("image", truth, _labels(results))]
    return [
        (sample.name, sample.label, _labels(result))
        for sample, result in zip(truth, results, strict=True)
    ]


def evaluate_each(truth: object, results: Mapping[str, object], **options: object) -> dict:
    """Score several results on the same images: a method's name to its scores.

    Parameters
    ----------
    truth : samples with labels; or one label image, 2D or 3D.
    results : name to predictions or label images, as in `pair_results`.
    options : passed to `instances.evaluate`.

    Examples
    --------
    >>> truth = np.eye(3, dtype=int)
    >>> scores = evaluate_each(truth, {"perfect": truth, "empty": np.zeros_like(truth)})
    >>> scores["perfect"]["mean_ap"], scores["empty"]["mean_ap"]
    (1.0, 0.0)
    """
    return {
        name: instances.evaluate(pair_results(truth, found), **options)
        for name, found in results.items()
    }


def _labels(result: object) -> object:
    return getattr(result, "labels", result)
