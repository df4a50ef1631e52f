"""VGG: plain convolutions, one after the other. Simonyan and Zisserman 2015, arXiv:1409.1556.

The published network ends in three dense layers that need images of 224 px; here the mean of each
feature over the image takes their place, so that images may have any size. Crops of nuclei are
small, and there are often some hundred of them only: compare with `feature_forest`.
"""

from __future__ import annotations

from typing import final

import keras

from nbtools.methods.class_network import ClassNetwork

NETWORKS = {
    "tiny": {"filters": (8, 16), "blocks": 1},
    "small": {"filters": (16, 32, 64), "blocks": 2},
}


@final
class Vgg(ClassNetwork):
    """Vgg for images or nuclei."""

    published = "vgg16"

    def build(self) -> keras.Model:
        if self.settings.preset == "paper":
            return self.build_paper()
        return self.build_pooled("plain", NETWORKS, ndim=self.domain.ndim)
