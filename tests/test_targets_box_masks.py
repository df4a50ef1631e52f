"""Boxes as truth: the nuclei that fill them, on real images and on drawn ones."""

import numpy as np
import pytest

from nbtools import data
from nbtools.metrics import instances
from nbtools.targets.box_masks import masks_of_boxes
from nbtools.training.examples import boxes_of_labels


@pytest.fixture(scope="module")
def nuclei() -> dict[int, data.Sample]:
    """The images that the stardist package carries, with their labels."""
    return {d: data.samples(f"nuclei{d}d")[0] for d in (2, 3)}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("ndim", "least"), [(2, 0.9), (3, 0.6)])
def test_real_nuclei_come_back_from_their_boxes(nuclei, ndim, least, sign):
    sample = nuclei[ndim]
    boxes = boxes_of_labels(sample.label.pixels)
    image = sign * sample.image.pixels[..., None].astype(np.float32)
    found = masks_of_boxes(image, boxes)
    assert found.max() <= len(boxes)
    assert instances.score(sample.label.pixels, found, iou=0.5).ap >= least


def draw_ellipse(shape: tuple[int, int], radii: tuple[float, float]) -> np.ndarray:
    y, x = np.indices(shape)
    middle = (np.array(shape) - 1) / 2
    return ((y - middle[0]) / radii[0]) ** 2 + ((x - middle[1]) / radii[1]) ** 2 <= 1


def test_a_drawn_ellipse_is_found_in_noise(rng):
    label = draw_ellipse((41, 61), (12, 20)).astype(int)
    image = 10 * label + rng.normal(0, 1.5, label.shape)
    found = masks_of_boxes(image[..., None], boxes_of_labels(label)) > 0
    assert (found & (label > 0)).sum() / (found | (label > 0)).sum() > 0.9


def test_where_grey_values_tell_nothing_the_ellipse_stands_for_the_nucleus():
    label = masks_of_boxes(np.zeros((21, 31, 1)), np.array([[2.0, 3, 18, 28]]))
    wanted = draw_ellipse((16, 25), (8, 12.5))
    shared = (label[2:18, 3:28] > 0) & wanted
    assert shared.sum() / wanted.sum() > 0.7
    assert label[:2].max() == label[18:].max() == 0


def test_a_pixel_of_two_boxes_belongs_to_the_nearer_middle():
    label = masks_of_boxes(np.zeros((9, 20, 1)), np.array([[0.0, 0, 9, 12], [0.0, 8, 9, 20]]))
    assert label[4, 9] == 1
    assert label[4, 10] == 2


def test_boxes_beyond_the_image_are_cut_or_left_out():
    image = np.zeros((10, 10, 1))
    image[:4, :4] = 1
    label = masks_of_boxes(image, np.array([[-3.0, -3, 4, 4], [20.0, 20, 25, 25]]))
    assert set(np.unique(label)) == {0, 1}
