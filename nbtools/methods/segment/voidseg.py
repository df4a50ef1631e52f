"""VoidSeg: denoise first, from noisy images alone, and segment what comes out.

Prakash et al. 2020, doi:10.48550/arXiv.1911.12239. A network of Noise2Void restores the image,
and a second one tells background, inside and border in the restored image. The first is that of a
trained `n2v` model (`--init MODEL`), and stays as it is; without a model both learn in every step,
the first from hidden pixels of all images, the second from what the first makes of those with
labels. With `finetune`, the second network begins with the encoder of the first, as in the authors'
fine-tuning. The result is labels, and with `--task restoration` (`turn_to`) the denoised image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.methods.method import Method
from nbtools.methods.noisy_segmenter import NoisySegmenter, NoisySegmenterSettings
from nbtools.methods.restoration import BLIND_SPOTS, plan_blind_spots, plan_network
from nbtools.methods.settings import preset_setting
from nbtools.targets.border import CLASSES
from nbtools.targets.noisy_border import DENOISE, SEGMENT, NoisyThenBorderTarget
from nbtools.training import InTurn, TrainingSettings, TrainStep
from nbtools.training.fine_tuning import copy_encoder, copy_weights

FIRST, SECOND = "denoiser", "segmenter"


@dataclass(frozen=True)
class VoidSegSettings(NoisySegmenterSettings):
    preset: str = preset_setting(*BLIND_SPOTS)
    variant: str = setting(
        "n2v2",
        choices=("n2v", "n2v2"),
        help="Network that denoises: n2v2 avoids the checkerboard of n2v.",
    )
    finetune: bool = setting(
        False,
        help="The network that segments begins with the encoder of the one that denoises.",
    )


@final
class VoidSeg(NoisySegmenter):
    """VoidSeg: denoising, then segmentation."""

    Settings, Target = VoidSegSettings, NoisyThenBorderTarget

    def start_from(self, source: Method, *, parts: str = "all") -> None:
        """Begin with the network of a model of Noise2Void, which stays; or with another VoidSeg.

        Parameters
        ----------
        source : trained model.
        parts : of another VoidSeg; a network of Noise2Void is taken as a whole.

        Raises
        ------
        UserError : a model of another method.
        """
        settings = self.settings
        if isinstance(source, VoidSeg):
            super().start_from(source, parts=parts)
            return
        super().start_from(source, parts="encoder")
        self.source_parts, self.origin = "all", {"method": source.name}
        known = {d.name for d in source.settings.declarations()}
        if "variant" not in known:
            raise UserError(
                "The network that denoises is one of Noise2Void.",
                f"a model of {source.name}",
                "Begin with a model of n2v, or with none.",
            )
        # what is to learn begins anew; the network that is given has its own form
        variant = "n2v2" if source.resolve("variant") == "n2v2" else "n2v"
        self.settings = settings.replace(preset=source.settings.preset, variant=variant)

    @property
    def denoiser_is_given(self) -> bool:
        """Whether the first network is that of a trained model, and stays as it is."""
        return self.source is not None and not isinstance(self.source, VoidSeg)

    def prepare(self, train: DataSet) -> None:
        """Grey values are scaled as the given network of Noise2Void knows them."""
        super().prepare(train)
        if self.denoiser_is_given and getattr(self.source, "scale", None) is not None:
            self.scale = self.source.scale
        if self.settings.finetune and self.source is None:
            raise UserError(
                "Only a network that has learned to denoise can be fine-tuned.",
                "finetune without a model of Noise2Void",
                "Train n2v on the images, and begin with it (start_from).",
                command="Train n2v on the images, and begin with it: --init MODEL.",
            )

    def prepare_network(self) -> None:
        """Copy the network that denoises, and its encoder where that is to be fine-tuned."""
        if not self.denoiser_is_given:
            super().prepare_network()
            return
        copy_weights(self.part(FIRST), self.source.model)
        if self.settings.finetune:
            copied, layers = copy_encoder(self.part(SECOND), self.source.model, prefix=f"{SECOND}_")
            self.origin |= {"layers": copied, "of": layers}

    def part(self, name: str) -> keras.Model:
        """One of the two networks: image → denoised image, or image → classes."""
        head = self.model.get_layer(f"{name}_head").output
        return keras.Model(self.model.input, head, name=name)

    def loss(self) -> dict[str, Callable]:
        return {DENOISE: losses.masked_mse, SEGMENT: losses.weighted_cross_entropy}

    def step(self, settings: TrainingSettings) -> TrainStep:
        """Each network learns from its own patch; one that is given does not."""
        parts = {DENOISE: FIRST, SEGMENT: SECOND}
        if self.denoiser_is_given:
            parts.pop(DENOISE)
        networks = {key: (self.part(name), f"{name}_") for key, name in parts.items()}
        return InTurn(self.model, networks, losses=self.loss(), settings=settings)

    def build(self) -> keras.Model:
        smooth, channels = self.settings.variant == "n2v2", self.domain.channels
        first = plan_blind_spots(self, smooth=smooth)
        second = dict(plan_network(self, BLIND_SPOTS)) | {"norm": "batch", "bias": True}
        second |= {"narrow_before_upsampling": True}
        if smooth:  # an encoder that is fine-tuned pools as it did
            second.pop("kernel", None)
        networks = {
            FIRST: nets.unet_for(self.domain, outputs=channels, **first),
            SECOND: nets.unet_for(self.domain, outputs=CLASSES, **second),
        }
        return nets.in_sequence(networks)
