"""OME-Zarr wherever a file is: versions 0.1 to 0.5, labels inside, plates, lost chunks.

Folders are made by the package zarr with the metadata that the specifications show.
"""

import json
import shutil

import numpy as np
import pytest
from test_cases_files import draw, run

from nbtools import io
from nbtools.data import DataSet, InputOptions
from nbtools.errors import UserError
from nbtools.image import Image

zarr = pytest.importorskip("zarr")

IMAGE, LABEL = draw(5)
STACK = np.stack([IMAGE + z for z in range(6)])
MICROMETRE = {"type": "space", "unit": "micrometer"}
SCALE = [{"type": "scale", "scale": [0.2, 0.2]}]
AXES = [{"name": a, **MICROMETRE} for a in "yx"]


def write_group(path, arrays, attributes, *, zarr_format=2, chunks=None):
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    for name, pixels in arrays.items():
        size = chunks or pixels.shape
        array = group.create_array(name, shape=pixels.shape, dtype=pixels.dtype, chunks=size)
        array[...] = pixels
    group.attrs.update(attributes)
    return group


def describe(axes=AXES, version="0.4", scale=SCALE):
    level = {"path": "0"} | ({"coordinateTransformations": scale} if scale else {})
    about = {"datasets": [level]} | ({"axes": axes} if axes else {})
    return {"multiscales": [about | {"version": version}]}


