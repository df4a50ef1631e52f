"""Proximity maps: the formula, the oracle, the class of each point."""

import dataclasses

import numpy as np
import pytest

from nbtools import augment
from nbtools.geometry import equivalent_diameters
from nbtools.patches import Example
from nbtools.targets import discs, outlines, proximity

POINTS = {2: [[8.3, 9.0], [20.0, 9.4], [15.0, 30.0]], 3: [[4.2, 8.0, 9.0], [3.0, 20.0, 21.4]]}
SHAPES = {2: (30, 40), 3: (9, 30, 40)}
TARGETS = {
    "proximity": proximity.ProximityTarget,
    "discs": discs.DiscTarget,
    "outlines": outlines.OutlinedTarget,
}


def make_example(ndim: int, **partners) -> Example:
    image = np.random.default_rng(0).random((*SHAPES[ndim], 1)).astype(np.float32)
    return Example(image, points=np.array(POINTS[ndim]), **partners)


def test_proximity_follows_the_published_exponential():
    heat = proximity.encode(np.array([[0.0, 0.0]]), shape=(1, 17), radius=15)
    distance = np.arange(17)
    # (exp(3 (1 - d / 15)) - 1) / (exp(3) - 1) within 15 px, as in the authors' constants
    expected = (np.exp(3 * (1 - distance / 15)) - 1) / (np.exp(3) - 1)
    np.testing.assert_allclose(heat[0], np.maximum(expected, 0), atol=1e-6)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("step", [1.0, 2.5])
def test_the_oracle_finds_every_point_and_no_other(kind, ndim, step):
    target = TARGETS[kind](ndim=ndim, spacing=(step, 1.0, 1.0)[-ndim:])
    example = make_example(ndim)
    found = target.decode(target.encode(example), **target.defaults())
    assert len(found) == len(example.points)
    away = np.abs(found.coordinates[:, None] - example.points[None]).max(axis=-1)
    assert sorted(away.argmin(axis=1)) == list(range(len(example.points)))
    assert away.min(axis=1).max() <= 0.5
    assert (found.score > 0.45).all()  # smoothed by a pixel, narrow peaks are lower
    exact = target.decode(target.encode(example), **target.defaults() | {"smoothing": 0.0})
    assert (exact.score > 0.8).all()


@pytest.mark.parametrize("kind", TARGETS)
def test_an_image_without_points_gives_none(kind):
    target = TARGETS[kind]()
    example = Example(np.zeros((12, 14, 1), np.float32), points=np.zeros((0, 2)))
    maps = target.encode(example)
    assert not maps[..., 0].any()
    assert len(target.decode(maps, **target.defaults())) == 0


def test_points_outside_of_a_patch_still_reach_into_it():
    heat = proximity.encode(np.array([[-2.0, 5.0]]), shape=(8, 10), radius=6)
    assert heat[0, 5] == heat.max() > 0
    assert proximity.encode(np.array([[-20.0, 5.0]]), shape=(8, 10), radius=6).max() == 0


def test_each_point_keeps_its_class_and_one_of_unknown_class_is_of_all():
    target = proximity.ProximityTarget(classes=("interphase", "mitosis"))
    maps = target.encode(make_example(2, point_classes=np.array([1, 2, 0])))
    assert maps.shape == (30, 40, 2)
    found = target.decode(maps, **target.defaults())
    named = {tuple(np.rint(p)): c for p, c in zip(found.coordinates, found.classes, strict=True)}
    assert named[8, 9] == "interphase"
    assert named[20, 9] == "mitosis"
    np.testing.assert_allclose(maps[15, 30], [1, 1])


def test_a_radius_is_counted_in_the_unit_of_the_finest_axis():
    heat = proximity.encode(
        np.array([[4.0, 10.0, 10.0]]), shape=(9, 21, 21), radius=6, spacing=(3.0, 1.0, 1.0)
    )
    assert heat[5, 10, 10] == pytest.approx(heat[4, 13, 10])
    assert heat[6, 10, 10] == 0


def test_a_disc_has_the_published_radius():
    maps = discs.DiscTarget().encode(
        Example(np.zeros((11, 11, 1), np.float32), points=np.array([[5.0, 5.0]]))
    )
    assert maps.sum() == 13  # pixels within 2 px of the middle of one
    assert maps[5, 3] == maps[5, 7] == 1


