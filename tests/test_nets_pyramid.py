"""Pyramids of features against published sizes, and the field of layers that are shared."""

import keras
import numpy as np
import pytest
from keras import layers

from nbtools import nets
from nbtools.inference.receptive_field import measure_receptive_field
from nbtools.methods.detect.retinanet import NETWORKS as RETINANET
from nbtools.methods.detect.yolo import NETWORKS as YOLO


def count_stages(config: nets.PyramidConfig) -> int:
    """Learned numbers of the stages alone, for colour images."""
    steps, _ = nets.plan_strides(2, None, stages=len(config.widths))
    about = {"channels": 3, "steps": steps, "levels": (1,), "config": config}
    image, found = nets.pyramid(2, **about)
    model = keras.Model(image, found)
    stages = [x for x in model.layers if x.name.startswith("stage")]
    stages += [x for x in model.layers if x.name.startswith("stem")]
    return sum(int(np.prod(w.shape)) for x in stages for w in x.trainable_weights)


def test_the_published_stages_have_the_published_size():
    # torchvision's resnet50 has 25,557,032, of which 2,049,000 are its classes
    assert count_stages(RETINANET["paper"]) == 25_557_032 - 2_049_000
    # timm's darknet53 has 41,609,928, of which 1,025,000 are its classes
    assert count_stages(YOLO["paper"]) == 41_609_928 - 1_025_000


def test_levels_have_the_strides_of_their_stages():
    steps, strides = nets.plan_strides(3, (2.0, 1.0, 1.0), stages=4)
    assert strides == ((1, 2, 2), (2, 4, 4), (4, 8, 8), (8, 16, 16))
    config = nets.PyramidConfig((4, 6, 8, 10), (0, 1, 1, 1), features=5)
    about = {"channels": 1, "steps": steps, "levels": (1, 2), "config": config}
    model = keras.Model(*nets.pyramid(3, **about))
    shapes = [tuple(part.shape) for part in model(np.zeros((1, 8, 32, 48, 1), np.float32))]
    assert shapes == [(1, 4, 8, 12, 5), (1, 2, 4, 6, 5)]


@pytest.mark.parametrize("shared", [True, False])
def test_a_shared_layer_has_the_field_of_each_of_its_calls(shared):
    image = keras.Input((None, None, 1))
    small = layers.AveragePooling2D(2)(image)
    conv = layers.Conv2D(1, 3, padding="same")
    other = conv if shared else layers.Conv2D(1, 3, padding="same")
    model = keras.Model(image, [conv(image), other(small)])
    # a pixel to either side at full resolution; 2 more, and the pixel beside it, at half
    assert measure_receptive_field(model).radius == (3, 3)
