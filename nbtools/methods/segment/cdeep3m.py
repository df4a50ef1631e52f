"""CDeep3M: three networks that see one, three and five planes say what the middle plane shows, each
asked of sixteen views, all averaged.

Haberl et al. 2018, doi:10.1038/s41592-018-0106-z. This is the idea, an ensemble of contexts between
2D and 3D with test-time augmentation, on U-Nets that take the planes as channels; it is *not* the
published trunk, an Inception-ResNet with dilated deconvolutions, and no preset has its size.
Trained by cross-entropy plus half of Dice, as every foreground here. Beyond the first and the last
plane the volume is mirrored. Foreground is a threshold and its connected regions; where `split` is
not 0, a watershed parts them at their waists.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import keras
import numpy as np

from nbtools import losses, nets, patches, tiling
from nbtools.config import setting
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.methods import _turns
from nbtools.methods._keras import Example, KerasMethod
from nbtools.methods._segment import SegmentSettings
from nbtools.targets import distance, semantic

NETWORKS = {
    "tiny": {"filters": (4, 8), "convs": 1},
    "small": {"filters": (16, 32, 64, 128)},
    "large": {"filters": (32, 64, 128, 256, 512)},
}
PLANES = (1, 3, 5)
REACH = max(PLANES) // 2
SHARE = 4  # at most so large a part of the planes of a tile is in the network at once


@dataclass(frozen=True)
class CDeep3MSettings(SegmentSettings):
    preset: str = setting(
        "small",
        choices=tuple(NETWORKS),
        help="Size of the three U-Nets: small for two cores, large for a graphics card.",
    )
    patch_size: int = setting(
        128, unit="px", min=16, max=4096, step=16, help="Side of a training patch in the plane."
    )
    patch_depth: int = setting(
        5,
        unit="px",
        choices=(5,),
        min=5,
        level="advanced",
        help="Planes of a training patch: what a network sees.",
    )
    batch_size: int = setting(8, min=1, max=1024, help="Patches looked at together.")
    turns: str | None = setting(
        None,
        choices=("none", "plane", "square"),
        help=(
            "Views averaged in prediction: the image alone, 8 turns and mirrors of the plane, or "
            "16 with Z reversed; empty: 16 (tiny: 1)."
        ),
    )
    split: float | None = setting(
        None,
        unit="px",
        min=0.0,
        max=50.0,
        help=(
            "How deep a waist must be to part two nuclei; 0: never; chosen on validation images "
            "if empty."
        ),
    )


@final
class CDeep3M(KerasMethod):
    Settings = CDeep3MSettings
    loss = staticmethod(losses.multi_bce_dice)

    def start_fit(self, train: DataSet, needs: str | None) -> None:
        super().start_fit(train, needs)
        if self.domain.ndim != 3:
            raise UserError(
                "This method learns from volumes.",
                f"{train.names[0]} with axes YX",
                "Use unet for single planes.",
            )

    def build(self) -> keras.Model:
        """(B, Y, X, 5 · C) planes around one → (B, Y, X, 3) foreground of that one, by each
        network.
        """
        channels, plan = self.domain.channels, NETWORKS[self.settings.preset]
        return nets.side_by_side(
            {f"planes{k}": nets.unet(2, channels=k * channels, **plan) for k in PLANES}
        )

    def targets(
        self, rng: np.random.Generator, image: np.ndarray, label: np.ndarray, maps: None
    ) -> tuple:
        """Five planes as channels, and the foreground of the one in the middle."""
        return gather_planes(image)[0], semantic.encode(label[REACH])

    def patch_shape(self) -> tuple[int, ...]:
        return (max(PLANES), *super().patch_shape()[1:])

    def forward(self, pixels: np.ndarray) -> np.ndarray:
        """(*tile, C) normalised → (*tile, 1) probability of foreground, the mean over views and
        networks.
        """
        return _turns.average(
            self._ask,
            pixels,
            kind=self.settings.turns or ("none" if self.settings.preset == "tiny" else "square"),
        )

    def decode(
        self, maps: np.ndarray, *, threshold: float, split: float, min_size: int
    ) -> np.ndarray:
        if not split:
            return semantic.decode(maps, threshold=threshold, min_size=min_size)
        spacing = self.domain.spacing and tuple(
            s / min(self.domain.spacing) for s in self.domain.spacing
        )
        return semantic.remove_small_objects(
            distance.split_touching_objects(maps[..., 0] > threshold, split=split, spacing=spacing),
            min_size,
        )

    def tunable(self) -> dict:
        return {"threshold": 0.5, "split": 0.0, "min_size": 10}

    def candidates(self) -> dict:
        return {
            "split": (0.0, 0.5, 1.0, 2.0),
            "threshold": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
            "min_size": (0, 10, 30, 60),
        }

    # --- inside

    def _use(self, model: keras.Model) -> None:
        super()._use(model)
        flat = self.field
        features = flat.features / SHARE + self.domain.channels * max(PLANES)
        self.field = tiling.Field((REACH, *flat.radius), (1, *flat.grid), features)

    def _prepare(self, sample: Sample, *, encode: bool = True) -> Example:
        """As every method's; to learn from, with mirrored planes at both ends, so that these are in
        the middle of a patch, too.
        """
        found = super()._prepare(sample, encode=encode)
        if not encode:
            return found
        widths = [(REACH, REACH), (0, 0), (0, 0)]
        label = patches.reflect_pad(found.label[..., None], widths)[..., 0]
        return replace(
            found,
            image=patches.reflect_pad(found.image, widths),
            label=label,
            points=found.points + np.array((REACH, 0, 0)),
        )

    def _ask(self, pixels: np.ndarray) -> np.ndarray:
        """(Z, Y, X, C) → (Z, Y, X, 1) probability, the mean of the three networks, some planes at a
        time.
        """
        planes = gather_planes(patches.reflect_pad(pixels, [(REACH, REACH), (0, 0), (0, 0)]))
        count = max(1, len(planes) // SHARE)
        logits = [
            np.asarray(self.model.predict_on_batch(planes[i : i + count]))
            for i in range(0, len(planes), count)
        ]
        return (1 / (1 + np.exp(-np.concatenate(logits)))).mean(axis=-1, keepdims=True)


def gather_planes(volume: np.ndarray) -> np.ndarray:
    """(Z + 4, Y, X, C) → (Z, Y, X, 5 · C): each plane that has two neighbours on either side with
    these, in their order.
    """
    count = len(volume) - 2 * REACH
    return np.concatenate([volume[i : i + count] for i in range(max(PLANES))], axis=-1)
