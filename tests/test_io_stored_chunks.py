"""Pixels in chunks: any view of them is what NumPy makes of the whole array."""

import numpy as np
import pytest
import tifffile
import zarr

from nbtools import io
from nbtools.data import DataSet, InputOptions
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io.stored_chunks import TiffChunks, ZarrPixels, find_region
from nbtools.io.zarr_levels import halve

RNG = np.random.default_rng(0)
VIEWS = {
    "moved": (
        lambda a: a.transpose(3, 2, 1, 0),
        (slice(5, 30), slice(None, None, -3)),
    ),
    "thinned": (lambda a: a[:, 0], (..., slice(1, None, 7))),
    "one place": (lambda a: a[2], (0, 7, 9)),
    "none": (lambda a: a, (slice(2, 2),)),
    "a list": (lambda a: a[:, 0], ([2, 0],)),
    "one more axis": (lambda a: a[:, 0], (1, None, slice(3, 9))),
}


@pytest.fixture(params=["zarr2", "zarr3", "tiff"])
def chunked(request, tmp_path):
    """An array, and the same in a file."""
    array = RNG.integers(0, 1000, (3, 1, 80, 96)).astype(np.uint16)
    path = tmp_path / request.param
    if request.param == "tiff":
        tifffile.imwrite(path, array, tile=(32, 32), compression="zlib", photometric="minisblack")
        return array, TiffChunks(path, array.shape, array.dtype)
    about = {"shape": array.shape, "chunks": (1, 1, 32, 32), "dtype": array.dtype}
    zarr.create_array(path, zarr_format=int(request.param[-1]), **about)[...] = array
    return array, ZarrPixels(path, array.shape, array.dtype)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_of_chunks_is_that_of_the_array(chunked, name):
    array, stored = chunked
    if stored.path.name == "tiff":
        stored = stored.reshape(array.shape)
    see, place = VIEWS[name]
    expected = see(array)[place]
    found = stored._then(see)
    assert found.shape == see(array).shape
    assert np.array_equal(found[place], expected)
    assert found[place].shape == expected.shape


def test_only_what_is_asked_for_is_read():
    region = find_region(lambda a: a.transpose(1, 0)[10:20, ::4], (100, 200))
    assert region.place == (slice(0, 97, 4), slice(10, 20, 1))


def write_pyramid(path, version):
    """An OME-Zarr image of two levels, by hand."""
    pixels = RNG.integers(0, 4000, (1100, 1060)).astype(np.uint16)
    image = Image(pixels, "YX", spacing=(0.5, 0.25))
    io.write_ome_zarr(path, image, version=version)
    return pixels


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_image_has_levels_in_both_versions(tmp_path, version):
    path = tmp_path / "a.ome.zarr"
    pixels = write_pyramid(path, version)
    assert (path / ("zarr.json" if version == "0.5" else ".zattrs")).is_file()
    image = io.open_image(path, level=1, stored=True).image
    assert io.is_stored(image.pixels)
    assert image.spacing == (1.0, 0.5)
    assert np.array_equal(image.pixels[...], halve(pixels))
    assert np.array_equal(io.read_image(path).pixels, pixels)
    with pytest.raises(UserError, match=r"level 2 of .*, which has 2"):
        io.open_image(path, level=2)


def test_levels_are_halved_as_four_pixels_are_averaged():
    pixels = np.array([[0, 2, 9], [4, 6, 9]], np.uint8)
    assert halve(pixels).tolist() == [[3, 9]]
    assert halve(np.array([[1.0, 2.0]], np.float32)).tolist() == [[1.5]]


def test_labels_go_into_the_folder_of_their_image(tmp_path):
    path = tmp_path / "a.ome.zarr"
    pixels = write_pyramid(path, "0.4")
    labels = Image((pixels > 2000).astype(np.uint16), "YX")
    io.write_labels_in_place(path / "labels" / "nuclei", labels)
    assert io.list_labels(path) == [path / "labels" / "nuclei"]
    dataset = DataSet.open(path)
    assert np.array_equal(dataset[0].label.pixels, labels.pixels)
    coarse = DataSet.open(path, options=InputOptions(level=1))
    assert np.array_equal(coarse[0].label.pixels, labels.pixels[::2, ::2])
    assert coarse[0].image.spacing == (1.0, 0.5)
    small = Image(np.zeros((5, 5), np.uint16), "YX")
    with pytest.raises(UserError, match="shape of their image"):
        io.write_labels_in_place(path / "labels" / "other", small)
    with pytest.raises(UserError, match="IMAGE.zarr/labels/other"):
        io.write_labels_in_place(tmp_path / "other", labels)


def test_a_pyramid_of_tiff_has_levels(tmp_path):
    path, pixels = tmp_path / "a.ome.tif", RNG.integers(0, 255, (512, 384)).astype(np.uint8)
    about = {"tile": (128, 128), "compression": "zlib", "photometric": "minisblack"}
    with tifffile.TiffWriter(path, ome=True) as file:
        sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        file.write(pixels, subifds=1, metadata={"axes": "YX", **sizes}, **about)
        file.write(pixels[::2, ::2], subfiletype=1, **about)
    whole = io.open_image(path, stored=True).image
    assert isinstance(whole.pixels, TiffChunks)
    assert np.array_equal(whole.pixels[100:200, 7:300], pixels[100:200, 7:300])
    coarse = io.open_image(path, level=1, stored=True).image
    assert np.array_equal(coarse.pixels[...], pixels[::2, ::2])
    assert coarse.spacing == (1.0, 1.0)
    assert np.array_equal(io.open_image(path, level=1).image.pixels, pixels[::2, ::2])


def test_a_given_pixel_size_is_that_of_the_full_resolution(tmp_path):
    write_pyramid(tmp_path / "a.ome.zarr", "0.5")
    options = InputOptions(level=1, spacing=(0.3, 0.3))
    assert DataSet.open(tmp_path / "a.ome.zarr", options=options).image(0).spacing == (0.6, 0.6)


def test_a_png_has_no_levels(tmp_path):
    io.write_image(tmp_path / "a.png", Image(np.zeros((5, 5), np.uint8), "YX"))
    with pytest.raises(UserError, match="level 1"):
        io.open_image(tmp_path / "a.png", level=1)
