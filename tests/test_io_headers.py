"""Files that are decoded as a whole: their header tells what they hold, and what cannot fit."""

import numpy as np
import pytest
from PIL import Image as Picture

from nbtools import checks, io, runtime
from nbtools.checks import large
from nbtools.cli import main
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.io import axes, nrrd_nifti, png_jpeg

MODES = ("1", "L", "I;16", "P", "LA", "RGB", "RGBA")


@pytest.fixture
def all_are_large(monkeypatch):
    """Files of any size are treated as large ones."""
    for module in (png_jpeg, nrrd_nifti):
        monkeypatch.setattr(module, "LARGE", 0)
    monkeypatch.setattr(axes, "SMALL", 0)
    monkeypatch.setattr(large, "SMALL_FILE", 0)


@pytest.fixture
def hardly_any_memory(monkeypatch, all_are_large):
    monkeypatch.setattr(runtime, "memory", lambda: runtime.Memory(10**9, 5000, 0))


def write_picture(path, mode):
    grey = np.random.default_rng(0).integers(0, 200, (40, 50)).astype(np.uint8)
    if mode == "I;16":
        picture = Picture.fromarray(grey.astype(np.uint16) * 100)
    else:
        picture = Picture.fromarray(grey).convert(mode)
    more = {"transparency": 3} if path.stem == "clear" else {}
    picture.save(path, **more)


@pytest.mark.parametrize("palette", [False, True])
@pytest.mark.parametrize(
    "name",
    [*(f"{mode}.png" for mode in MODES), "clear.png", "L.jpg", "RGB.jpg", "CMYK.jpg"],
)
def test_the_header_of_a_picture_is_that_of_its_pixels(tmp_path, all_are_large, name, palette):
    path = tmp_path / name.replace(";", "")
    write_picture(path, "P" if name == "clear.png" else name.partition(".")[0])
    whole = png_jpeg.read_png_jpeg(path, palette=palette)
    header = png_jpeg.read_png_jpeg(path, palette=palette, header_only=True)
    assert header.pixels.strides == (0,) * header.pixels.ndim  # takes no memory
    assert header.pixels.shape == whole.pixels.shape
    assert header.pixels.dtype.itemsize == max(whole.pixels.dtype.itemsize, 1)
    assert header.letters == whole.letters


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_the_header_of_a_nrrd_is_that_of_its_pixels(tmp_path, all_are_large, kind):
    nrrd = pytest.importorskip("nrrd")
    nrrd.write(str(tmp_path / "a.nrrd"), np.ones((3, 4, 5), kind), index_order="C")
    whole = nrrd_nifti.read_nrrd_nifti(tmp_path / "a.nrrd")
    header = nrrd_nifti.read_nrrd_nifti(tmp_path / "a.nrrd", header_only=True)
    assert header.pixels.strides == (0, 0, 0)
    assert (header.pixels.shape, header.pixels.dtype) == (whole.pixels.shape, whole.pixels.dtype)
    assert header.letters == whole.letters


@pytest.mark.parametrize("ending", [".png", ".nrrd", ".nii.gz"])
def test_what_cannot_fit_is_refused_before_it_is_decoded(tmp_path, hardly_any_memory, ending):
    if ending != ".png":
        pytest.importorskip({".nrrd": "nrrd", ".nii.gz": "nibabel"}[ending])
    path = tmp_path / f"a{ending}"
    io.write_image(path, io.as_image(np.ones((60, 70), np.uint16), axes="YX"))
    with pytest.raises(UserError, match="An image must fit into the memory that is free"):
        io.read_image(path)
    assert io.open_image(path, header_only=True).image.space_shape == (60, 70)


@pytest.mark.parametrize("verb", ["check", "measure", "evaluate", "predict"])
def test_verbs_refuse_a_png_beyond_the_memory_and_name_tiff(
    tmp_path, hardly_any_memory, monkeypatch, capsys, verb
):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
        pixels = np.arange(60 * 70, dtype=np.uint16).reshape(60, 70)
        io.write_image(tmp_path / kind / "a.png", io.as_image(pixels, axes="YX"))
    monkeypatch.chdir(tmp_path)
    words = {
        "check": ["check", "."],
        "measure": ["measure", "labels", "--out", "nuclei.csv"],
        "evaluate": ["evaluate", "labels", "labels"],
        "predict": ["predict", "otsu", "images", "--out", "out"],
    }
    assert main(words[verb]) == 2
    told = capsys.readouterr().err
    assert "TIFF" in told
    assert "larger than the memory" in told or "must fit into the memory" in told


def test_a_repaired_copy_of_an_image_beyond_the_memory_is_refused(tmp_path, hardly_any_memory):
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.tif"):
        pixels = np.ones((60, 70), np.uint16)
        io.write_image(tmp_path / "images" / name, io.as_image(pixels, axes="YX"))
    with pytest.raises(UserError, match="for checking it"):
        checks.require_memory(DataSet.open(tmp_path), whole=True)
