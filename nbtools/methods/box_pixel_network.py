"""BoxPixelNetwork: networks that find boxes and foreground, from which nuclei are put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nbtools import losses
from nbtools.config import setting, vary
from nbtools.data import DataSet
from nbtools.methods.anchor_sizes import AnchorSettings, settle_anchors
from nbtools.methods.box_network import BoxNetwork
from nbtools.methods.settings import NetworkSettings
from nbtools.nets.pyramid import Strides
from nbtools.targets.box_pixels import INSIDE, MIN_SIZE, PIXELS, BoxPixelTarget


@dataclass(frozen=True)
class BoxPixelSettings(AnchorSettings, parameters=(INSIDE, MIN_SIZE)):
    """Settings of networks of boxes and pixels."""

    # boxes are those of the labels in each patch, whatever it was turned by
    augmentation: str = vary(NetworkSettings, "augmentation")
    gap_weight: float = setting(
        10.0,
        min=0.0,
        max=100.0,
        level="advanced",
        help="How much more a pixel counts in a narrow gap between nuclei; 0: no weight map.",
    )


class BoxPixelNetwork(BoxNetwork):
    """A method that finds boxes on grids of cells, and the foreground.

    A subclass gives `plan`, `config` and `build`.
    """

    Settings, Target = BoxPixelSettings, BoxPixelTarget
    needs, learns_classes = ("labels",), False
    focal: ClassVar[bool] = True  # the cost of scores; else as many with as without a nucleus

    def prepare(self, train: DataSet) -> None:
        """Also settle the sizes of the anchors, by the boxes of the training labels."""
        super().prepare(train)
        self.settings = settle_anchors(self.settings, train, strides=self.plan()[1])

    def loss(self) -> dict[str, Callable]:
        count = len(self.target().sizes)
        boxes = losses.anchor_boxes(self.domain.ndim, anchors=count, kinds=1, focal=self.focal)
        return dict.fromkeys(self.target().names, boxes) | {PIXELS: losses.weighted_bce_dice}


def accumulate(steps: Strides) -> Strides:
    """Strides of stages on the image.

    Parameters
    ----------
    steps : stride of each stage on the one before.

    Examples
    --------
    >>> accumulate(((1, 2, 2), (2, 2, 2)))
    ((1, 2, 2), (2, 4, 4))
    """
    return tuple(tuple(map(int, row)) for row in np.cumprod(steps, axis=0))
