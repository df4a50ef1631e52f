"""Variations of patches: image and label move together, grey values change alone, and one seed
gives one result.
"""

import numpy as np
import pytest

from nbtools import augment


@pytest.fixture
def marked(rng) -> tuple[np.ndarray, np.ndarray]:
    """A label image of three objects, and the image that shows them at grey value 10 times the
    label.
    """
    label = np.zeros((80, 90), int)
    label[10:30, 12:40], label[40:70, 50:60], label[60:75, 5:25] = 1, 2, 3
    return 10.0 * label[..., None].astype(np.float32), label


@pytest.mark.parametrize("recipe", ["none", "flips", "light", "standard", "strong"])
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
