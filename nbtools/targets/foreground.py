"""Foreground and its connected components: touching nuclei stay one."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.patches import Example
from nbtools.targets import border
from nbtools.targets import classes as class_targets
from nbtools.targets.base import (
    LabelTarget,
    min_size_parameter,
    sigmoid,
    softmax,
    threshold_parameter,
)
from nbtools.targets.objects import remove_small_objects


def encode(label: np.ndarray) -> np.ndarray:
    """Encode labels as foreground: 1 inside nuclei, 0 outside, -1 where ignored.

    Parameters
    ----------
    label : (*space) labels; negative ones are ignored.

    Returns
    -------
    (*space, 1) float32.

    Examples
    --------
    >>> encode(np.array([0, 7, -1])).ravel().tolist()
    [0.0, 1.0, -1.0]
    """
    return np.where(label < 0, -1, label > 0).astype(np.float32)[..., None]


def decode(maps: np.ndarray, *, threshold: float = 0.5, min_size: int = 0) -> np.ndarray:
    """Decode foreground: its connected components. Touching nuclei stay one.

    Parameters
    ----------
    maps : (*space, K), of which the first is the probability of foreground.
    threshold : foreground probability, 0 … 1, above which a pixel belongs to a nucleus.
    min_size : smallest nucleus in pixels.

    Returns
    -------
    (*space) int32 labels.

    Examples
    --------
    >>> decode(np.array([[0.9, 0.2, 0.8, 0.7]])[..., None]).tolist()
    [[1, 0, 2, 2]]
    """
    label, _ = ndimage.label(maps[..., 0] > threshold)
    return remove_small_objects(label.astype(np.int32, copy=False), min_size)


@dataclass(frozen=True)
class ForegroundTarget(LabelTarget):
    """Foreground per pixel, and one output per class where nuclei have classes.

    The result are the connected regions of the foreground.

    Parameters
    ----------
    gap_weight : how much more a pixel in a narrow gap between nuclei counts; 0: no more.
    """

    gap_weight: float = 10.0

    parameters: ClassVar = (
        threshold_parameter(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
        min_size_parameter(),
    )

    @property
    def outputs(self) -> dict[str, int]:
        return {"foreground": 1} | ({"classes": len(self.classes)} if self.classes else {})

    def encode(self, example: Example) -> np.ndarray:
        """(*space, 1 or 1 + classes, and the weight behind them)."""
        label = example.label
        weight = border.unet_weight_map(label, weight=self.gap_weight, spacing=example.spacing)
        if self.classes:
            truth = class_targets.encode(label, example.classes, count=len(self.classes))
        else:
            truth = encode(label)
        return np.concatenate([truth, weight[..., None]], axis=-1)

    def activate(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """Logits → probabilities: of foreground, and of each class where there are some."""
        if not self.classes:
            return sigmoid(raw, ops)
        share = softmax(raw, ops)
        return ops.concatenate([1 - share[..., :1], share[..., 1:]], axis=-1)

    def find_labels(self, maps: np.ndarray, *, threshold: float, min_size: int) -> np.ndarray:
        """(*space, K) maps → (*space) int32 labels, see `decode`."""
        return decode(maps, threshold=threshold, min_size=min_size)

    def class_channels(self) -> slice | None:
        return slice(1, 1 + len(self.classes)) if self.classes else None
