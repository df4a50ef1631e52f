"""Image: pixels that know their axes and their pixel size."""

import numpy as np
import pytest

from nbtools.errors import UserError
from nbtools.image import RGB, Image


@pytest.fixture
def volume() -> Image:
    return Image(
        np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5),
        "CZYX",
        spacing=(0.5, 0.2, 0.1),
        name="embryo",
        channels=("DNA", "actin"),
    )


def test_an_image_knows_sizes_by_axis(volume):
    assert (volume.size("Z"), volume.size("T"), volume.spatial, volume.space_shape) == (
        3,
        1,
        "ZYX",
        (3, 4, 5),
    )


def test_another_order_of_axes_moves_pixels_and_spacing_together(volume):
    moved = volume.to("XYZC")
    assert moved.shape == (5, 4, 3, 2)
    assert moved.spacing == (0.1, 0.2, 0.5)
    assert moved.pixels[4, 2, 1, 0] == volume.pixels[0, 1, 2, 4]
    np.testing.assert_array_equal(moved.to("CZYX").pixels, volume.pixels)


def test_a_new_axis_has_length_one(volume):
    assert volume.to("TCZYX").shape == (1, 2, 3, 4, 5)


def test_a_long_axis_is_not_dropped_unasked(volume):
    with pytest.raises(UserError, match="image.select"):
        volume.to("ZYX")


def test_a_selected_plane_loses_its_axis_and_its_spacing(volume):
    plane = volume.select(C=1, Z=0)
    assert (plane.axes, plane.spacing, plane.channels) == ("YX", (0.2, 0.1), ())
    np.testing.assert_array_equal(plane.pixels, volume.pixels[1, 0])


@pytest.mark.parametrize("index", [3, -4])
def test_a_plane_that_is_not_there_is_refused(volume, index):
    with pytest.raises(UserError, match="Use 0 to 2"):
        volume.select(Z=index)


@pytest.mark.parametrize("axes", ["Y", "YXX", "YXQ", "ZY", ""])
def test_axes_that_make_no_sense_are_refused(axes):
    with pytest.raises(UserError):
        Image(np.zeros((3,) * max(1, len(axes))), axes)


@pytest.mark.parametrize("spacing", [(1,), (1, 0), (1, -2), (1, float("nan")), (1, 1, 1)])
def test_a_spacing_that_makes_no_sense_is_refused(spacing):
    with pytest.raises(UserError, match="Spacing"):
        Image(np.zeros((3, 3)), "YX", spacing=spacing)


def test_a_ratio_is_no_size_in_micrometres():
    image = Image(np.zeros((3, 3, 3)), "ZYX", spacing=(2.18, 1, 1), unit="pixel")
    assert image.spacing_um is None
    assert image.relative_spacing == (2.18, 1, 1)


def test_small_letters_are_axes_too():
    assert Image(np.zeros((3, 3)), "yx").axes == "YX"


def test_colours_are_known_by_their_names():
    assert Image(np.zeros((3, 3, 3)), "YXC", channels=RGB).is_rgb


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_grey_values_are_rounded_and_clipped_to_a_type_of_integers(dtype):
    limits = np.iinfo(dtype)
    image = Image(
        np.array([[-1e9, -0.4, 0.6, 7.49, np.nan, 1e9]], np.float32),
        "YX",
        spacing=(0.2, 0.2),
        name="field",
    )
    cast = image.cast(dtype)
    assert cast.pixels.tolist() == [[limits.min, 0, 1, 7, 0, limits.max]]
    assert (cast.pixels.dtype, cast.spacing, cast.name) == (np.dtype(dtype), (0.2, 0.2), "field")


def test_a_wider_type_holds_every_value_of_the_narrower(rng):
    narrow = Image(rng.integers(0, 65536, (5, 6), dtype=np.uint16), "YX")
    assert np.array_equal(narrow.cast("int32").cast("uint16").pixels, narrow.pixels)
    assert narrow.cast("float32").pixels.dtype == np.float32