def test_edges_are_those_of_the_image_whatever_its_contrast():
    grey = np.zeros((30, 30))
    grey[:, 15:] = 5.0
    edges = outlines.measure_edges(grey)
    assert edges[:, 14:16].min() > 0.9
    assert edges[:, :8].max() < 0.01
    np.testing.assert_allclose(outlines.measure_edges(7 * grey + 3), edges, atol=1e-6)
    assert outlines.measure_edges(np.ones((9, 9))).max() == 0


def test_outlines_are_rims_of_nuclei_that_fit_into_the_window():
    label = np.zeros((40, 40), int)
    label[2:7, 2:7], label[10:35, 5:35] = 1, 2
    found = outlines.collect_outlines([label], count=5, side=(9, 9), seed=0)
    assert found.shape == (1, 9, 9)
    assert found.sum() == pytest.approx(1)
    assert (found[0] > 0).sum() == 16  # the rim of a square of 5 pixels
    assert found[0, 4, 4] == 0


def test_each_nucleus_of_known_size_has_a_radius_of_its_own():
    example = make_example(2, point_sizes=np.array([10.0, 30.0, np.nan]))
    target = proximity.ProximityTarget(radius=6.0, radius_of="each")
    assert target.find_radii(example).tolist() == [10, 30, 6]
    assert dataclasses.replace(target, radius_of="all").find_radii(example).tolist() == [6, 6, 6]
    heat = target.encode(example)[..., 0]
    # 9 px below the second point: (exp(3 (1 - 9.01 / 30)) - 1) / (exp(3) - 1); no other is near
    away = np.hypot(9, 0.4)
    assert heat[29, 9] == pytest.approx(np.expm1(3 * (1 - away / 30)) / np.expm1(3), abs=1e-6)


def test_a_disc_is_larger_in_a_large_nucleus_unless_a_radius_is_given():
    example = make_example(2, point_sizes=np.array([8.0, 40.0, np.nan]))
    assert discs.DiscTarget().find_radii(example).tolist() == [2, 8, 2]
    assert discs.DiscTarget(disc=3.0).find_radii(example).tolist() == [3, 3, 3]


def test_a_patch_that_shows_twice_the_size_holds_half_the_diameter():
    frame = augment.PatchTransform(2 * np.eye(2), np.zeros(2), (20, 20))
    example = make_example(2, point_sizes=np.array([10.0, 30.0, np.nan]))
    np.testing.assert_allclose(augment.cut_example(example, frame).point_sizes, [5, 15, np.nan])


def test_ripples_on_a_wide_peak_are_one_maximum_after_smoothing():
    heat = proximity.encode(np.array([[30.0, 30.0]]), shape=(61, 61), radius=40)
    grid = np.add.outer(np.arange(61), np.arange(61)) % 4 == 0
    rippled = (heat + 0.15 * grid)[..., None]
    target, values = proximity.ProximityTarget(), {"threshold": 0.2, "min_distance": 3.0}
    assert len(target.decode(rippled, **values)) > 10
    found = target.decode(rippled, smoothing=2.0, **values)
    np.testing.assert_allclose(found.coordinates, [[30, 30]], atol=1)


@pytest.mark.parametrize("kind", TARGETS)
def test_where_nobody_has_looked_nothing_is_learned(kind):
    void = np.zeros(SHAPES[2], bool)
    void[:, 25:] = True
    example = make_example(2)
    plain = TARGETS[kind]().encode(example)
    maps = TARGETS[kind]().encode(dataclasses.replace(example, void=void))
    assert (maps[void][:, 0] == -1).all()
    np.testing.assert_array_equal(maps[~void], plain[~void])


@pytest.mark.parametrize("size", [12.0, 30.0])
def test_the_width_of_a_peak_tells_the_size_of_its_nucleus(size):
    target = proximity.ProximityTarget(radius=6.0, radius_of="each")
    points = np.array([[40.0, 40.0], [40.0, 40.0 + size], [120.0, 100.0]])  # two that touch
    image = np.zeros((160, 160, 1), np.float32)
    example = Example(image, points=points, point_sizes=np.full(3, size))
    maps = target.encode(example)
    label = target.find_labels(maps, **target.defaults())
    assert equivalent_diameters(label) == pytest.approx([size] * 3, rel=0.1)
    sure, unsure = (target.self_consistency_error(m, label) for m in (maps, 0.4 * maps))
    assert sure < 0.05 < unsure
    assert target.self_consistency_error(0 * maps, 0 * label) == 1.0
