"""Foreground by a threshold, split where it has waists: the classical way to labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nbtools.patches import Example
from nbtools.targets import foreground
from nbtools.targets.base import LabelTarget, Parameter, min_size_parameter, threshold_parameter
from nbtools.targets.objects import remove_small_objects, split_touching_objects

SPLIT = Parameter(
    *("split", 1.0, (0.5, 1.0, 2.0, 4.0), 0.1, 50.0),
    unit="px",
    help=(
        "How deep a waist must be to split two nuclei; chosen on completely labelled validation "
        "images if empty."
    ),
)
MIN_SIZE = min_size_parameter(20, (0, 20, 40, 80))


@dataclass(frozen=True)
class WaistTarget(LabelTarget):
    """Foreground probability; its regions above a threshold, split at their waists."""

    # 0.5 draws too large: strokes avoid the blurred rims of nuclei
    parameters: ClassVar = (
        threshold_parameter(
            *(0.3, 0.4, 0.5, 0.6, 0.7),
            default=0.6,
            help=(
                "Probability of a nucleus; 0.6, or chosen on completely labelled validation "
                "images, if empty."
            ),
        ),
        SPLIT,
        MIN_SIZE,
    )

    @property
    def outputs(self) -> dict[str, int]:
        return {"foreground": 1}

    def encode(self, example: Example) -> np.ndarray:
        """(*space, 1) foreground: 1 inside nuclei, 0 outside, -1 where ignored."""
        return foreground.encode(example.label)

    def find_labels(
        self, maps: np.ndarray, *, threshold: float, split: float, min_size: int
    ) -> np.ndarray:
        """(*space, K) maps, the first the foreground probability → (*space) int32 labels."""
        return self.split_regions(maps[..., 0] > threshold, split=split, min_size=min_size)

    def split_regions(self, inside: np.ndarray, *, split: float, min_size: int) -> np.ndarray:
        """Split foreground regions at their waists, and remove small ones.

        Parameters
        ----------
        inside : (*space) bool.
        split : how deep a waist must be, in pixels of the finest axis.
        min_size : smallest nucleus in pixels.

        Returns
        -------
        (*space) int32 labels.
        """
        label = split_touching_objects(inside, split=split, spacing=self.relative_spacing)
        return remove_small_objects(label, min_size)


@dataclass(frozen=True)
class OtsuTarget(WaistTarget):
    """Grey values above the threshold of their place; what is above 0, split at its waists.

    References
    ----------
    Otsu 1979, doi:10.1109/TSMC.1979.4310076.
    """

    parameters: ClassVar = (SPLIT, MIN_SIZE)

    @property
    def outputs(self) -> dict[str, int]:
        return {"height": 1}

    def find_labels(self, maps: np.ndarray, *, split: float, min_size: int) -> np.ndarray:
        """(*space, K) maps, the first of heights above the threshold → labels."""
        return self.split_regions(maps[..., 0] > 0, split=split, min_size=min_size)

    def score(self, label: np.ndarray, maps: np.ndarray) -> None:
        """A threshold has no probability."""
        return
