"""Sizes of anchors, a setting that follows from the boxes of the training images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.augment import box_corners
from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.methods.box_network import BoxSettings
from nbtools.nets.pyramid import Strides
from nbtools.targets.anchors import ANCHORS, cluster_sizes
from nbtools.targets.boxes import boxes_of_labels


@dataclass(frozen=True)
class AnchorSettings(BoxSettings):
    """Settings of every detector with anchors."""

    anchors: tuple[float, ...] = setting(
        (),
        min=0.1,
        max=1000.0,
        level="advanced",
        help=(
            f"Sizes of the {ANCHORS} anchors of a cell, in cells, one axis after the other; empty: "
            "clusters of the sizes of the training boxes."
        ),
    )


def settle_anchors(settings: AnchorSettings, train: DataSet, *, strides: Strides) -> AnchorSettings:
    """Settings with the sizes of the anchors, where they are left to the training images.

    Parameters
    ----------
    settings : of the method.
    train : training images with boxes or labels.
    strides : px per cell of each grid.
    """
    if settings.anchors:
        return settings
    extents = [measure_boxes(sample) for sample in train]
    return settings.replace(anchors=cluster_sizes(np.concatenate(extents), strides))


def measure_boxes(sample: object) -> np.ndarray:
    """(N, D) sides in pixels of the boxes of a sample, or of its labels.

    Parameters
    ----------
    sample : of a data set.
    """
    boxes = sample.boxes
    if boxes is None and sample.label is not None:
        label = sample.label.select(T=0)
        boxes = boxes_of_labels(label.to(label.spatial).pixels)
    if boxes is None:
        return np.zeros((0, len(sample.image.spatial)))
    low, high = box_corners(np.asarray(boxes, float))
    return high - low
