"""CDeep3M's idea: which planes its networks see, mirrored ends, views that do not mind turns, tiles
that equal the whole.
"""

import numpy as np
import pytest

from nbtools import data, methods, simulate, training
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.inference.test_time_augmentation import average as average_views
from nbtools.patches import Example
from nbtools.targets import planes

TINY = {
    "preset": "tiny",
    "epochs": 1,
    "steps_per_epoch": 3,
    "batch_size": 2,
    "patch_size": 32,
    "augmentation": "flips",
}


@pytest.fixture(scope="module")
def fitted(step_by_step) -> methods.Method:
    """A method after three steps."""
    blocks = {
        "shape_px": (8, 40, 48),
        "spacing_um": (1.0, 0.4, 0.4),
        "radius_um": (2.0, 2.5),
        "count": 3,
    }
    method = methods.get("cdeep3m")(**TINY, tta="flips_and_rot90_3d")
    method.fit(
        simulate.make("nuclei3d", count=2, seed=1, settings=blocks),
        plan=training.TrainingPlan(seed=1),
    )
    return method


def average(method: methods.Method, pixels: np.ndarray) -> np.ndarray:
    """What the method predicts for a volume, the mean over its views."""
    return average_views(method.run, pixels, kind=method.settings.tta)


def test_a_plane_stands_among_its_neighbours_in_their_order():
    volume = np.arange(7, dtype=np.float32).reshape(7, 1, 1, 1) * np.ones((1, 2, 2, 1), np.float32)
    np.testing.assert_array_equal(
        planes.gather_planes(volume)[:, 0, 0], [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5], [2, 3, 4, 5, 6]]
    )


def test_five_planes_change_an_answer_and_a_sixth_does_not(fitted, rng):
    volume = rng.random((9, 16, 16, 1)).astype(np.float32)
    changed = volume.copy()
    changed[8] += 1
    difference = np.abs(average(fitted, changed) - average(fitted, volume)).max(axis=(1, 2, 3))
    assert (difference[:6] == 0).all()
    assert (difference[6:] > 0).all()


def test_sixteen_views_make_the_answer_independent_of_how_a_volume_lies(fitted, rng):
    volume = rng.random((5, 16, 24, 1)).astype(np.float32)
    said = average(fitted, volume)
    np.testing.assert_allclose(average(fitted, volume[::-1]), said[::-1], atol=1e-5)
    np.testing.assert_allclose(
        average(fitted, volume[:, ::-1].swapaxes(1, 2)), said[:, ::-1].swapaxes(1, 2), atol=1e-5
    )


def test_tiles_in_all_axes_equal_the_whole_in_all_views(fitted, rng):
    image = Image(rng.normal(100, 20, (9, 29, 38)).astype(np.float32), "ZYX", (1.0, 0.4, 0.4))
    whole = fitted.predict(image, raw=True, tile=(22, 80, 96)).raw["maps"]
    np.testing.assert_allclose(
        fitted.predict(image, raw=True, tile=(7, 24, 32)).raw["maps"], whole, atol=1e-5
    )


def test_a_volume_of_one_plane_is_mirrored_at_its_ends(fitted, rng):
    plane = rng.random((1, 16, 16, 1)).astype(np.float32)
    np.testing.assert_allclose(
        average(fitted, plane), average(fitted, plane.repeat(5, axis=0))[2:3], atol=1e-5
    )


def test_training_patches_have_the_first_plane_in_their_middle_too(fitted):
    label = np.zeros((4, 40, 48), np.int32)
    label[0, 5:15, 5:15] = 1
    image = Image(label.astype(np.float32), "ZYX", (1.0, 0.4, 0.4))
    example = fitted.make_example(data.Sample("a", image, label=image.replace(pixels=label)))
    assert example.image.shape[:-1] == example.label.shape == (8, 40, 48)
    assert (example.label[[1, 2]] == label[0]).all()
    assert example.label[tuple(example.seeds[0])] == 1
    x, y = fitted.target().make_pair(None, Example(example.image[:5], example.label[:5]))
    assert (x.shape, y.shape) == ((40, 48, 5), (40, 48, 1))
    np.testing.assert_array_equal(y[..., 0], label[0] > 0)


def test_touching_nuclei_are_parted_at_their_waist_only_where_asked_for(fitted):
    z, y, x = np.indices((9, 30, 50))
    maps = np.zeros((9, 30, 50, 1), np.float32)
    for middle in (16, 32):
        maps[((z - 4) * 2.5) ** 2 + (y - 15) ** 2 + (x - middle) ** 2 <= 10**2] = 1
    target = fitted.target()
    found = [target.find_labels(maps, threshold=0.5, split=s, min_size=0) for s in (0.0, 0.5)]
    assert [int(label.max()) for label in found] == [1, 2]


def test_planes_alone_are_refused_with_a_remedy():
    flat = simulate.make("nuclei2d", count=1, seed=0, settings={"shape_px": (32, 32), "count": 1})
    with pytest.raises(UserError, match="learns from volumes"):
        methods.get("cdeep3m")(**TINY).fit(flat)
