"""Labels as other programs write them: what a shape is counts, and no label image is an image."""

import json
import zipfile

import numpy as np
import pytest
from roifile import ROI_TYPE, ImagejRoi

from nbtools import checks, data, io
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image

SIDE = 60


def square(y, x, side=10):
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def outline(points, name, kind=ROI_TYPE.POLYGON, **about):
    roi = ImagejRoi.frompoints(np.array(points, np.float32), name=name)
    roi.roitype = kind
    for key, value in about.items():
        setattr(roi, key, value)
    return roi


def composite(rings, name):
    """As ImageJ stores shapes with holes: 0 begins a ring, 1 draws a line, 4 closes it."""
    path = []
    for ring in rings:
        for i, point in enumerate(ring):
            path += [float(i > 0), *map(float, point)]
        path += [4.0]
    roi = ImagejRoi()
    roi.roitype, roi.name, roi.version = ROI_TYPE.RECT, name, 227
    roi.left, roi.top = np.min(rings[0], axis=0)
    roi.right, roi.bottom = np.max(rings[0], axis=0)
    roi.multi_coordinates, roi.shape_roi_size = np.array(path, np.float32), len(path)
    return roi


def write_zip(path, rois):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for roi in rois:
            archive.writestr(f"{roi.name}.roi", roi.tobytes())


def make_set(folder, shape=(SIDE, SIDE)):
    pixels = np.random.default_rng(0).normal(100, 8, shape)
    pixels[..., 5:15, 5:15] += 800
    image = Image(pixels.clip(0).astype(np.uint16), "ZYX"[-len(shape) :])
    io.write_image(folder / "images" / "a.tif", image)
    (folder / "labels").mkdir()
    return folder


def codes(folder):
    return {f.code: f for f in checks.check(folder)}


def sizes(label):
    return sorted(np.bincount(label[label > 0])[1:].tolist())


def test_the_hole_of_a_composite_roi_is_no_nucleus(tmp_path):
    """30 x 30 px less 10 x 10 px."""
    write_zip(tmp_path / "a.zip", [composite([square(5, 5, 30), square(15, 15)], "ring")])
    label = io.read_rois(tmp_path / "a.zip", (SIDE, SIDE))
    assert sizes(label) == [800]


def test_the_parts_of_a_composite_roi_are_one_nucleus_and_an_island_in_a_hole_counts(tmp_path):
    """Two squares of 100 px; a ring of 900 - 400 px with an island of 100 px."""
    parts = composite([square(0, 0), square(0, 20)], "parts")
    ring = composite([square(20, 5, 30), square(25, 10, 20), square(30, 15)], "ring")
    write_zip(tmp_path / "a.zip", [parts, ring])
    assert sizes(io.read_rois(tmp_path / "a.zip", (SIDE, SIDE))) == [200, 600]


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (ROI_TYPE.POINT, "points"),
        (ROI_TYPE.POLYLINE, "segmented line"),
        (ROI_TYPE.FREELINE, "freehand line"),
        (ROI_TYPE.ANGLE, "angle"),
    ],
)
def test_points_and_lines_are_no_nuclei(tmp_path, kind, word):
    folder = make_set(tmp_path / "set")
    mark = outline([(10, 10), (40, 12), (25, 45), (12, 40)], "mark", kind)
    write_zip(folder / "labels" / "a.zip", [mark])
    with pytest.raises(UserError, match=rf"outlines of areas.*mark \({word}\)"):
        _ = DataSet.open(folder)[0]
    write_zip(folder / "labels" / "a.zip", [mark, outline(square(5, 5), "n")])
    assert sizes(DataSet.open(folder)[0].label.pixels) == [100]
    finding = codes(folder)["outline_without_area"]
    assert f"1 of 2 ROIs have no area and are left out: mark ({word})." in finding.message


@pytest.mark.parametrize(
    "rois",
    [
        [outline(square(5, 5), f"s{z}", position=z) for z in (2, 3, 4)],
        [outline(square(5, 5), f"s{z}", position=z, group=7) for z in (2, 3, 4)],
        [outline(square(5, 5), f"{z:04d}-0010-0010") for z in (2, 3, 4)],
        [outline(square(5, 5 + z), f"s{z}", z_position=z) for z in (2, 3, 4)],
    ],
    ids=["overlap", "group", "slice in the name", "moving, in a hyperstack"],
)
def test_one_nucleus_on_three_slices_is_one_nucleus(tmp_path, rois):
    folder = make_set(tmp_path / "set", (5, SIDE, SIDE))
    write_zip(folder / "labels" / "a.zip", rois)
    assert sizes(DataSet.open(folder)[0].label.pixels) == [300]
    told = codes(folder)["outlines_joined"].message
    assert "3 outlines on 3 slices are joined to 1 nucleus" in told


