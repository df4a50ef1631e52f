"""Jigsaw: an encoder that has put shuffled images together, to start a network with few labels.

After Noroozi & Favaro 2016, doi:10.1007/978-3-319-46466-4_5. Tiles of a patch change places, and a
U-Net tells for each pixel where its tile came from, in planes and volumes. In place of nine equal
encoders and a table of permutations, one U-Net sees all tiles at once, so that its encoder has the
form of those that it starts: `nbtools train border_unet DATASET --init MODEL --init-parts encoder`.
Its own result, where in a patch each pixel would lie, is of no use to a biologist.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from nbtools import losses
from nbtools.config import setting
from nbtools.methods.pretraining import Pretraining, PretrainingSettings
from nbtools.targets.jigsaw import JigsawTarget


@dataclass(frozen=True)
class JigsawSettings(PretrainingSettings):
    tiles: int = setting(
        3,
        min=2,
        max=4,
        help="Tiles along each side of a patch; in volumes two along Z.",
    )


@final
class Jigsaw(Pretraining):
    """Jigsaw: where do the tiles of a patch belong?"""

    Settings, Target = JigsawSettings, JigsawTarget

    def loss(self) -> Callable:
        return losses.weighted_cross_entropy
