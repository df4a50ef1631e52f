"""Variations of patches: image and label move together, grey values change alone, and one seed
gives one result.
"""

import numpy as np
import pytest
from scipy import ndimage

from nbtools import augment
from nbtools.geometry import centroids
from nbtools.targets.boxes import boxes_of_labels


@pytest.fixture
def marked(rng) -> tuple[np.ndarray, np.ndarray]:
    """A label image of three objects, and the image that shows them at grey value 10 times the
    label.
    """
    label = np.zeros((80, 90), int)
    label[10:30, 12:40], label[40:70, 50:60], label[60:75, 5:25] = 1, 2, 3
    return 10.0 * label[..., None].astype(np.float32), label


@pytest.mark.parametrize("recipe", ["none", "flips", "light", "standard", "strong", "elastic"])
def test_image_and_label_are_cut_alike(rng, marked, recipe):
    image, label = marked
    for _ in range(10):
        frame = augment.draw_transform(
            rng, augment.POLICIES[recipe], points=None, shape=label.shape, size=(48, 48)
        )
        patch, mark = augment.cut(image, frame, order=1)[..., 0], augment.cut(label, frame, order=0)
        assert set(np.unique(mark)) <= {0, 1, 2, 3}
        assert np.median(np.abs(patch - 10 * mark)) < 0.1
        assert np.mean(np.abs(patch - 10 * mark) > 5) < 0.06  # interpolation at the rims


def test_volumes_are_cut_alike_in_all_axes(rng):
    label = np.zeros((12, 50, 50), int)
    label[3:8, 10:30, 20:40] = 1
    frame = augment.draw_transform(
        rng, augment.POLICIES["standard"], points=None, shape=label.shape, size=(8, 32, 32)
    )
    patch, mark = (
        augment.cut(label[..., None].astype(np.float32), frame, order=1),
        augment.cut(label, frame, order=0),
    )
    assert patch.shape == (8, 32, 32, 1)
    assert np.mean(np.abs(patch[..., 0] - mark) > 0.5) < 0.05


def test_flips_move_whole_pixels_and_lose_none(rng):
    image = rng.random((32, 32))
    seen = set()
    for _ in range(60):
        frame = augment.draw_transform(
            rng, augment.POLICIES["flips"], points=None, shape=image.shape, size=(32, 32)
        )
        patch = augment.cut(image, frame, order=1)
        np.testing.assert_allclose(np.sort(patch.ravel()), np.sort(image.ravel()))
        seen.add(patch.tobytes())
    assert len(seen) == 8  # the eight symmetries of a square


def test_without_augmentation_a_patch_is_an_exact_cut(rng, marked):
    image, _ = marked
    frame = augment.draw_transform(
        rng, augment.POLICIES["none"], points=None, shape=image.shape[:2], size=(16, 16)
    )
    y, x = frame.offset.astype(int)
    np.testing.assert_array_equal(augment.cut(image, frame, order=1), image[y : y + 16, x : x + 16])
    np.testing.assert_array_equal(
        augment.vary_grey(rng, image, recipe=augment.POLICIES["none"]), image
    )


def test_a_patch_larger_than_the_image_is_filled_by_reflection(rng):
    image = np.arange(6.0).reshape(2, 3)[..., None]
    frame = augment.draw_transform(
        rng, augment.POLICIES[("none")], points=None, shape=(2, 3), size=(8, 8)
    )
    assert set(np.unique(augment.cut(image, frame, order=1))) == set(range(6))


def test_a_cut_far_from_the_border_needs_only_its_surroundings(rng):
    image = rng.random((400, 400))
    frame = augment.PatchTransform(
        np.array([[0.8, 0.3], [-0.3, 0.9]]), np.array([150.0, 180.0]), (40, 40)
    )
    from scipy import ndimage

    whole = ndimage.affine_transform(
        image, frame.matrix, frame.offset, frame.shape, order=1, mode="reflect"
    )
    np.testing.assert_allclose(augment.cut(image, frame, order=1), whole, atol=1e-12)


def test_rotation_keeps_areas(rng):
    label = (np.hypot(*np.mgrid[-60:60, -60:60]) < 25).astype(int)
    recipe = augment.AugmentationPolicy(scale=0, stretch=0)
    areas = []
    for _ in range(10):
        frame = augment.draw_transform(
            rng, recipe, points=np.array([[60, 60]]), shape=label.shape, size=(80, 80)
        )
        areas.append(augment.cut(label, frame, order=0).sum())
    assert max(areas) == pytest.approx(label.sum(), rel=0.02)


