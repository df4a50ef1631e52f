"""Flows: oracle round trips with figures from label images of 125 and of 51 nuclei, directions
against geometry, mirrors, broken labels.
"""

import numpy as np
import pytest
from scipy import ndimage

from nbtools import data
from nbtools.metrics import instances
from nbtools.targets import flows


@pytest.fixture(scope="module")
def nuclei() -> dict[int, np.ndarray]:
    """The label images that the stardist package carries."""
    return {d: data.samples(f"nuclei{d}d")[0].label.pixels.astype(np.int32) for d in (2, 3)}


@pytest.fixture(scope="module")
def maps(nuclei) -> dict[int, np.ndarray]:
    return {d: flows.encode(label) for d, label in nuclei.items()}


# measured independently on the same images: a perfect network loses nothing, touching nuclei or
# not, in 2D and in 3D
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("flow_threshold", [0.4, flows.ALL])
def test_the_oracle_finds_every_nucleus(nuclei, maps, ndim, flow_threshold):
    found = flows.decode(maps[ndim], flow_threshold=flow_threshold)
    assert [instances.score(nuclei[ndim], found, iou=iou).ap for iou in (0.5, 0.7, 0.8, 0.9)] == [
        1.0
    ] * 4


def test_the_oracle_finds_every_nucleus_of_a_volume_with_every_second_plane(nuclei):
    label, spacing = nuclei[3][::2], (2.0, 1.0, 1.0)
    found = flows.decode(flows.encode(label, spacing=spacing), spacing=spacing)
    assert instances.score(label, found, iou=0.9).ap == 1.0


@pytest.mark.parametrize("ndim", [2, 3])
def test_flows_have_length_one_inside_but_at_one_pixel_of_each_nucleus(nuclei, maps, ndim):
    label, length = nuclei[ndim], np.linalg.norm(maps[ndim][..., 1:], axis=-1)
    assert (length[label == 0] == 0).all()
    still = (length < 0.5) & (label > 0)
    np.testing.assert_allclose(length[(label > 0) & ~still], 1, atol=1e-5)
    parts = sum(ndimage.label(label == n)[1] for n in np.unique(label)[1:])
    assert parts <= still.sum() <= parts + 3  # where the slopes of two sides cancel, a pixel more


def test_in_a_disc_flows_point_at_its_middle():
    away = np.stack(np.mgrid[-20:21, -20:21], axis=-1).astype(float)
    radius = np.linalg.norm(away, axis=-1)
    maps = flows.encode((radius < 18).astype(int))
    there = (radius > 2) & (radius < 17)
    cosine = -(maps[..., 1:] * away).sum(axis=-1)[there] / radius[there]
    assert cosine.min() > 0.97
    assert cosine.mean() > 0.995


def test_in_a_ball_of_flat_voxels_flows_point_at_its_middle_too():
    spacing = np.array((3.0, 1.0, 1.0))
    away = np.stack(np.mgrid[-6:7, -16:17, -16:17], axis=-1).astype(float)  # voxels
    label = (np.linalg.norm(away * spacing, axis=-1) < 15).astype(int)
    maps = flows.encode(label, spacing=tuple(spacing))
    length = np.linalg.norm(away, axis=-1)
    there = (label > 0) & (length > 3)
    cosine = -(maps[..., 1:] * away).sum(axis=-1)[there] / length[there]
    assert cosine.mean() > 0.97


def test_two_nuclei_that_touch_have_opposite_flows_there():
    label = np.zeros((21, 40), int)
    label[3:18, 3:20], label[3:18, 20:37] = 1, 2
    across = flows.encode(label)[..., 2]
    assert (across[3:18, 19] < -0.5).all()
    assert (across[3:18, 20] > 0.5).all()


def test_the_pixels_of_a_curved_nucleus_meet_inside_it():
    """Its centre of mass lies outside, where a star would have to start."""
    grid = np.stack(np.mgrid[-30:31, -30:31])
    radius = np.hypot(*grid)
    label = ((radius > 12) & (radius < 24) & (grid[0] < 8)).astype(np.int32)
    maps = flows.encode(label)
    ends = np.rint(flows.follow(maps[..., 1:], np.argwhere(label))).astype(int)
    assert label[tuple(ends.T)].all()
    np.testing.assert_array_equal(flows.decode(maps), label)


@pytest.mark.parametrize(("ndim", "axis"), [(2, 0), (2, 1), (3, 0), (3, 2)])
def test_flows_of_a_mirrored_image_are_mirrored_flows(nuclei, maps, ndim, axis):
    expected, mirrored = flows.encode(np.flip(nuclei[ndim], axis)), flows.flip(maps[ndim], axis)
    assert (
        np.abs(mirrored - expected).max(axis=-1) < 0.05
    ).mean() > 0.97  # inner pixels may be others where several are as near
    wrong = np.flip(maps[ndim], axis)
    assert instances.score(np.flip(nuclei[ndim], axis), flows.decode(wrong), iou=0.5).ap < 0.6
    assert instances.score(np.flip(nuclei[ndim], axis), flows.decode(mirrored), iou=0.9).ap == 1.0


