"""Labels for other programs: what is written reads back equal, holes and touching nuclei too."""

import json

import numpy as np
import pytest
import roifile

from nbtools import cli, export, io, tasks
from nbtools.data import DataSet, InputOptions
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.results import Labels


def nested_labels():
    """A ring with a nucleus in its hole, two that touch, one in two parts."""
    label = np.zeros((40, 50), np.uint16)
    label[3:23, 3:23] = 1
    label[8:18, 8:18] = 0
    label[10:15, 10:15] = 2
    label[25:35, 5:15], label[25:35, 15:22] = 3, 4
    label[5:9, 30:34] = label[20:24, 40:48] = 5
    label[30, 40] = 6
    return label


@pytest.mark.parametrize("format", ["rois", "geojson", "coco", "nrrd", "nifti"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_what_is_exported_reads_back_equal(tmp_path, format, ndim):
    label = nested_labels()
    if ndim == 3:
        label = np.stack([label, np.roll(label, 2, axis=1), np.where(label == 3, 7, 0)])
    image = Image(label, "ZYX"[-ndim:], (2.0, 0.5, 0.25)[-ndim:], name="a")
    suffix = export.LABEL_FORMATS[format][0]
    if format == "coco" and ndim == 3:
        with pytest.raises(UserError, match="COCO holds labels of planes"):
            export.write_labels({"a": lambda: image}, tmp_path / "a.json", format=format)
        return
    (path,) = export.write_labels({"a": lambda: image}, tmp_path / f"a{suffix}", format=format)
    if io.is_image(path):
        found = io.read_label(path)
        assert (found.axes, found.spacing) == (image.axes, image.spacing)
        np.testing.assert_array_equal(found.pixels, label)
    else:
        np.testing.assert_array_equal(io.read_rois(path, label.shape, name="a"), label)


def test_random_labels_come_back_from_outlines(tmp_path):
    rng = np.random.default_rng(4)
    for _ in range(10):
        label = np.kron(rng.integers(0, 5, (7, 8)), np.ones((2, 2), int)).astype(np.uint16)
        label[rng.random(label.shape) < 0.2] = 0
        image = Image(label, "YX")
        for format, (suffix, _) in list(export.LABEL_FORMATS.items())[:3]:
            path = tmp_path / f"a{suffix}"
            export.write_labels({"a": lambda image=image: image}, path, format=format)
            found = io.read_rois(path, label.shape, name="a")
            np.testing.assert_array_equal(found > 0, label > 0)
            assert len(np.unique(found * 10 + label)) == len(np.unique(label))


def test_fiji_reads_our_holes_as_a_composite_roi(tmp_path):
    export.rois(Image(nested_labels(), "YX"), tmp_path / "r.zip")
    ring = next(r for r in roifile.roiread(tmp_path / "r.zip") if r.name == "nucleus-0001")
    assert len(ring.coordinates(multi=True)) == 2


def test_export_on_the_command_line(tmp_path, capsys):
    for name in "ab":
        io.write_label(tmp_path / "set" / "labels" / f"{name}.tif", Image(nested_labels(), "YX"))
        io.write_image(tmp_path / "set" / "images" / f"{name}.tif", Image(nested_labels(), "YX"))
    out = tmp_path / "out"
    run = ["export", str(tmp_path / "set"), "--format", "nifti", "--out", str(out), "--json"]
    assert cli.main(run) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [io.read_label(f).pixels.max() for f in files] == [6, 6]


@pytest.mark.parametrize("axes", ["TYX", "TZYX"])
@pytest.mark.parametrize("time", [None, 1])
def test_outlines_of_a_movie_come_back_frame_by_frame(tmp_path, axes, time):
    planes = [np.roll(nested_labels(), 2 * t, axis=1) for t in range(3)]
    movie = np.stack(planes if axes == "TYX" else [[p, p] for p in planes]).astype(np.uint16)
    image = Image(movie, axes)
    io.write_image(tmp_path / "images" / "a.tif", image.replace(pixels=movie * 7 + 3))
    (tmp_path / "labels").mkdir()
    export.rois(image, tmp_path / "labels" / "a.zip")
    label = DataSet.open(tmp_path, options=InputOptions(time=time))[0].label
    np.testing.assert_array_equal(label.pixels, movie if time is None else movie[time])


def test_rois_of_a_movie_by_their_position_alone(tmp_path):
    """Position 2 of a stack of three frames is its second frame."""
    movie = np.full((3, 20, 20), 9, np.uint8)
    io.write_image(tmp_path / "images" / "a.tif", Image(movie, "TYX"))
    roi = roifile.ImagejRoi.frompoints(np.array([(2, 2), (8, 2), (8, 8), (2, 8)]), name="r")
    roi.roitype, roi.position = roifile.ROI_TYPE.POLYGON, 2
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.roi").write_bytes(roi.tobytes())
    label = DataSet.open(tmp_path)[0].label
    assert (label.axes, label.pixels.sum(axis=(1, 2)).tolist()) == ("TYX", [0, 36, 0])


def test_qupath_gets_the_class_and_the_scores_of_each_nucleus(tmp_path):
    """As a result keeps them, read by the command; a nucleus without a class has none."""
    label = np.zeros((20, 30), np.int32)
    label[2:8, 2:9], label[10:16, 4:12], label[3:9, 15:24] = 1, 2, 5
    image = Image(label, "YX", name="a")
    classes, sure = {1: "round", 5: "long"}, {1: 0.75, 5: 0.5}
    result = Labels(image, score={1: 0.9, 2: 0.8, 5: 0.7}, classes=classes, probability=sure)
    export.write_labels({"a": lambda: result}, tmp_path / "a.geojson", format="geojson")
    content = json.loads((tmp_path / "a.geojson").read_text())
    found = {one["properties"].pop("name"): one["properties"] for one in content["features"]}
    assert found["nucleus-0001"] == {
        "objectType": "detection",
        "classification": {"name": "round"},
        "measurements": {"score": 0.9, "probability of the class": 0.75},
    }
    assert found["nucleus-0002"] == {"objectType": "detection", "measurements": {"score": 0.8}}
    for format in ("coco", "nrrd"):  # which hold the labels alone
        suffix = export.LABEL_FORMATS[format][0]
        assert export.write_labels({"a": lambda: result}, tmp_path / f"b{suffix}", format=format)
    tasks.INSTANCES.write(result, image, folder=tmp_path / "result")
    words = ["export", str(tmp_path / "result"), "--format", "geojson", "--out"]
    assert cli.main([*words, str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again.geojson").read_text())
    kinds = [one["properties"].get("classification", {}).get("name") for one in again["features"]]
    assert kinds == ["round", None, "long"]
