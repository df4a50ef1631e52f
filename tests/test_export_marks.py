"""Points and boxes for other programs: each file is read by a reader that is not ours."""

import csv
import json
from xml.etree import ElementTree

import numpy as np
import pytest
import roifile

from nbtools import cli, export, io
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.results import Boxes, Grid, Points

PLANE = Grid("YX", (40, 50), (0.5, 0.25), name="a")
VOLUME = Grid("ZYX", (9, 40, 50), (2.0, 0.5, 0.25), name="a")


def some_points(grid=PLANE):
    places = np.array([[3.0, 4.25], [30.5, 8.0]])
    if len(grid.axes) == 3:
        places = np.column_stack([[2.0, 7.4], places])
    return Points(places, grid, np.array([0.9, 0.25]), ("lymphocyte", "tumour"))


def some_boxes(grid=PLANE):
    edges = np.array([[2.0, 3, 8, 13], [20, 30, 25, 45]])
    if len(grid.axes) == 3:
        edges = np.column_stack([edges, [1.0, 4], [4.0, 9]])
    return Boxes(edges, grid, np.array([0.9, 0.25]))


def write(found, tmp_path, format):
    path = tmp_path / f"a{export.MARK_FORMATS[format][0]}"
    return export.write_marks({"a": lambda: found}, path, format=format)[0]


def test_fiji_reads_a_multi_point_with_the_first_pixel_centre_at_a_half(tmp_path):
    roi = roifile.roiread(write(some_points(), tmp_path, "rois"))
    roi = roi[0] if isinstance(roi, list) else roi
    assert roi.roitype == roifile.ROI_TYPE.POINT
    np.testing.assert_allclose(roi.coordinates(), [[4.75, 3.5], [8.5, 31.0]])


def test_points_of_a_volume_lie_in_their_slices_in_fiji(tmp_path):
    roi = roifile.roiread(write(some_points(VOLUME), tmp_path, "rois"))
    roi = roi[0] if isinstance(roi, list) else roi
    assert list(roi.counter_positions) == [3, 8]


def test_points_of_a_movie_of_volumes_lie_in_their_slice_and_frame_in_fiji(tmp_path):
    places = np.array([[2.0, 3, 4], [-0.6, 8, 9], [2.2, 5, 6], [7.0, 1, 2]])
    movie = Points(places, VOLUME, frame=np.array([0, 1, 1, 1]))
    rois = roifile.roiread(write(movie, tmp_path, "rois"))
    assert [(r.t_position, r.z_position) for r in rois] == [(1, 3), (2, 1), (2, 3), (2, 8)]
    assert all(r.counter_positions is None for r in rois)  # these count through the whole stack
    np.testing.assert_allclose(rois[2].coordinates(), [[6.5, 5.5]])


def test_boxes_are_rectangles_in_fiji_with_the_same_edges(tmp_path):
    rois = roifile.roiread(write(some_boxes(), tmp_path, "rois"))
    assert [(r.top, r.left, r.bottom, r.right) for r in rois] == [(2, 3, 8, 13), (20, 30, 25, 45)]


def test_boxes_of_a_volume_lie_in_their_middle_slice(tmp_path):
    rois = roifile.roiread(write(some_boxes(VOLUME), tmp_path, "rois"))
    assert [r.position for r in rois] == [3, 7]  # [1, 4) and [4, 9), counted from 1


@pytest.mark.parametrize("format", ["rois", "geojson"])
@pytest.mark.parametrize("grid", [PLANE, VOLUME], ids=["2D", "3D"])
def test_points_for_fiji_and_qupath_come_back_as_centres(tmp_path, format, grid):
    path = write(some_points(grid), tmp_path, format)
    found = io.read_centres(path, grid.axes)
    wanted = some_points(grid).coordinates.copy()
    if len(grid.axes) == 3:
        wanted[:, 0] = [2, 7]  # these programs know whole slices only
    np.testing.assert_allclose(found, wanted)


def test_a_data_set_takes_points_set_in_fiji(tmp_path):
    io.write_image(tmp_path / "images" / "a.tif", Image(np.zeros((40, 50), np.uint8), "YX"))
    (tmp_path / "centres").mkdir()
    write(some_points(), tmp_path / "centres", "rois")
    np.testing.assert_allclose(DataSet.open(tmp_path)[0].centres, some_points().coordinates)


def test_outlines_are_no_centres(tmp_path):
    label = np.zeros((9, 9), np.uint8)
    label[2:5, 2:5] = 1
    export.rois(Image(label, "YX"), tmp_path / "a.zip")
    with pytest.raises(UserError, match="1 shapes that are no points"):
        io.read_centres(tmp_path / "a.zip", "YX")


def test_a_broken_file_of_points_is_refused(tmp_path):
    (tmp_path / "a.roi").write_bytes(b"Iout\x00\x01")
    with pytest.raises(UserError, match="whole and readable"):
        io.read_centres(tmp_path / "a.roi", "YX")