FIVE = IMAGE[None, None, None]
VERSIONS = {
    "0.1": (FIVE, describe(None, "0.1", None), 2),
    "0.2": (FIVE, describe(None, "0.2", None), 2),
    "0.3": (IMAGE, describe(["y", "x"], "0.3", None), 2),
    "0.4": (IMAGE, describe(), 2),
    "0.5": (IMAGE, {"ome": describe() | {"version": "0.5"}}, 3),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read(tmp_path, version):
    pixels, about, zarr_format = VERSIONS[version]
    write_group(tmp_path / "a.ome.zarr", {"0": pixels}, about, zarr_format=zarr_format)
    image = io.read_image(tmp_path / "a.ome.zarr")
    assert "".join(a for a in image.axes if image.size(a) > 1) == "YX"
    np.testing.assert_array_equal(image.to("YX").pixels, IMAGE)
    known = version in ("0.4", "0.5")
    assert image.to("YX").spacing_um == (pytest.approx((0.2, 0.2)) if known else None)


def test_units_of_each_axis_count(tmp_path):
    axes = [{"name": "z", "type": "space", "unit": "nanometer"}, *AXES]
    scale = [{"type": "scale", "scale": [500, 0.2, 0.2]}]
    write_group(tmp_path / "a.zarr", {"0": STACK}, describe(axes, scale=scale))
    assert io.read_image(tmp_path / "a.zarr").spacing_um == pytest.approx((0.5, 0.2, 0.2))


def write_labelled(path):
    group = write_group(path, {"0": IMAGE}, describe())
    inner = group.create_group("labels/nuclei")
    array = inner.create_array("0", shape=LABEL.shape, dtype=LABEL.dtype, chunks=LABEL.shape)
    array[...] = LABEL
    inner.attrs.update(describe())
    group["labels"].attrs["labels"] = ["nuclei"]


def test_predict_and_measure_take_the_folder_of_an_image(tmp_path):
    """Five nuclei were drawn."""
    write_labelled(tmp_path / "a.ome.zarr")
    out = tmp_path / "r"
    code, document = run("predict", "otsu", tmp_path / "a.ome.zarr", "--out", out)
    assert (code, document["images"][0]["nuclei"], document["images"][0]["name"]) == (0, 5, "a")
    for number, labels in enumerate(("a.ome.zarr", "a.ome.zarr/labels/nuclei")):
        images = ("--images", tmp_path / "a.ome.zarr") if number else ()
        table = tmp_path / f"{number}.csv"
        code, document = run("measure", tmp_path / labels, *images, "--out", table)
        assert (code, document["nuclei"]) == (0, 5)
        assert {row["image"] for row in io.read_csv(table)} == {"a"}
    code, document = run("evaluate", out, tmp_path / "a.ome.zarr", "--task", "instances")
    assert (code, document["missing"]) == (0, [])
    assert document["mean_ap"] > 0.9
    code, document = run("check", tmp_path / "a.ome.zarr")
    assert (code, document["ok"]) == (0, True)


def test_labels_inside_an_image_are_its_labels_unless_there_are_others(tmp_path):
    write_labelled(tmp_path / "set" / "images" / "a.ome.zarr")
    assert DataSet.open(tmp_path / "set")[0].label.pixels.max() == 5
    io.write_label(tmp_path / "set" / "labels" / "a.tif", draw(3)[1])
    assert DataSet.open(tmp_path / "set")[0].label.pixels.max() == 3


def test_a_folder_of_label_images_in_zarr_is_measured(tmp_path):
    write_labelled(tmp_path / "images" / "a.ome.zarr")
    shutil.copytree(tmp_path / "images/a.ome.zarr/labels/nuclei", tmp_path / "labels/a.ome.zarr")
    words = (tmp_path / "labels", "--images", tmp_path / "images", "--out", tmp_path / "n.csv")
    code, document = run("measure", *words)
    assert (code, document["nuclei"], document["missing"]) == (0, 5, [])


def write_bioformats2raw(path):
    write_group(path, {}, {"bioformats2raw.layout": 3})
    for number in (0, 1):
        pixels = draw(5 - 2 * number)[0]
        write_group(
            path / str(number), {"0": pixels[None, None, None]}, describe(None, "0.2", None)
        )


def test_one_image_of_bioformats2raw_is_named_by_its_folder(tmp_path):
    write_bioformats2raw(tmp_path / "a.zarr")
    image = io.read_image(tmp_path / "a.zarr" / "1")
    assert (image.name, image.to("YX").shape) == ("a_1", IMAGE.shape)
    np.testing.assert_array_equal(image.to("YX").pixels, draw(3)[0])
    with pytest.raises(UserError, match="with 2 images: 0, 1"):
        io.read_image(tmp_path / "a.zarr")
    code, _ = run("predict", "otsu", tmp_path / "a.zarr" / "1", "--out", tmp_path / "r")
    assert code == 0
    assert (tmp_path / "r" / "a_1.tif").is_file()


def test_wells_and_fields_of_a_plate_are_images_of_their_own(tmp_path):
    path = tmp_path / "plate.zarr"
    write_group(path, {}, {"plate": {"wells": [{"path": "A/1"}, {"path": "B/2"}]}})
    for count, well in enumerate(("A/1", "B/2"), 2):
        fields = {"images": [{"path": "0"}, {"path": "1"}]}
        write_group(path / well, {}, {"well": fields})
        for field in ("0", "1"):
            write_group(path / well / field, {"0": draw(count)[0]}, describe())
    assert io.list_series(path) == ("A_1_0", "A_1_1", "B_2_0", "B_2_1")
    np.testing.assert_array_equal(io.read_image(path, series="B/2/0").pixels, draw(3)[0])
    names = DataSet.open(path, options=InputOptions(series="all")).names
    assert names == ["plate_A_1_0", "plate_A_1_1", "plate_B_2_0", "plate_B_2_1"]


def test_a_level_alone_and_a_group_without_images_say_what_to_name(tmp_path):
    write_labelled(tmp_path / "a.zarr")
    with pytest.raises(UserError, match=r"Give .*a\.zarr\."):
        io.read_image(tmp_path / "a.zarr" / "0")
    write_group(tmp_path / "b.zarr", {}, {})
    with pytest.raises(UserError, match="without multiscales"):
        io.read_image(tmp_path / "b.zarr")


@pytest.mark.parametrize("text", ["{", "[]", '{"multiscales": 3}', '{"plate": {"wells": [1]}}'])
def test_a_broken_description_is_one_message(tmp_path, text):
    write_labelled(tmp_path / "images" / "a.zarr")
    (tmp_path / "images" / "a.zarr" / ".zattrs").write_text(text)
    dataset = DataSet.open(tmp_path)
    for options in (InputOptions(), InputOptions(series="all")):
        assert DataSet.open(tmp_path, options=options).names == ["a"]
    with pytest.raises(UserError):
        dataset.image(0)


def test_a_path_in_metadata_does_not_lead_out_of_the_folder(tmp_path):
    write_labelled(tmp_path / "other.zarr")
    plate = {"plate": {"wells": [{"path": "../other.zarr"}]}}
    write_group(tmp_path / "a.zarr", {}, plate)
    with pytest.raises(UserError, match="must describe its image"):
        io.read_image(tmp_path / "a.zarr")


# --- chunks


def write_stack(path, pixels, zarr_format=2):
    axes = [{"name": a, **MICROMETRE} for a in "zyx"]
    scale = [{"type": "scale", "scale": [1, 0.2, 0.2]}]
    about = describe(axes, scale=scale)
    about = {"ome": about} if zarr_format == 3 else about
    write_group(path, {"0": pixels}, about, zarr_format=zarr_format, chunks=(1, 64, 80))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_chunk_lost_in_copying_is_no_black_plane(tmp_path, zarr_format):
    write_stack(tmp_path / "a.zarr", STACK, zarr_format)
    np.testing.assert_array_equal(io.read_image(tmp_path / "a.zarr").pixels, STACK)
    chunk = tmp_path / "a.zarr" / "0" / ("3.0.0" if zarr_format == 2 else "c/3/0/0")
    chunk.unlink()
    with pytest.raises(UserError, match="lacks 1 of 6 chunks"):
        io.read_image(tmp_path / "a.zarr")
    code, document = run("check", tmp_path / "a.zarr")
    assert (code, document["findings"][0]["code"]) == (1, "unreadable")


def test_empty_planes_that_were_never_written_are_black(tmp_path):
    """Zarr leaves out chunks of zeros alone; the others hold zeros, too."""
    masked = STACK * (LABEL > 0)
    masked[2] = 0
    write_stack(tmp_path / "a.zarr", masked)
    assert not (tmp_path / "a.zarr" / "0" / "2.0.0").exists()
    np.testing.assert_array_equal(io.read_image(tmp_path / "a.zarr").pixels, masked)


def test_a_lost_plane_of_labels_is_seen_by_the_nuclei_on_both_sides(tmp_path):
    label = np.stack([LABEL] * 6)
    write_stack(tmp_path / "a.zarr", label)
    (tmp_path / "a.zarr" / "0" / "3.0.0").unlink()
    with pytest.raises(UserError, match="lacks 1 of 6 chunks"):
        io.read_label(tmp_path / "a.zarr")
    label[3:] = 0
    write_stack(tmp_path / "b.zarr", label)
    np.testing.assert_array_equal(io.read_label(tmp_path / "b.zarr").pixels, label)


def test_a_lost_chunk_is_seen_in_a_coarser_resolution(tmp_path):
    masked = np.zeros((128, 128), np.uint16)
    masked[8:50, 8:50] = masked[70:120, 70:120] = 500
    about = describe()
    about["multiscales"][0]["datasets"].append({"path": "1"})
    group = write_group(tmp_path / "a.zarr", {"0": masked}, about, chunks=(64, 64))
    coarse = group.create_array("1", shape=(64, 64), dtype=np.uint16, chunks=(64, 64))
    coarse[...] = masked[::2, ::2]
    np.testing.assert_array_equal(io.read_image(tmp_path / "a.zarr").pixels, masked)
    (tmp_path / "a.zarr" / "0" / "1.1").unlink()
    with pytest.raises(UserError, match="lacks 3 of 4 chunks"):
        io.read_image(tmp_path / "a.zarr")


def test_what_was_written_here_holds_every_chunk(tmp_path):
    io.write_label(tmp_path / "a.ome.zarr", Image(np.zeros((4, 8, 9), np.uint16), "ZYX"))
    assert io.read_label(tmp_path / "a.ome.zarr").pixels.max() == 0
    chunks = [p for p in (tmp_path / "a.ome.zarr" / "0" / "c").rglob("*") if p.is_file()]
    assert len(chunks) == 4
    chunks[0].unlink()
    with pytest.raises(UserError, match="lacks 1 of 4 chunks"):
        io.read_label(tmp_path / "a.ome.zarr")


def test_a_chunk_cut_short_is_damage(tmp_path):
    write_stack(tmp_path / "a.zarr", STACK)
    chunk = tmp_path / "a.zarr" / "0" / "3.0.0"
    chunk.write_bytes(chunk.read_bytes()[:40])
    with pytest.raises(UserError, match="whole and readable"):
        io.read_image(tmp_path / "a.zarr")


def test_a_plain_array_is_read_as_an_image_without_names(tmp_path):
    array = zarr.create_array(str(tmp_path / "a.zarr"), shape=STACK.shape, dtype=STACK.dtype)
    array[...] = STACK
    found = io.open_image(tmp_path / "a.zarr")
    assert (found.image.axes, found.guesses) == ("ZYX", ("axes",))
    about = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())
    assert about["node_type"] == "array"