def test_a_group_joins_slices_that_do_not_overlap_and_a_class_of_many_does_not(tmp_path):
    """Group 1 is one nucleus on slices 1 and 5; group 2 marks four, two on each of two slices."""
    one = [
        outline(square(5, 5 + 20 * i), f"a{i}", position=p, group=1) for i, p in ((0, 1), (1, 5))
    ]
    many = [
        outline(square(30, x), f"b{z}{x}", position=z, group=2) for z in (2, 3) for x in (5, 30)
    ]
    write_zip(tmp_path / "a.zip", [*one, *many])
    assert sizes(io.read_rois(tmp_path / "a.zip", (5, SIDE, SIDE))) == [200, 200, 200]


def test_neighbours_of_one_slice_are_never_joined(tmp_path):
    """A wide outline over two small ones takes one of them."""
    rois = [
        outline([(5, 5), (35, 5), (35, 15), (5, 15)], "wide", position=1),
        outline(square(5, 5, 12), "left", position=2),
        outline(square(5, 22), "right", position=2),
    ]
    write_zip(tmp_path / "a.zip", rois)
    label = io.read_rois(tmp_path / "a.zip", (3, SIDE, SIDE))
    assert len(np.unique(label[1][label[1] > 0])) == 2
    assert label.max() == 2


def test_an_outline_beyond_the_stack_is_reported(tmp_path):
    folder = make_set(tmp_path / "set", (5, SIDE, SIDE))
    rois = [outline(square(5, 5), "in", position=3), outline(square(30, 30), "out", position=99)]
    write_zip(folder / "labels" / "a.zip", [*rois, outline(square(90, 90), "far", position=2)])
    messages = [f.message for f in checks.check(folder) if f.code == "outline_outside"]
    assert any("out (slice 99)" in m for m in messages)
    assert any("outside of the image: far" in m for m in messages)


def test_a_zip_without_rois_says_what_it_holds(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("masks/one.tif", b"x")
    with pytest.raises(UserError, match=r"holds ROIs of Fiji.*which holds one\.tif"):
        io.read_rois(tmp_path / "a.zip", (SIDE, SIDE))


def test_objects_of_the_3d_manager_are_read_or_refused(tmp_path):
    """A file lists its voxels as number, x, y, z, value behind some lines of description."""
    voxels = "1\t3.0\t4.0\t1.0\t255.0\n2\t4.0\t4.0\t1.0\t255.0\n"
    text = f"cal=\t0.2\t1.0\tmicron\ncomment=\ttype=\n{voxels}"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("obj1.3droi", text)
    label = io.read_rois(tmp_path / "a.zip", (3, 9, 9))
    assert np.argwhere(label == 1).tolist() == [[1, 4, 3], [1, 4, 4]]
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("obj1.3droi", b"x")
    with pytest.raises(UserError, match=r"obj1\.3droi"):
        io.read_rois(tmp_path / "b.zip", (3, 9, 9))


def closed(y, x, side=10):
    ring = [list(p) for p in square(y, x, side)]
    return [*ring, ring[0]]


def feature(ring, kind="", name=None, **more):
    about = ({"objectType": kind} if kind else {}) | (
        {"classification": {"name": name}} if name else {}
    )
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "geometry": geometry, "properties": about, **more}


def write_features(path, features):
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


THREE = [feature(closed(*p), "detection") for p in ((5, 5), (25, 25), (10, 40))]


@pytest.mark.parametrize("place", [0, 3])
def test_an_annotation_around_detections_is_a_region(tmp_path, place):
    folder = make_set(tmp_path / "set")
    features = [*THREE]
    features.insert(place, feature(closed(2, 2, 56), "annotation"))
    write_features(folder / "labels" / "a.geojson", features)
    assert sizes(DataSet.open(folder)[0].label.pixels) == [100, 100, 100]
    assert "regions, not nuclei" in codes(folder)["outline_no_nucleus"].message


@pytest.mark.parametrize("name", ["Ignore*", "Tumor: Ignore*", "Region*"])
def test_classes_that_qupath_ignores_are_left_out(tmp_path, name):
    features = [*THREE[:2], feature(closed(10, 40), "detection", name)]
    write_features(tmp_path / "a.geojson", features)
    assert sizes(io.read_rois(tmp_path / "a.geojson", (SIDE, SIDE))) == [100, 100]


