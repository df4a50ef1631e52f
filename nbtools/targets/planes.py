"""The middle plane of a stack of planes, predicted by a flat network that has them as channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nbtools.patches import Example
from nbtools.targets import foreground
from nbtools.targets.base import LabelTarget, Parameter, min_size_parameter, threshold_parameter
from nbtools.targets.objects import remove_small_objects, split_touching_objects

PLANES = (1, 3, 5)
REACH = max(PLANES) // 2


@dataclass(frozen=True)
class PlaneStackTarget(LabelTarget):
    """Foreground of the middle of five planes; connected regions, split at their waists."""

    per_patch: ClassVar = True
    parameters: ClassVar = (
        Parameter(
            *("split", 0.0, (0.0, 0.5, 1.0, 2.0), 0.0, 50.0),
            unit="px",
            help=(
                "How deep a waist must be to split two nuclei; 0: never; chosen on validation "
                "images if empty."
            ),
        ),
        threshold_parameter(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        min_size_parameter(10, (0, 10, 30, 60)),
    )

    @property
    def outputs(self) -> dict[str, int]:
        return {"foreground": 1}

    def encode(self, example: Example) -> np.ndarray:
        """(Y, X, 1) foreground of the middle of five planes."""
        return foreground.encode(example.label[REACH])

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[np.ndarray, np.ndarray]:
        """(Y, X, 5 · C) planes as channels, and (Y, X, 1) the foreground of the middle one."""
        return gather_planes(patch.image)[0], self.encode(patch)

    def find_labels(
        self, maps: np.ndarray, *, threshold: float, split: float, min_size: int
    ) -> np.ndarray:
        """(Z, Y, X, 1) foreground probability → labels; a split of 0 splits nothing."""
        if not split:
            return foreground.decode(maps, threshold=threshold, min_size=min_size)
        inside = maps[..., 0] > threshold
        label = split_touching_objects(inside, split=split, spacing=self.relative_spacing)
        return remove_small_objects(label, min_size)


def gather_planes(volume: np.ndarray) -> np.ndarray:
    """Give each plane of a volume its two neighbours on either side as channels.

    Parameters
    ----------
    volume : (Z + 4, Y, X, C); the two first and the two last planes are neighbours only.

    Returns
    -------
    (Z, Y, X, 5 · C), the planes in their order.

    Examples
    --------
    >>> gather_planes(np.arange(6.0).reshape(6, 1, 1, 1))[:, 0, 0].tolist()
    [[0.0, 1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0, 5.0]]
    """
    count = len(volume) - 2 * REACH
    return np.concatenate([volume[i : i + count] for i in range(max(PLANES))], axis=-1)
