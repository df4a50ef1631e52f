"""Flows: every pixel of a nucleus gets the direction to its inside, and followed, they meet.

The method works in 2D, 3D and 2.5D.

Stringer et al. 2021, doi:10.1038/s41592-020-01018-x (Cellpose); written from the description. The
preset `paper` is their network; `small` works at half the resolution in the plane, with half the
convolutions and without the style of the whole image, so that tiles equal the image in one piece.
Volumes are predicted as a whole by a network of three dimensions, or, with views=planes and as in
the paper, by a flat network in planes across each axis, at a pixel size that is the same along all
three. Where the training images have classes of nuclei, the network predicts them, too
(`targets.class_head`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras
import numpy as np

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.inference import Activated, FixedTile, Inference, OrthogonalPlanes, Tiled
from nbtools.inference.orthogonal_planes import choose_plane, stack_field
from nbtools.inference.scale_search import AUTO_SCALE
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.resampled import resample_isotropic
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.patches import Example
from nbtools.targets.flows import FlowTarget

# the preset `fast`: a plain U-Net, whose normalisation becomes part of its convolutions when it
# predicts
PLAIN = {"filters": (32, 64, 128, 256), "skip_mode": "add", "decoder_convs": 1}
NETWORKS = {
    "tiny": {"filters": (8, 16), "pairs": 1, "style": False},
    "fast": PLAIN | {"stem": (1, 2, 2)},
    "small": {"filters": (32, 64, 128), "pairs": 1, "style": False, "stem": (1, 2, 2)},
    "paper": {"filters": (32, 64, 128, 256), "pairs": 2, "style": True},
}
# filters of `small` for a network of three dimensions, whose steps cost so much more
LIGHT_3D = (16, 32, 64)
TILE = {2: (256, 256), 3: (32, 128, 128)}  # px, where the style depends on what a tile shows


@dataclass(frozen=True)
class FlowsSettings(NetworkSettings, parameters=FlowTarget.parameters):
    preset: str = preset_setting(*NETWORKS)
    views: str = setting(
        "native",
        choices=("native", "planes"),
        help="Volumes: as a whole, or in planes across each axis by a flat network (2.5D).",
    )
    auto_scale: bool = AUTO_SCALE


@final
class Flows(KerasMethod):
    """Flows: pixels that meet are one nucleus."""

    Settings, Target = FlowsSettings, FlowTarget
    learns_classes = True

    def loss(self) -> Callable:
        return losses.with_classes(losses.foreground_flows, self.target().outputs)

    def view(self, dataset: DataSet, *, like: DataSet) -> DataSet:
        """Bring volumes for 2.5D to cubic voxels, of the finest of their pixel sizes.

        Only then are planes across all axes alike.

        Parameters
        ----------
        dataset : training or validation images.
        like : training images.
        """
        in_planes = self.settings.views == "planes" and len(like.image(0).spatial) == 3
        return resample_isotropic(dataset, like, finest=True) if in_planes else dataset

    def build(self) -> keras.Model:
        ndim = 2 if self.target().in_planes else self.domain.ndim
        if self.settings.preset == "fast":
            return self._build_plain(ndim)
        network = dict(NETWORKS[self.settings.preset])
        if ndim == 3 and self.settings.preset == "small":
            network["filters"] = LIGHT_3D
        stem, levels = network.get("stem", (1, 1, 1)), len(network["filters"])
        strides = nets.plan_pooling(ndim, self.domain.spacing, count=levels - 1, stem=stem)
        if "stem" in network:
            network["stem"] = stem[-ndim:]
        outputs = sum(self.target().outputs.values())
        about = {"channels": self.domain.channels, "outputs": outputs, "strides": strides}
        return nets.cpnet(ndim, **about, **network)

    def _build_plain(self, ndim: int) -> keras.Model:
        """A U-Net without residual blocks, at half the resolution in the plane."""
        spacing, stem = self.domain.spacing, NETWORKS["fast"]["stem"]
        strides = nets.plan_pooling(ndim, spacing, count=len(PLAIN["filters"]) - 1, stem=stem)
        outputs = sum(self.target().outputs.values())
        about = {"channels": self.domain.channels, "outputs": outputs, "strides": strides}
        return nets.unet(ndim, stem=stem[-ndim:], **about, **PLAIN)

    def patch_shape(self) -> tuple[int, ...]:
        shape = super().patch_shape()
        return shape[-2:] if self.target().in_planes else shape

    def choose_view(self, rng: np.random.Generator, example: Example) -> Example:
        """For 2.5D, a plane of the volume across any axis; else the example itself."""
        return choose_plane(rng, example) if self.target().in_planes else example

    def adopt(self, model: keras.Model) -> None:
        """Use this network; for 2.5D with the receptive field of stacked planes."""
        super().adopt(model)
        if self.target().in_planes:
            self.field = stack_field(self.field)

    def inference(self) -> Inference:
        target, inner = self.target(), Tiled(self.field)
        if target.in_planes:
            inner = OrthogonalPlanes(inner)
        if self.field.radius is None:
            inner = FixedTile(inner, TILE[self.domain.ndim])
        inner = Activated(inner, target.activate)
        return self.search_scale(inner) if self.settings.auto_scale else inner
