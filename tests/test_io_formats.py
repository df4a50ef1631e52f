"""Microscopes' files, OME-Zarr, and labels that are drawn, listed or encoded."""

import json
import sys
import zipfile

import numpy as np
import pytest
import roifile
from microscope_files import write_czi, write_lif, write_nd2

from nbtools import export, io
from nbtools.data import DataSet, InputOptions, write_dataset
from nbtools.errors import UserError
from nbtools.image import RGB, Image

SPACING = {"Z": 0.5, "Y": 0.2, "X": 0.25}


def image_of(axes, dtype=np.uint16, seed=0):
    shape = [{"T": 3, "C": 2, "Z": 5, "Y": 12, "X": 14}[a] for a in axes]
    pixels = np.random.default_rng(seed).integers(0, 250, shape).astype(dtype)
    return Image(pixels, axes, tuple(SPACING[a] for a in axes if a in SPACING), name="a")


def draw_labels():
    """Three nuclei: a disc, a square that touches it, and one with a corner cut off."""
    rows, columns = np.ogrid[:60, :70]
    label = np.zeros((60, 70), np.uint16)
    label[(rows - 20) ** 2 + (columns - 20) ** 2 < 100] = 1
    label[15:30, 30:45] = 2
    label[40:55, 10:40] = 3
    label[40:46, 10:20] = 0
    return Image(label, "YX", (0.5, 0.5), name="a")


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def test_zarr_keeps_colours_channel_names_and_ratios(tmp_path, rng):
    pytest.importorskip("zarr")
    colour = Image(rng.integers(0, 200, (9, 8, 3)).astype(np.uint8), "YXC", channels=RGB)
    several = Image(
        colour.pixels.transpose(2, 0, 1),
        "CYX",
        (2.5, 1),
        "pixel",
        channels=("DNA", "actin", "lamin"),
    )
    for image in (colour, several):
        io.write_image(tmp_path / "a.zarr", image)
        found = io.read_image(tmp_path / "a.zarr")
        assert (found.axes, found.channels, found.spacing, found.unit) == (
            image.axes,
            image.channels,
            image.spacing,
            image.unit,
        )
        np.testing.assert_array_equal(found.pixels, image.pixels)


def test_zarr_of_other_programs_is_read_with_its_scale(tmp_path, rng):
    """NGFF 0.4 as ome-zarr and bioformats2raw write it: Zarr 2, attributes at the top, scale in
    nanometres.
    """
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(tmp_path / "b.zarr"), mode="w", zarr_format=2)
    pixels = rng.integers(0, 99, (2, 4, 8, 8)).astype(np.uint16)
    group.create_array("s0", shape=pixels.shape, dtype=pixels.dtype)[...] = pixels
    axes = [
        {"name": "c", "type": "channel"},
        *({"name": a, "type": "space", "unit": "nanometer"} for a in "zyx"),
    ]
    scale = [{"type": "scale", "scale": [1, 500, 100, 100]}]
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": axes,
            "datasets": [{"path": "s0", "coordinateTransformations": scale}],
        }
    ]
    found = io.read_image(tmp_path / "b.zarr")
    assert (found.axes, found.spacing_um) == ("CZYX", pytest.approx((0.5, 0.1, 0.1)))
    np.testing.assert_array_equal(found.pixels, pixels)


def test_a_set_of_zarr_images_opens_and_copies(tmp_path):
    pytest.importorskip("zarr")
    io.write_image(tmp_path / "set" / "images" / "a.ome.zarr", image_of("YX"))
    io.write_label(tmp_path / "set" / "labels" / "a.ome.zarr", image_of("YX"))
    dataset = DataSet.open(write_dataset(DataSet.open(tmp_path / "set"), tmp_path / "copy"))
    assert (dataset.names, dataset.notes) == (["a"], [])
    np.testing.assert_array_equal(dataset[0].label.pixels, image_of("YX").pixels)
    assert len(dataset.files()) > 2
    assert all(p.is_file() for p in dataset.files())


@pytest.mark.parametrize(
    ("name", "package"),
    [("a.czi", "czifile"), ("a.nd2", "nd2"), ("a.lif", "liffile"), ("a.zarr", "zarr")],
)
def test_a_missing_package_is_named_with_the_way_to_get_it(tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).mkdir() if name.endswith("zarr") else (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match=rf"needs the package {package}.*pip install"):
        io.read_image(tmp_path / name)


