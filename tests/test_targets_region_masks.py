"""Masks of regions: cut from labels and pasted again, and overlaps that are resolved by score."""

import numpy as np
import pytest

from nbtools import data, losses
from nbtools.metrics import instances
from nbtools.patches import Example
from nbtools.targets import region_masks
from nbtools.targets.boxes import boxes_of_labels
from nbtools.targets.region_masks import RegionMaskTarget


@pytest.mark.parametrize(("size", "least"), [(14, (1, 0.95)), (28, (1, 0.98))])
def test_masks_cut_from_labels_and_pasted_again_are_the_labels(size, least):
    label = data.samples("nuclei2d")[0].label.pixels.astype(np.int32)
    edges, owner = boxes_of_labels(label), np.unique(label[label > 0])
    masks = region_masks.cut_masks(label, edges, owner=owner, size=size)
    found = region_masks.paste_masks(edges, masks, score=np.ones(len(edges)), shape=label.shape)
    scores = [instances.score(label, found, iou=iou).ap for iou in (0.5, 0.8)]
    assert np.all(np.array(scores) >= least), scores


def test_the_target_numbers_nuclei_as_their_boxes():
    label = np.zeros((32, 32), np.int32)
    label[2:10, 2:10], label[20:30, 18:30] = 9, 4
    target = RegionMaskTarget(strides=((4, 4),), anchors=(2.0, 2.0))
    maps = target.encode(Example(np.zeros((32, 32, 1)), label=label))
    assert maps["boxes"][:2, :4].tolist() == [[20, 18, 30, 30], [2, 2, 10, 10]]
    assert (maps["label"][21, 19], maps["label"][3, 3], maps["label"][0, 0]) == (1, 2, 0)
    regions = np.array([[2, 2, 10, 10], [0, 0, 1, 1], [19, 18, 30, 30]], np.float32)
    wanted = region_masks.sample_masks(regions, maps, size=4)
    assert wanted[0, ..., 0].all()
    assert wanted[:, 0, 0, 1].tolist() == [0.5, 0, 0.5]
    assert wanted[2, ..., 0].all()


def test_the_loss_counts_regions_that_hold_a_nucleus_only():
    truth = np.zeros((1, 2, 2, 2, 2), np.float32)
    truth[0, 0, ..., 1] = 1
    cost = losses.region_masks(truth, np.array([[[[0.0] * 2] * 2, [[50.0] * 2] * 2]], np.float32))
    assert float(cost[0]) == pytest.approx(np.log(2), abs=1e-6)


def test_a_nucleus_that_others_hide_has_no_label_and_no_score():
    target = RegionMaskTarget(strides=((4, 4),), anchors=(2.0, 2.0))
    edges = np.array([[0.0, 0, 4, 4], [0, 0, 4, 4], [4, 4, 8, 8]])
    found = target.join(
        edges, np.array([0.9, 0.6, 0.7]), masks=np.full((3, 4, 4), 9.0), shape=(8, 8)
    )
    assert found.score == pytest.approx({1: 0.9, 2: 0.7})
    assert found.image.pixels.max() == 2


def test_a_nucleus_that_goes_on_where_nobody_looked_has_no_box_and_is_no_miss():
    label = np.zeros((32, 32), np.int32)
    label[2:10, 2:10], label[20:30, 18:30] = 9, 4
    label[8:12, 2:10] = -1
    target = RegionMaskTarget(strides=((4, 4),), anchors=(2.0, 2.0))
    maps = target.encode(Example(np.zeros((32, 32, 1)), label=label))
    assert (maps["boxes"][:, -1] >= 0).sum() == 1
    assert maps["boxes"][0, :4].tolist() == [20, 18, 30, 30]
    assert maps["void"][2:12, 2:10].all()
    assert maps["void"].sum() == 10 * 8
    assert (maps["label"] > 0).sum() == 10 * 12
