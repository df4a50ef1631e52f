"""What every network of ours that finds nuclei has: settings of how maps become labels, and shares
of classes from logits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.config import setting
from nbtools.methods._keras import KerasSettings

SMALLEST = {
    2: (0, 10, 20, 30, 45),
    3: (0, 20, 45, 90, 180),
}  # px; sizes below which objects may be dropped, tried on validation images


@dataclass(frozen=True)
class SegmentSettings(KerasSettings):
    """Settings of every segmenting network; a decoding value that is left empty is chosen on the
    validation images.
    """

    threshold: float | None = setting(
        None,
        min=0.01,
        max=0.99,
        help="Foreground probability of a nucleus; chosen on validation images if empty.",
    )
    min_size: int | None = setting(
        None,
        unit="px",
        min=0,
        max=10**6,
        help="Smaller objects are dropped; chosen on validation images if empty.",
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    """(..., K) logits of exclusive classes → (..., K) probabilities, in sum 1."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)
