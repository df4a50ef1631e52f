"""nnU-Net planned: pixel size, patch, levels, kernels and batch follow from the data set.

Isensee et al. 2021, doi:10.1038/s41592-020-01008-z; the rules stand in `planning`. Each nucleus is
a core within a rim, and each core grows back into its rim. The preset `paper` has the published
blocks, widths and memory; `small` obeys the same rules with fewer channels and the memory that two
cores get through in minutes, and with pooling and repeated pixels in place of strided and
transposed convolutions, which take processors several times as long in 3D (the authors found them
equally good). Differences from the paper: AdamW on a one-cycle schedule, as everything here is
trained with, in place of SGD with momentum 0.99; tiles overlap by a quarter, not by half; linear
interpolation along every axis; one network, and no choice between 2D, 3D and a cascade. Instance
normalisation depends on a whole tile, so that tiles cannot equal the image in one piece: they have
the shape of the patch, whatever memory there is, and are blended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, final

import keras

from nbtools import losses, nets, normalize
from nbtools.config import setting, vary
from nbtools.data import DataSet
from nbtools.inference import Activated, FixedTile, Inference, TestTimeAugmentation, Tiled
from nbtools.inference.receptive_field import measure_receptive_field
from nbtools.inference.test_time_augmentation import KINDS
from nbtools.methods import planning
from nbtools.methods.domain import Domain
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.method import Method
from nbtools.methods.persistence import read_about, require_part
from nbtools.methods.planning import Budget, Fingerprint, Plan
from nbtools.methods.resampled import Resampled
from nbtools.methods.settings import NetworkSettings, preset_setting, tta_setting
from nbtools.targets.border import CoreTarget

BUDGETS = {
    "tiny": {2: Budget(0.01, 4), 3: Budget(0.01, 4)},
    "small": {2: Budget(0.15, 16), 3: Budget(0.1, 8)},
    "paper": {2: Budget(8.0, 32), 3: Budget(8.0, 32)},
}
BLOCKS = {"norm": "instance", "activation": "leaky", "bias": True}
LIGHT = {"pool": "max", "upsampling": "nearest", "narrow_before_upsampling": True}
PUBLISHED = {"pool": "first", "upsampling": "transpose"}
USUAL = (32, 256, 256)  # px of the images that a network is built for before there are any


@dataclass(frozen=True)
class PlannedSettings(NetworkSettings, parameters=CoreTarget.parameters):
    defaults_by_ndim: ClassVar = {}  # the plan says it

    preset: str = preset_setting(*BUDGETS)
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
    patch_size: int | None = vary(
        NetworkSettings,
        "patch_size",
        min=8,
        help="Side of a training patch in the plane; empty: as planned.",
        step=None,
    )
    patch_depth: int | None = vary(
        NetworkSettings,
        "patch_depth",
        default=None,
        help="Planes of a training patch of a volume; empty: as planned.",
    )
    batch_size: int | None = vary(
        NetworkSettings, "batch_size", help="Patches per training step; empty: as planned."
    )
    foreground: float = setting(
        0.33,
        min=0.0,
        max=1.0,
        level="advanced",
        help="Share of training patches that are laid on a nucleus.",
    )
    tta: str | None = tta_setting(
        *KINDS[:2], help="Views a prediction is averaged over; empty: flips for paper, else none."
    )


@final
class NnUNetPlanned(KerasMethod):
    """nnU-Net planned: settings from the data set."""

    Settings, Target = PlannedSettings, CoreTarget
    normalization = normalize.MOMENTS
    plan: Plan | None = None

    @classmethod
    def suggest(cls, train: DataSet) -> dict:
        """Nothing: the plan does."""
        return {}

    def target_fields(self) -> dict:
        return {"rim": self.plan.rim if self.plan else None}

    def loss(self) -> Callable:
        return losses.deep_supervision_ce_dice

    def choose_plan(self, seen: Fingerprint) -> Plan:
        """The plan for images like these, with what the settings say of patch and memory."""
        settings, budget = self.settings, BUDGETS[self.settings.preset][seen.ndim]
        if settings.memory_gb is not None:
            budget = replace(budget, memory_gb=settings.memory_gb)
        plan = planning.make_plan(seen, budget)
        wished = (settings.patch_depth, settings.patch_size, settings.patch_size)[-seen.ndim :]
        if not any(wished):
            return plan
        patch = tuple(w or p for w, p in zip(wished, plan.patch, strict=True))
        return planning.make_plan(seen, budget, patch=patch)

    def view(self, dataset: DataSet, *, like: DataSet) -> DataSet:
        """The pixel size of the plan, which follows from the training set."""
        if dataset is like:
            self.seen = planning.take_fingerprint(like)
            self.plan = getattr(self.source, "plan", None) or self.choose_plan(self.seen)
        seen = Domain(self.seen.ndim, spacing=self.plan.spacing, unit=self.seen.unit)
        return Resampled(dataset, seen)

    def prepare(self, train: DataSet) -> None:
        """Take the pixel size of the plan, and its batch where the settings leave it open."""
        self.domain = replace(self.domain, spacing=self.plan.spacing)
        if self.settings.batch_size is None:
            self.settings = self.settings.replace(batch_size=self.plan.batch)

    def start_from(self, source: Method, *, parts: str = "all") -> None:
        """Fine-tune: with the plan of the model, too."""
        super().start_from(source, parts=parts)
        self.plan = getattr(source, "plan", None)

    def notes(self) -> tuple[str, ...]:
        return self.plan.reasons

    def build(self) -> keras.Model:
        domain = self.domain
        usual = Fingerprint((USUAL[-domain.ndim :],) * 100, (domain.spacing,) * 100)
        plan = self.plan or self.choose_plan(usual)
        about = {"filters": plan.widths, "kernels": plan.kernels, "strides": plan.strides}
        about["deep_supervision"] = max(0, len(plan.widths) - 3)
        blocks = BLOCKS | (PUBLISHED if self.settings.preset == "paper" else LIGHT)
        outputs = len(self.target().outputs)
        return nets.unet(domain.ndim, channels=domain.channels, outputs=outputs, **about, **blocks)

    def patch_shape(self) -> tuple[int, ...]:
        return self.plan.patch

    def adopt(self, model: keras.Model) -> None:
        """The model predicts at several levels, to be trained; a part of it at the finest alone."""
        super().adopt(model)
        self.finest = keras.Model(model.input, model.get_layer("head").output)
        self.finest.jit_compile = model.jit_compile
        self.field = measure_receptive_field(self.finest)

    @property
    def network(self) -> keras.Model:
        """The network up to its output at full resolution."""
        return self.finest

    def inference(self) -> Inference:
        kind = self.settings.tta or ("flips" if self.settings.preset == "paper" else "none")
        inner = TestTimeAugmentation(FixedTile(Tiled(self.field), self.plan.patch), kind)
        return Activated(inner, self.target().activate)

    def describe_model(self) -> dict:
        return super().describe_model() | {"plan": self.plan.to_dict()}

    def read_description(self, folder: Path) -> None:
        """Read the plan from the folder of a model."""
        self.plan = Plan.from_dict(require_part(read_about(folder), "plan", folder=folder))
