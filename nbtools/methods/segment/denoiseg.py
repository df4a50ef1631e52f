"""DenoiSeg: one network that denoises and segments, so that noisy images without labels help.

Buchholz et al. 2020, doi:10.1007/978-3-030-66415-2_21. Hidden pixels of every image are to be
predicted from their surroundings (Noise2Void), and in images with labels each pixel is background,
inside or border. Denoising teaches the network what nuclei look like where few are labelled; with
many labels it gains nothing, and takes from what the network could learn of borders. The result is
labels, and with `--task restoration` (`turn_to`) the denoised image. Differences from the paper:
images with labels give half of the patches however few they are (`labelled`), cores grow back into
their border, AdamW on a one-cycle schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.methods.noisy_segmenter import NoisySegmenter, NoisySegmenterSettings
from nbtools.methods.settings import preset_setting
from nbtools.targets.border import CLASSES

NETWORKS = {
    "tiny": {"filters": (8, 16)},
    "small": {"filters": (16, 32, 64, 128)},
    # CSBDeep's U-Net of depth 4
    "paper": {
        "filters": (32, 64, 128, 256, 512),
        "narrow_before_upsampling": True,
        "bias": True,
    },
}


@dataclass(frozen=True)
class DenoiSegSettings(NoisySegmenterSettings):
    preset: str = preset_setting(*NETWORKS)
    alpha: float = setting(
        0.5,
        min=0.0,
        max=1.0,
        help="Weight of denoising in the loss; the rest is that of the classes.",
    )


@final
class DenoiSeg(NoisySegmenter):
    """DenoiSeg: denoising and segmentation by one network."""

    Settings = DenoiSegSettings

    def loss(self) -> Callable:
        return losses.denoise_and_segment(self.settings.alpha, classes=CLASSES)

    def build(self) -> keras.Model:
        plan = dict(NETWORKS[self.settings.preset])
        if self.domain.ndim == 3 and self.settings.preset == "small":
            plan["filters"] = plan["filters"][:3]
        return nets.unet_for(self.domain, outputs=CLASSES + self.domain.channels, **plan)
