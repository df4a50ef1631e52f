"""What the methods share that denoise and segment: settings, noisy images without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from nbtools import normalize
from nbtools.config import setting, vary
from nbtools.methods.settings import BlindSpotSettings, NetworkSettings, border_weight_setting
from nbtools.methods.unlabelled import LearnsUnlabelled, UnlabelledSettings
from nbtools.targets.base import Target
from nbtools.targets.blindspot import BlindSpotMask
from nbtools.targets.noisy_border import DenoisedTarget, NoisyBorderTarget


@dataclass(frozen=True)
class NoisySegmenterSettings(UnlabelledSettings, parameters=NoisyBorderTarget.parameters):
    """Settings of every network that denoises and segments."""

    # as of networks that denoise: of so many pixels, it learns most from many small patches
    defaults_by_ndim: ClassVar = {
        "patch_size": {2: 96, 3: 32},
        "batch_size": {2: 8, 3: 2},
    }

    patch_size: int | None = vary(
        NetworkSettings,
        "patch_size",
        help="Side of a training patch in the plane; empty: 96, in volumes 32.",
    )
    batch_size: int | None = vary(
        NetworkSettings, "batch_size", help="Patches per training step; empty: 8, in volumes 2."
    )
    augmentation: str = vary(
        NetworkSettings,
        "augmentation",
        default="flips",
        choices=("none", "mirrors", "flips"),
        help="How training patches are varied; turns by other angles would blur the noise.",
    )
    border: str = setting(
        "outer",
        choices=("outer", "inner"),
        level="advanced",
        help="Whether a border is drawn outside the nuclei, or takes their rim.",
    )
    border_weight: float = border_weight_setting(5.0)
    masked: float = vary(BlindSpotSettings, "masked", default=1.5)
    radius: int = vary(BlindSpotSettings, "radius", default=5)


class NoisySegmenter(LearnsUnlabelled):
    """A network that learns grey values from all images, and classes from those with labels.

    It predicts labels, or restored images once it is turned to that task.
    """

    Settings, Target = NoisySegmenterSettings, NoisyBorderTarget
    normalization = normalize.SET_MOMENTS
    further: ClassVar[Mapping[str, type[Target]]] = {"restoration": DenoisedTarget}

    def target_fields(self) -> dict:
        """The values of hidden pixels, beside the borders."""
        mask = BlindSpotMask(self.settings.masked, self.settings.radius)
        return super().target_fields() | {"mask": mask}
