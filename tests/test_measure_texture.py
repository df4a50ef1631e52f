"""Texture, against scikit-image's co-occurrence matrices and SciPy's moments."""

import numpy as np
import pytest
from scipy.stats import skew

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.measure import measure


def texture(label: np.ndarray, values: np.ndarray, axes: str = "YX") -> dict:
    return measure(Image(label, axes), Image(values, axes), texture=True, solidity=False)


def test_a_square_nucleus_has_the_texture_of_scikit_image(rng):
    from skimage.feature import graycomatrix, graycoprops

    values = rng.integers(0, 16, (30, 40))
    values[0, 0], values[0, 1] = (
        0,
        16,
    )  # the whole range, so that levels are the values (16 falls into the last)
    label = np.zeros((40, 60), np.uint8)
    label[5:35, 10:50] = 3
    image = rng.integers(0, 1000, label.shape)
    image[label > 0] = values.ravel()
    levels = np.minimum(values, 15).astype(np.uint8)
    theirs = graycomatrix(levels, [1], [0, np.pi / 2], levels=16, symmetric=True).sum(
        axis=3, keepdims=True
    )
    theirs = theirs / theirs.sum()
    ours = texture(label, image)
    for name in ("contrast", "homogeneity", "correlation", "energy"):
        assert ours[f"haralick_{name}_0"][0] == pytest.approx(graycoprops(theirs, name)[0, 0]), name
    assert ours["skewness_0"][0] == pytest.approx(skew(values.ravel()))
    share = np.bincount(levels.ravel()) / levels.size
    assert ours["entropy_0"][0] == pytest.approx(
        -(share[share > 0] * np.log2(share[share > 0])).sum()
    )


def test_neighbours_and_the_gain_of_the_camera_do_not_change_the_texture(rng):
    label = np.zeros((4, 20, 40), np.uint8)
    label[:, 2:18, 2:18], label[:, 2:18, 18:38] = 5, 7
    values = rng.random(label.shape)
    both, one = (
        texture(label, values, "ZYX"),
        texture(np.where(label == 5, label, 0), 7 * values + 3, "ZYX"),
    )
    for name in (n for n in both if n.startswith(("haralick", "skewness", "entropy"))):
        assert both[name][0] == pytest.approx(one[name][0]), name


def test_a_flat_nucleus_has_no_correlation_and_no_warning(recwarn):
    label = np.zeros((20, 20), np.uint8)
    label[5:15, 5:15], label[0, 0] = 1, 2
    found = texture(label, np.full(label.shape, 9.0))
    assert np.isnan(found["haralick_correlation_0"]).all()
    assert (found["entropy_0"] == 0).all()
    assert found["haralick_contrast_0"][0] == 0
    assert not recwarn.list


def test_texture_needs_an_image():
    with pytest.raises(UserError, match="Texture is measured in the image"):
        measure(Image(np.ones((5, 5), np.uint8), "YX"), texture=True)
