"""ResNet: blocks that learn what to add. He et al. 2016, arXiv:1512.03385.

The small network is made for crops of some 40 px; the published one halves them five times. Crops
of nuclei are small, and there are often some hundred of them only: compare with `feature_forest`.
"""

from __future__ import annotations

from typing import final

import keras

from nbtools.methods.class_network import ClassNetwork

NETWORKS = {
    "tiny": {"filters": (8, 16), "blocks": 1},
    "small": {"filters": (16, 32, 64), "blocks": 1},
}


@final
class ResNet(ClassNetwork):
    """ResNet for images or nuclei."""

    published = "resnet50"

    def build(self) -> keras.Model:
        if self.settings.preset == "paper":
            return self.build_paper()
        return self.build_pooled("residual", NETWORKS, ndim=self.domain.ndim)
