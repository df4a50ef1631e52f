"""Images and results on disk: what goes out comes back, and what is broken is said in one
message.
"""

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from nbtools import io
from nbtools.errors import UserError
from nbtools.image import RGB, Image
from nbtools.io import tiff_metadata, units

AXES = ["YX", "ZYX", "CYX", "TZCYX", "CZYX", "YXC", "XYZ"]
TYPES = ["uint8", "uint16", "uint32", "int32", "int64", "float16", "float32", "float64"]


def image_of(axes, dtype, *, spacing=None, unit="um", channels=()):
    sizes = {"T": 2, "Z": 5, "C": 3, "Y": 12, "X": 13}
    rng = np.random.default_rng(0)
    pixels = (rng.random([sizes[a] for a in axes]) * 200).astype(dtype)
    return Image(pixels, axes, spacing, unit if spacing else "um", "a", channels)


def assert_same(one, other):
    assert (one.axes, one.unit, one.name, one.channels) == (
        other.axes,
        other.unit,
        other.name,
        other.channels,
    )
    assert one.pixels.dtype == other.pixels.dtype
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert (one.spacing is None) == (other.spacing is None)
    if one.spacing:
        np.testing.assert_allclose(one.spacing, other.spacing, rtol=1e-6)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("axes", AXES)
def test_tiff_keeps_pixels_axes_and_spacing(tmp_path, axes, dtype):
    spacing = tuple(0.1 + 0.7 * np.arange(1, 1 + sum(a in "ZYX" for a in axes)) ** 0.5)
    for image in (
        image_of(axes, dtype),
        image_of(axes, dtype, spacing=spacing),
        image_of(axes, dtype, spacing=spacing, unit="pixel"),
    ):
        io.write_image(tmp_path / "a.tif", image)
        assert_same(io.read_image(tmp_path / "a.tif"), image)


@pytest.mark.parametrize("axes", ["YX", "ZYX", "CYX", "ZCYX"])
@pytest.mark.parametrize("dtype", ["uint16", "float32", "uint32"])
def test_the_standard_tags_alone_carry_axes_and_spacing(tmp_path, axes, dtype, monkeypatch):
    """So that Fiji and others see the same as we do; our own note is switched off here."""
    monkeypatch.setattr(tiff_metadata, "_find_own_metadata", lambda file, series: {})
    image = image_of(axes, dtype, spacing=(2.0713, 0.325, 0.3251)[-sum(a in "ZYX" for a in axes) :])
    for name in ("a.tif", "a.ome.tif"):
        io.write_image(tmp_path / name, image)
        assert_same(io.read_image(tmp_path / name), image)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("axes", ["YXC", "ZYXC"])
def test_colour_stays_colour(tmp_path, axes, dtype):
    image = image_of(axes, dtype, channels=RGB)
    io.write_image(tmp_path / "a.tif", image)
    assert_same(io.read_image(tmp_path / "a.tif"), image)


def test_a_volume_of_one_plane_stays_a_volume(tmp_path):
    volume = Image(np.zeros((1, 5, 6), np.uint16), "ZYX", (1, 0.5, 0.5), name="a")
    io.write_image(tmp_path / "a.tif", volume)
    assert_same(io.read_image(tmp_path / "a.tif"), volume)


def test_channel_names_are_kept(tmp_path):
    image = image_of("CYX", "uint16", channels=("DAPI", "GFP", "phase"))
    for name in ("a.tif", "a.ome.tif"):
        io.write_image(tmp_path / name, image)
        assert io.read_image(tmp_path / name).channels == image.channels


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_png_keeps_pixels_and_spacing(tmp_path, dtype):
    image = image_of("YX", dtype, spacing=(0.3, 0.25))
    io.write_image(tmp_path / "a.png", image)
    assert_same(io.read_image(tmp_path / "a.png"), image)


