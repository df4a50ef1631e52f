"""Oracle round trips of boxes through anchors, and the sizes of these."""

import numpy as np
import pytest

from nbtools import data
from nbtools.metrics.boxes import find_box_iou
from nbtools.patches import Example
from nbtools.targets.anchors import AnchorTarget, cluster_sizes, match_anchors
from nbtools.targets.boxes import boxes_of_labels

STRIDES = {2: ((4, 4), (8, 8), (16, 16)), 3: ((2, 4, 4), (4, 8, 8), (8, 16, 16))}


@pytest.fixture(scope="module")
def nuclei() -> dict[int, np.ndarray]:
    """The label images that the stardist package carries: 125 and 51 nuclei."""
    return {d: data.samples(f"nuclei{d}d")[0].label.pixels.astype(np.int32) for d in (2, 3)}


def encode(target: AnchorTarget, edges: np.ndarray, shape: tuple, kind=None) -> dict:
    return target.encode(Example(np.zeros((*shape, 1)), boxes=edges, box_classes=kind))


@pytest.mark.parametrize("ndim", [2, 3])
def test_all_boxes_of_real_nuclei_come_back(nuclei, ndim):
    label = nuclei[ndim]
    edges = boxes_of_labels(label)
    extent = np.stack([edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1]], axis=1)
    if ndim == 3:
        extent = np.c_[edges[:, 5] - edges[:, 4], extent]
    anchors = cluster_sizes(extent, STRIDES[ndim])
    target = AnchorTarget(ndim=ndim, strides=STRIDES[ndim], anchors=anchors)
    found = target.decode(encode(target, edges, label.shape), threshold=0.5, overlap=0.7)
    best = find_box_iou(edges, found.edges).max(axis=1)
    assert (best > 0.999).sum() >= 0.97 * len(edges)


def test_anchors_have_the_sizes_of_the_training_boxes():
    rng = np.random.default_rng(0)
    small = rng.normal(10, 0.3, (50, 2))
    long = np.array([30.0, 12.0]) + rng.normal(0, 0.3, (20, 2))
    found = np.array(cluster_sizes(np.r_[small, long], ((4, 4),), count=2)).reshape(2, 2)
    np.testing.assert_allclose(4 * found, [[10, 10], [30, 12]], rtol=0.03)


def test_without_enough_boxes_anchors_lie_a_third_of_an_octave_apart():
    found = cluster_sizes(np.array([[16.0, 16.0]]), ((4, 4),))
    np.testing.assert_allclose(found[::2], [4 / 2 ** (1 / 3), 4, 4 * 2 ** (1 / 3)], rtol=1e-6)
    assert len(cluster_sizes(np.zeros((0, 3)), STRIDES[3])) == 9


def test_an_anchor_learns_by_its_overlap_and_every_box_has_one():
    overlaps = [np.array([[0.6, 0.45, 0.1, 0.0], [0.0, 0.0, 0.2, 0.3]])]
    assert match_anchors(overlaps, limits=(0.5, 0.4))[0].tolist() == [0, -2, -1, 1]


def test_images_without_boxes_learn_that_nothing_is_there():
    maps = encode(AnchorTarget(strides=STRIDES[2]), np.zeros((0, 4)), (64, 64))
    for one in maps.values():
        assert (one[..., :3] == 0).all()
        assert one[0, 0, -2] == 1
        # 3 anchors at each of 16² + 8² + 4² cells
        assert one[0, 0, -1] == pytest.approx(1 / (3 * 336))


def test_classes_come_back_and_unknown_ones_are_left_out():
    edges = np.array([[0.0, 0, 16, 16], [24, 24, 40, 40], [40, 4, 56, 20]])
    target = AnchorTarget(strides=STRIDES[2], classes=("platelet", "red"))
    maps = encode(target, edges, (64, 64), np.array([2, 1, 0]))
    found = target.decode(maps, threshold=0.5)
    order = np.argsort(found.edges[:, 0])
    np.testing.assert_allclose(found.edges[order], edges[:2], atol=1e-4)
    assert [found.classes[i] for i in order] == ["red", "platelet"]


def test_anchors_without_a_box_learn_nothing_where_nobody_has_looked():
    target = AnchorTarget(strides=STRIDES[2])
    void = np.zeros((64, 64), bool)
    void[:, 32:] = True
    edges = np.array([[8.0, 8, 24, 24]])
    example = Example(np.zeros((64, 64, 1)), boxes=edges, void=void)
    plain = encode(target, edges, (64, 64))
    for name, maps in target.encode(example).items():
        half = maps.shape[1] // 2
        assert (maps[:, half:, : target.scores] == -1).all()
        np.testing.assert_array_equal(
            maps[:, :half, : target.scores], plain[name][:, :half, : target.scores]
        )
