"""Masked images: an encoder that has filled in hidden blocks, to start a network with few labels.

After He et al. 2022, doi:10.1109/CVPR52688.2022.01553, with a U-Net in place of a transformer, in
planes and volumes. Blocks of each patch are hidden behind its mean, and predicted from what
surrounds them; no label is needed. Its encoder starts networks of the same preset: `nbtools train
border_unet DATASET --init MODEL --init-parts encoder`. Its own result is the image as the network
would fill it in, smooth, on the scale that networks are given (about 0 to 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from nbtools import losses
from nbtools.config import setting
from nbtools.methods.pretraining import Pretraining, PretrainingSettings
from nbtools.targets.hidden_blocks import HiddenBlocksTarget


@dataclass(frozen=True)
class MaskedImageSettings(PretrainingSettings):
    block: int = setting(8, unit="px", min=1, max=128, help="Side of a hidden block.")
    hidden: float = setting(0.4, min=0.05, max=0.95, help="Share of the patch that is hidden.")


@final
class MaskedImage(Pretraining):
    """Masked images: what is behind the hidden blocks?"""

    Settings, Target = MaskedImageSettings, HiddenBlocksTarget

    def loss(self) -> Callable:
        return losses.masked_mse
