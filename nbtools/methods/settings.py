"""Settings that many methods share, each declared once."""

from __future__ import annotations

from dataclasses import dataclass

from nbtools import augment
from nbtools.config import setting
from nbtools.inference.test_time_augmentation import KINDS
from nbtools.training.settings import KEPT, TrainingSettings


def preset_setting(*names: str, default: str = "small", help: str = "") -> object:
    """The size of a network: small for two cores, paper as published."""
    text = help or "Size of the network: small for two cores, paper as published."
    return setting(default, choices=names, help=text)


def tta_setting(*kinds: str, default: str | None = None, help: str = "") -> object:
    """Views that a prediction is averaged over."""
    return setting(default, choices=kinds or KINDS, level="advanced", help=help)


@dataclass(frozen=True)
class NetworkSettings(TrainingSettings):
    """Settings of every network of ours."""

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
    batch_size: int | None = setting(
        None, min=1, max=1024, help="Patches per training step; empty: 4, in volumes 2."
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


@dataclass(frozen=True)
class RestoreSettings(NetworkSettings):
    """Settings of every network that restores images."""

    patch_size: int | None = setting(
        None,
        unit="px",
        min=16,
        max=4096,
        step=16,
        help="Side of a training patch in the plane; empty: 64, in volumes 32.",
    )
    batch_size: int | None = setting(
        None, min=1, max=1024, help="Patches per training step; empty: 16, in volumes 1."
    )
    epochs: int = setting(
        10,
        min=1,
        max=100_000,
        help="How many times the network is tested on the validation images while it learns.",
    )
    steps_per_epoch: int | None = setting(
        None, min=1, max=100_000, help="Batches between two tests; empty: 50, in volumes 300."
    )
    learning_rate: float = setting(
        1e-3, min=1e-7, max=10.0, level="advanced", help="Highest learning rate of the schedule."
    )
    augmentation: str = setting(
        "flips",
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
    checkpoint: str = setting(
        "last",
        choices=KEPT,
        help="Weights kept: a validation loss on noisy pixels is a poor guide to the best.",
    )
