"""Nuclei to segment in real images, and their masks, of which images of a style are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.patches import Example
from nbtools.targets.distance import DistanceTarget
from nbtools.targets.synthesis import draw_mask


@dataclass(frozen=True)
class StyledTarget(DistanceTarget):
    """As `DistanceTarget`, learned from real images and from what is made of their masks.

    Parameters
    ----------
    styles : number of styles that images can be made in.
    """

    styles: int = 1

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[dict, np.ndarray]:
        """A real image and its mask, in its own style and in another, and the nuclei.

        Parameters
        ----------
        rng : draws the other style; where there is one style only, it is the own.
        patch : with label and style.

        Returns
        -------
        {"real": the image; "own", "other": (*space, 1 + styles) the mask as `draw_mask` has it, and
        a channel per style, 1 for the one that is meant, else 0}, and (*space, 3) foreground,
        distance and weight.
        """
        mask, other = draw_mask(patch.label), patch.style
        if self.styles > 1:
            other = (patch.style + int(rng.integers(1, self.styles))) % self.styles
        given = {"real": patch.image}
        for name, style in (("own", patch.style), ("other", other)):
            chosen = np.broadcast_to(np.eye(self.styles)[style], (*mask.shape[:-1], self.styles))
            given[name] = np.concatenate([mask, chosen], axis=-1).astype(np.float32)
        return given, self.encode(patch) if patch.maps is None else patch.maps
