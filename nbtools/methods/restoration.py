"""What the methods that restore images share: their networks, and blocks of large images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nbtools.inference.blocks import Block
from nbtools.io.stored import StoredPixels

if TYPE_CHECKING:
    from nbtools.methods.keras_method import KerasMethod

LIGHT_3D = {"filters": (16, 32, 64)}  # of the small U-Net for volumes
# without batch normalisation grey values come out exacter, by decibels where there is much light,
# and steps take less time
BLIND_SPOTS = {
    "tiny": {"filters": (8, 16), "norm": "none"},
    "small": {"filters": (32, 64, 128), "norm": "none"},
    "paper": {"filters": (32, 64, 128), "kernel": 5},
    "bsd68": {"filters": (96, 192, 384)},
}


@dataclass(frozen=True, eq=False)
class RestorationWork:
    """The restoration of a block: the grey values of its core.

    Parameters
    ----------
    pixels : (*space, C) grey values of the image.
    restore : (*part, C) → the same, restored; with what was measured on the whole image.
    halo : pixels around a core that what is made of it depends on.
    grid : cores begin at multiples of it.
    bytes_per_pixel : of memory, that a pixel of a block takes.
    """

    pixels: StoredPixels
    restore: Callable[[np.ndarray], np.ndarray]
    halo: tuple[int, ...]
    grid: tuple[int, ...]
    bytes_per_pixel: float
    min_size: ClassVar = 0

    def __call__(self, block: Block) -> np.ndarray:
        """(*core, C) float32 restored grey values."""
        cut = self.pixels[(*block.outer, slice(None))]
        return self.restore(cut)[block.inner].astype(np.float32, copy=False)

    def judge(self, sums: dict[str, np.ndarray]) -> None:
        """The result stands."""


def plan_network(
    method: KerasMethod, networks: dict[str, dict], *, light: dict[str, object] = LIGHT_3D
) -> dict:
    """Choose what the builder of a network is told for the preset of a method.

    Parameters
    ----------
    method : with its settings and domain.
    networks : preset → arguments of the builder.
    light : what changes where the preset is "small" and images are volumes.
    """
    preset = method.settings.preset
    lighter = preset == "small" and method.domain.ndim == 3
    return networks[preset] | (light if lighter else {})


def plan_blind_spots(method: KerasMethod, *, smooth: bool) -> dict:
    """Choose what the builder of a network of Noise2Void is told for the preset of a method.

    Parameters
    ----------
    method : with its settings and domain.
    smooth : as in N2V2, which pools without aliasing and leaves out the finest skip.
    """
    plan = dict(plan_network(method, BLIND_SPOTS))
    if method.domain.ndim == 3 or smooth:  # as published for either
        plan.pop("kernel", None)
    return plan | {
        "narrow_before_upsampling": True,
        "bias": True,
        "topmost_skip": not smooth,
        "pool": "blur" if smooth else "max",
    }


def without_swaps(policy: str) -> str:
    """The policy without turns by 90°, for images whose axes differ in their noise."""
    return "mirrors" if policy == "flips" else policy