def test_png_refuses_what_it_cannot_hold(tmp_path):
    with pytest.raises(UserError, match=r"PNG holds 2D images.*float32.*\.tif"):
        io.write_image(tmp_path / "a.png", image_of("YX", "float32"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["micron", "µm", "um", "\\u00B5m", "micrometer", "μm"])
def test_every_spelling_of_the_micrometre_in_fiji_is_known(tmp_path, name):
    plane = np.zeros((5, 6), np.uint8)
    note = {"unit": name.encode("ascii", "ignore").decode() if not name.isascii() else name}
    assert units.um_per_unit(name) == 1.0
    if name.isascii():
        tifffile.imwrite(tmp_path / "a.tif", plane, imagej=True, resolution=(5, 5), metadata=note)
        assert io.read_image(tmp_path / "a.tif").spacing_um == (0.2, 0.2)


def test_fiji_units_are_converted(tmp_path):
    volume = np.zeros((4, 5, 6), np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif",
        volume,
        imagej=True,
        resolution=(0.005, 0.005),
        metadata={"axes": "ZYX", "unit": "nm", "spacing": 500},
    )
    np.testing.assert_allclose(
        io.read_image(tmp_path / "a.tif").spacing_um, (0.5, 0.2, 0.2), rtol=1e-6
    )


def test_fijis_missing_step_in_z_is_its_default_of_one_and_noted(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((4, 5, 6), np.uint8),
        imagej=True,
        resolution=(5, 5),
        metadata={"axes": "ZYX", "unit": "um"},
    )
    found = io.open_image(tmp_path / "a.tif")
    assert found.image.spacing_um == (1, 0.2, 0.2)
    assert found.guesses == ("z_step",)


def test_ome_units_are_converted(tmp_path):
    about = {
        "axes": "ZYX",
        "PhysicalSizeX": 200,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.0002,
        "PhysicalSizeYUnit": "mm",
        "PhysicalSizeZ": 0.5,
    }
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        np.zeros((4, 5, 6), np.uint16),
        photometric="minisblack",
        metadata=about,
    )
    np.testing.assert_allclose(
        io.read_image(tmp_path / "a.ome.tif").spacing_um, (0.5, 0.2, 0.2), rtol=1e-6
    )


def test_ome_without_a_step_in_z_leaves_the_spacing_unknown_and_says_so(tmp_path):
    about = {"axes": "ZYX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2}
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        np.zeros((4, 5, 6), np.uint16),
        photometric="minisblack",
        metadata=about,
    )
    found = io.open_image(tmp_path / "a.ome.tif")
    assert found.image.spacing is None
    assert found.guesses == ("z_step_missing",)


@pytest.mark.parametrize(
    ("dots", "expected"), [(72, None), (300, None), (1200, None), (50800, (0.5, 0.5))]
)
def test_a_resolution_in_inches_counts_only_where_a_microscope_could_have_it(
    tmp_path, dots, expected
):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((5, 6), np.uint8),
        resolution=(dots, dots),
        resolutionunit="INCH",
        metadata=None,
    )
    assert io.read_image(tmp_path / "a.tif").spacing_um == expected


def test_edited_tags_win_over_our_note(tmp_path):
    io.write_image(tmp_path / "a.tif", image_of("YX", "uint16", spacing=(0.2, 0.2)))
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        for axis in "XY":
            file.pages[0].tags[f"{axis}Resolution"].overwrite((2, 1))
    assert io.read_image(tmp_path / "a.tif").spacing_um == (0.5, 0.5)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((7, 20, 30), "ZYX"),
        ((5, 20, 30), "ZYX"),
        ((2, 20, 30), "CYX"),
        ((3, 20, 30), "CYX"),
        ((20, 30, 2), "YXC"),
    ],
)
def test_an_unnamed_axis_is_guessed_by_its_length_and_noted(tmp_path, shape, axes):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint16), photometric="minisblack")
    found = io.open_image(tmp_path / "a.tif")
    assert (found.image.axes, found.guesses) == (axes, ("axes",))


def test_given_axes_hold_and_are_no_guess(tmp_path):
    planes = np.zeros(
        (3, 20, 30), np.uint8
    )  # older versions of tifffile wrote three planes of 8 bit so, unasked
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    assert io.open_image(tmp_path / "a.tif").image.is_rgb
    found = io.open_image(tmp_path / "a.tif", axes="ZYX")
    assert (found.image.axes, found.image.shape, found.guesses) == ("ZYX", (3, 20, 30), ())
    with pytest.raises(UserError, match=r"name each dimension.*YX for a of shape \(3, 20, 30\)"):
        io.read_image(tmp_path / "a.tif", axes="YX")


def test_given_axes_of_a_grey_set_leave_room_for_colours(tmp_path):
    Picture.fromarray(np.zeros((20, 30, 4), np.uint8)).save(tmp_path / "a.png")
    image = io.read_image(tmp_path / "a.png", axes="YX")
    assert (image.axes, image.shape, image.is_rgb) == ("YXC", (20, 30, 3), True)


def test_five_unnamed_dimensions_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 6, 5, 20, 30), np.uint16))
    with pytest.raises(
        UserError, match=r"axes of an image must be known.*\(2, 6, 5, 20, 30\).*TCZYX"
    ):
        io.read_image(tmp_path / "a.tif")
    assert io.read_image(tmp_path / "a.tif", axes="TCZYX").axes == "TCZYX"


