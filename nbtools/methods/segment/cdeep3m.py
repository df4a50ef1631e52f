"""CDeep3M: three networks of one, three and five planes predict the middle plane, averaged.

Each predicts it in sixteen views.

Haberl et al. 2018, doi:10.1038/s41592-018-0106-z. This is the idea, an ensemble of contexts between
2D and 3D with test-time augmentation, on U-Nets that take the planes as channels; it is *not* the
published trunk, an Inception-ResNet with dilated deconvolutions, and no preset has its size.
Trained by cross-entropy plus half of Dice, as every foreground here. Beyond the first and the last
plane the volume is mirrored. Foreground is a threshold and its connected regions; where `split` is
not 0, a watershed splits them at their waists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import keras
import numpy as np

from nbtools import losses, nets, patches
from nbtools.config import setting, vary
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.inference import Inference, ReceptiveField, TestTimeAugmentation, Tiled
from nbtools.inference.run_network import run_network
from nbtools.inference.test_time_augmentation import KINDS
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.patches import Example
from nbtools.targets.base import sigmoid
from nbtools.targets.planes import PLANES, REACH, PlaneStackTarget, gather_planes

NETWORKS = {
    "tiny": {"filters": (4, 8), "convs": 1},
    "small": {"filters": (16, 32, 64, 128)},
    "large": {"filters": (32, 64, 128, 256, 512)},
}
SHARE = 4  # at most so large a part of the planes of a tile is in the network at once
MIRRORED = [(REACH, REACH), (0, 0), (0, 0)]


@dataclass(frozen=True)
class CDeep3MSettings(NetworkSettings, parameters=PlaneStackTarget.parameters):
    preset: str = preset_setting(
        *NETWORKS,
        help="Size of the three U-Nets: small for two cores, large for a graphics card.",
    )
    patch_size: int = vary(
        NetworkSettings, "patch_size", default=128, help="Side of a training patch in the plane."
    )
    patch_depth: int = vary(
        NetworkSettings,
        "patch_depth",
        default=5,
        choices=(5,),
        min=5,
        help="Planes of a training patch: what a network is given.",
        max=5,
    )
    batch_size: int = vary(
        NetworkSettings, "batch_size", default=8, help="Patches per training step."
    )
    tta: str | None = setting(
        None,
        choices=(KINDS[0], *KINDS[2:]),
        help=(
            "Views averaged in prediction: the image alone, 8 flips and quarter turns of the "
            "plane, or 16 with Z reversed; empty: 16 (tiny: 1)."
        ),
    )


@final
class CDeep3M(KerasMethod):
    """CDeep3M-like: networks of 1, 3 and 5 planes, averaged over 16 views."""

    Settings, Target = CDeep3MSettings, PlaneStackTarget

    def prepare(self, train: DataSet) -> None:
        """Check that the images are volumes; UserError otherwise."""
        if self.domain.ndim != 3:
            raise UserError(
                "This method learns from volumes.",
                f"{train.names[0]} with axes YX",
                "Use unet for single planes.",
            )

    def loss(self) -> Callable:
        return losses.multi_bce_dice

    def build(self) -> keras.Model:
        """Three networks as one: (B, Y, X, 5 · C) planes → (B, Y, X, 3) logits of the middle."""
        channels, plan = self.domain.channels, NETWORKS[self.settings.preset]
        networks = {f"planes{k}": nets.unet(2, channels=k * channels, **plan) for k in PLANES}
        return nets.side_by_side(networks)

    def patch_shape(self) -> tuple[int, ...]:
        return (max(PLANES), *super().patch_shape()[1:])

    def make_example(self, sample: Sample, *, encode: bool = True) -> Example:
        """Make a training example, with mirrored planes at both ends.

        So the first and the last planes can be in the middle of a patch, too.

        Parameters
        ----------
        sample : volume with its labels.
        encode : mirror the planes; the truth is encoded in each patch.
        """
        found = super().make_example(sample, encode=encode)
        if not encode:
            return found
        image = patches.reflect_pad(found.image, MIRRORED)
        label = patches.reflect_pad(found.label[..., None], MIRRORED)[..., 0]
        return replace(found, image=image, label=label, seeds=found.seeds + np.array((REACH, 0, 0)))

    def adopt(self, model: keras.Model) -> None:
        """Use this network, and count its neighbouring planes to the receptive field."""
        super().adopt(model)
        flat = self.field
        features = flat.features / SHARE + self.domain.channels * max(PLANES)
        self.field = ReceptiveField((REACH, *flat.radius), (1, *flat.grid), features)

    def inference(self) -> Inference:
        usual = KINDS[0] if self.settings.preset == "tiny" else KINDS[-1]
        return TestTimeAugmentation(Tiled(self.field), self.settings.tta or usual)

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """Predict a volume, some planes at a time.

        Parameters
        ----------
        pixels : (Z, Y, X, C) normalised grey values.

        Returns
        -------
        (Z, Y, X, 1) probability of foreground, the mean of the three networks.
        """
        planes = gather_planes(patches.reflect_pad(pixels, MIRRORED))
        count = max(1, len(planes) // SHARE)
        starts = range(0, len(planes), count)
        logits = [run_network(self.model, planes[i : i + count]) for i in starts]
        return sigmoid(np.concatenate(logits)).mean(axis=-1, keepdims=True)
