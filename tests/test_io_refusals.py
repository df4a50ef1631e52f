"""What is no image is refused in one message, wherever it is broken."""

import os

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from nbtools import io
from nbtools.errors import UserError
from nbtools.image import Image


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.tif", b"", "an empty file"),
        ("a.tif", b"name,class\n", "starts with"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "whole and readable"),
        ("a.xyz", b"", "known format"),
        ("a.lsm5", b"", "known format"),
        ("a.tif", b"II*\0\xff\xff\xff\xff", "whole and readable"),
    ],
)
def test_what_is_no_image_is_said_in_one_message(tmp_path, name, content, part):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=part) as caught:
        io.read_image(tmp_path / name)
    assert "Received: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(UserError, match="must exist"):
        io.read_image(tmp_path / "a.tif")


def test_a_picture_under_the_name_of_a_tiff_opens(tmp_path):
    Picture.fromarray(np.zeros((5, 6), np.uint8)).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", tmp_path / "a.tif")
    assert io.read_image(tmp_path / "a.tif").shape == (5, 6)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_file_cut_anywhere_is_refused_or_whole(tmp_path, rng, compression, caplog):
    volume = rng.integers(0, 200, (7, 20, 21)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "whole.tif", volume, compression=compression)
    content, refused = (tmp_path / "whole.tif").read_bytes(), 0
    for cut in range(0, len(content), len(content) // 40):
        (tmp_path / "cut.tif").write_bytes(content[:cut])
        try:
            np.testing.assert_array_equal(io.read_image(tmp_path / "cut.tif").pixels, volume)
        except UserError:
            refused += 1
    assert refused >= 38
    assert not caplog.records


def test_pixels_that_are_no_numbers_are_refused(tmp_path):
    image = Image(np.ones((5, 6), np.float32), "YX")
    image.pixels[0, :2] = np.nan, np.inf
    io.write_image(tmp_path / "a.tif", image)
    with pytest.raises(UserError, match=r"finite numbers.*2 NaN or infinite"):
        io.read_image(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((5, 6), complex))
    with pytest.raises(UserError, match=r"real numbers.*complex"):
        io.read_image(tmp_path / "b.tif")
