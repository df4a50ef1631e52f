"""Masks in place of labels, for which scores of single objects mean nothing."""

from __future__ import annotations

import numpy as np

from nbtools.plausibility.finding import Finding

SPECK = 4  # px; smaller parts are no objects


def count_mask_objects(label: np.ndarray) -> int:
    """Number of separate objects that all have one value; 0 where objects are told apart.

    Parameters
    ----------
    label : (*space) labels; values below 1 are background.

    Examples
    --------
    >>> mask = np.kron([[1, 0, 1]], np.ones((4, 4), int))
    >>> count_mask_objects(mask), count_mask_objects(mask * np.arange(1, 13))
    (2, 0)
    """
    from skimage.measure import label as label_parts

    inside = label > 0
    values = label[inside]
    if not values.size or values.min() != values.max():
        return 0
    sizes = np.bincount(label_parts(inside, connectivity=label.ndim).ravel())[1:]
    large = int((sizes >= SPECK).sum())
    return large if large > 1 else 0


class MaskCount:
    """Counts masks among truths and results, image by image.

    Parameters
    ----------
    who : what is counted, as "truth".
    """

    def __init__(self, who: str):
        self.who, self.images, self.masks, self.objects = who, 0, 0, 0

    def add(self, label: np.ndarray) -> None:
        """Add the labels of an image, (*space)."""
        self.images += 1
        count = count_mask_objects(label)
        self.masks += count > 0
        self.objects += count

    def describe(self) -> list[Finding]:
        """What is to be said; [] where there were no masks."""
        if not self.masks:
            return []
        each = f"{self.objects / self.masks:.0f}"
        return [
            Finding(
                f"{self.who}_is_mask",
                f"The {self.who} of {self.masks} of {self.images} images is a mask: one value for "
                f"{each} separate objects, so that scores of single objects mean nothing.",
                "As labels/ of a data set, nbtools check --fix COPY numbers them.",
            )
        ]