def test_cells_give_their_nuclei_and_tiles_none(tmp_path):
    """A cell of 20 x 20 px with a nucleus of 10 x 10 px, in the spellings of two versions."""
    nucleus = {"type": "Polygon", "coordinates": [closed(10, 10)]}
    new = feature(closed(5, 5, 20), "cell", nucleusGeometry=nucleus)
    old = feature(closed(35, 35, 20), id="PathCellObject")
    old["nucleusGeometry"] = {"type": "Polygon", "coordinates": [closed(40, 40)]}
    tile = feature(closed(0, 0, 30), "tile")
    write_features(tmp_path / "a.geojson", [tile, new, old])
    assert sizes(io.read_rois(tmp_path / "a.geojson", (SIDE, SIDE))) == [100, 100]


def test_collections_are_read_and_points_are_named(tmp_path):
    polygon = {"type": "Polygon", "coordinates": [closed(5, 5)]}
    point = {"type": "MultiPoint", "coordinates": [[30, 30], [40, 40]]}
    both = {"type": "GeometryCollection", "geometries": [polygon, point]}
    write_features(tmp_path / "a.geojson", [feature(closed(0, 0)) | {"geometry": both}])
    assert sizes(io.read_rois(tmp_path / "a.geojson", (SIDE, SIDE))) == [100]
    write_features(tmp_path / "b.geojson", [feature(closed(0, 0)) | {"geometry": point}])
    with pytest.raises(UserError, match="MultiPoint, which has no area"):
        io.read_rois(tmp_path / "b.geojson", (SIDE, SIDE))


def test_small_shapes_are_drawn_over_large_ones_and_the_large_one_is_told(tmp_path):
    folder = make_set(tmp_path / "set")
    features = [feature(closed(5, 5)), feature(closed(2, 2, 50))]
    write_features(folder / "labels" / "a.geojson", features)
    assert sizes(DataSet.open(folder)[0].label.pixels) == [100, 2400]
    found = codes(folder)
    assert "object 2 (around 1)" in found["outline_encloses"].message
    assert "object 2" in found["outline_covers"].message


def write_coco(path, images, annotations):
    document = {"images": images, "annotations": annotations, "categories": []}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def test_coco_tells_images_of_one_name_apart_by_their_folder(tmp_path):
    images = [{"id": i, "file_name": f"{part}/001.tif"} for i, part in enumerate(("G1", "S"))]
    for i, part in enumerate(("G1", "S")):
        io.write_image(
            tmp_path / "images" / part / "001.tif", Image(np.full((60, 60), i, np.uint8), "YX")
        )
    polygons = [[np.ravel(square(5, 5, side)).tolist()] for side in (10, 20)]
    annotations = [{"image_id": i, "segmentation": polygons[i]} for i in (0, 1)]
    write_coco(tmp_path / "labels" / "all.json", images, annotations)
    assert [int((s.label.pixels > 0).sum()) for s in DataSet.open(tmp_path)] == [100, 400]


def test_run_lengths_of_coco_are_decoded(tmp_path):
    """The packed text is that of pycocotools 2.0.11 for this mask."""
    mask = np.zeros((7, 9), int)
    mask[2:5, 3:7] = 1
    mask[3, 4], mask[0, 0] = 0, 1
    counts = [0, 1, 22, 3, 4, 1, 1, 1, 4, 3, 4, 3, 16]
    for number, runs in enumerate(("01f02^ONM03200<", counts)):
        path = tmp_path / f"{number}.json"
        about = {"image_id": 1, "segmentation": {"size": [7, 9], "counts": runs}}
        write_coco(path, [{"id": 1, "file_name": "a.png"}], [about])
        np.testing.assert_array_equal(io.read_rois(path, (7, 9), name="a"), mask)


def test_crowds_are_ignored_and_another_size_is_refused(tmp_path):
    polygon = [np.ravel(square(5, 5)).tolist()]
    crowd = {
        "image_id": 1,
        "iscrowd": 1,
        "segmentation": {"size": [60, 60], "counts": [0, 60, 3540]},
    }
    image = {"id": 1, "file_name": "a.png", "height": 60, "width": 60}
    write_coco(tmp_path / "a.json", [image], [{"image_id": 1, "segmentation": polygon}, crowd])
    label = io.read_rois(tmp_path / "a.json", (60, 60), name="a")
    assert ((label == 1).sum(), (label == -1).sum()) == (100, 60)
    with pytest.raises(UserError, match="one size"):
        io.read_rois(tmp_path / "a.json", (50, 60), name="a")


