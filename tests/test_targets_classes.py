"""Classes of nuclei as targets: encode, decode, and what is unknown."""

import numpy as np
import pytest

from nbtools.targets import classes

NAMES = ("dividing", "resting")


@pytest.fixture
def label() -> np.ndarray:
    label = np.zeros((12, 16), np.int32)
    label[1:5, 1:5], label[1:5, 8:14], label[7:11, 4:9], label[11, 15] = 3, 4, 8, -1
    return label


def test_names_become_numbers_and_strange_ones_are_unknown():
    assert classes.number({3: "resting", 4: "dividing", 8: "dust"}, NAMES) == {3: 2, 4: 1}
    assert classes.number(None, NAMES) == {}


def test_what_is_encoded_is_decoded(label):
    known = {3: 2, 4: 1, 8: 2}
    maps = classes.encode(label, known, count=2)
    found, probability = classes.decode(label, maps[..., 1:], names=NAMES)
    assert found == {3: "resting", 4: "dividing", 8: "resting"}
    assert set(probability.values()) == {1.0}


def test_unknown_and_ignored_pixels_may_be_several_things(label):
    maps = classes.encode(label, {3: 1}, count=2)
    assert maps[2, 2].tolist() == [0, 1, 0]
    assert maps[2, 9].tolist() == [0, 1, 1]
    assert maps[11, 15].tolist() == [1, 1, 1]
    assert maps[0, 0].tolist() == [1, 0, 0]


def test_most_of_the_pixels_decide(label):
    maps = np.zeros((*label.shape, 2))
    maps[..., 0] = 1
    maps[7:11, 4:7] = 0, 1  # 12 of the 20 pixels of nucleus 8
    found, probability = classes.decode(label, maps, names=NAMES)
    assert found == {3: "dividing", 4: "dividing", 8: "resting"}
    assert probability[8] == pytest.approx(0.6)


def test_maps_on_a_coarser_grid_cover_the_same_field(label):
    fine = np.kron(label, np.ones((2, 2), int))
    maps = classes.encode(label, {3: 2, 4: 1, 8: 1}, count=2)[..., 1:]
    assert classes.decode(fine, maps, names=NAMES)[0] == {
        3: "resting",
        4: "dividing",
        8: "dividing",
    }


def test_an_image_without_nuclei_has_no_classes():
    assert classes.decode(np.zeros((4, 4), int), np.ones((4, 4, 2)), names=NAMES) == ({}, {})
