"""Planned U-Net: pixel size, patch, levels, kernels and batch follow from the data set, by the
rules of nnU-Net.

Isensee et al. 2021, doi:10.1038/s41592-020-01008-z; the rules stand in `planning`. Each nucleus is
a core within a rim, and each core grows back into its rim. The preset `paper` has the published
blocks, widths and memory; `small` obeys the same rules with fewer channels and the memory that two
cores get through in minutes, and with pooling and repeated pixels in place of strided and
transposed convolutions, which take processors several times as long in 3D (the authors found them
equally good). Differences from the paper: AdamW on a one-cycle schedule, as everything here is
trained with, in place of SGD with momentum 0.99; tiles overlap by a quarter, not by half; linear
interpolation along every axis; one network, and no choice between 2D, 3D and a cascade. Instance
normalisation looks at a whole tile, so that tiles cannot equal the image in one piece: they have
the shape of the patch, whatever memory there is, and are blended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, final

import keras
import numpy as np

from nbtools import losses, nets, normalize, tiling
from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.methods import _turns, planning
from nbtools.methods._keras import KerasMethod
from nbtools.methods._resample import Resampled
from nbtools.methods._segment import SMALLEST, SegmentSettings, softmax
from nbtools.methods.base import Domain, Method
from nbtools.methods.planning import Budget, Fingerprint, Plan
from nbtools.targets import border
from nbtools.training import History, TrainingPlan

BUDGETS = {
    "tiny": {2: Budget(0.01, 4), 3: Budget(0.01, 4)},
    "small": {2: Budget(0.15, 16), 3: Budget(0.1, 8)},
    "paper": {2: Budget(8.0, 32), 3: Budget(8.0, 32)},
}
BLOCKS = {"norm": "instance", "activation": "leaky", "bias": True}
LIGHT, PUBLISHED = (
    {"pool": "max", "upsampling": "nearest", "narrow_before_upsampling": True},
    {"pool": "first", "upsampling": "transpose"},
)
USUAL = (32, 256, 256)  # px of the images that a network is built for before there are any
CLASSES = planning.CLASSES


@dataclass(frozen=True)
class PlannedSettings(SegmentSettings):
    preset: str = setting(
        "small",
        choices=tuple(BUDGETS),
        help="Size of the network: small for two cores, paper as published.",
    )
    memory_gb: float | None = setting(
        None,
        unit="GB",
        min=0.001,
        max=1000.0,
        help=(
            "Memory of training that the patch is cut for, as the paper counts it; empty: by "
            "preset."
        ),
    )
    patch_size: int | None = setting(
        None,
        unit="px",
        min=8,
        max=4096,
        help="Side of a training patch in the plane; empty: as planned.",
    )
    patch_depth: int | None = setting(
        None,
        unit="px",
        min=1,
        max=1024,
        level="advanced",
        help="Planes of a training patch of a volume; empty: as planned.",
    )
    batch_size: int | None = setting(
        None, min=1, max=1024, help="Patches looked at together; empty: as planned."
    )
    foreground: float = setting(
        0.33,
        min=0.0,
        max=1.0,
        level="advanced",
        help="Share of training patches that are laid on a nucleus.",
    )
    turns: str | None = setting(
        None,
        choices=("none", "mirrors"),
        level="advanced",
        help="Views a prediction is averaged over; empty: mirrors for paper, else none.",
    )
    threshold: float | None = setting(
        None,
        min=0.01,
        max=0.99,
        help="Share of core against rim that makes a core; chosen on validation images if empty.",
    )
    grow: int | None = setting(
        None,
        unit="px",
        min=0,
        max=20,
        help="Steps by which cores take back their rim; chosen on validation images if empty.",
    )


@final
class Planned(KerasMethod):
    Settings = PlannedSettings
    usual: ClassVar[dict[str, dict[int, int]]] = {}  # the plan says it
    loss = staticmethod(losses.deep_supervision_ce_dice)
    plan: Plan | None = None

    @classmethod
    def suggest(cls, train: DataSet) -> dict:
        """Nothing: the plan does."""
        return {}

    def choose_plan(self, seen: Fingerprint) -> Plan:
        """The plan for images like these, with what the settings say of patch and memory."""
        settings, budget = self.settings, BUDGETS[self.settings.preset][seen.ndim]
        budget = (
            budget if settings.memory_gb is None else replace(budget, memory_gb=settings.memory_gb)
        )
        plan = planning.make_plan(seen, budget)
        wished = (settings.patch_depth, settings.patch_size, settings.patch_size)[-seen.ndim :]
        if not any(wished):
            return plan
        return planning.make_plan(
            seen, budget, patch=tuple(w or p for w, p in zip(wished, plan.patch, strict=True))
        )

    def fit(
        self, train: DataSet, val: DataSet | None = None, *, plan: TrainingPlan | None = None
    ) -> History:
        """As every method's, at the pixel size of the plan."""
        if len(train):
            seen = planning.take_fingerprint(train)
            self.plan = getattr(self.source, "plan", None) or self.choose_plan(seen)
            like = Domain(seen.ndim, spacing=self.plan.spacing, unit=seen.unit)
            train, val = Resampled(train, like), val and Resampled(val, like)
        return super().fit(train, val, plan=plan)

    def start_fit(self, train: DataSet, needs: str | None) -> None:
        super().start_fit(train, needs)
        self.domain = replace(self.domain, spacing=self.plan.spacing)
        if self.settings.batch_size is None:
            self.settings = self.settings.replace(batch_size=self.plan.batch)

    def start_from(self, source: Method) -> None:
        """Fine-tune: with the plan of the model, too."""
        super().start_from(source)
        self.plan = getattr(source, "plan", None)

    def notes(self) -> tuple[str, ...]:
        return self.plan.reasons

    @property
    def foreground(self) -> float:
        return self.settings.foreground

    def build(self) -> keras.Model:
        domain = self.domain
        usual = Fingerprint((USUAL[-domain.ndim :],) * 100, (domain.spacing,) * 100)
        plan = self.plan or self.choose_plan(usual)
        about = {
            "filters": plan.widths,
            "kernels": plan.kernels,
            "strides": plan.strides,
            "deep_supervision": max(0, len(plan.widths) - 3),
        }
        blocks = BLOCKS | (PUBLISHED if self.settings.preset == "paper" else LIGHT)
        return nets.unet(domain.ndim, channels=domain.channels, outputs=CLASSES, **about, **blocks)

    def targets(
        self, rng: np.random.Generator, image: np.ndarray, label: np.ndarray, maps: None
    ) -> tuple:
        """Rims are drawn on the patch as cut, so that they are one pixel wide however it was scaled
        and turned.
        """
        classes = border.encode(label, where="inner", along=self.plan.rim)
        return image, (classes == np.arange(CLASSES)).astype(np.float32)

    def scale_of(self, pixels: np.ndarray) -> normalize.Scale:
        return normalize.by_moments(pixels)

    def patch_shape(self) -> tuple[int, ...]:
        return self.plan.patch

    def fixed_tile(self) -> tuple[int, ...]:
        return self.plan.patch

    def forward(self, pixels: np.ndarray) -> np.ndarray:
        """(*tile, C) normalised → (*tile, 3) logits, averaged over the views."""
        kind = self.settings.turns or ("mirrors" if self.settings.preset == "paper" else "none")
        return _turns.average(
            lambda view: self.answer.predict_on_batch(view[None])[0], pixels, kind=kind
        )

    def activate(self, raw: np.ndarray) -> np.ndarray:
        return softmax(raw)

    def decode(self, maps: np.ndarray, *, threshold: float, grow: int, min_size: int) -> np.ndarray:
        return border.decode_cores(maps, threshold=threshold, grow=grow, min_size=min_size)

    def tunable(self) -> dict:
        return {"threshold": 0.5, "grow": 2, "min_size": 10}

    def candidates(self) -> dict:
        return {
            "threshold": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
            "grow": (1, 2, 3),
            "min_size": SMALLEST[self.domain.ndim],
        }

    # --- inside

    def _use(self, model: keras.Model) -> None:
        """The model answers at several levels, to be trained; what it says at the finest is asked
        of a part of it.
        """
        super()._use(model)
        self.answer = keras.Model(model.input, model.get_layer("head").output)
        self.answer.jit_compile = model.jit_compile
        self.field = tiling.describe_field(self.answer)

    def extra(self) -> dict:
        return super().extra() | {
            "normalisation": "mean 0 and standard deviation 1 of each image",
            "plan": self.plan.to_dict(),
        }

    def load_weights(self, folder: Path) -> None:
        self.plan = Plan.from_dict(json.loads((folder / "model.json").read_text("utf-8"))["plan"])
        super().load_weights(folder)
