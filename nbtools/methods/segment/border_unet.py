"""Border U-Net: background, inside and border as three classes; the border splits touching nuclei.

The border is given back to the nuclei in the end.

Caicedo et al. 2019, doi:10.1002/cyto.a.23863; several networks from different seeds, averaged, as
the winners of the 2018 Data Science Bowl did with larger ones (Caicedo et al. 2019,
doi:10.1038/s41592-019-0612-7). Where the training images have classes of nuclei, each network
predicts them, too (`targets.class_head`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras

from nbtools import losses, nets
from nbtools.config import setting
from nbtools.methods.border_settings import BorderSettings
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import label_noise_setting, preset_setting
from nbtools.targets.border import BorderTarget

FILTERS = {"tiny": (8, 16), "small": (16, 32, 64, 128), "paper": (64, 128, 256, 512)}


@dataclass(frozen=True)
class BorderUNetSettings(BorderSettings):
    preset: str = preset_setting(*FILTERS)
    ensemble: int = setting(
        1,
        min=1,
        max=32,
        help=(
            "Networks with different first weights, trained together and averaged; each costs its "
            "time."
        ),
    )
    label_noise: float = label_noise_setting()


@final
class BorderUNet(KerasMethod):
    """Border U-Net: inside, border and background."""

    Settings, Target = BorderUNetSettings, BorderTarget
    learns_classes = True

    def loss(self) -> Callable:
        inner = losses.forgiving_cross_entropy(self.settings.label_noise)
        return losses.with_classes(inner, self.target().outputs)

    def build(self) -> keras.Model:
        plan = {"filters": FILTERS[self.settings.preset]}
        outputs = sum(self.target().outputs.values())
        if self.domain.ndim == 3 and self.settings.preset == "small":
            plan = nets.LIGHT_VOLUME

        def build_one() -> keras.Model:
            return nets.unet_for(self.domain, outputs=outputs, **plan)

        return nets.ensemble(build_one, self.settings.ensemble)
