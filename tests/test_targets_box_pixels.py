"""Oracle round trips of boxes with pixels and of inner distances, on label images of 125 and of 51
nuclei.
"""

import dataclasses

import numpy as np
import pytest

from nbtools import data
from nbtools.augment import box_corners
from nbtools.inference.placing import place_results
from nbtools.metrics import instances
from nbtools.patches import Example
from nbtools.targets import box_pixels, inner_distance
from nbtools.targets.anchors import cluster_sizes
from nbtools.targets.boxes import boxes_of_labels

STRIDES = {2: ((4, 4), (8, 8)), 3: ((2, 4, 4), (4, 8, 8))}


@pytest.fixture(scope="module")
def nuclei() -> dict[int, np.ndarray]:
    """The label images that the stardist package carries."""
    return {d: data.samples(f"nuclei{d}d")[0].label.pixels.astype(np.int32) for d in (2, 3)}


def make_example(label: np.ndarray) -> Example:
    shape = tuple(n // 8 * 8 for n in label.shape)
    label = label[tuple(map(slice, shape))]
    return Example(np.zeros((*shape, 1), np.float32), label=label)


def say_truth(target: box_pixels.BoxPixelTarget, example: Example) -> dict[str, np.ndarray]:
    """What a network without error would say, activated."""
    maps = target.encode(example)
    for name in target.names:
        maps[name] = maps[name][..., :-2].copy()
        maps[name][..., : target.scores] = maps[name][..., : target.scores] > 0.5
    maps[box_pixels.PIXELS] = maps[box_pixels.PIXELS][..., :1]
    return maps


def make_target(cls: type, label: np.ndarray, *, grids: int) -> box_pixels.BoxPixelTarget:
    strides = STRIDES[label.ndim][-grids:]
    low, high = box_corners(boxes_of_labels(label))
    return cls(label.ndim, strides=strides, anchors=cluster_sizes(high - low, strides))


@pytest.mark.parametrize(
    ("cls", "ndim", "grids", "least"),
    [
        (box_pixels.BoxPixelTarget, 2, 2, (0.99, 0.93)),
        (box_pixels.BoxPixelTarget, 3, 2, (0.99, 0.99)),
        (box_pixels.MarkerBoxTarget, 2, 1, (0.99, 0.91)),
        (box_pixels.MarkerBoxTarget, 3, 1, (0.80, 0.72)),
    ],
)
def test_boxes_and_pixels_said_without_error_come_back(nuclei, cls, ndim, grids, least):
    example = make_example(nuclei[ndim])
    target = make_target(cls, example.label, grids=grids)
    found = target.decode(say_truth(target, example), threshold=0.5, overlap=0.7, inside=0.5)
    scores = [instances.score(example.label, found.image.pixels, iou=iou).ap for iou in (0.5, 0.8)]
    assert np.all(np.array(scores) >= least), scores
    assert set(found.score) == set(range(1, found.image.pixels.max() + 1))


@pytest.mark.parametrize(("ndim", "least"), [(2, (0.99, 0.97)), (3, (0.99, 0.99))])
def test_inner_distances_said_without_error_come_back(nuclei, ndim, least):
    target, label = inner_distance.InnerDistanceTarget(ndim), nuclei[ndim]
    maps = target.encode(Example(np.zeros((*label.shape, 1)), label=label))[..., :4]
    found = target.decode(maps, **target.defaults()).image.pixels
    scores = [instances.score(label, found, iou=iou).ap for iou in (0.5, 0.8)]
    assert np.all(np.array(scores) >= least), scores


def test_touching_nuclei_are_divided_between_their_boxes():
    label = np.zeros((16, 24), np.int32)
    label[4:12, 4:12], label[4:12, 12:20] = 1, 2
    edges = boxes_of_labels(label)
    np.testing.assert_array_equal(box_pixels.divide_by_boxes(label > 0, edges), label)
    np.testing.assert_array_equal(box_pixels.divide_by_markers(label > 0, edges), label)


def test_foreground_without_a_box_is_lost_with_boxes_and_kept_with_markers():
    label = np.zeros((16, 24), np.int32)
    label[2:8, 2:8], label[10:15, 15:22] = 1, 2
    edges = boxes_of_labels(label)[:1]
    assert np.unique(box_pixels.divide_by_boxes(label > 0, edges)).tolist() == [0, 1]
    assert len(np.unique(box_pixels.divide_by_markers(label > 0, edges))) == 3
    none = np.zeros((0, 4))
    assert not box_pixels.divide_by_boxes(label > 0, none).any()
    assert box_pixels.divide_by_markers(label > 0, none).max() == 2


def test_scores_follow_their_nuclei_where_small_ones_are_removed_and_images_resampled():
    label = np.zeros((16, 32), np.int32)
    label[1, 1], label[4:12, 4:12], label[4:12, 20:28] = 1, 2, 3
    target = box_pixels.BoxPixelTarget(2, strides=((4, 4),), anchors=(2.0, 2.0))
    kept = np.where(label > 1, label - 1, 0)
    scores = target.carry_scores(label, kept, known={1: 0.1, 2: 0.7, 3: 0.9})
    assert scores == {1: 0.7, 2: 0.9}
    sample = data.samples("nuclei2d")[0]
    image = dataclasses.replace(sample.image.select(T=0), pixels=np.zeros((32, 64)))
    found = box_pixels.Labels(box_pixels.Image(kept, "YX"), scores)
    assert place_results([found], image).score == scores
    assert place_results([found], image).image.pixels.shape == (32, 64)


def test_ignored_pixels_have_no_class_and_no_weight():
    label = np.array([[0, 0, 5, 5, 5, 0, -1]])
    target = inner_distance.InnerDistanceTarget()
    truth = target.encode(Example(np.zeros((1, 7, 1)), label=label))
    assert truth[0, :, 1:4].argmax(axis=-1)[:6].tolist() == [0, 0, 2, 1, 2, 0]
    assert not truth[0, -1, 1:].any()


def test_the_inner_distance_of_a_nucleus_is_the_published_function():
    """1 / (1 + d² / √area) for a disc, its rim left out."""
    grid = np.mgrid[:41, :41] - 20
    label = ((grid**2).sum(axis=0) <= 15**2).astype(np.int32)
    found = inner_distance.encode(label)
    assert found[20, 20] == 1
    assert found[20, 26] == pytest.approx(1 / (1 + 36 / np.sqrt(label.sum())))
    assert found[20, 35] == 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_anchors_learn_nothing_where_nobody_looked(ndim):
    label = np.zeros((16, 32, 32)[-ndim:], np.int32)
    label[..., 4:12, 4:12] = 1
    seen = box_pixels.BoxPixelTarget(ndim, strides=STRIDES[ndim], anchors=((2.0,) * ndim,) * 2)
    before = seen.encode(make_example(label))
    label[..., 10:14, 4:12] = -1
    after = seen.encode(make_example(label))
    for name in seen.names:
        scores = slice(0, seen.scores)
        assert (before[name][..., scores] >= 0).any()
        assert not (after[name][..., scores] > 0).any()  # the only nucleus goes on there
        assert (after[name][..., scores] == -1).any()
    pixels = after[box_pixels.PIXELS]
    assert (pixels[..., 10:14, 4:12, 0] == -1).all()
