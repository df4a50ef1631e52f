"""What to label next: nuclei that two looks at an image disagree on, in images unlike each other.

A nucleus that a model finds alike in an image and in its mirrored copy of other contrast teaches it
little; one that it finds once, or with another outline, is probably wrong in one of the two.
Choosing by disagreement: Seung et al. 1992, doi:10.1145/130385.130417; that what is chosen should
not be all alike: Sener & Savarese 2018, arXiv:1708.00489.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.geometry import centroids
from nbtools.metrics import overlap

ALIKE = 0.5  # of the gain of an image that is lost where one just like it is chosen already


@dataclass(frozen=True, eq=False)
class Doubt:
    """How much two looks at an image disagree on each of its nuclei.

    Parameters
    ----------
    labels : (N,) numbers of the nuclei of the first look; 0 for one that the second alone finds.
    gain : (N,) 0 … 1: one minus the IoU with the nucleus of the other look; 1 without one.
    centres : (N, ndim) in pixels.
    """

    labels: np.ndarray
    gain: np.ndarray
    centres: np.ndarray

    @property
    def total(self) -> float:
        """Expected number of nuclei that the model gets wrong."""
        return float(self.gain.sum())


def compare_looks(first: np.ndarray, second: np.ndarray) -> Doubt:
    """Compare the nuclei of two looks at an image.

    Parameters
    ----------
    first, second : (*space) labels on the same pixels.

    Returns
    -------
    The nuclei of the first look in the order of their numbers, then those of the second that share
    no pixel with any of them.

    Examples
    --------
    >>> first, second = np.array([[1, 1, 0, 0, 2]]), np.array([[1, 0, 0, 3, 0]])
    >>> doubt = compare_looks(first, second)
    >>> doubt.labels.tolist(), doubt.gain.tolist(), doubt.total
    ([1, 2, 0], [0.5, 1.0, 1.0], 2.5)
    """
    table = overlap.find_overlap(first, second)
    best = np.zeros(len(table.true_labels))
    np.maximum.at(best, table.row, table.iou)
    alone = np.ones(len(table.predicted_labels), bool)
    alone[table.column] = False
    others = centroids(second)[alone]
    labels = np.concatenate([np.asarray(table.true_labels), np.zeros(len(others), int)])
    gain = np.concatenate([1 - best, np.ones(len(others))])
    return Doubt(labels, gain, np.concatenate([centroids(first), others]))


def order_images(gains: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order images by gain, one after the other, so that those in front are not all alike.

    Parameters
    ----------
    gains : (N,) what each image would teach, 0 or more.
    features : (N, F) numbers that describe it, in any units.

    Returns
    -------
    (N,) indices, the first to label in front; and (N,) their gain when they were chosen, less what
    an image like it has taught already.

    Examples
    --------
    >>> order, left = order_images(np.array([3.0, 2.9, 2.0]), np.array([[0.0], [0.0], [9.0]]))
    >>> order.tolist(), left.round(1).tolist()
    ([0, 2, 1], [3.0, 1.9, 1.4])
    """
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    order, left, alike = [], [], np.zeros(len(gains))
    free = np.ones(len(gains), bool)
    for _ in range(len(gains)):
        value = np.where(free, gains * (1 - ALIKE * alike), -np.inf)
        chosen = int(np.argmax(value))
        order.append(chosen)
        left.append(float(value[chosen]))
        free[chosen] = False
        apart = ((scaled - scaled[chosen]) ** 2).mean(axis=1)
        alike = np.maximum(alike, np.exp(-apart / 2))
    return np.array(order, int), np.array(left)
