"""FPN: a pyramid of features on the encoder of a classifier, or a U-Net's decoder on the same one.

Lin et al. 2017, doi:10.1109/CVPR.2017.106; for pixels Kirillov et al. 2019, arXiv:1901.02446. The
review calls the U-Net "also known as FPN": they are two decoders. A pyramid adds levels of one
width and predicts from all of them; a U-Net concatenates and predicts from the finest.
`decoder=unet` puts the latter on the same encoder, so that they can be compared. Encoders are those
of `resnet`, `densenet` and `efficientnet`, whose weights a training may begin with
(`--init MODEL --init-parts encoder`). The preset `paper` has ResNet-50, DenseNet-121 or
EfficientNet-B0, for planes, levels of 256 channels and a head of 128; it begins at a quarter of the
resolution (with a U-Net's decoder at half of it), and its output is brought back by a learned
upsampling in place of an interpolation. In volumes, `small` works at half the resolution in the
plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import keras

from nbtools import nets
from nbtools.config import setting
from nbtools.methods.pixel_network import PixelNetwork, PixelSettings
from nbtools.methods.settings import preset_setting
from nbtools.nets import DecoderConfig

KINDS = {"resnet": "residual", "densenet": "dense", "efficientnet": "inverted"}
PUBLISHED = {"resnet": "resnet50", "densenet": "densenet121", "efficientnet": "efficientnetb0"}
ENCODERS = {
    "tiny": {"filters": (8, 16), "blocks": 1},
    "small": {"filters": (16, 32, 64, 96), "blocks": 1, "stem": (1, 2, 2)},
}
DECODERS = {
    "tiny": DecoderConfig(features=8, head=8, finest=8),
    "small": DecoderConfig(features=32, head=16, finest=16),
    "paper": DecoderConfig(features=256, head=128, finest=32),
}
FIRST = {"fpn": 1, "unet": 0}  # finest level of the published encoders that a decoder uses


@dataclass(frozen=True)
class FPNSettings(PixelSettings):
    preset: str = preset_setting(*DECODERS)
    encoder: str = setting(
        "resnet", choices=tuple(KINDS), help="Network whose levels the pyramid stands on."
    )
    decoder: str = setting(
        "fpn",
        choices=tuple(FIRST),
        help="Pyramid of features, or the decoder of a U-Net, on the same encoder.",
    )


@final
class FPN(PixelNetwork):
    """FPN: a pyramid of features on a classifier's encoder."""

    Settings = FPNSettings

    def build(self) -> keras.Model:
        preset, encoder = self.settings.preset, self.settings.encoder
        if preset == "paper":
            first = FIRST[self.settings.decoder]
            found = nets.paper_encoder_for(self.domain, PUBLISHED[encoder], first=first)
        else:
            found = nets.encoder_for(self.domain, kind=KINDS[encoder], **ENCODERS[preset])
        image, stages, steps = found
        about = {"decoder": self.settings.decoder, "config": DECODERS[preset]}
        return nets.dense_prediction(image, stages, steps=steps, outputs=self.outputs, **about)
