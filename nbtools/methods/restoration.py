"""What the methods that restore images share: their networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbtools.methods.keras_method import KerasMethod

LIGHT_3D = {"filters": (16, 32, 64)}  # of the small U-Net for volumes


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


def without_swaps(policy: str) -> str:
    """The policy without turns by 90°, for images whose axes differ in their noise."""
    return "mirrors" if policy == "flips" else policy
