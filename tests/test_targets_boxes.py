"""Oracle round trips of boxes through grids of cells: truth, encoded and decoded, comes back."""

import dataclasses

import numpy as np
import pytest

from nbtools import data
from nbtools.augment import join_corners
from nbtools.metrics.boxes import find_box_iou
from nbtools.patches import Example
from nbtools.targets.boxes import CellTarget, boxes_of_labels, find_levels

STRIDES = {2: ((4, 4), (8, 8)), 3: ((2, 4, 4), (4, 8, 8))}


@pytest.fixture(scope="module")
def nuclei() -> dict[int, np.ndarray]:
    """The label images that the stardist package carries: 125 and 51 nuclei."""
    return {d: data.samples(f"nuclei{d}d")[0].label.pixels.astype(np.int32) for d in (2, 3)}


def example_of(edges: np.ndarray, shape: tuple, kind: np.ndarray | None = None) -> Example:
    return Example(np.zeros((*shape, 1), np.float32), boxes=edges, box_classes=kind)


def round_trip(target, edges, shape, *, kind=None, **values):
    return target.decode(target.encode(example_of(edges, shape, kind)), **values)


@pytest.mark.parametrize("suppression", ["hard", "soft"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_all_boxes_of_real_nuclei_come_back(nuclei, ndim, suppression):
    label = nuclei[ndim]
    edges = boxes_of_labels(label)
    target = CellTarget(ndim=ndim, strides=STRIDES[ndim], suppression=suppression)
    found = round_trip(target, edges, label.shape, threshold=0.3, overlap=0.7)
    best = find_box_iou(edges, found.edges).max(axis=1)
    assert (best > 0.999).sum() >= 0.97 * len(edges)


def test_a_box_learns_the_cells_in_its_middle_and_no_box_gives_finite_weights():
    edges = np.array([[8.0, 8, 24, 24]])
    maps = CellTarget().encode(example_of(edges, (64, 64)))
    assert maps["stride4"].shape == (16, 16, 6)
    there = np.argwhere(maps["stride4"][..., 0])
    # the middle is 16 px = 4 cells; cells whose middle is no more than 1.5 cells away
    assert there.min(axis=0).tolist() == [2, 2]
    assert there.max(axis=0).tolist() == [5, 5]
    assert maps["stride8"][..., 0].sum() == 0
    assert maps["stride4"][0, 0, -1] == pytest.approx(1 / 16)
    # the middle of cell 3 is at 14 px: 6 px from the lower edge, 10 from the upper one
    assert maps["stride4"][3, 3, 1:5].tolist() == [1.5, 1.5, 2.5, 2.5]
    empty = CellTarget().encode(example_of(np.zeros((0, 4)), (64, 64)))
    assert all(one[..., 0].sum() == 0 and (one[..., -1] == 1).all() for one in empty.values())


def test_large_boxes_belong_to_the_coarse_grid():
    sides = np.array([[10.0, 10], [31, 31], [33, 33], [200, 200]])
    assert find_levels(sides, STRIDES[2]).tolist() == [0, 0, 1, 1]


def test_classes_come_back_and_unknown_ones_are_not_learned():
    edges = np.array([[0.0, 0, 12, 12], [20, 20, 36, 32], [40, 4, 56, 20]])
    target = CellTarget(classes=("platelet", "red"))
    maps = target.encode(example_of(edges, (64, 64), np.array([2, 1, 0])))
    found = target.decode(maps, threshold=0.5)
    assert found.edges.tolist() == edges[[0, 1]].tolist()
    assert found.classes == ("red", "platelet")
    unknown = maps["stride4"][12, 3]
    assert unknown[0] == 1
    assert unknown[5:7].tolist() == [0, 0]


def test_a_small_nucleus_in_a_large_one_keeps_its_own_cell():
    edges = np.array([[0.0, 0, 31, 31], [13, 13, 19, 19]])
    found = round_trip(CellTarget(), edges, (64, 64))
    assert sorted(map(tuple, found.edges.tolist())) == sorted(map(tuple, edges.tolist()))


@pytest.mark.parametrize("middle", [2.0, 3.9, 4.0, 30.1])
def test_a_box_of_one_cell_comes_back_wherever_it_lies(middle):
    low = np.array([[middle - 2, middle - 2]])
    edges = join_corners(low, low + 4)
    found = round_trip(CellTarget(), edges, (64, 64))
    assert find_box_iou(edges, found.edges).max() > 0.95


def test_activated_logits_of_nothing_are_a_box_of_two_cells():
    raw = {name: np.zeros((4, 4, 5), np.float32) for name in CellTarget().names}
    maps = CellTarget().activate(raw)
    assert maps["stride4"][0, 0].tolist() == [0.5, 1, 1, 1, 1]


def test_cells_where_nobody_has_looked_weigh_nothing_unless_they_tell_a_box():
    edges = np.array([[8.0, 8, 24, 24]])
    void = np.zeros((64, 64), bool)
    void[:, 22:] = True  # begins inside the sixth cell of 4 px, the third of 8 px
    maps = CellTarget().encode(dataclasses.replace(example_of(edges, (64, 64)), void=void))
    fine, coarse = maps["stride4"], maps["stride8"]
    told = fine[..., 0] == 1
    assert (fine[told][:, -1] > 0).all()
    assert told[:, 5].any()
    assert (fine[:, 5:][~told[:, 5:]][:, -1] == 0).all()
    assert (fine[:, :5, -1] == np.float32(1 / 16)).all()
    assert (coarse[:, 2:, -1] == 0).all()
    assert (coarse[:, :2, -1] > 0).all()
