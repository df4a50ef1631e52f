"""Three classes from several networks: their mean, and where they disagree.

The mean of networks that began differently is better than one of them, and where they differ none
of them should be trusted (Lakshminarayanan et al. 2017, arXiv:1612.01474).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from nbtools.targets.base import softmax
from nbtools.targets.border import CLASSES, BorderTarget


@dataclass(frozen=True)
class EnsembleTarget(BorderTarget):
    """As `BorderTarget`, with the disagreement of the members as a last map."""

    @property
    def outputs(self) -> dict[str, int]:
        return super().outputs | {"disagreement": 1}

    def activate(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """Turn the logits of all members into what they say together.

        Parameters
        ----------
        raw : (*space, members · 3) logits, one member after the other.
        ops : as for `Target.activate`.

        Returns
        -------
        (*space, 4): mean probabilities of background, inside and border, in sum 1; and the
        standard deviation between members of the probability on which they differ most, 0 … 0.5.
        """
        starts = range(0, raw.shape[-1], CLASSES)
        members = [softmax(raw[..., i : i + CLASSES], ops) for i in starts]
        stacked = ops.stack(members, axis=-2)
        apart = ops.max(ops.std(stacked, axis=-2), axis=-1, keepdims=True)
        return ops.concatenate([ops.mean(stacked, axis=-2), apart], axis=-1)
