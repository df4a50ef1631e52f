"""NucleAIzer: a segmenter that sees the nuclei of each training image in the style of others, too.

After Hollandi et al. 2020, doi:10.1016/j.cels.2020.04.003. The training images are divided into
styles by k-means on brightness and texture. A translator (pix2pix) learns to make images of masks
in each style; a segmenter learns from the real patches and, in the same step, from what is made of
their masks in another style. It is meant for styles with few labels; of one style alone there is
little to gain. What is made may show other nuclei than its mask, so the validation loss is that of
real images. Compare it with `fast_nuclei`, the same network on real images alone. Differences from
the paper: one translator that is told the style by further channels, not one per style; the compact
U-Net of `fast_nuclei` with foreground and distance, not Mask R-CNN, and no second network for the
outlines; masks are those of the labels, not new ones; styles are those of images with labels, not
of images that a first model has segmented; both networks learn together, not one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import keras
import numpy as np

from nbtools import losses, nets
from nbtools.config import setting, vary
from nbtools.data import DataSet, Sample
from nbtools.inference.scale_search import AUTO_SCALE
from nbtools.methods.compact_unet import FILTERS, build_network
from nbtools.methods.grey_scaling import LOOKED_AT
from nbtools.methods.image_styles import ImageStyles, cluster_styles, describe_style
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.methods.translation import (
    GENERATORS,
    TranslationSettings,
    make_adversarial,
    make_generator,
    pair_output,
)
from nbtools.patches import Example
from nbtools.targets.styled import StyledTarget
from nbtools.training import PairedSynthesis, Supervised, TrainingSettings, TrainStep


@dataclass(frozen=True)
class NucleAIzerSettings(TranslationSettings, parameters=StyledTarget.parameters):
    preset: str = preset_setting(*FILTERS, help="Size of the networks: small for two cores.")
    checkpoint: str = vary(NetworkSettings, "checkpoint")
    styles: int = setting(
        3, min=1, max=32, help="Styles that the training images are divided into, at most."
    )
    nearness: float = setting(
        100.0,
        min=0.0,
        max=10**5,
        level="advanced",
        help="Weight of the difference of a made image to the real one; looking real weighs 1.",
    )
    auto_scale: bool = AUTO_SCALE


@final
class NucleAIzer(KerasMethod):
    """NucleAIzer: segmentation learned from real images and from made ones of every style."""

    Settings, Target = NucleAIzerSettings, StyledTarget
    styles: ImageStyles | None = None  # of the training images; only training needs them

    def prepare(self, train: DataSet) -> None:
        """Also find the styles of the training images."""
        super().prepare(train)
        chosen = np.unique(np.linspace(0, len(train) - 1, LOOKED_AT).round().astype(int))
        examples = (self.make_example(train[int(i)], encode=False) for i in chosen)
        features = np.stack([describe_style(example.image) for example in examples])
        self.styles = cluster_styles(features, count=self.settings.styles)

    def notes(self) -> tuple[str, ...]:
        """How many styles there are, and of how many images."""
        counts = ", ".join(map(str, sorted(self.styles.counts.tolist(), reverse=True)))
        return (f"Styles of the training images: {len(self.styles.counts)} (images: {counts}).",)

    def target_fields(self) -> dict:
        """The number of styles, while it is known."""
        return {} if self.styles is None else {"styles": len(self.styles.counts)}

    def make_example(self, sample: Sample, *, encode: bool = True) -> Example:
        """The example, with the number of its style where the styles are known."""
        example = super().make_example(sample, encode=encode)
        if self.styles is None:
            return example
        return replace(example, style=self.styles.find(describe_style(example.image)))

    def patch_shape(self) -> tuple[int, ...]:
        """A multiple of the pooling grid of both networks."""
        count, ndim = len(GENERATORS[self.settings.preset]) - 1, self.domain.ndim
        strides = np.array(nets.plan_pooling(ndim, self.domain.spacing, count=count))
        grid = np.lcm(self.field.grid, strides.prod(axis=0))
        return tuple((-(-np.array(super().patch_shape()) // grid) * grid).tolist())

    def loss(self) -> Callable:
        return losses.foreground_distance

    def step(self, settings: TrainingSettings) -> TrainStep:
        """The translator learns, and the segmenter from real images and from what it makes."""
        preset, given = self.settings.preset, 1 + len(self.styles.counts)
        made = make_generator(self.domain, preset, given=given, name="translator")
        about = {"preset": preset, "nearness": self.settings.nearness, "settings": settings}
        translator = make_adversarial(pair_output(made, name="translator_and_pair"), **about)
        return PairedSynthesis(translator, Supervised(self.model, self.loss(), settings))

    def build(self) -> keras.Model:
        return build_network(self.domain, self.settings.preset, outputs=2)
