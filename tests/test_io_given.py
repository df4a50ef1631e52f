"""Arrays and paths where an image is wanted."""

import numpy as np
import pytest

from nbtools import io, measure, methods, show
from nbtools.data import Sample
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import instances, restoration

Y, X = np.indices((64, 80))
LABEL = np.zeros((64, 80), np.uint16)
LABEL[(Y - 20) ** 2 + (X - 20) ** 2 < 60] = 1
LABEL[(Y - 40) ** 2 + (X - 50) ** 2 < 60] = 2
GREY = (700.0 * (LABEL > 0) + np.random.default_rng(0).normal(100, 8, LABEL.shape)).astype(
    np.float32
)


@pytest.fixture
def files(tmp_path):
    io.write_image(tmp_path / "a.tif", GREY)
    io.write_label(tmp_path / "l.tif", LABEL)
    return tmp_path / "a.tif", str(tmp_path / "l.tif")


def test_predict_takes_an_image_an_array_or_a_path(files):
    """Two nuclei were drawn."""
    model = methods.load("otsu")
    for item in (Image(GREY, "YX"), GREY, files[0], str(files[0])):
        assert int(model.predict(item).labels.pixels.max()) == 2
    volume = model.predict(np.stack([GREY] * 9)).labels
    assert volume.axes == "ZYX"


def test_measure_takes_arrays_and_paths(files):
    for label, image in ((LABEL, GREY), (files[1], files[0]), (Image(LABEL, "YX"), GREY)):
        assert measure.measure(label)["label"].tolist() == [1, 2]
        assert measure.measure(label, image)["mean_0"] == pytest.approx([800, 800], rel=0.02)


def test_scores_take_arrays_and_paths(files):
    assert instances.score(files[1], LABEL).tp == 2
    assert restoration.psnr(files[0], GREY) > 100


def test_figures_and_samples_take_arrays_and_paths(files):
    assert show.view(files[0], files[1]).label.max() == 2
    assert show.images(files[0]) is not None
    sample = Sample("a", GREY, LABEL)
    assert (sample.image.axes, sample.label.axes) == ("YX", "YX")


@pytest.mark.parametrize(
    ("shape", "dtype", "axes"),
    [
        ((64, 80), float, "YX"),
        ((9, 64, 80), float, "ZYX"),
        ((64, 80, 3), np.uint8, "YXC"),
        ((5, 64, 80), bool, "ZYX"),
    ],
)
def test_axes_follow_from_the_shape_where_it_tells(shape, dtype, axes):
    assert io.as_image(np.zeros(shape, dtype)).axes == axes


@pytest.mark.parametrize(
    "shape", [(2, 64, 80), (64, 80, 2), (3, 9, 64, 80), (7,), (0, 8), (4, 5, 3)]
)
def test_an_array_whose_axes_cannot_be_known_is_refused(shape):
    with pytest.raises(UserError, match=r'axes of an array.*Image\(array, "ZYX"\)'):
        io.as_image(np.zeros(shape))


def test_labels_have_no_channels():
    assert io.as_label(np.zeros((3, 64, 80), int)).axes == "ZYX"


def test_an_array_with_the_axes_of_the_model_has_these():
    model = methods.load("nuclei3d")
    assert model.as_image(np.zeros((3, 64, 80))).axes == "ZYX"


@pytest.mark.parametrize(
    "item", [None, {"a": 1}, b"x", "text.tif", np.zeros((4, 4), complex), [[1], [1, 2]]]
)
def test_what_is_no_image_is_refused_in_our_own_words(item):
    with pytest.raises(UserError):
        methods.load("otsu").predict(item)
