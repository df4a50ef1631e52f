"""A head for the classes of nuclei, beside the maps that say where each nucleus is.

One network segments and classifies, as in Qu et al. 2019, "Joint segmentation and fine-grained
classification of nuclei in histopathology images", IEEE International Symposium on Biomedical
Imaging. Which class a pixel is of is learned inside nuclei of known class alone.
"""

from __future__ import annotations

from abc import abstractmethod
from types import ModuleType

import numpy as np

from nbtools.patches import Example
from nbtools.targets import classes as class_targets
from nbtools.targets.base import LabelTarget, softmax


def encode(label: np.ndarray, numbers: dict[int, int] | None, *, count: int) -> np.ndarray:
    """Encode the class of each pixel of a nucleus.

    Parameters
    ----------
    label : (*space) labels; negative ones are ignored.
    numbers : label → number of its class, from 1; None where none is known.
    count : number of classes.

    Returns
    -------
    (*space, count) float32: 1 for the class; 0 in all of them on the background, in a nucleus of
    unknown class and where ignored.

    Examples
    --------
    >>> encode(np.array([0, 5, 6, -1]), {5: 2}, count=2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    """
    allowed = class_targets.encode(label, numbers or {}, count=count)
    known = (allowed.sum(axis=-1, keepdims=True) == 1) & (allowed[..., :1] == 0)
    return np.where(known, allowed[..., 1:], 0).astype(np.float32)


class ClassHeadTarget(LabelTarget):
    """A target of labels; where nuclei have classes, a map per class follows its own maps.

    A subclass gives `label_outputs`, `encode_labels` and `activate_labels`, which know nothing of
    classes, and `find_labels`, which is given all maps.
    """

    @property
    @abstractmethod
    def label_outputs(self) -> dict[str, int]:
        """As `outputs`, without classes."""

    @abstractmethod
    def encode_labels(self, example: Example) -> np.ndarray:
        """As `encode`, without classes: (*space, K) float32."""

    @abstractmethod
    def activate_labels(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """As `activate`, without classes."""

    @property
    def outputs(self) -> dict[str, int]:
        classes = {"classes": len(self.classes)} if self.classes else {}
        return self.label_outputs | classes

    def encode(self, example: Example) -> np.ndarray:
        """(*space, K + classes) float32, see `encode_labels` and the function of this name."""
        maps = self.encode_labels(example)
        if not self.classes:
            return maps
        classes = encode(example.label, example.classes, count=len(self.classes))
        return np.concatenate([maps, classes], axis=-1)

    def activate(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """Raw output → maps to decode, and the probability of each class, in sum 1."""
        if not self.classes:
            return self.activate_labels(raw, ops)
        own = raw.shape[-1] - len(self.classes)
        parts = [self.activate_labels(raw[..., :own], ops), softmax(raw[..., own:], ops)]
        return ops.concatenate(parts, axis=-1)

    def class_channels(self) -> slice | None:
        first = sum(self.label_outputs.values())
        return slice(first, first + len(self.classes)) if self.classes else None
