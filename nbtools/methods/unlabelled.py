"""What the methods share that learn from images with labels and from images without."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings


@dataclass(frozen=True)
class UnlabelledSettings(NetworkSettings):
    """Settings of every network that images without labels teach, too."""

    labelled: float = setting(
        0.5,
        min=0.0,
        max=1.0,
        help="Share of the patches from images with labels, where others have none.",
    )


class LearnsUnlabelled(KerasMethod):
    """A method to which images without labels are welcome, and which learns from them."""

    Settings = UnlabelledSettings
    welcomes = ("unlabelled",)

    def weigh_examples(self, train: DataSet, counts: list[int]) -> np.ndarray:
        """Images with labels are drawn for the share of the patches that the settings say."""
        weights, labelled = super().weigh_examples(train, counts), train.which_have(self.needs[0])
        return share_labelled(weights, labelled, share=self.settings.labelled)


def share_labelled(weights: np.ndarray, labelled: np.ndarray, *, share: float) -> np.ndarray:
    """How often images are drawn, so that those with labels make up a share of the patches.

    Parameters
    ----------
    weights : (N,) of the images.
    labelled : (N,) bool.
    share : of the patches, 0 … 1; with labels for all images or none, nothing changes.

    Returns
    -------
    (N,) float.

    Examples
    --------
    >>> labelled = np.array([True, False, False])
    >>> share_labelled(np.ones(3), labelled, share=0.4).tolist()
    [0.4, 0.3, 0.3]
    """
    if labelled.all() or not labelled.any():
        return weights
    each = np.where(labelled, weights[labelled].sum(), weights[~labelled].sum())
    return weights / each * np.where(labelled, share, 1 - share)