def test_points_stay_in_the_image_and_step_by_the_flow_between_pixels():
    flow = np.zeros((5, 30, 2))
    flow[..., 1] = 0.25
    ends = flows.follow(flow, np.array([[2, 3], [2, 28]]), steps=20)
    np.testing.assert_allclose(ends, [[2, 8], [2, 29]], atol=1e-5)
    flow[:3, :, 1] = -0.25
    np.testing.assert_allclose(
        flows.follow(flow, np.array([[2.5, 10.0]])), [[2.5, 10.0]]
    )  # half way between opposite flows


def test_a_flow_that_is_no_number_moves_nothing():
    flow = np.full((5, 6, 2), np.nan)
    np.testing.assert_array_equal(flows.follow(flow, np.array([[2, 3], [9, 9]])), [[2, 3], [4, 5]])


def test_points_that_have_arrived_are_left_out_without_a_change(nuclei, maps, monkeypatch):
    part = maps[2][:200, :200]
    found = flows.decode(part)
    monkeypatch.setattr(flows, "STILL", -1.0)
    np.testing.assert_array_equal(flows.decode(part), found)


def test_nuclei_whose_flows_contradict_themselves_are_dropped():
    label = np.zeros((40, 80), np.int32)
    label[5:30, 5:30], label[5:30, 45:70] = 1, 2
    maps = flows.encode(label)
    np.testing.assert_allclose(flows.measure_error(label, maps[..., 1:]), 0, atol=1e-9)
    maps[:, 40:, 1:] *= 0.2  # the right one says so little that it may be anything
    assert flows.decode(maps).max() == 2
    np.testing.assert_array_equal(
        flows.decode(maps, flow_threshold=0.4), np.where(label == 1, 1, 0)
    )


def test_a_network_contradicts_itself_where_its_flows_are_not_those_of_its_nuclei(nuclei, maps):
    wrong = maps[2] * np.array([1, -1, -1])
    told = [
        flows.self_consistency_error(m, nuclei[2])
        for m in (maps[2], maps[2] * np.array([1, 0.5, 0.5]), wrong)
    ]
    np.testing.assert_allclose(told, [0, 0.25, 1], atol=0.02)
    assert flows.self_consistency_error(np.zeros((5, 5, 3)), np.zeros((5, 5), int)) == 1


@pytest.mark.parametrize(
    ("shape", "size"),
    [((40, 50), (1, 1)), ((1, 60), (1, 1)), ((9, 20, 20), (1, 1, 1)), ((9, 20, 20), (3, 1, 1))],
)
def test_places_of_arrival_are_those_that_filters_over_the_whole_image_find(rng, shape, size):
    """Crowds in a few places, many of them equally large, at the image's edges too, and
    stragglers.
    """
    middles = rng.integers(0, shape, (12, len(shape)))
    ends = np.repeat(middles, 60, axis=0) + rng.normal(0, 0.6, (720, len(shape))).round()
    ends = np.clip(
        np.concatenate([ends, rng.integers(0, shape, (50, len(shape)))]), 0, np.array(shape) - 1
    )
    bins, size = np.ravel_multi_index(tuple(ends.astype(int).T), shape), np.array(size)
    arrived = np.bincount(bins, minlength=int(np.prod(shape))).reshape(shape)
    order = arrived + np.arange(arrived.size).reshape(shape) / arrived.size
    reach = np.maximum(1, np.rint(flows.WINDOW / size)).astype(int)
    seeds = (arrived > flows.ARRIVALS) & (
        order == ndimage.maximum_filter(order, tuple(2 * reach + 1))
    )
    named = np.zeros(shape, np.int32)
    named[seeds] = 1 + np.argsort(np.argsort(order[seeds]))
    for turn in range(flows.GROW):
        around = tuple(np.where(turn < np.rint(flows.GROW / size), 3, 1))
        named = np.where(
            (named == 0) & (arrived > flows.FEW), ndimage.maximum_filter(named, around), named
        )
    assert named.max() > 3
    np.testing.assert_array_equal(flows._name_arrivals(ends, shape, size=size), named.ravel()[bins])


def test_small_ones_and_ignored_pixels():
    label = np.zeros((30, 30), int)
    label[:5], label[8:12, 8:12], label[15:25, 5:20] = -1, 3, 7
    maps = flows.encode(label)
    assert (maps[:5, :, 0] == -1).all()
    assert (maps[:5, :, 1:] == 0).all()
    assert flows.decode(maps).max() == 2
    assert flows.decode(maps, min_size=20).max() == 1


@pytest.mark.parametrize(
    "label",
    [
        np.zeros((7, 9), int),
        np.ones((7, 9), int),
        np.full((5, 5), -1),
        np.eye(6, dtype=int),
        np.ones((1, 1), int),
    ],
)
def test_empty_full_and_unknown_images_survive_the_round_trip(label):
    found = flows.decode(flows.encode(label))
    assert found.shape == label.shape
    assert found.dtype == np.int32
    assert found.max() == ((label > 0).sum() > 20)


def test_relabelling_changes_nothing(nuclei, maps, rng):
    names = np.concatenate([[0], 1 + rng.permutation(nuclei[2].max())])
    np.testing.assert_array_equal(flows.encode(names[nuclei[2]]), maps[2])