def test_grey_values_vary_but_stay_finite(rng):
    image = rng.random((16, 16, 1)).astype(np.float32)
    varied = [augment.vary_grey(rng, image, recipe=augment.POLICIES["strong"]) for _ in range(20)]
    assert all(np.isfinite(v).all() and v.dtype == np.float32 for v in varied)
    assert len({v.tobytes() for v in varied}) == 20


def test_the_same_seed_gives_the_same_patch(marked):
    image, label = marked

    def draw() -> np.ndarray:
        rng = np.random.default_rng(7)
        frame = augment.draw_transform(
            rng, augment.POLICIES["strong"], points=None, shape=label.shape, size=(32, 32)
        )
        return augment.vary_grey(
            rng, augment.cut(image, frame, order=1), recipe=augment.POLICIES["strong"]
        )

    np.testing.assert_array_equal(draw(), draw())


def test_a_preview_keeps_image_and_label_together():
    """Seen in other programs: image and label transformed differently."""
    from nbtools import simulate

    sample = simulate.make(
        "nuclei2d", count=1, seed=2, settings={"background": (0.005,), "photons": (300.0,)}
    )[0]
    for varied in augment.vary(sample, "flips", count=4, size=96):
        inside = varied.label.pixels > 0
        assert varied.image.shape == varied.label.shape == (96, 96)
        assert np.median(varied.image.pixels[inside]) > 3 * abs(
            np.median(varied.image.pixels[~inside])
        )


def test_a_patch_that_is_cut_already_turns_on_its_grid_alone(rng):
    patch = rng.integers(0, 9, (32, 32))
    for recipe in augment.POLICIES.values():
        frame = augment.draw_transform(
            rng, augment.keep_grid(recipe), points=None, shape=patch.shape, size=patch.shape
        )
        turned = augment.cut(patch, frame, order=0)
        assert any(
            np.array_equal(turned, np.rot90(p, k))
            for k in range(4)
            for p in (patch, patch[:, ::-1])
        )


@pytest.mark.parametrize("size", [(96, 96), (8, 96, 96)])
def test_a_deformation_folds_nowhere_and_moves_nothing_along_z(size):
    moved = []
    for seed in range(10):
        warp = augment.draw_warp(np.random.default_rng(seed), 2.0, size=size)
        moved.append(warp[-2:].std())
        slopes = [[np.gradient(warp[a], axis=b) for b in (-2, -1)] for a in (-2, -1)]
        (yy, yx), (xy, xx) = slopes
        assert ((1 + yy) * (1 + xx) - yx * xy).min() > 0
        assert not warp[:-2].any()
    assert 1 < np.mean(moved) < 3


@pytest.mark.parametrize("shape", [(120, 120), (8, 120, 120)])
def test_points_and_boxes_of_a_deformed_patch_are_those_of_its_labels(shape):
    """Discs that are bent stay about their centres, and inside their boxes."""
    label = np.zeros(shape, np.int32)
    y, x = np.indices(shape[-2:])
    centres = [(a, b) for a in (40, 60, 80) for b in (40, 60, 80)]
    for number, (a, b) in enumerate(centres, 1):
        label[..., (y - a) ** 2 + (x - b) ** 2 < 49] = number
    example = augment.Example(
        image=label[..., None].astype(np.float32),
        label=label,
        points=centroids(label),
        boxes=boxes_of_labels(label),
    )
    recipe = augment.AugmentationPolicy(scale=0, stretch=0, elastic=2.0)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        where = {"points": None, "shape": shape, "size": shape}
        patch = augment.cut_example(example, augment.draw_transform(rng, recipe, **where))
        whole = np.array([np.sum(patch.label == n) for n in range(1, 10)])
        assert (whole > 0.5 * np.sum(label == 1)).all()
        apart = np.abs(patch.points - centroids(patch.label))
        assert apart.max() < 2.0
        assert apart.mean() < 0.7
        true = boxes_of_labels(patch.label)
        assert np.abs(np.sort(patch.boxes, axis=0) - np.sort(true, axis=0)).mean() < 3.0


def test_a_point_is_where_the_deformed_image_shows_it():
    """The inverse of the deformation: what lies at a moved point is what lay at the point."""
    grid = np.stack(np.meshgrid(np.arange(96.0), np.arange(96.0), indexing="ij"), axis=-1)
    warp = augment.draw_warp(np.random.default_rng(0), 3.0, size=(96, 96))
    frame = augment.PatchTransform(np.eye(2), np.zeros(2), (96, 96), warp)
    points = np.random.default_rng(1).uniform(20, 76, (50, 2))
    shown = augment.cut(grid, frame, order=1)  # each pixel shows where it comes from
    places = augment.find_in_patch(points, frame)
    for axis in range(2):
        found = ndimage.map_coordinates(shown[..., axis], places.T, order=1)
        np.testing.assert_allclose(found, points[:, axis], atol=0.05)
