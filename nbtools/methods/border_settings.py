"""Settings of networks that tell background, inside and border of nuclei."""

from __future__ import annotations

from dataclasses import dataclass

from nbtools.config import setting
from nbtools.methods.settings import NetworkSettings, border_weight_setting
from nbtools.targets.border import BorderTarget


@dataclass(frozen=True)
class BorderSettings(NetworkSettings, parameters=BorderTarget.parameters):
    """Where borders are drawn, and how much they count."""

    border: str = setting(
        "outer",
        choices=("outer", "inner"),
        help="Whether a border is drawn outside the nuclei, or takes their rim.",
    )
    border_weight: float = border_weight_setting(10.0)
