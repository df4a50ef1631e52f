"""Which images a person is to be asked next: those whose class a model is least sure of.

Uncertainty sampling by margin (Settles 2009, "Active learning literature survey", University of
Wisconsin-Madison, Computer Sciences Technical Report 1648).
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.methods.method import Method

FEW = 3  # images of a class, below which nothing is learned from it


def rank_least_certain(method: Method, images: DataSet) -> list[int]:
    """Order images by how sure a classifier is of their class, the least sure first.

    Parameters
    ----------
    method : trained, of classification.
    images : to order.

    Returns
    -------
    Indices of the images; of two alike, the earlier first.

    Raises
    ------
    UserError : the method does not tell classes of images.
    """
    margins = []
    for sample in images:
        result = method.predict(sample.image).result
        shares = getattr(result, "probability", None)
        if not isinstance(shares, np.ndarray):
            raise UserError(
                "Images are ordered by a model that classifies them.",
                f"{method.name}, of {type(result).__name__.lower()}",
                "Give feature_forest, or the folder of a trained classifier.",
            )
        best = np.sort(shares[0])[::-1]
        margins.append(float(best[0] - best[1]))
    return np.argsort(margins, kind="stable").tolist()


def can_learn(classes: list[str]) -> bool:
    """Whether these answers are enough to learn from: two classes or more, a few images of each.

    Parameters
    ----------
    classes : class of each image that was sorted.

    Examples
    --------
    >>> can_learn(["a", "a", "a", "b", "b"]), can_learn(["a", "a", "a", "b", "b", "b"])
    (False, True)
    """
    counts = Counter(classes)
    return len(counts) > 1 and min(counts.values()) >= FEW
