"""QCANet: one network predicts nuclei, a second their centres, the markers of a watershed.

Tokuoka et al. 2020, doi:10.1038/s41540-020-00152-8: a semantic network (NSN) and a deeper one that
detects centres (NDN), here trained together as one model of two trunks. No boxes are involved, as
the review has it: the detector predicts a map of small centre regions. Volumes are brought to cubic
voxels from their spacing, and the labels back to their own grid; without a spacing, voxels are
taken as cubes. Published is the finest of the spacings (voxel=finest); at their mean, our default,
a volume keeps its number of voxels. The preset `paper` has the published sizes; each output is a
logit and not a pair of classes, which is the same. Grey values are scaled by percentiles as in the
whole toolkit, since one hot pixel moves the range from minimum to maximum; scaling=minmax is the
published way. Where the training images have classes of nuclei, the network of the centres predicts
them, too (`targets.class_head`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import keras

from nbtools import losses, nets, normalize
from nbtools.config import setting, vary
from nbtools.data import DataSet
from nbtools.inference import Activated, FixedTile, Inference, Tiled
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.resampled import resample_isotropic
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.normalize import Normalization
from nbtools.targets import centres
from nbtools.targets.centres import CentreTarget

NETWORKS = {
    "tiny": {"nsn": {"filters": (4, 8), "convs": 1}, "ndn": {"filters": (4,), "convs": 1}},
    "small": {
        "nsn": {"filters": (8, 16, 32), "decoder_convs": 1},
        "ndn": {"filters": (8, 16, 32), "decoder_convs": 1},
    },
    "paper": {
        "nsn": {"filters": (32, 64, 128)},
        "ndn": {"filters": (24, 48, 96, 192, 384), "kernel": 5},
    },
}
TILE = 96  # px, as published, for networks whose field is wider than tiles can be
FARTHEST = 64  # px to each side


@dataclass(frozen=True)
class QcaNetSettings(NetworkSettings, parameters=CentreTarget.parameters):
    preset: str = preset_setting(
        *NETWORKS, help="Size of the networks: small for two cores, paper as published."
    )
    patch_size: int = vary(
        NetworkSettings, "patch_size", default=48, help="Side of a training patch in the plane."
    )
    patch_depth: int = vary(
        NetworkSettings,
        "patch_depth",
        default=24,
        help="Planes of a training patch, after resampling.",
    )
    batch_size: int = vary(
        NetworkSettings, "batch_size", default=2, help="Patches per training step."
    )
    share: float = setting(
        centres.SHARE,
        min=0.05,
        max=0.9,
        level="advanced",
        help="Radius of a centre region over that of its nucleus, in training.",
    )
    voxel: str = setting(
        "mean",
        choices=("mean", "finest"),
        help="Side of the cubic voxels: the mean of the spacings, or the finest as published.",
    )
    scaling: str = setting(
        "percentiles",
        choices=("percentiles", "minmax"),
        level="advanced",
        help="How grey values are scaled; minmax as published.",
    )
    without_marker: str = setting(
        "keep",
        choices=tuple(centres.WITHOUT_MARKER),
        help="Foreground regions without a centre: kept as nuclei, or dropped as published.",
    )


@final
class QcaNet(KerasMethod):
    """QCANet: foreground, and centres as markers."""

    Settings, Target = QcaNetSettings, CentreTarget
    learns_classes = True

    _percentiles: Normalization = normalize.ROBUST

    @property
    def normalization(self) -> Normalization:
        """By minimum and maximum where the settings say so."""
        minmax = self.settings.scaling == "minmax"
        return normalize.MIN_MAX if minmax else self._percentiles

    @normalization.setter
    def normalization(self, recalled: Normalization) -> None:
        """Scale as the model that is loaded did, where the settings do not say it."""
        self._percentiles = recalled

    def loss(self) -> Callable:
        return losses.with_classes(losses.multi_bce_dice, self.target().outputs)

    def view(self, dataset: DataSet, *, like: DataSet) -> DataSet:
        """Cubic voxels."""
        return resample_isotropic(dataset, like, finest=self.settings.voxel == "finest")

    def build(self) -> keras.Model:
        ndim, channels = self.domain.ndim, self.domain.channels
        about = {"channels": channels, "double_before_pooling": True, "upsampling": "transpose"}
        # classes are told by the second trunk, which sees the most of a nucleus
        outputs = {"nsn": 1, "ndn": 1 + len(self.domain.classes)}
        trunks = {}
        for name, plan in NETWORKS[self.settings.preset].items():
            trunks[name] = nets.unet(ndim, outputs=outputs[name], **about, **plan)
        return nets.side_by_side(trunks)

    def adopt(self, model: keras.Model) -> None:
        """Use this network; with blended tiles where its receptive field is very wide.

        Margins as wide as the field would be whole images.

        Parameters
        ----------
        model : network of two trunks.
        """
        super().adopt(model)
        if max(self.field.radius) > FARTHEST:
            self.field = replace(self.field, radius=None)

    def inference(self) -> Inference:
        inner = Tiled(self.field)
        if self.field.radius is None:
            inner = FixedTile(inner, (TILE,) * self.domain.ndim)
        return Activated(inner, self.target().activate)