def test_pictures_of_all_modes_open(tmp_path, rng):
    grey = Picture.fromarray(rng.integers(0, 255, (20, 30)).astype(np.uint8))
    colour = Picture.fromarray(rng.integers(0, 255, (20, 30, 3)).astype(np.uint8))
    expected = {
        "L": "YX",
        "1": "YX",
        "LA": "YX",
        "I;16": "YX",
        "P": "YXC",
        "RGB": "YXC",
        "RGBA": "YXC",
    }
    for mode, axes in expected.items():
        picture = (
            Picture.fromarray(np.zeros((20, 30), np.uint16))
            if mode == "I;16"
            else (grey if axes == "YX" else colour).convert(mode)
        )
        picture.save(tmp_path / "a.png")
        image = io.read_image(tmp_path / "a.png")
        assert (image.axes, image.shape[:2], image.pixels.dtype.itemsize) == (
            axes,
            (20, 30),
            2 if mode == "I;16" else 1,
        ), mode
    colour.save(tmp_path / "a.jpg")
    assert io.read_image(tmp_path / "a.jpg").is_rgb


def test_an_indexed_picture_is_read_as_numbers_where_labels_are_asked_for(tmp_path):
    picture = Picture.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).convert("P")
    picture.putpalette([7 * i % 256 for i in range(768)])
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        io.read_label(tmp_path / "a.png").pixels, np.arange(12).reshape(3, 4)
    )


def test_lzw_tiff_opens_without_another_package(tmp_path, rng):
    planes = rng.integers(0, 255, (6, 20, 30)).astype(np.uint8)
    first, *rest = [Picture.fromarray(p) for p in planes]
    first.save(tmp_path / "a.tif", compression="tiff_lzw", save_all=True, append_images=rest)
    image = io.read_image(tmp_path / "a.tif")
    assert image.axes == "ZYX"
    np.testing.assert_array_equal(image.pixels, planes)


@pytest.mark.parametrize(
    ("highest", "dtype"),
    [(5, np.uint16), (65535, np.uint16), (65536, np.uint32), (3_000_000_000, np.uint32)],
)
def test_labels_beyond_65535_come_back(tmp_path, highest, dtype):
    label = Image(np.array([[0, 1], [2, highest]]), "YX", (0.5, 0.5))
    io.write_label(tmp_path / "a.tif", label)
    back = io.read_label(tmp_path / "a.tif")
    assert back.pixels.dtype == dtype
    np.testing.assert_array_equal(back.pixels, label.pixels)
    assert back.spacing_um == (0.5, 0.5)


def test_pixels_to_ignore_stay_minus_one(tmp_path):
    io.write_label(tmp_path / "a.tif", Image(np.array([[-1, 0], [1, 2]]), "YX"))
    assert io.read_label(tmp_path / "a.tif").pixels.tolist() == [[-1, 0], [1, 2]]


@pytest.mark.parametrize(
    ("image", "received"),
    [
        (image_of("YXC", "uint8", channels=RGB), "colours"),
        (image_of("YX", "float32"), "float32"),
        (Image(np.full((2, 2), -7), "YX"), "-7"),
    ],
)
def test_what_is_no_label_image_is_refused(tmp_path, image, received):
    io.write_image(tmp_path / "a.tif", image)
    with pytest.raises(UserError, match=f"A label image holds whole numbers.*{received}"):
        io.read_label(tmp_path / "a.tif")


def test_a_type_is_converted_by_rounding_and_clipping(tmp_path):
    io.write_image(
        tmp_path / "a.tif", Image(np.array([[-3.0, 1.6], [300.0, 2.4]]), "YX"), dtype="uint8"
    )
    assert io.read_image(tmp_path / "a.tif").pixels.tolist() == [[0, 2], [255, 2]]


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a.ome.tif", "a", ".ome.tif"),
        ("A.OME.TIFF", "A", ".ome.tiff"),
        ("a.b.PNG", "a.b", ".png"),
        ("a", "a", ""),
    ],
)
def test_a_double_suffix_is_one(name, stem, suffix):
    assert (io.stem(name), io.suffix(name)) == (stem, suffix)


def test_resolution_tags_are_exact_to_a_millionth(rng):
    for spacing in np.exp(rng.uniform(np.log(1e-6), np.log(1e4), 200)):
        pixels, per = units.resolution_tag(spacing)
        assert pixels < 2**32
        assert per < 2**32
        assert per / pixels == pytest.approx(spacing, rel=1e-6)


def test_every_teaching_image_opens_with_its_axes(data_folder):
    expected = {"xy_": "YX", "xyc": "CYX", "xyz": "ZYX"}
    paths = sorted((data_folder / "teaching_images").glob("*.tif"))
    assert len(paths) > 50
    for path in paths:
        assert io.read_image(path).axes == expected[path.name[:3]], path.name


def test_calibrated_teaching_images_have_their_pixel_size(data_folder):
    folder = data_folder / "teaching_images"
    assert io.read_image(folder / "xy_16bit_calibrated__nuclei_various_shapes.tif").spacing_um == (
        0.2,
        0.2,
    )
    np.testing.assert_allclose(
        io.read_image(folder / "xyz_8bit__nuclei_autothresh.tif").spacing_um,
        (4, 0.828643, 0.828643),
        rtol=1e-5,
    )
    assert io.read_image(folder / "xy_8bit__small_noisy_nuclei.tif").spacing is None