PIXELS = np.arange(2 * 3 * 8 * 9, dtype=np.uint16).reshape(2, 3, 8, 9)  # C, Z, Y, X
SQUARE = {"Z": 0.5, "Y": 0.2, "X": 0.2}  # ND2 knows one size for both


@pytest.mark.parametrize(
    ("kind", "package"), [("nd2", "nd2"), ("lif", "liffile"), ("czi", "czifile")]
)
def test_files_of_microscopes_give_pixels_axes_and_spacing(tmp_path, kind, package):
    """Files made byte by byte, read by the real packages; no real file may be shipped here."""
    pytest.importorskip(package)
    write = {
        "nd2": write_nd2,
        "czi": write_czi,
        "lif": lambda path, pixels, spacing: write_lif(path, [pixels], spacing),
    }[kind]
    spacing = SQUARE if kind == "nd2" else SPACING
    write(tmp_path / f"a.{kind}", PIXELS, spacing)
    found = io.open_image(tmp_path / f"a.{kind}")
    image = found.image.to("CZYX")
    assert (set(found.image.axes), found.guesses, image.pixels.dtype) == (
        set("CZYX"),
        (),
        np.uint16,
    )
    np.testing.assert_array_equal(image.pixels, PIXELS)
    assert image.spacing_um == pytest.approx([spacing[a] for a in "ZYX"])
    assert kind != "nd2" or found.image.channels == ("DNA", "actin")


def test_the_first_of_several_images_is_taken_and_said(tmp_path):
    pytest.importorskip("liffile")
    write_lif(tmp_path / "a.lif", [PIXELS, PIXELS + 1], SPACING)
    found = io.open_image(tmp_path / "a.lif")
    assert found.guesses == ("series",)
    np.testing.assert_array_equal(found.image.pixels, PIXELS)


def test_a_microscope_that_was_not_calibrated_has_no_pixel_size(tmp_path):
    """The package says 1 µm where nobody has measured it."""
    pytest.importorskip("nd2")
    write_nd2(tmp_path / "a.nd2", PIXELS, None)
    found = io.open_image(tmp_path / "a.nd2")
    assert found.image.spacing is None


def test_a_compression_that_cannot_be_read_is_said_and_never_a_black_image(tmp_path):
    pytest.importorskip("czifile")
    write_czi(tmp_path / "a.czi", PIXELS, SPACING, compression=9)
    with pytest.raises(UserError, match=r"compression.*in .*a.czi.*without compression"):
        io.read_image(tmp_path / "a.czi")


@pytest.mark.parametrize(
    ("kind", "package"), [("nd2", "nd2"), ("lif", "liffile"), ("czi", "czifile")]
)
def test_files_of_microscopes_are_images_of_a_data_set(tmp_path, kind, package):
    pytest.importorskip(package)
    write = {
        "nd2": write_nd2,
        "czi": write_czi,
        "lif": lambda path, pixels, spacing: write_lif(path, [pixels], spacing),
    }[kind]
    (tmp_path / "images").mkdir()
    write(tmp_path / "images" / f"a.{kind}", PIXELS, SQUARE)
    io.write_label(tmp_path / "labels" / "a.tif", Image(PIXELS[0], "ZYX"))
    sample = DataSet.open(tmp_path, options=InputOptions(channel=1))[0]
    assert (sample.image.axes, sample.label.spacing_um) == ("ZYX", pytest.approx((0.5, 0.2, 0.2)))
    np.testing.assert_array_equal(sample.image.pixels, PIXELS[1])


@pytest.mark.parametrize("kind", ["czi", "nd2", "lif"])
def test_a_broken_file_of_a_microscope_is_one_message(tmp_path, kind):
    pytest.importorskip({"czi": "czifile", "nd2": "nd2", "lif": "liffile"}[kind])
    (tmp_path / f"a.{kind}").write_bytes(b"nothing of the kind" * 9)
    with pytest.raises(UserError, match="whole and readable"):
        io.read_image(tmp_path / f"a.{kind}")


