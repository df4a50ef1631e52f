"""Settings that many methods share, each declared once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nbtools import augment
from nbtools.config import setting, vary
from nbtools.inference.test_time_augmentation import KINDS
from nbtools.training.settings import TrainingSettings


def preset_setting(*names: str, default: str = "small", help: str = "") -> object:
    """The setting for the size of a network: "small" for two cores, "paper" as published.

    Parameters
    ----------
    names : of the presets.
    default, help : of the setting.
    """
    text = help or "Size of the network: small for two cores, paper as published."
    return setting(default, choices=names, help=text)


def tta_setting(*kinds: str, default: str | None = None, help: str = "") -> object:
    """The setting for the views that a prediction is averaged over.

    Parameters
    ----------
    kinds : of views; all by default.
    default, help : of the setting.
    """
    return setting(default, choices=kinds or KINDS, level="advanced", help=help)


@dataclass(frozen=True)
class NetworkSettings(TrainingSettings):
    """Settings of every network of ours."""

    # of settings that are left empty, by number of spatial axes
    defaults_by_ndim: ClassVar[dict[str, dict[int, object]]] = {
        "patch_size": {2: 192, 3: 64},
        "batch_size": {2: 4, 3: 2},
    }

    patch_size: int | None = setting(
        None,
        unit="px",
        min=16,
        max=4096,
        step=16,
        help="Side of a training patch in the plane; empty: 192, in volumes 64.",
    )
    patch_depth: int = setting(
        16,
        unit="px",
        min=1,
        max=1024,
        level="advanced",
        help="Planes of a training patch of a volume.",
    )
    batch_size: int | None = vary(
        TrainingSettings,
        "batch_size",
        default=None,
        help="Patches per training step; empty: 4, in volumes 2.",
    )
    augmentation: str = setting(
        "standard",
        choices=tuple(augment.POLICIES),
        help="How strongly training patches are varied.",
    )
    freeze_encoder: bool = setting(
        False,
        level="advanced",
        help=(
            "Fine-tuning: keep the encoder of the model to begin with as it is, and learn only the "
            "rest."
        ),
    )


def border_weight_setting(default: float) -> object:
    """The setting of a loss in which borders of nuclei count more.

    Parameters
    ----------
    default : of the setting.
    """
    return setting(
        default,
        min=1.0,
        max=100.0,
        level="advanced",
        help="How much more a pixel of a border counts.",
    )


def label_noise_setting() -> object:
    """The setting of a loss that forgives wrong labels."""
    return setting(
        0.0,
        min=0.0,
        max=1.0,
        help=(
            "How far the loss forgives labels that the network finds improbable: 0 takes every "
            "label for true, 0.7 is for many wrong ones."
        ),
    )


@dataclass(frozen=True)
class RestoreSettings(NetworkSettings):
    """Settings of every network that restores images."""

    # of the same number of voxels of a volume, a network learns most in many small steps
    defaults_by_ndim: ClassVar = {
        "patch_size": {2: 64, 3: 32},
        "batch_size": {2: 16, 3: 1},
        "steps_per_epoch": {2: 50, 3: 300},
    }

    patch_size: int | None = vary(
        NetworkSettings,
        "patch_size",
        help="Side of a training patch in the plane; empty: 64, in volumes 32.",
    )
    batch_size: int | None = vary(
        NetworkSettings, "batch_size", help="Patches per training step; empty: 16, in volumes 1."
    )
    epochs: int = vary(NetworkSettings, "epochs", default=10)
    steps_per_epoch: int | None = vary(
        NetworkSettings,
        "steps_per_epoch",
        default=None,
        help="Batches between two tests; empty: 50, in volumes 300.",
    )
    learning_rate: float = vary(NetworkSettings, "learning_rate", default=1e-3)
    augmentation: str = vary(
        NetworkSettings,
        "augmentation",
        default="flips",
        choices=("none", "mirrors", "flips"),
        help="How training patches are varied; turns by other angles would blur the noise.",
    )
    tta: str = tta_setting(
        *KINDS[:3],
        default="none",
        help=(
            "Views averaged in prediction: the image alone, its flips, or 8 flips and quarter "
            "turns of the plane (8 times slower)."
        ),
    )
    colour: str = setting(
        "refuse",
        choices=("refuse", "split"),
        level="advanced",
        help=(
            "What to do with colour images: refuse them, or restore red, green and blue one by one."
        ),
    )


@dataclass(frozen=True)
class BlindSpotSettings(RestoreSettings):
    """Settings of the networks that learn from noisy images alone, by hidden pixels."""

    masked: float = setting(
        3.125,
        unit="%",
        min=0.05,
        max=10.0,
        level="advanced",
        help="Share of the pixels of a patch that are hidden.",
    )
    radius: int = setting(
        2,
        unit="px",
        min=1,
        max=20,
        level="advanced",
        help="How far a replacement may come from.",
    )
    checkpoint: str = vary(
        RestoreSettings,
        "checkpoint",
        default="last",
        help="Weights kept: a validation loss on noisy pixels is a poor guide to the best.",
        level="basic",
    )
