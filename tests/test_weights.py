"""Weights that ship: they do on real images what their card says, and nuclei of another size are brought to theirs."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from nbtools import data, methods
from nbtools.image import Image
from nbtools.metrics import instances


@pytest.fixture(scope="module")
def fields(data_folder) -> data.DataSet:
    return data.DataSet.open(data_folder / "dsb2018_fluorescence" / "test")


def score(pairs: list[tuple]) -> dict:
    return instances.evaluate(pairs)["pooled"]["0.50"]


def test_the_card_of_nuclei2d_says_what_its_weights_do(fields):
    model = methods.load("nuclei2d")
    found = instances.evaluate([(s.name, s.label, model.predict(s.image).labels) for s in fields])
    card = json.loads((methods.find_folder("nuclei2d") / "scores.json").read_text("utf-8"))["nuclei2d"]
    assert found["pooled"]["0.50"]["ap"] == pytest.approx(card["pooled"]["0.50"]["ap"], abs=0.005)
    assert found["mean_ap"] == pytest.approx(card["mean_ap"], abs=0.005)


def test_a_known_size_of_nuclei_helps_where_pixels_are_much_smaller_and_of_16_bit(fields):
    """Fields of DSB2018 as a microscope with pixels a third as large would show them: 0.11 µm instead of 0.33 (assumed)."""
    model, factor, plain, told = methods.load("nuclei2d"), 3, [], []
    for sample in list(fields)[:6]:
        if sample.image.is_rgb or min(sample.image.space_shape) > 400:
            continue
        pixels = ndimage.zoom(sample.image.pixels.astype(float) * 200, factor, order=1, grid_mode=True, mode="nearest").astype(np.uint16)
        large = Image(pixels, "YX", (0.33 / factor,) * 2)
        label = replace(large, pixels=np.kron(sample.label.pixels, np.ones((factor, factor), sample.label.pixels.dtype)))
        size = float(np.median(methods.base.measure_diameters(sample.label.pixels))) * 0.33
        plain.append((sample.name, label, model.predict(large).labels))
        told.append((sample.name, label, model.predict(large, diameter=size).labels))
    assert len(told) >= 3
    assert score(told)["ap"] > score(plain)["ap"] + 0.2
