"""QCANet: one network says where nuclei are, a second where each has its centre; the centres are
the markers of a watershed.

Tokuoka et al. 2020, doi:10.1038/s41540-020-00152-8: a semantic network (NSN) and a deeper one that
detects centres (NDN), here trained together as one model of two trunks. No boxes are involved, as
the review has it: what the detector says is a map of small centre regions. Volumes are brought to
cubic voxels from their spacing, and the labels back to their own grid; without a spacing, voxels
are taken as cubes. Published is the finest of the spacings (voxel=finest); at their mean, our
default, a volume keeps its number of voxels. The preset `paper` has the published sizes; each
output is a logit and not a pair of classes, which says the same. Grey values are scaled by
percentiles as in the whole toolkit, since one hot pixel moves the range from minimum to maximum;
scaling=minmax is the published way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import final

import keras
import numpy as np

from nbtools import losses, nets, normalize
from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.image import Image
from nbtools.methods import _resample
from nbtools.methods._keras import KerasMethod
from nbtools.methods._segment import SegmentSettings
from nbtools.methods.base import Prediction
from nbtools.targets import centres
from nbtools.training import History, TrainingPlan

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
TILE = 96  # px, as published, for networks that see farther than tiles can be large
FARTHEST = 64  # px to each side
UNMARKED = {"keep": "kept", "drop": "left out"}


@dataclass(frozen=True)
class QcaNetSettings(SegmentSettings):
    preset: str = setting(
        "small",
        choices=tuple(NETWORKS),
        help="Size of the networks: small for two cores, paper as published.",
    )
    patch_size: int = setting(
        48, unit="px", min=16, max=4096, step=16, help="Side of a training patch in the plane."
    )
    patch_depth: int = setting(
        24,
        unit="px",
        min=1,
        max=1024,
        level="advanced",
        help="Planes of a training patch, after resampling.",
    )
    batch_size: int = setting(2, min=1, max=1024, help="Patches looked at together.")
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
    unmarked: str = setting(
        "keep",
        choices=tuple(UNMARKED),
        help="Foreground regions without a centre: kept as nuclei, or dropped as published.",
    )
    centre: float | None = setting(
        None,
        min=0.01,
        max=0.99,
        help=(
            "Probability above which a pixel is of a centre; chosen on validation images if empty."
        ),
    )
    merge: float | None = setting(
        None,
        unit="px",
        min=0.0,
        max=100.0,
        help="Parts of centres less far apart are one; chosen on validation images if empty.",
    )


@final
class QcaNet(KerasMethod):
    Settings = QcaNetSettings
    loss = staticmethod(losses.multi_bce_dice)

    def build(self) -> keras.Model:
        domain, plans = self.domain, NETWORKS[self.settings.preset]
        networks = {
            name: nets.unet(
                domain.ndim,
                channels=domain.channels,
                double_before_pooling=True,
                upsampling="transpose",
                **plan,
            )
            for name, plan in plans.items()
        }
        return nets.side_by_side(networks)

    def fit(
        self, train: DataSet, val: DataSet | None = None, *, plan: TrainingPlan | None = None
    ) -> History:
        """As every method's, on cubic voxels."""
        even = partial(_resample.even_out, like=train, finest=self.settings.voxel == "finest")
        return super().fit(even(train), val if val is None else even(val), plan=plan)

    def encode(self, label: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
        return centres.encode(label, spacing=spacing, share=self.settings.share)

    def scale_of(self, pixels: np.ndarray) -> normalize.Scale:
        return (
            normalize.by_percentiles(pixels, low=0, high=100)
            if self.settings.scaling == "minmax"
            else super().scale_of(pixels)
        )

    def fixed_tile(self) -> tuple[int, ...] | None:
        return (TILE,) * self.domain.ndim if self.field.radius is None else None

    def activate(self, raw: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-raw))

    def decode_maps(self, maps: np.ndarray, image: Image, **choices) -> Prediction:
        """As every method's; a note says how many regions have no centre, and what became of
        them.
        """
        values = {**self.choices(), **choices}
        asked = {name: values[name] for name in ("threshold", "centre", "min_size")}
        count = sum(
            centres.count_unmarked(frame, **asked)
            for frame in (maps if "T" in image.axes else maps[None])
        )
        regions = (
            "1 region without a centre was"
            if count == 1
            else f"{count} regions without a centre were"
        )
        note = f"{regions} {UNMARKED[self.settings.unmarked]}." if count else ""
        return replace(super().decode_maps(maps, image, **choices), notes=(note,) if note else ())

    def decode(
        self, maps: np.ndarray, *, threshold: float, centre: float, merge: float, min_size: int
    ) -> np.ndarray:
        unmarked = self.settings.unmarked
        return centres.decode(
            maps,
            threshold=threshold,
            centre=centre,
            merge=merge,
            min_size=min_size,
            unmarked=unmarked,
        )

    def tunable(self) -> dict:
        return {"threshold": 0.5, "centre": 0.5, "merge": 0.0, "min_size": 10}

    def candidates(self) -> dict:
        return {
            "centre": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
            "threshold": (0.3, 0.4, 0.5, 0.6, 0.7),
            "merge": (0.0, 2.0, 4.0),
            "min_size": (0, 10, 30, 60, 120),
        }

    def _use(self, model: keras.Model) -> None:
        """A network that sees very far is given blended tiles, as the authors do: margins as wide
        as its field would be whole images.
        """
        super()._use(model)
        if max(self.field.radius) > FARTHEST:
            self.field = replace(self.field, radius=None)

    def extra(self) -> dict:
        return super().extra() | (
            {"normalisation": "minimum and maximum of each image"}
            if self.settings.scaling == "minmax"
            else {}
        )
