"""What the methods that restore images share: their defaults, their networks, their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtools.targets.restored import RestoredTarget

if TYPE_CHECKING:
    from nbtools.methods.keras_method import KerasMethod

LIGHT_3D = (16, 32, 64)  # filters of the small U-Net for volumes
# of the same number of voxels of a volume, a network learns most in many small steps
RESTORATION_DEFAULTS = {
    "patch_size": {2: 64, 3: 32},
    "batch_size": {2: 16, 3: 1},
    "steps_per_epoch": {2: 50, 3: 300},
}


def plan_unet(method: KerasMethod, networks: dict[str, dict]) -> dict:
    """Choose the fields of `nets.UNetConfig` for the preset of a method.

    Parameters
    ----------
    method : with its settings and domain.
    networks : preset → fields; the preset "small" has fewer channels for volumes.
    """
    plan = dict(networks[method.settings.preset])
    if method.settings.preset == "small" and method.domain.ndim == 3:
        plan["filters"] = LIGHT_3D
    return plan


def make_target(
    method: KerasMethod, kind: type[RestoredTarget] = RestoredTarget, **fields: object
) -> RestoredTarget:
    """Make the target of a method that restores images, on the scale of its training set.

    Parameters
    ----------
    method : with its domain and scale.
    kind : class of the target.
    fields : further fields of that class.
    """
    domain = method.domain
    fields |= {"ndim": domain.ndim, "channels": domain.channels}
    return kind(**fields) if method.scale is None else kind(**fields, scale=method.scale)


def without_swaps(policy: str) -> str:
    """The policy without turns by 90°, for images whose axes differ in their noise."""
    return "mirrors" if policy == "flips" else policy
