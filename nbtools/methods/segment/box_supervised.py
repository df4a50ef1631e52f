"""Segmentation that learns from a box around each nucleus: what fills the box is the nucleus.

After the idea of Zhao et al. 2018, doi:10.1007/978-3-030-00937-3_41, who learn volumes from boxes
and a few outlines. In each box the threshold is taken whose region touches all edges
(`targets.box_masks`), in planes and volumes; of these regions a network learns inside, border and
background as from labels. It smooths over what single boxes got wrong, and finds nuclei in images
without boxes. It needs boxes that are tight, and nuclei brighter or darker than what surrounds
them; thresholds of the decoding are chosen on regions made the same way. No outlines are needed,
and none are used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import keras
import numpy as np

from nbtools import losses, nets
from nbtools.augment import box_corners
from nbtools.data import DataSet, Sample
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import (
    NetworkSettings,
    border_weight_setting,
    label_noise_setting,
    preset_setting,
)
from nbtools.patches import Example, find_points
from nbtools.targets.border import BorderTarget
from nbtools.targets.box_masks import masks_of_boxes

FILTERS = {"tiny": (8, 16), "small": (16, 32, 64, 128)}


@dataclass(frozen=True)
class BoxSupervisedSettings(NetworkSettings, parameters=BorderTarget.parameters):
    preset: str = preset_setting(*FILTERS, help="Size of the network: small for two cores.")
    border_weight: float = border_weight_setting(5.0)
    label_noise: float = label_noise_setting()


@final
class BoxSupervised(KerasMethod):
    """Segmentation from boxes alone."""

    Settings, Target, needs = BoxSupervisedSettings, BorderTarget, ("boxes",)

    def count_objects(self, train: DataSet) -> list[int]:
        """Measure the size of the images and of the ellipses in the boxes, and count the boxes."""
        super().count_objects(train)
        sizes = []
        for sample in train:
            example = super().make_example(sample, encode=False)
            sizes.append(measure_boxes(example.boxes))
        self.note_nucleus_size(sizes)
        return [len(one) for one in sizes]

    def make_example(self, sample: Sample, *, encode: bool = True) -> Example:
        """The image with the regions that fill its boxes as labels.

        Parameters
        ----------
        sample : with boxes, or with labels, of which the boxes alone are used.
        encode : does nothing: borders are drawn in each patch.
        """
        example = super().make_example(sample, encode=encode)
        boxes = np.asarray(example.boxes, float)
        label = masks_of_boxes(example.image, boxes, spacing=example.spacing)
        return replace(example, label=label, seeds=find_points(label), boxes=None)

    def loss(self) -> Callable:
        return losses.forgiving_cross_entropy(self.settings.label_noise)

    def build(self) -> keras.Model:
        plan = {"filters": FILTERS[self.settings.preset]}
        if self.domain.ndim == 3 and self.settings.preset == "small":
            plan = dict(nets.LIGHT_VOLUME)
        return nets.unet_for(self.domain, outputs=len(self.target().outputs), **plan)


def measure_boxes(boxes: np.ndarray) -> np.ndarray:
    """Measure the diameter of the disc, or ball, as large as the ellipse in each box.

    Parameters
    ----------
    boxes : (N, 2 D) edges in pixels.

    Returns
    -------
    (N,) float: the geometric mean of the sides.

    Examples
    --------
    >>> measure_boxes(np.array([[0.0, 0, 4, 9]])).tolist()
    [6.0]
    """
    low, high = box_corners(np.asarray(boxes, float))
    return np.prod(high - low, axis=1) ** (1 / low.shape[1])
