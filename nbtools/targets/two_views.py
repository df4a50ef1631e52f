"""Two views of a patch, of the same truth: what a student sees, and what its teacher sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools import augment
from nbtools.patches import Example
from nbtools.targets.border import BorderTarget

VIEW = augment.POLICIES["strong"]  # of grey values; geometry stays, so that pixels correspond


@dataclass(frozen=True)
class TwoViewsTarget(BorderTarget):
    """As `BorderTarget`, with a second view of each patch, of other grey values."""

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[dict, np.ndarray]:
        """{"student": varied once more, "teacher": the patch itself}, and the classes."""
        varied = augment.vary_grey(rng, patch.image, recipe=VIEW)
        return {"student": varied, "teacher": patch.image}, self.encode(patch)
