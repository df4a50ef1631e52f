"""Regions of the first stage, and what the second one is to make of them."""

import numpy as np
import pytest

from nbtools.errors import UserError
from nbtools.metrics.boxes import find_box_iou
from nbtools.patches import Example
from nbtools.targets.regions import MOST_BOXES, RegionTarget, correct_boxes, sample_regions

STRIDES = ((4, 4), (8, 8), (16, 16))
EDGES = np.array([[2.0, 3, 18, 17], [24, 24, 44, 40], [40, 2, 52, 20]])
TRUE = np.full((MOST_BOXES, 5), -1, np.float32)
TRUE[:3] = np.c_[EDGES, [2, 1, 0]]  # of the third nobody knows the class


def make_target(**fields: object) -> RegionTarget:
    return RegionTarget(strides=STRIDES, **fields)


def encode(target: RegionTarget, edges: np.ndarray = EDGES, kind=None) -> dict:
    return target.encode(Example(np.zeros((64, 64, 1)), boxes=edges, box_classes=kind))


def test_the_first_stage_proposes_every_nucleus():
    target = make_target()
    maps = encode(target)
    regions = target.propose(maps)
    assert (find_box_iou(EDGES, regions).max(axis=1) > 0.99).all()
    assert len(target.decode(maps)) == 3


def test_nuclei_that_lie_close_in_a_large_image_are_all_proposed():
    target = make_target(anchors=(3.0, 3.0))  # cells of 4 px
    corners = np.stack(np.meshgrid(*[np.arange(4.0, 500, 16)] * 2, indexing="ij"), -1)
    edges = np.concatenate([corners.reshape(-1, 2), corners.reshape(-1, 2) + 12], axis=1)
    maps = target.encode_anchors(Example(np.zeros((512, 512, 1)), boxes=edges))
    assert len(target.propose(maps)) == 300  # as published
    regions = target.propose(maps, crowded=True)
    assert (find_box_iou(edges, regions).max(axis=1) > 0.99).sum() == len(edges) == 31**2


def test_the_first_stage_tells_no_class():
    target = make_target(classes=("platelet", "red"))
    maps = encode(target, kind=np.array([2, 1, 0]))
    assert maps["stride4"].shape[-1] == 3 * (1 + 4) + 2
    assert maps["boxes"][:3, -1].tolist() == [2, 1, 0]
    assert target.decode(maps).classes == ()


def test_what_the_second_stage_learns_makes_the_true_boxes_of_regions():
    rng = np.random.default_rng(0)
    regions = EDGES[[0, 0, 1, 1, 2, 2]] + rng.uniform(-1.5, 1.5, (6, 4))
    regions = np.r_[regions, rng.uniform(0, 10, (20, 4)) + np.array([50, 50, 60, 60])]
    chosen, wanted = sample_regions(regions, TRUE, kinds=2, count=16)
    hits = wanted[:, -1] > 0
    assert hits.sum() == 8  # half of them
    corrected = correct_boxes(chosen[hits].astype(float), wanted[hits, 3:7].astype(float))
    assert (find_box_iou(EDGES, corrected).max(axis=0) > 0.999).all()
    assert wanted[~hits, 0].tolist() == [1] * 8
    assert wanted[:, -2].sum() == pytest.approx(1)
    third = hits & (find_box_iou(EDGES, chosen).argmax(axis=0) == 2)
    assert (wanted[third, -2] == 0).all()  # a class that nobody knows is not learned
    assert (wanted[third, -1] > 0).all()


def test_classes_and_boxes_of_the_second_stage_come_back():
    target = make_target(classes=("platelet", "red"))
    maps = encode(target, kind=np.array([2, 1, 2]))
    regions = EDGES + 1
    _, wanted = sample_regions(regions, TRUE, kinds=2, count=16)
    answers = np.c_[np.log(wanted[:3, :3] + 1e-6), wanted[:3, 3:7]]
    values = {"threshold": 0.9, "overlap": 0.5}
    found = target.refine(maps, regions[:2], second=answers[:2], values=values)
    assert sorted(found.classes) == ["platelet", "red"]
    assert (find_box_iou(EDGES[:2], found.edges).max(axis=1) > 0.999).all()


def test_images_without_boxes_have_regions_of_nothing():
    chosen, wanted = sample_regions(np.zeros((0, 4)), np.full((4, 5), -1.0), kinds=1, count=8)
    assert (wanted == 0).all()
    assert (chosen[:, 2:] > chosen[:, :2]).all()
    _, wanted = sample_regions(EDGES, np.full((4, 5), -1.0), kinds=1, count=8)
    assert wanted[:3, 0].tolist() == [1, 1, 1]
    assert (wanted[:, -1] == 0).all()


def test_a_patch_with_too_many_boxes_is_refused():
    with pytest.raises(UserError, match="smaller patch_size"):
        encode(make_target(), np.tile(EDGES[:1], (MOST_BOXES + 1, 1)))


def test_regions_where_nobody_has_looked_are_no_misses():
    regions = np.array([[2.0, 3, 18, 17], [0, 44, 12, 60], [30, 44, 60, 60], [48, 24, 60, 36]])
    void = np.zeros((64, 64), np.float32)
    void[:, 40:] = 1
    chosen, wanted = sample_regions(regions, TRUE, void=void, kinds=2, count=16)
    misses = chosen[wanted[:, 0] == 1]
    assert misses.tolist() == [regions[3].tolist()]
    example = Example(np.zeros((64, 64, 1)), boxes=EDGES, void=void > 0)
    np.testing.assert_array_equal(make_target().encode(example)["void"], void)