def test_labelme_shapes_and_holes(tmp_path):
    """30 x 30 less 10 x 10; a rectangle of 5 x 8; a circle of radius 6, within 3 % of pi r^2."""
    shapes = [
        {"label": "n", "group_id": 1, "shape_type": "polygon", "points": square(2, 2, 30)},
        {"label": "hole", "group_id": 1, "shape_type": "polygon", "points": square(10, 10)},
        {"label": "n", "group_id": None, "shape_type": "rectangle", "points": [[40, 5], [45, 13]]},
        {"label": "n", "shape_type": "circle", "points": [[45, 45], [51, 45]]},
        {"label": "spot", "shape_type": "point", "points": [[50, 5]]},
    ]
    document = {"imagePath": "a.png", "imageData": "AAAA", "shapes": shapes}
    (tmp_path / "a.json").write_text(json.dumps(document | {"imageHeight": 60, "imageWidth": 60}))
    found = io.read_outlines(tmp_path / "a.json", (60, 60))
    counts = np.bincount(found.label.ravel())[1:]
    assert counts[:2].tolist() == [800, 40]
    assert counts[2] == pytest.approx(np.pi * 36, rel=0.03)
    assert "spot (5), point" in found.notes[0].message


@pytest.mark.parametrize("form", ["v2", "v1", "project", "csv"])
def test_via_in_its_forms(tmp_path, form):
    """A polygon of 10 x 10, a rectangle of 5 x 8, an ellipse of 6 x 4, within 3 % of pi a b."""
    x, y = zip(*square(5, 5), strict=True)
    shapes = [
        {"name": "polygon", "all_points_x": x, "all_points_y": y},
        {"name": "rect", "x": 40, "y": 5, "width": 5, "height": 8},
        {"name": "ellipse", "cx": 40, "cy": 40, "rx": 6, "ry": 4, "theta": 0.5},
        {"name": "point", "cx": 3, "cy": 3},
    ]
    regions = [{"shape_attributes": s, "region_attributes": {}} for s in shapes]
    about = {"filename": "a.png", "size": 9, "regions": regions}
    path = tmp_path / ("via.csv" if form == "csv" else "via.json")
    if form == "v1":
        about["regions"] = dict(enumerate(regions))
    if form == "csv":
        rows = [
            {"#filename": "a.png", "region_count": 4, "region_shape_attributes": json.dumps(s)}
            for s in shapes
        ]
        io.write_csv(path, rows)
    elif form == "project":
        path.write_text(json.dumps({"_via_settings": {}, "_via_img_metadata": {"a.png9": about}}))
    else:
        path.write_text(json.dumps({"a.png9": about}))
    assert io.list_image_names(path)[0] == "a.png"
    counts = np.bincount(io.read_rois(path, (60, 60), name="a").ravel())[1:]
    assert counts[:2].tolist() == [100, 40]
    assert counts[2] == pytest.approx(np.pi * 24, rel=0.03)


def test_yolo_boxes_and_outlines(tmp_path):
    """Shares of 60 x 80 px: a box from (12, 16) to (24, 48), of the second class."""
    (tmp_path / "classes.txt").write_text("interphase\nmitosis\n")
    (tmp_path / "a.txt").write_text("1 0.4 0.3 0.4 0.2\n")
    boxes, classes = io.read_boxes(tmp_path / "a.txt", 2, shape=(60, 80))
    np.testing.assert_allclose(boxes, [[12, 16, 24, 48]])
    assert classes == ("mitosis",)
    (tmp_path / "b.txt").write_text("0 0.25 0.5 0.5 0.5 0.5 0.75 0.25 0.75\n")
    label = io.read_rois(tmp_path / "b.txt", (60, 80))
    assert label[30:45, 20:40].all()
    assert label.sum() == 15 * 20


def test_a_label_image_is_converted_once(tmp_path):
    folder = make_set(tmp_path / "set")
    write_features(folder / "labels" / "a.geojson", THREE)
    assert data.convert_dataset(DataSet.open(folder), tmp_path / "out") == {"a": 3}
    assert sizes(io.read_label(tmp_path / "out" / "labels" / "a.tif").pixels) == [100] * 3
