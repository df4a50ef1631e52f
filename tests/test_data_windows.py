"""Windows of images that stay in their files: seen without being read, and learned from."""

import numpy as np
import pytest
from drawn_cells import draw_cells, segment

from nbtools import io
from nbtools.cli import main
from nbtools.data import DataSet, cut_windows
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.patches import Example
from nbtools.training.examples import Examples, count_bytes


@pytest.fixture
def folder(tmp_path):
    """A data set of one OME-Zarr image with labels."""
    grey, inside = draw_cells((200, 300))
    for kind, pixels in (("images", grey), ("labels", segment(inside).astype(np.uint16))):
        (tmp_path / "set" / kind).mkdir(parents=True)
        image = Image(pixels, "YX", spacing=(0.5, 0.5))
        io.write_image(tmp_path / "set" / kind / "field.ome.zarr", image, label=kind == "labels")
    return tmp_path / "set"


def test_windows_cover_an_image_and_are_read_when_they_are_drawn(folder):
    whole = DataSet.open(folder)
    found = cut_windows(whole, 110)
    assert found.names[:2] == ["field_y0_x0", "field_y0_x100"]
    assert len(found) == 6
    assert all(io.is_stored(entry.sample.image.pixels) for entry in found.entries)
    rows = [np.hstack([found[i].image.pixels for i in row]) for row in ((0, 1, 2), (3, 4, 5))]
    assert np.array_equal(np.vstack(rows), whole[0].image.pixels)
    assert np.array_equal(found[4].label.pixels, whole[0].label.pixels[100:, 100:200])
    assert found[4].image.spacing == (0.5, 0.5)
    assert not io.is_stored(found.image(4).pixels)


def test_windows_of_a_field_are_one_group(folder):
    other, _ = draw_cells((200, 300), seed=1)
    io.write_image(folder / "images" / "other.ome.zarr", Image(other, "YX"))
    found = cut_windows(DataSet.open(folder), 150)
    groups = [entry.columns["group"] for entry in found.entries]
    assert groups == [name.partition("_")[0] for name in found.names]
    assert groups.count("field") == groups.count("other") == 4


def test_a_jpeg_cannot_be_left_in_its_file(tmp_path):
    io.write_image(tmp_path / "a.png", Image(np.zeros((50, 50), np.uint8), "YX"))
    with pytest.raises(UserError, match="TIFF or OME-Zarr"):
        cut_windows(DataSet.open(tmp_path), 20)


def test_examples_that_memory_does_not_bear_are_prepared_again():
    made = []

    def prepare(number):
        made.append(number)
        return Example(np.full((10, 10, 1), number, np.float32))

    examples = Examples([0, 1, 2], prepare, np.ones(3))
    examples.most = 2 * count_bytes(prepare(0))
    assert count_bytes(prepare(0)) == 400
    made.clear()
    for index in (0, 1, 0, 2, 0, 1):
        assert examples[index].image[0, 0, 0] == index
    assert made == [0, 1, 2, 1]  # 0 was drawn last each time, and stays


def test_a_network_learns_from_zarr_in_windows(folder, tmp_path, monkeypatch, capsys):
    read = []
    take = io.ZarrPixels.__getitem__

    def note(self, place):
        found = take(self, place)
        read.append(found.size)
        return found

    monkeypatch.setattr(io.ZarrPixels, "__getitem__", note)
    words = ["train", "unet", str(folder), "--out", str(tmp_path / "model"), "--windows", "110"]
    steps = ["--set", "preset=tiny", "epochs=1", "steps_per_epoch=2", "patch_size=64"]
    assert main([*words, *steps]) == 0
    assert (
        "1 images stay in their files, and are learned from in 6 windows" in capsys.readouterr().err
    )
    whole = [size for size in read if size > 110 * 110]
    assert len(whole) <= 2  # labels are looked at once, slab by slab
    assert len(read) - len(whole) >= 12
