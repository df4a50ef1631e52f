"""Foreground and border as two maps of their own, as many networks of others predict them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import ndimage

from nbtools.patches import Example
from nbtools.targets.base import LabelTarget, min_size_parameter, threshold_parameter
from nbtools.targets.border import find_edges
from nbtools.targets.objects import remove_small_objects


@dataclass(frozen=True)
class ForegroundBorderTarget(LabelTarget):
    """Probability of foreground, and where there is one, of border.

    Connected regions of the foreground without its border are nuclei; they grow back into it.

    Examples
    --------
    >>> maps = np.array([[1.0, 1, 1, 1], [0, 1, 1, 0]]).T[None]
    >>> ForegroundBorderTarget().find_labels(maps, threshold=0.5, min_size=0).tolist()
    [[1, 1, 2, 2]]
    """

    parameters: ClassVar = (threshold_parameter(), min_size_parameter(0))

    @property
    def outputs(self) -> dict[str, int]:
        return {"foreground": 1, "border": 1}

    def encode(self, example: Example) -> np.ndarray:
        """(*space, 2) foreground, and the rim of every nucleus."""
        label = example.label
        border = find_edges(label) & (label > 0)
        return np.stack([label > 0, border], axis=-1).astype(np.float32)

    def find_labels(self, maps: np.ndarray, *, threshold: float, min_size: int) -> np.ndarray:
        """(*space, 1 or 2) probabilities → (*space) int32 labels."""
        from skimage.segmentation import watershed

        foreground = maps[..., 0]
        inside = foreground - (maps[..., 1] if maps.shape[-1] > 1 else 0)
        seeds, _ = ndimage.label(inside > threshold)
        if maps.shape[-1] > 1:
            seeds = watershed(-inside, seeds, mask=foreground > threshold)
        return remove_small_objects(seeds.astype(np.int32, copy=False), int(min_size))
