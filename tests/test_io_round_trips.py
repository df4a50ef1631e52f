"""Every writer, then every reader: ours, and those of other programs, which know nothing of our
note in the file.
"""

import json
import re

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from nbtools import io
from nbtools.image import Image

SIZES, STEPS = {"T": 3, "Z": 5, "C": 2, "Y": 12, "X": 14}, {"Z": 0.5, "Y": 0.2, "X": 0.25}
AXES, TYPES = (
    ["YX", "ZYX", "CYX", "ZCYX", "TZCYX"],
    [np.uint8, np.uint16, np.float32, np.uint32, np.int32],
)
WRITERS = [".tif", ".ome.tif", ".png", ".ome.zarr", ".zarr"]


def image_of(axes, dtype):
    pixels = np.random.default_rng(0).integers(0, 250, [SIZES[a] for a in axes]).astype(dtype)
    pixels[..., 0, 0] = {"u": 255, "i": -7, "f": 0.1}[pixels.dtype.kind]
    return Image(pixels, axes, tuple(STEPS[a] for a in axes if a in STEPS), name="a")


def ours(path):
    return io.read_image(path)


def a_data_set(path):
    from nbtools.data import DataSet

    return DataSet.open(path.parent).image(0)


def tifffile_alone(path):
    """What any program sees that follows tifffile: pixels, axes, and the pixel size of the standard
    tags.
    """
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        axes, pixels = series.axes, series.asarray()
        if file.is_ome:
            found = dict(re.findall(r'PhysicalSize([XYZ])="([0-9.e-]+)"', file.ome_metadata))
        else:
            tags, about = file.pages[0].tags, file.imagej_metadata or {}
            found = {
                a: tags[f"{a}Resolution"].value[1] / tags[f"{a}Resolution"].value[0]
                for a in "XY"
                if f"{a}Resolution" in tags
            }
            found |= {"Z": about["spacing"]} if "spacing" in about else {}
    return Image(pixels, axes, tuple(float(found[a]) for a in axes if a in STEPS), name="a")


def pillow(path):
    with Picture.open(path) as picture:
        pixels = np.asarray(picture)
        note = json.loads(picture.info["nbtools"])
    return Image(pixels, "YX", tuple(note["spacing"]), note["unit"], "a")


def zarr_alone(path):
    import zarr

    group = zarr.open_group(str(path), mode="r")
    scales = group.attrs["ome"]["multiscales"][0]
    axes = "".join(a["name"].upper() for a in scales["axes"])
    scale = dict(
        zip(axes, scales["datasets"][0]["coordinateTransformations"][0]["scale"], strict=True)
    )
    return Image(
        np.asarray(group["0"]), axes, tuple(scale[a] for a in axes if a in STEPS), name="a"
    )


READERS = {
    suffix: (
        ours,
        a_data_set,
        tifffile_alone if "tif" in suffix else pillow if suffix == ".png" else zarr_alone,
    )
    for suffix in WRITERS
}
# PNG holds 2D images of one channel, of 8 or 16 bit
PAIRS = [
    (s, r, axes) for s in WRITERS for r in READERS[s] for axes in (AXES if s != ".png" else ["YX"])
]


@pytest.mark.parametrize(
    ("suffix", "reader", "axes"), PAIRS, ids=[f"{s}-{r.__name__}-{a}" for s, r, a in PAIRS]
)
def test_what_one_writes_the_other_reads(tmp_path, suffix, reader, axes):
    if "zarr" in suffix:
        pytest.importorskip("zarr")
    types = [t for t in TYPES if suffix != ".png" or t in (np.uint8, np.uint16)]
    for i, dtype in enumerate(types):
        image = image_of(axes, dtype)
        folder = tmp_path / str(i)
        folder.mkdir()
        io.write_image(folder / f"a{suffix}", image)
        found = reader(folder / f"a{suffix}")
        np.testing.assert_array_equal(found.to(axes).pixels, image.pixels)
        assert (found.pixels.dtype, found.unit, found.name) == (image.pixels.dtype, "um", "a")
        assert found.to(axes).spacing == pytest.approx(image.spacing)
        assert reader is zarr_alone or found.axes == axes


@pytest.mark.parametrize("first", WRITERS)
@pytest.mark.parametrize("second", WRITERS)
def test_a_file_may_go_from_any_format_to_any_other(tmp_path, first, second):
    if "zarr" in first + second:
        pytest.importorskip("zarr")
    image = image_of("YX" if ".png" in (first, second) else "ZCYX", np.uint16)
    io.write_image(tmp_path / f"a{first}", image)
    (tmp_path / "b").mkdir()
    io.write_image(tmp_path / "b" / f"a{second}", io.read_image(tmp_path / f"a{first}"))
    found = io.read_image(tmp_path / "b" / f"a{second}")
    np.testing.assert_array_equal(found.pixels, image.pixels)
    assert (found.axes, found.unit) == (image.axes, "um")
    assert found.spacing == pytest.approx(image.spacing)


# Real images, whose truth is read from their tags by other means


def read_tags(path):
    """Axes, type and pixel size by Pillow and the text of the description alone."""
    with Picture.open(path) as file:
        text, resolution = (
            str(file.tag_v2.get(270, "")),
            (file.tag_v2.get(282), file.tag_v2.get(283)),
        )
        sizes, count = file.size[::-1], file.n_frames
        dtype = {"L": "uint8", "P": "uint8", "I;16": "uint16", "I;16B": "uint16", "F": "float32"}[
            file.mode
        ]
    about = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    axes = (
        "YX"
        if count == 1
        else "CYX"
        if int(about.get("channels", 1)) > 1 or "slices" not in about
        else "ZYX"
    )
    if about.get("unit") not in ("micron", "um", "micrometer", "\\u00B5m"):
        return axes, (count, *sizes) if count > 1 else sizes, dtype, None
    step = (float(about.get("spacing", 1)),) if "Z" in axes else ()
    return (
        axes,
        (count, *sizes) if count > 1 else sizes,
        dtype,
        (*step, 1 / float(resolution[1]), 1 / float(resolution[0])),
    )


def test_every_teaching_image_opens_with_axes_type_and_spacing(data_folder):
    paths = sorted(
        p
        for p in (data_folder / "teaching_images").rglob("*")
        if p.suffix.lower() in (".tif", ".tiff")
    )
    assert len(paths) >= 120
    named = {"xy": "YX", "xyc": "CYX", "xyz": "ZYX"}
    for path in paths:
        axes, shape, dtype, spacing = read_tags(path)
        found = io.open_image(path)
        assert (found.image.axes, found.image.shape, found.image.pixels.dtype.name) == (
            axes,
            shape,
            dtype,
        ), path.name
        assert "axes" not in found.guesses, path.name
        assert found.image.spacing_um == (
            None if spacing is None else pytest.approx(spacing, rel=1e-6)
        ), path.name
        if path.parent.name == "teaching_images":
            assert named[path.name.split("_")[0]] == axes, path.name