def test_fiji_outlines_come_back_as_labels(tmp_path):
    label = draw_labels()
    export.rois(label, tmp_path / "a.zip")
    found = io.read_rois(tmp_path / "a.zip", label.shape)
    for n in (1, 2, 3):
        assert overlap(found == n, label.pixels == n) > 0.99


def test_outlines_of_a_volume_keep_their_nuclei(tmp_path):
    label = Image(np.stack([draw_labels().pixels] * 3), "ZYX")
    export.rois(label, tmp_path / "a.zip")
    found = io.read_rois(tmp_path / "a.zip", label.shape)
    assert overlap(found == 2, label.pixels == 2) > 0.99
    assert found.max() == 3


def test_rectangles_and_ovals_are_filled(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, kind in (("r", roifile.ROI_TYPE.RECT), ("o", roifile.ROI_TYPE.OVAL)):
            left = 5 if name == "r" else 40
            roi = roifile.ImagejRoi(
                roitype=kind, top=10, left=left, bottom=30, right=left + 20, name=name
            )
            archive.writestr(f"{name}.roi", roi.tobytes())
    found = io.read_rois(tmp_path / "a.zip", (60, 70))
    assert (found == 1).sum() == 400
    assert (found == 2).sum() == pytest.approx(np.pi * 100, rel=0.03)


def square(y, x, size):
    return [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]


def write_geojson(path):
    parts = [[square(40, 5, 4)], [square(40, 20, 4)]]
    ring = [square(10, 5, 20), square(15, 10, 5)]
    features = [
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": ring}},
        {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": parts}},
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def test_qupath_outlines_with_holes_and_parts_are_filled(tmp_path):
    write_geojson(tmp_path / "a.geojson")
    found = io.read_rois(tmp_path / "a.geojson", (60, 70))
    assert ((found == 1).sum(), (found == 2).sum()) == (400 - 25, 32)
    assert found[17, 12] == 0


def write_coco(path):
    polygon = np.ravel(square(10, 5, 20)).tolist()
    images = [{"id": 7, "file_name": "a.tif"}, {"id": 8, "file_name": "b.tif"}]
    path.write_text(
        json.dumps({"images": images, "annotations": [{"image_id": 8, "segmentation": [polygon]}]})
    )


def test_one_coco_file_labels_many_images(tmp_path):
    for name in "ab":
        io.write_image(
            tmp_path / "images" / f"{name}.tif",
            Image(np.zeros((60, 70), np.uint8), "YX", (0.5, 0.5)),
        )
    (tmp_path / "labels").mkdir()
    write_coco(tmp_path / "labels" / "instances.json")
    dataset = DataSet.open(tmp_path)
    assert [(s.label.pixels > 0).sum() for s in dataset] == [0, 400]
    assert dataset[1].label.spacing_um == (0.5, 0.5)


def test_run_lengths_of_the_data_science_bowl_are_decoded(tmp_path):
    """By hand: runs go down the columns from 1; pixels 2, 3 and 7 of an image of four rows are (1,
    0), (2, 0) and (2, 1).
    """
    io.write_image(tmp_path / "images" / "a.png", Image(np.zeros((4, 3), np.uint8), "YX"))
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "stage1.csv").write_text(
        "ImageId,EncodedPixels\na,2 2 7 1\nother,1 1\na,12 1\n"
    )
    np.testing.assert_array_equal(
        DataSet.open(tmp_path)[0].label.pixels, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 2]]
    )


def test_masks_of_cellpose_pair_and_its_pickles_are_refused(tmp_path):
    label = draw_labels()
    for name in "ab":
        io.write_image(tmp_path / "images" / f"{name}.tif", label)
    io.write_label(tmp_path / "labels" / "a_cp_masks.tif", label)
    np.save(tmp_path / "labels" / "b_seg.npy", {"masks": label.pixels}, allow_pickle=True)
    dataset = DataSet.open(tmp_path)
    np.testing.assert_array_equal(dataset[0].label.pixels, label.pixels)
    with pytest.raises(UserError, match=r"never read from pickles.*Save masks"):
        dataset[1]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.zip", b"PK"),
        ("a.roi", b"Iout"),
        ("a.geojson", b"{"),
        ("a.json", b'{"annotations": 1}'),
        ("a.csv", b"x,y\n1,2\n"),
    ],
)
def test_broken_outlines_are_one_message(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError):
        io.read_rois(tmp_path / name, (9, 9))
