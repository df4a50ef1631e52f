"""A second look at nuclei of an unusual size, at the size of the training's."""

import numpy as np
import pytest
from scipy import ndimage

from nbtools.image import Image
from nbtools.methods.domain import Domain
from nbtools.methods.second_look import are_alike, finds_the_same


def draw(shape=(120, 120), radius=5, step=16) -> np.ndarray:
    label, grid = np.zeros(shape, np.int32), np.indices(shape)
    for number, place in enumerate(np.ndindex(*(n // step for n in shape)), 1):
        centre = np.array(place) * step + step / 2
        away = np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)))
        label[away <= radius] = number
    return label


def find_bright(image: Image, diameter: float) -> np.ndarray:
    return ndimage.label(image.pixels > 50)[0]


def find_halves(image: Image, diameter: float) -> np.ndarray:
    label = find_bright(image, diameter)
    return label * 2 - (np.arange(label.shape[-1]) % 10 < 5) * (label > 0)


@pytest.mark.parametrize("shape", [(120, 120), (80, 80, 80)])
@pytest.mark.parametrize("spacing", [None, 0.5])
@pytest.mark.parametrize(("predict", "same"), [(find_bright, True), (find_halves, False)])
def test_the_middle_of_an_image_is_looked_at_again(shape, spacing, predict, same):
    label = draw(shape)
    sizes = None if spacing is None else (spacing,) * len(shape)
    image = Image(100.0 * (label > 0), "ZYX"[-len(shape) :], sizes)
    domain = Domain(len(shape), nucleus_size=20.0, spacing=(1.0,) * len(shape))
    assert finds_the_same(predict, image, label=label, domain=domain, pixels=10.0) is same


def test_a_size_that_cannot_be_looked_at_is_not_confirmed():
    label = draw()
    image = Image(100.0 * (label > 0), "YX", (0.5, 0.5))
    unknown = Domain(2, spacing=(1.0, 1.0))
    assert not finds_the_same(find_bright, image, label=label, domain=unknown, pixels=10.0)


def test_nuclei_on_one_side_alone_are_not_alike():
    label = draw()
    assert are_alike(label, label[:] * 3)
    assert not are_alike(label, np.where(label % 4 == 0, 0, label))
    assert not are_alike(np.where(label % 4 == 0, 0, label), label)


def test_nuclei_that_the_border_cuts_need_no_partner():
    label = draw()
    one, other = label[:, 10:], label[:, 10:].copy()
    other[:, :5] = 0
    assert are_alike(one, other)


def test_too_few_nuclei_tell_nothing():
    label = draw((32, 16))
    assert not are_alike(label, label)
