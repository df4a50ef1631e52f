"""RoI align: the features inside each box, brought to one size.

He et al. 2017, doi:10.1109/ICCV.2017.322. Samples lie where they are, between the pixels of the
features: an edge at e px lies at e / stride - 1/2 in pixels of the features, since a pixel has its
centre in its middle. Without the half, or with `crop_and_resize`, everything would be half a
pixel of the features off.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

Tensor = keras.KerasTensor
SIZE = 7  # bins along an axis, as published
SAMPLES = 2  # per bin along an axis


def align(features: Tensor, boxes: Tensor, *, stride: tuple[int, int], size: int = SIZE) -> Tensor:
    """Bilinear samples of features on a regular grid inside each box, averaged over its bins.

    Parameters
    ----------
    features : (B, H, W, C) float32; beyond the border its pixels are repeated.
    boxes : (B, R, 4) edges y0, x0, y1, x1 in pixels of the image, half-open.
    stride : pixels of the image per pixel of the features, along y and x.
    size : bins along an axis.

    Returns
    -------
    (B, R, size, size, C).

    Examples
    --------
    >>> ramp = np.arange(8, dtype=np.float32)[None, :, None, None] * np.ones((1, 8, 8, 1))
    >>> box = np.array([[[2, 2, 4, 4]]], np.float32)
    >>> float(align(ramp.astype(np.float32), box, stride=(1, 1), size=1)[0, 0, 0, 0, 0])
    2.5
    """
    batch, height, width, channels = ops.shape(features)
    share = ((np.arange(size * SAMPLES) + 0.5) / (size * SAMPLES)).astype(np.float32)
    rows = (boxes[..., 0:1] + (boxes[..., 2:3] - boxes[..., 0:1]) * share) / stride[0] - 0.5
    columns = (boxes[..., 1:2] + (boxes[..., 3:4] - boxes[..., 1:2]) * share) / stride[1] - 0.5
    flat = ops.reshape(features, (-1, channels))
    first = ops.reshape(ops.arange(batch, dtype="int32") * (height * width), (-1, 1, 1, 1))
    total = 0.0
    for row, down in _neighbours(rows, height - 1):
        for column, right in _neighbours(columns, width - 1):
            index = first + row[..., :, None] * width + column[..., None, :]
            weight = (down[..., :, None] * right[..., None, :])[..., None]
            total = total + ops.take(flat, index, axis=0) * weight
    count = ops.shape(boxes)[1]
    bins = ops.reshape(total, (batch, count, size, SAMPLES, size, SAMPLES, channels))
    return ops.mean(bins, axis=(3, 5))


def _neighbours(place: Tensor, last: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The pixels before and behind each position, with their weights."""
    place = ops.maximum(place, 0.0)
    before = ops.minimum(ops.cast(place, "int32"), last)
    part = ops.minimum(place - ops.cast(before, "float32"), 1.0)
    return [(before, 1.0 - part), (ops.minimum(before + 1, last), part)]


@keras.saving.register_keras_serializable("nbtools")
class RoiAlign(layers.Layer):
    """Features (B, H, W, C) and boxes (B, R, 4) → (B, R, size, size, C), see `align`.

    Parameters
    ----------
    stride, size : as for `align`.
    """

    def __init__(self, stride: tuple[int, int], size: int = SIZE, **kwargs):
        super().__init__(**kwargs)
        self.stride, self.size = tuple(stride), size

    def call(self, inputs: list[Tensor]) -> Tensor:
        """[features, boxes] → features inside each box."""
        features, boxes = inputs
        return align(features, boxes, stride=self.stride, size=self.size)

    def compute_output_shape(self, shapes: list[tuple]) -> tuple:
        """Shape of the output for those of features and boxes."""
        features, boxes = shapes
        return (*boxes[:2], self.size, self.size, features[-1])

    def get_config(self) -> dict:
        """Settings of the layer."""
        return {**super().get_config(), "stride": self.stride, "size": self.size}


@keras.saving.register_keras_serializable("nbtools")
class JoinedRegions(layers.Layer):
    """The regions of all images as images of their own: (B, R, *size, C) → (B · R, *size, C)."""

    def call(self, x: Tensor) -> Tensor:
        """(B, R, *size, C) → (B · R, *size, C)."""
        return ops.reshape(x, (-1, *x.shape[2:]))

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Shape of the output for a shape of the input."""
        return (None, *shape[2:])


@keras.saving.register_keras_serializable("nbtools")
class ApartRegions(layers.Layer):
    """Undoes `JoinedRegions`, for one channel: (B · R, *size, 1) and boxes → (B, R, *size)."""

    def call(self, inputs: list[Tensor]) -> Tensor:
        """[(B · R, *size, 1), boxes (B, R, 2 D)] → (B, R, *size)."""
        x, boxes = inputs
        return ops.reshape(x, (*ops.shape(boxes)[:2], *x.shape[1:-1]))

    def compute_output_shape(self, shapes: list[tuple]) -> tuple:
        """Shape of the output for those of regions and boxes."""
        x, boxes = shapes
        return (*boxes[:2], *x[1:-1])
