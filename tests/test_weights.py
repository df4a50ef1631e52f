"""Weights that ship: they do on real images what their card says, and nuclei of another size are
brought to theirs.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from nbtools import data, methods, simulate
from nbtools.geometry import equivalent_diameters
from nbtools.image import Image
from nbtools.metrics import instances, restoration


@pytest.fixture(scope="module")
def fields(data_folder) -> data.DataSet:
    return data.DataSet.open(data_folder / "dsb2018_fluorescence" / "test")


def score(pairs: list[tuple]) -> dict:
    return instances.evaluate(pairs)["pooled"]["0.50"]


@pytest.mark.parametrize("name", ["nuclei2d", "nuclei2d_small", "nuclei2d_flows"])
def test_the_card_of_weights_says_what_they_do(fields, name):
    model = methods.load(name)
    found = instances.evaluate([(s.name, s.label, model.predict(s.image).labels) for s in fields])
    card = json.loads((methods.find_folder(name) / "scores.json").read_text("utf-8"))[name]
    assert found["pooled"]["0.50"]["ap"] == pytest.approx(card["pooled"]["0.50"]["ap"], abs=0.005)
    assert found["mean_ap"] == pytest.approx(card["mean_ap"], abs=0.005)


def test_a_known_size_of_nuclei_helps_where_pixels_are_much_smaller_and_of_16_bit(fields):
    """Fields of DSB2018 as a microscope with pixels a third as large would show them: 0.11 µm
    instead of 0.33 (assumed).
    """
    model, factor, plain, looked, told = methods.load("nuclei2d"), 3, [], [], []
    blind = methods.load("nuclei2d")
    blind.settings = blind.settings.replace(auto_scale=False)
    for sample in list(fields)[:6]:
        if sample.image.is_rgb or min(sample.image.space_shape) > 400:
            continue
        pixels = ndimage.zoom(
            sample.image.pixels.astype(float) * 200, factor, order=1, grid_mode=True, mode="nearest"
        ).astype(np.uint16)
        large = Image(pixels, "YX", (0.33 / factor,) * 2)
        label = replace(
            large,
            pixels=np.kron(
                sample.label.pixels, np.ones((factor, factor), sample.label.pixels.dtype)
            ),
        )
        size = float(np.median(equivalent_diameters(sample.label.pixels))) * 0.33
        plain.append((sample.name, label, blind.predict(large).labels))
        looked.append((sample.name, label, model.predict(large).labels))
        told.append((sample.name, label, model.predict(large, diameter=size).labels))
    assert len(told) >= 3
    assert score(told)["ap"] > score(plain)["ap"] + 0.2
    assert (
        score(looked)["ap"] > score(told)["ap"] - 0.05
    )  # without being told, it looks for the size by itself


def test_the_card_of_denoise2d_says_what_its_weights_do():
    """On the first of its own test images, which are simulated again, and better than the classical
    way.
    """
    looks = {
        "shape_px": (256, 256),
        "spacing_um": (0.2, 0.2),
        "photons": (5.0, 100.0),
        "read_noise": 2.0,
    }
    pairs = simulate.make("pairs", count=12, seed=2, settings=looks)
    model, classical = methods.load("denoise2d"), methods.load("nlm")
    card = json.loads((methods.find_folder("denoise2d") / "scores.json").read_text("utf-8"))[
        "denoise2d"
    ]
    told = {image["name"]: image["psnr"] for image in card["per_image"]}
    for sample in list(pairs)[:4]:
        ours, theirs = (
            restoration.psnr(m.predict(sample.image).image, sample.clean)
            for m in (model, classical)
        )
        assert ours == pytest.approx(told[sample.name], abs=0.1)
        assert ours > theirs
