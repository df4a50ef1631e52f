"""Image files as users met them: the true value of each test is made here, or by another writer.

CZI files in golden/czi come from Zeiss's own writer (golden/czi/make.py): ramps of 0 to 191, plus
1000 a scene, 100 a channel, 10 a plane. Other files are made by tifffile, Pillow and zarr, or byte
by byte (microscope_files.py).
"""

import json
import shutil
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from microscope_files import write_lif, write_micromanager, write_nd2
from PIL import Image as Picture

from nbtools import checks, cli, io
from nbtools.data import DataSet, InputOptions, write_dataset
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.io import tiff_pixels

GOLDEN = Path(__file__).resolve().parent / "golden" / "czi"
MICROMETRES = {"Z": 0.5, "Y": 0.2, "X": 0.2}


def draw(count, seed=0):
    """A field of separate discs on noise around 100: image, labels."""
    rng, (y, x) = np.random.default_rng(seed), np.indices((64, 80))
    label = np.zeros((64, 80), np.uint16)
    for n in range(count):
        label[(y - 12 - 38 * (n % 2)) ** 2 + (x - 12 - 26 * (n // 2)) ** 2 < 49] = n + 1
    return (700 * (label > 0) + rng.normal(100, 8, label.shape)).astype(np.uint16), label


def run(*words):
    """The exit code and JSON document of a command."""
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr("builtins.print", lambda *a, **_: lines.append(" ".join(map(str, a))))
        try:
            code = cli.main([*map(str, words), "--json", "--quiet"])
        except SystemExit as stop:
            code = stop.code
    text = "\n".join(lines)
    return code, json.loads(text) if text.startswith("{") else text


def write_positions(path):
    """Two positions of one shape, as a plate's OME-TIFF: 5 and 3 nuclei; 0.2 and 0.3 µm."""
    with tifffile.TiffWriter(path, ome=True) as file:
        for name, count, size in (("pos1", 5, 0.2), ("pos2", 3, 0.3)):
            about = {f"PhysicalSize{a}": size for a in "YX"}
            file.write(draw(count)[0], metadata={"axes": "YX", "Name": name, **about})


# --- several images in one file


def write_plain_series(path):
    with tifffile.TiffWriter(path) as file:
        file.write(draw(5)[0])
        file.write(np.stack([draw(3)[0]] * 5), metadata={"axes": "ZYX"})


def write_lif_series(path):
    write_lif(path, [np.full((1, 2, 8, 9), n, np.uint16) for n in (1, 2)], MICROMETRES)


def write_nd2_points(path):
    pixels = np.stack([np.full((2, 3, 8, 9), n, np.uint16) for n in (1, 2)])
    write_nd2(path, pixels, MICROMETRES, points=("A01", "B02"))


def write_positions_of_micromanager(path):
    pixels = np.stack([draw(5)[0], draw(3)[0]])
    write_micromanager(path, pixels, ("A1-Site_0", "A2-Site_0"))


def write_zarr_series(path):
    """The layout of bioformats2raw: groups 0 and 1, without a description at the root."""
    for number in (0, 1):
        io.write_image(path / str(number) / "x.zarr", Image(draw(5 - 2 * number)[0], "YX"))
        for child in (path / str(number) / "x.zarr").iterdir():
            shutil.move(child, path / str(number))
        (path / str(number) / "x.zarr").rmdir()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    (path / ".zattrs").write_text('{"bioformats2raw.layout": 3}')


SEVERAL = {
    "a.ome.tif": (write_positions, ("pos1", "pos2"), None),
    "a.tif": (write_plain_series, ("s0", "s1"), None),
    "a_MMStack.ome.tif": (write_positions_of_micromanager, ("A1-Site_0", "A2-Site_0"), None),
    "a.lif": (write_lif_series, ("image_0", "image_1"), "liffile"),
    "a.nd2": (write_nd2_points, ("A01", "B02"), "nd2"),
    "a.ome.zarr": (write_zarr_series, ("0", "1"), "zarr"),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_the_first_of_several_images_is_never_taken_in_silence(tmp_path, name):
    write, names, package = SEVERAL[name]
    if package:
        pytest.importorskip(package)
    (tmp_path / "images").mkdir()
    path = tmp_path / "images" / name
    write(path)
    assert io.list_series(path) == names
    with pytest.raises(UserError, match=rf"with 2 images: {names[0]}, {names[1]}.*series=") as told:
        io.read_image(path)
    assert "--series all" in told.value.command
    first, second = (io.read_image(path, series=n) for n in (0, names[1]))
    assert not np.array_equal(first.pixels, second.pixels)
    requirements = checks.Requirements(needs="nothing", channels=None)
    assert "several_images" in {f.code for f in checks.check(tmp_path, requirements)}
    both = DataSet.open(tmp_path, options=InputOptions(series="all"))
    assert both.names == [f"{io.stem(path)}_{n}" for n in names]
    np.testing.assert_array_equal(both[1].image.pixels, second.pixels)
    chosen = DataSet.open(tmp_path, options=InputOptions(series=1))
    np.testing.assert_array_equal(chosen[0].image.pixels, second.pixels)
    assert "several_images" not in {f.code for f in checks.check(chosen, requirements)}


def test_a_series_that_does_not_exist_is_refused_with_the_names(tmp_path):
    write_positions(tmp_path / "a.ome.tif")
    for wanted in (2, "pos3"):
        with pytest.raises(UserError, match="number from 0 to 1, or a name: pos1, pos2"):
            io.read_image(tmp_path / "a.ome.tif", series=wanted)


def test_predict_refuses_chooses_or_takes_all_positions(tmp_path):
    """5 nuclei were drawn in pos1 and 3 in pos2."""
    write_positions(tmp_path / "a.ome.tif")
    code, _ = run("predict", "otsu", tmp_path / "a.ome.tif", "--out", tmp_path / "r0")
    assert code == 2
    for number, (series, counts) in enumerate(
        {"all": {"a_pos1": 5, "a_pos2": 3}, "pos2": {"a": 3}, "0": {"a": 5}}.items(), 1
    ):
        out = ("--series", series, "--out", tmp_path / f"r{number}")
        code, document = run("predict", "otsu", tmp_path / "a.ome.tif", *out)
        assert (code, {r["name"]: r["nuclei"] for r in document["images"]}) == (0, counts)


def test_labels_of_positions_pair_with_their_images_by_number_and_by_name(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    write_positions(tmp_path / "images" / "a.ome.tif")
    with tifffile.TiffWriter(tmp_path / "labels" / "a.ome.tif", ome=True) as file:
        for count in (5, 3):
            file.write(draw(count)[1], metadata={"axes": "YX"})
    both = DataSet.open(tmp_path, options=InputOptions(series="all"))
    assert [int(s.label.pixels.max()) for s in both] == [5, 3]
    chosen = DataSet.open(tmp_path, options=InputOptions(series="pos2"))
    assert int(chosen[0].label.pixels.max()) == 3
    (tmp_path / "labels" / "a.ome.tif").unlink()
    io.write_label(tmp_path / "labels" / "a_pos2.tif", draw(3)[1])
    both = DataSet.open(tmp_path, options=InputOptions(series="all"))
    assert [s.label is None for s in both] == [True, False]


def test_a_copy_of_chosen_positions_holds_these_alone(tmp_path):
    write_positions(tmp_path / "a.ome.tif")
    for number, series in enumerate(("all", 1)):
        chosen = DataSet.open(tmp_path / "a.ome.tif", options=InputOptions(series=series))
        copy = DataSet.open(write_dataset(chosen, tmp_path / f"copy{number}"))
        assert copy.names == chosen.names
        for one, other in zip(copy, chosen, strict=True):
            np.testing.assert_array_equal(one.image.pixels, other.image.pixels)


def test_one_label_image_is_not_given_to_two_positions(tmp_path):
    (tmp_path / "images").mkdir()
    write_positions(tmp_path / "images" / "a.ome.tif")
    io.write_label(tmp_path / "labels" / "a.tif", draw(5)[1])
    both = DataSet.open(tmp_path, options=InputOptions(series="all"))
    assert [s.label for s in both] == [None, None]
    assert "a_pos1.tif" in both.notes[0]


def test_previews_and_pyramids_are_no_further_images(tmp_path):
    image = draw(5)[0]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(image, subifds=1)
        file.write(image[::2, ::2], subfiletype=1)
        file.write(image[::4, ::4], subfiletype=1)
    assert io.list_series(tmp_path / "a.tif") == ()
    np.testing.assert_array_equal(io.read_image(tmp_path / "a.tif").pixels, image)


def test_each_position_has_the_pixel_size_of_its_own(tmp_path):
    write_positions(tmp_path / "a.ome.tif")
    sizes = [io.read_image(tmp_path / "a.ome.tif", series=n).spacing_um for n in (0, 1)]
    assert sizes == [pytest.approx((0.2, 0.2)), pytest.approx((0.3, 0.3))]


# --- Zeiss


@pytest.mark.parametrize("name", ["scenes.czi", "scenes_zstd.czi"])
def test_a_scene_is_made_of_its_own_sub_blocks(name):
    """Of 192 ramp values (sum 18,336) each plane adds 1000 a scene, 100 a channel, 10 a plane."""
    pytest.importorskip("czifile")
    if "zstd" in name:
        pytest.importorskip("imagecodecs")
    assert io.list_series(GOLDEN / name) == ("scene0", "scene1", "scene2")
    for scene in range(3):
        image = io.read_image(GOLDEN / name, series=scene)
        assert (image.axes, image.shape) == ("CZYX", (2, 2, 12, 16))
        assert image.spacing_um == pytest.approx((0.5, 0.2, 0.2))
        first = 1000 * scene + np.array([[0, 10], [100, 110]])
        np.testing.assert_array_equal(image.pixels[..., 0, 0], first)
        np.testing.assert_array_equal(image.pixels.sum((2, 3)), 18336 + 192 * first)


def test_colours_of_zeiss_are_red_green_blue_and_no_scenes():
    pytest.importorskip("czifile")
    image = io.read_image(GOLDEN / "colour.czi")
    assert (image.axes, image.is_rgb) == ("YXC", True)
    np.testing.assert_array_equal(image.pixels[0, 0], [10, 50, 200])


def test_pixels_that_nobody_wrote_are_0_and_said():
    """The lower right of four tiles is missing."""
    pytest.importorskip("czifile")
    found = io.open_image(GOLDEN / "gap.czi")
    assert found.guesses == ("gaps",)
    assert (found.image.pixels[12:, 16:] == 0).all()
    assert (found.image.pixels > 0).sum() == 3 * 192
    findings = checks.check(GOLDEN / "gap.czi", checks.Requirements(needs="nothing"))
    assert "gaps" in {f.code for f in findings}


def test_predict_says_that_pixels_were_never_written(tmp_path):
    pytest.importorskip("czifile")
    _, document = run("predict", "otsu", GOLDEN / "gap.czi", "--out", tmp_path / "r")
    assert "never written" in str(document["warnings"])


def test_a_scene_that_lacks_a_plane_is_refused():
    pytest.importorskip("czifile")
    with pytest.raises(UserError, match="lacks 1 of 4 planes"):
        io.read_image(GOLDEN / "lost_plane.czi")


# --- pixel types and compressions


def write_png_16(path, pixels):
    """A PNG of 16 bit, grey with transparency or colours, by the specification."""
    kind = {2: 4, 3: 2}[pixels.shape[-1]]
    rows = [b"\0" + row.astype(">u2").tobytes() for row in pixels]
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, kind, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    parts = {b"IHDR": head, b"IDAT": zlib.compress(b"".join(rows)), b"IEND": b""}
    for name, data in parts.items():
        content += struct.pack(">I", len(data)) + name + data
        content += struct.pack(">I", zlib.crc32(name + data))
    path.write_bytes(content)


RAMP = np.linspace(0, 65535, 20 * 30).reshape(20, 30).astype(np.uint16)


@pytest.mark.parametrize("samples", [2, 3])
def test_png_of_16_bit_keeps_its_numbers(tmp_path, samples):
    pytest.importorskip("imagecodecs")
    pixels = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]][:samples], -1)
    write_png_16(tmp_path / "a.png", pixels)
    image = io.read_image(tmp_path / "a.png")
    expected = pixels[..., 0] if samples == 2 else pixels  # transparency is dropped
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.pixels, expected)


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_png_of_few_bits_keeps_its_numbers(tmp_path, bits):
    """Labels 0 to 3 must not become 0, 85, 170 and 255."""
    pixels = np.arange(4, dtype=np.uint8).repeat(4).reshape(4, 4)
    rows = [
        b"\0" + bytes(int("".join(f"{v:0{bits}b}" for v in part), 2) for part in parts)
        for parts in (row.reshape(-1, 8 // bits) for row in pixels)
    ]
    content = b"\x89PNG\r\n\x1a\n"
    head = struct.pack(">IIBBBBB", 4, 4, bits, 0, 0, 0, 0)
    for name, data in ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + name + data
        content += struct.pack(">I", zlib.crc32(name + data))
    (tmp_path / "a.png").write_bytes(content)
    np.testing.assert_array_equal(io.read_image(tmp_path / "a.png").pixels, pixels)


TYPES = {
    "int8": np.arange(-100, 100).astype(np.int8).reshape(10, 20),
    "uint32": np.linspace(0, 3e9, 200).astype(np.uint32).reshape(10, 20),
    "float64": np.linspace(-1, 1, 200).reshape(10, 20),
    "uint16": np.linspace(0, 65535, 200).astype(np.uint16).reshape(10, 20),
    "colours": np.stack([RAMP] * 3, -1),
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("how", ["lzw", "zstd", "jpeg2000"])
def test_a_compressed_tiff_has_the_pixels_of_a_plain_one(tmp_path, kind, how):
    pytest.importorskip("imagecodecs")
    if how == "jpeg2000" and kind not in ("uint16", "colours"):
        pytest.skip("JPEG 2000 holds other types")
    options = {"compressionargs": {"level": 0, "reversible": True}} if how == "jpeg2000" else {}
    tifffile.imwrite(tmp_path / "a.tif", TYPES[kind], compression=how, **options)
    image = io.read_image(tmp_path / "a.tif")
    assert image.pixels.dtype == TYPES[kind].dtype
    np.testing.assert_array_equal(image.pixels, TYPES[kind])


@pytest.fixture
def bare(monkeypatch):
    """A Python without imagecodecs; what tifffile does there is raised in its place."""

    def fail(self, **_):
        raise ValueError(f"{self.keyframe.compression!r} requires the 'imagecodecs' package")

    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", fail)


@pytest.mark.parametrize("kind", TYPES)
def test_without_decoders_the_same_pixels_come_or_the_package_is_named(
    tmp_path, monkeypatch, kind, request
):
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(tmp_path / "a.tif", TYPES[kind], compression="lzw")
    request.getfixturevalue("bare")
    if kind == "uint16":  # which Pillow reads as it is
        np.testing.assert_array_equal(io.read_image(tmp_path / "a.tif").pixels, TYPES[kind])
        return
    with pytest.raises(UserError, match=r"compression LZW.*pip install imagecodecs"):
        io.read_image(tmp_path / "a.tif")


def test_without_decoders_a_16_bit_png_of_colours_is_refused(tmp_path, monkeypatch):
    write_png_16(tmp_path / "a.png", np.stack([RAMP] * 3, -1))
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(UserError, match="needs the package imagecodecs.*pip install"):
        io.read_image(tmp_path / "a.png")


def test_without_decoders_the_second_series_of_an_lzw_file_is_its_own(tmp_path, request):
    pytest.importorskip("imagecodecs")
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(draw(5)[0], compression="lzw")
        file.write(draw(3)[0][:40], compression="lzw")
    request.getfixturevalue("bare")
    for number, expected in enumerate((draw(5)[0], draw(3)[0][:40])):
        found = io.read_image(tmp_path / "a.tif", series=number)
        np.testing.assert_array_equal(found.pixels, expected)


def test_pillow_is_not_asked_for_what_it_changes(tmp_path):
    """It inverts where 0 is white, and turns by the orientation."""
    pixels = RAMP.astype(np.uint8)
    for name, options in (
        ("white", {"photometric": "miniswhite"}),
        ("turned", {"extratags": [(274, 3, 1, 6, True)]}),
    ):
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, **options)
        with tifffile.TiffFile(tmp_path / f"{name}.tif") as file:
            assert not tiff_pixels.is_exact_in_pillow(file.series[0])


@pytest.mark.parametrize(
    ("name", "helps"),
    [
        ("a.vsi", "Fiji"),
        ("a.oib", "Fiji"),
        ("a.ims", "Imaris"),
        ("a.zvi", "ZEN"),
        ("a.mrc", "mrc2tif"),
        ("a.nd", r"\.stk files"),
        ("a.sld", "SlideBook"),
        ("a.tdms", "npTDMS"),
        ("a.npy", "Image"),
        ("a.h5", "ilastik"),
    ],
)
def test_a_format_that_is_not_read_is_named_with_what_helps(tmp_path, name, helps):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match=helps):
        io.read_image(tmp_path / name)
    assert helps.replace("\\", "") in DataSet.open(tmp_path).notes[0]


@pytest.mark.parametrize("suffix", [".svs", ".qptiff", ".scn", ".lsm", ".btf"])
def test_a_tiff_under_the_name_of_a_scanner_is_read(tmp_path, suffix):
    tifffile.imwrite(tmp_path / "a.tif", RAMP)
    (tmp_path / "a.tif").rename(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(io.read_image(tmp_path / f"a{suffix}").pixels, RAMP)


def test_microns_per_pixel_of_aperio_are_read(tmp_path):
    colours = np.zeros((40, 50, 3), np.uint8)
    text = "Aperio Image Library v1\n50x40 |AppMag = 20|MPP = 0.4990"
    tifffile.imwrite(tmp_path / "a.svs", colours, description=text, tile=(16, 16), metadata=None)
    assert io.read_image(tmp_path / "a.svs").spacing_um == pytest.approx((0.499, 0.499))


def test_a_jpeg_stays_a_jpeg(tmp_path):
    Picture.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / "a.jpg")
    assert io.read_image(tmp_path / "a.jpg").is_rgb
