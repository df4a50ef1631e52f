"""DenseNet: each layer sees all before it. Huang et al. 2017, arXiv:1608.06993.

The small network is made for crops of some 40 px; the published one halves them five times. Crops
of nuclei are small, and there are often some hundred of them only: compare with `feature_forest`.
"""

from __future__ import annotations

from typing import final

import keras

from nbtools.methods.class_network import ClassNetwork

NETWORKS = {
    "tiny": {"filters": (8, 16), "blocks": 1},
    "small": {"filters": (16, 32, 64), "blocks": 3},
}


@final
class DenseNet(ClassNetwork):
    """DenseNet for images or nuclei."""

    published = "densenet121"

    def build(self) -> keras.Model:
        if self.settings.preset == "paper":
            return self.build_paper()
        return self.build_pooled("dense", NETWORKS, ndim=self.domain.ndim)