def test_qupath_gets_detections_with_class_and_score(tmp_path):
    content = json.loads(write(some_points(), tmp_path, "geojson").read_text())
    first = content["features"][0]
    assert first["properties"]["objectType"] == "detection"
    assert first["properties"]["classification"] == {"name": "lymphocyte"}
    assert first["properties"]["measurements"] == {"score": 0.9}
    assert first["geometry"] == {"type": "Point", "coordinates": [4.75, 3.5]}


def test_boxes_are_closed_rings_in_qupath(tmp_path):
    content = json.loads(write(some_boxes(), tmp_path, "geojson").read_text())
    ring = content["features"][0]["geometry"]["coordinates"][0]
    assert ring == [[3, 2], [13, 2], [13, 8], [3, 8], [3, 2]]


def test_trackmate_gets_spots_in_micrometres(tmp_path):
    model = ElementTree.parse(write(some_points(VOLUME), tmp_path, "trackmate")).find("Model")
    assert model.get("spatialunits") == "µm"
    spot = model.find("AllSpots/SpotsInFrame/Spot")
    place = [float(spot.get(f"POSITION_{axis}")) for axis in "ZYX"]
    assert place == [4.0, 1.5, 1.0625]  # 2 x 2.0, 3 x 0.5, 4.25 x 0.25 µm
    declared = {f.get("feature") for f in model.findall("FeatureDeclarations/SpotFeatures/Feature")}
    assert declared <= set(spot.keys())


def test_spots_of_a_movie_stand_in_their_frames(tmp_path):
    one = some_points()
    movie = Points(one.coordinates, PLANE, frame=np.array([0, 2]))
    root = ElementTree.parse(write(movie, tmp_path, "trackmate"))
    frames = [f.get("frame") for f in root.iter("SpotsInFrame")]
    assert frames == ["0", "2"]


def test_the_middle_of_a_box_is_its_spot(tmp_path):
    root = ElementTree.parse(write(some_boxes(Grid("YX", (40, 50))), tmp_path, "trackmate"))
    spot = next(root.iter("Spot"))
    # rows 2 … 7 and columns 3 … 12 of pixels
    assert (float(spot.get("POSITION_Y")), float(spot.get("POSITION_X"))) == (4.5, 7.5)


def test_napari_reads_points_and_shapes(tmp_path):
    points = list(csv.DictReader(write(some_points(), tmp_path, "napari").open()))
    assert (points[0]["index"], points[0]["axis-0"], points[0]["axis-1"]) == ("0", "3.0", "4.25")
    shapes = list(csv.DictReader(write(some_boxes(), tmp_path, "napari").open()))
    assert [s["shape-type"] for s in shapes] == ["rectangle"] * 8
    assert (float(shapes[0]["axis-0"]), float(shapes[0]["axis-1"])) == (1.5, 2.5)


def test_coco_boxes_come_back(tmp_path):
    path = write(some_boxes(), tmp_path, "coco")
    found, _ = io.read_boxes(path, 2, name="a.tif")
    np.testing.assert_array_equal(found, some_boxes().edges)


def test_coco_refuses_points(tmp_path):
    with pytest.raises(UserError, match="COCO holds boxes"):
        write(some_points(), tmp_path, "coco")


def test_no_point_at_all_is_an_empty_file(tmp_path):
    none = Points(np.zeros((0, 2)), PLANE)
    for format in ("rois", "geojson", "trackmate", "napari"):
        assert write(none, tmp_path, format).is_file()


@pytest.mark.parametrize("format", ["rois", "trackmate"])
def test_points_are_exported_on_the_command_line(tmp_path, capsys, format):
    for name in "ab":
        io.write_csv(tmp_path / "found" / f"{name}.csv", {"y": [1.0], "x": [2.0], "score": [0.5]})
    out = tmp_path / "out"
    run = ["export", str(tmp_path / "found"), "--format", format, "--out", str(out), "--json"]
    assert cli.main(run) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert len(files) == 2


def test_points_are_not_written_as_volumes_of_labels(tmp_path, capsys):
    io.write_csv(tmp_path / "a.csv", {"y": [1.0], "x": [2.0]})
    run = ["export", str(tmp_path / "a.csv"), "--format", "nrrd", "--out", str(tmp_path / "o")]
    assert cli.main(run) == 2
    assert "It goes as rois, geojson" in capsys.readouterr().err


def test_points_of_all_images_become_one_table(tmp_path):
    io.write_csv(tmp_path / "found" / "a.csv", {"y": [1.5], "x": [2.0], "score": [0.5]})
    io.write_csv(tmp_path / "found" / "b.csv", {"y": [3.0], "x": [4.0], "class": ["red"]})
    out = tmp_path / "all.csv"
    assert cli.main(["export", str(tmp_path / "found"), "--format", "csv", "--out", str(out)]) == 0
    assert out.read_text().splitlines() == [
        "image;y;x;score;class",
        "a;1,5;2,0;0,5;",
        "b;3,0;4,0;;red",
    ]


def test_classes_of_images_are_a_table_too(tmp_path):
    io.write_csv(tmp_path / "found" / "classes.csv", {"name": ["a"], "class": ["red"]})
    out = tmp_path / "all.csv"
    assert cli.main(["export", str(tmp_path / "found"), "--format", "csv", "--out", str(out)]) == 0
    assert out.read_text() == "name;class\na;red\n"
