"""Borders and hidden pixels in one target: oracle round trips, and images that nobody labelled."""

import numpy as np
import pytest

from nbtools import data
from nbtools.metrics import instances
from nbtools.normalize import Scale
from nbtools.patches import Example
from nbtools.targets.noisy_border import (
    DENOISE,
    SEGMENT,
    DenoisedTarget,
    NoisyBorderTarget,
    NoisyThenBorderTarget,
)

SURE = 20.0  # logit


@pytest.fixture(scope="module")
def nuclei() -> dict[int, np.ndarray]:
    """The label images that the stardist package carries."""
    return {d: data.samples(f"nuclei{d}d")[0].label.pixels.astype(np.int32) for d in (2, 3)}


def make_patch(label: np.ndarray, channels: int = 1) -> Example:
    rng = np.random.default_rng(1)
    return Example(rng.random((*label.shape, channels), np.float32), label=label)


# as of the border classes alone, measured independently: 0.992 and 0.981 at IoU 0.5
@pytest.mark.parametrize(("ndim", "least"), [(2, 0.992), (3, 0.981)])
def test_labels_come_back_from_truth(nuclei, ndim, least):
    target, patch = NoisyBorderTarget(ndim), make_patch(nuclei[ndim])
    truth = target.make_pair(np.random.default_rng(0), patch)[1]
    raw = np.concatenate([SURE * truth[..., :3], patch.image], axis=-1)
    found = target.find_labels(target.activate(raw), threshold=0.5, grow=2, min_size=0)
    assert instances.score(nuclei[ndim], found, iou=0.5).ap == pytest.approx(least, abs=5e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_values_come_back_behind_the_classes(rng, channels):
    image = rng.normal(100, 20, (9, 11, channels)).astype(np.float32)
    scale = Scale((80.0,) * channels, (4.0,) * channels)
    target = DenoisedTarget(2, channels=channels, scale=scale)
    raw = np.concatenate([np.zeros((9, 11, 3)), scale.apply(image)], axis=-1)
    restored = target.decode(target.activate(raw)).image.pixels
    np.testing.assert_allclose(restored.reshape(image.shape), image, rtol=1e-5)


def test_hidden_pixels_and_their_values_stand_behind_the_weight(rng):
    patch = make_patch(np.zeros((32, 32), np.int32), 2)
    hidden, truth = NoisyBorderTarget(2, channels=2).make_pair(rng, patch)
    mask = truth[..., -1] > 0
    assert truth.shape[-1] == 3 + 1 + 2 + 1
    np.testing.assert_array_equal(truth[..., 4:6], patch.image)
    np.testing.assert_array_equal(hidden[~mask], patch.image[~mask])
    assert (hidden[mask] != patch.image[mask]).any()


def test_where_nobody_has_looked_there_is_no_class(rng):
    label = np.full((16, 16), -1, np.int32)
    label[:, 8:] = 0
    truth = NoisyBorderTarget(2).make_pair(rng, make_patch(label))[1]
    np.testing.assert_array_equal(truth[..., :3].sum(axis=-1), label + 1)


def test_two_networks_are_given_a_patch_each(rng):
    patch = make_patch(np.ones((16, 16), np.int32))
    given, wanted = NoisyThenBorderTarget(2).make_pair(rng, patch)
    np.testing.assert_array_equal(given[SEGMENT], patch.image)
    assert (given[DENOISE] != patch.image).any()
    assert (wanted[SEGMENT].shape[-1], wanted[DENOISE].shape[-1]) == (4, 2)
