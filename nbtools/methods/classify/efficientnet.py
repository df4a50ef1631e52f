"""EfficientNet: channels looked at one by one, then weighed. Tan and Le 2019, arXiv:1905.11946.

That of Keras divides by 255 what it is given; ours takes grey values of mean 0 and standard
deviation 1 as they are (`nets.paper_classifier`). Crops of nuclei are small, and there are often
some hundred of them only: compare with `feature_forest`.
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
class EfficientNet(ClassNetwork):
    """EfficientNet for images or nuclei."""

    published = "efficientnetb0"

    def build(self) -> keras.Model:
        if self.settings.preset == "paper":
            return self.build_paper()
        return self.build_pooled("inverted", NETWORKS, ndim=self.domain.ndim)
