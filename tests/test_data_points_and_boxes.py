"""Boxes and centres of nuclei: read from tables, Pascal VOC, COCO and images of blobs into arrays,
kept, cut and repaired.
"""

import json

import numpy as np
import pytest

from nbtools import checks, data, io
from nbtools.data import DataSet, InputOptions, Sample
from nbtools.errors import UserError
from nbtools.image import Image


def write_image(folder, name="a", shape=(40, 50)):
    pixels = np.random.default_rng(0).integers(0, 200, shape).astype(np.uint8)
    io.write_image(
        folder / "images" / f"{name}.tif", Image(pixels, "ZYX"[-len(shape) :], (0.5,) * len(shape))
    )


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_table_of_boxes_becomes_an_array_with_classes(tmp_path):
    write_image(tmp_path)
    write(tmp_path / "boxes" / "a.csv", "class;x0;y0;x1;y1\nRBC;2;1;12;11.5\nWBC;0;0;1;1\n")
    sample = DataSet.open(tmp_path)[0]
    np.testing.assert_array_equal(sample.boxes, [[1, 2, 11.5, 12], [0, 0, 1, 1]])
    assert sample.box_classes == ("RBC", "WBC")


def test_boxes_and_centres_of_volumes_have_their_third_axis(tmp_path):
    write_image(tmp_path, shape=(6, 40, 50))
    write(tmp_path / "boxes" / "a.csv", "y0,x0,y1,x1,z0,z1\n1,2,3,4,5,6\n")
    write(tmp_path / "centres" / "a.csv", "x,y,z\n30,20,5\n")
    sample = DataSet.open(tmp_path)[0]
    np.testing.assert_array_equal(sample.boxes, [[1, 2, 3, 4, 5, 6]])
    np.testing.assert_array_equal(sample.centres, [[5, 20, 30]])
    assert sample.box_classes == ()


def test_pascal_voc_counts_from_one_and_includes_its_last_pixel(tmp_path):
    """By hand: xmin = ymin = 1, xmax = 3, ymax = 2 is two rows and three columns from the first
    pixel on.
    """
    write_image(tmp_path)
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>2</ymax></bndbox>"
    write(
        tmp_path / "annotations_voc" / "a.xml",
        f"<annotation><object><name>WBC</name>{box}</object></annotation>",
    )
    sample = DataSet.open(tmp_path)[0]
    np.testing.assert_array_equal(sample.boxes, [[0, 0, 2, 3]])
    assert sample.box_classes == ("WBC",)


def test_one_coco_file_holds_the_boxes_of_many_images(tmp_path):
    for name in "ab":
        write_image(tmp_path, name)
    annotations = [{"image_id": 8, "bbox": [5, 10, 20, 3], "category_id": 2}]  # x, y, width, height
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}]
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 2, "name": "mitosis"}],
    }
    write(tmp_path / "boxes" / "instances.json", json.dumps(content))
    a, b = DataSet.open(tmp_path)
    assert (a.boxes.shape, b.box_classes) == ((0, 4), ("mitosis",))
    np.testing.assert_array_equal(b.boxes, [[10, 5, 13, 25]])


@pytest.mark.parametrize("one_value", [True, False])
def test_centres_come_from_blobs_with_or_without_numbers(tmp_path, one_value):
    write_image(tmp_path)
    blobs = np.zeros((40, 50), np.uint16)
    blobs[4:7, 9:12], blobs[20:23, 30:32] = 1, 1 if one_value else 2
    io.write_label(tmp_path / "centres" / "a.tif", Image(blobs, "YX"))
    np.testing.assert_allclose(DataSet.open(tmp_path)[0].centres, [[5, 10], [21, 30.5]])


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("boxes/a.csv", "top,left\n1,2\n", "a column for each edge"),
        ("boxes/a.csv", "y0,x0,y1,x1\n1,2,x,4\n", "whole and readable"),
        ("boxes/a.csv", "y0,x0,y1,x1\n1,2,nan,4\n", "finite"),
        ("boxes/a.xml", "<annotation>", "whole and readable"),
        ("boxes/a.json", "[", "must be a valid JSON file"),
        ("centres/a.csv", "row,column\n1,2\n", "a column for each axis"),
        ("centres/a.csv", "y,x\n1,two\n", "must be numbers"),
    ],
)
def test_broken_files_are_one_message_and_a_finding(tmp_path, file, content, words):
    write_image(tmp_path)
    write(tmp_path / file, content)
    with pytest.raises(UserError, match=words):
        DataSet.open(tmp_path)[0]
    found = [f for f in checks.check(tmp_path) if f.code == "unreadable"]
    assert [f.file for f in found] == [file]


def test_what_a_written_set_knows_of_places_comes_back(tmp_path):
    image = Image(np.zeros((5, 40, 50), np.uint8), "ZYX", (1, 1, 1))
    boxes, centres = np.array([[1, 2, 3, 4, 0, 2.5]]), np.array([[1.5, 2, 3], [4, 5, 6]])
    sample = Sample("a", image, boxes=boxes, box_classes=("mitosis",), centres=centres)
    data.write_dataset(DataSet.of([sample]), tmp_path / "one")
    data.write_dataset(DataSet.open(tmp_path / "one"), tmp_path / "two", copy=False)
    again = DataSet.open(tmp_path / "two")
    assert again.has("boxes")
    assert again.has("centres")
    np.testing.assert_array_equal(again[0].boxes, boxes)
    np.testing.assert_array_equal(again[0].centres, centres)
    assert again[0].box_classes == ("mitosis",)


def test_tiles_keep_the_places_that_lie_in_them():
    image = Image(np.zeros((40, 40), np.uint8), "YX")
    boxes = np.array([[15.0, 2, 24, 8], [30, 30, 38, 36]])
    sample = Sample(
        "a", image, boxes=boxes, box_classes=("x", "y"), centres=np.array([[5.0, 25.0], [30, 30]])
    )
    tiles = data.cut_tiles([sample], 20)
    assert [t.box_classes for t in tiles] == [("x",), (), (), ("y",)]
    np.testing.assert_array_equal(tiles[0].boxes, [[15, 2, 20, 8]])
    np.testing.assert_array_equal(tiles[3].boxes, [[10, 10, 18, 16]])
    assert [t.centres.tolist() for t in tiles] == [[], [[5, 5]], [], [[10, 10]]]


def test_boxes_and_centres_are_repaired_in_the_copy(tmp_path):
    write_image(tmp_path / "set")
    write(
        tmp_path / "set" / "boxes" / "a.csv",
        "y0,x0,y1,x1,class\n1,2,9,9,a\n1,2,9,9,a\n9,9,1,1,b\n30,40,60,60,c\n80,80,90,90,d\n",
    )
    write(tmp_path / "set" / "centres" / "a.csv", "y,x\n3,4\n300,4\n")
    dataset = DataSet.open(tmp_path / "set")
    found = checks.check(dataset)
    assert {f.code for f in found} == {
        "box_without_area",
        "box_outside",
        "box_twice",
        "centre_outside",
    }
    checks.fix(dataset, found, folder=tmp_path / "copy")
    copy = DataSet.open(tmp_path / "copy")
    assert not checks.check(copy)
    np.testing.assert_array_equal(copy[0].boxes, [[1, 2, 9, 9], [30, 40, 40, 50]])
    assert (copy[0].box_classes, copy[0].centres.tolist()) == (("a", "c"), [[3, 4]])


def test_classes_of_nuclei_do_not_survive_new_numbers(tmp_path):
    """Labels that are numbered anew would take the classes of others with them."""
    label = np.zeros((40, 50), np.uint16)
    label[5:12, 5:12], label[20:30, 5:12], label[5:12, 30:40] = 1, 1, 2  # label 1 lies in two parts
    write_image(tmp_path / "set")
    io.write_label(tmp_path / "set" / "labels" / "a.tif", Image(label, "YX"))
    write(tmp_path / "set" / "classes" / "a.csv", "label,class\n1,G1\n2,S\n")
    dataset = DataSet.open(tmp_path / "set")
    changes = checks.fix(dataset, checks.check(dataset), folder=tmp_path / "copy")
    files = dict.fromkeys(line.split(": ")[0] for line in changes)
    assert list(files) == ["labels/a.tif", "classes/a.csv"]
    assert DataSet.open(tmp_path / "copy")[0].classes is None


def test_the_blood_cells_have_boxes_of_three_classes_inside_their_images(data_folder):
    dataset = DataSet.open(data_folder / "blood_cells" / "all")
    boxes = [s.boxes for s in dataset[:40]]
    assert {c for s in dataset[:40] for c in s.box_classes} == {"RBC", "WBC", "Platelets"}
    every = np.concatenate(boxes)
    assert every.shape[1] == 4
    assert every.min() >= 0  # xmin is 1 where a cell touches the border
    assert (every[:, [2, 3]] <= [480, 640]).all()
    assert dataset[0].boxes[0].tolist() == [
        176,
        259,
        376,
        491,
    ]  # BloodImage_00000.xml: a white cell


def test_the_embryo_has_one_centre_for_each_of_its_eight_nuclei(data_folder):
    sample = DataSet.open(data_folder / "mouse_embryo_3d" / "all")[0]
    assert sample.centres.shape == (8, 3)
    places = tuple(np.rint(sample.centres).astype(int).T)
    assert sorted(sample.label.pixels[places]) == list(range(1, 9))


# What is asked once is remembered


def test_axes_are_asked_for_once_and_remembered(tmp_path, run):
    import tifffile

    for i in range(3):
        for kind, dtype in (("images", np.uint8), ("labels", np.uint16)):
            planes = np.random.default_rng(i).integers(0, 3, (3, 70, 70)).astype(dtype)
            (tmp_path / "set" / kind).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(
                tmp_path / "set" / kind / f"n{i}.tif", planes, photometric="minisblack"
            )
    assert DataSet.open(tmp_path / "set").image(0).axes == "CYX"  # a guess
    code, out, _ = run("check", tmp_path / "set")
    assert code == 1
    assert "--axes CYX --remember" in out
    assert not (tmp_path / "set" / "dataset.toml").exists()
    _, out, _ = run("check", tmp_path / "set", "--axes", "ZYX", "--remember", "--json")
    assert json.loads(out)["remembered"].endswith("dataset.toml")
    assert DataSet.open(tmp_path / "set").image(0).axes == "ZYX"
    _, out, _ = run("check", tmp_path / "set", "--json")
    assert "axes_guessed" not in {f["code"] for f in json.loads(out)["findings"]}


def test_remembering_leaves_the_other_lines_and_comments(tmp_path):
    toml = (
        '# my stacks\naxes = "CYX"\nlicence = "CC0" # open\nspacing = [2,\n 1, 1]\nunit = '
        '"nm"\n\n[contact]\nname = "A"\n'
    )
    (tmp_path / "dataset.toml").write_text(toml)
    data.save_input_options(tmp_path, InputOptions(axes="zyx"))
    assert (tmp_path / "dataset.toml").read_text() == 'axes = "ZYX"\n' + toml.replace(
        'axes = "CYX"\n', ""
    )
    data.save_input_options(
        tmp_path, InputOptions(spacing=(0.5, 0.2, 0.2))
    )  # replaces a value of two lines: written anew
    meta = DataSet.open(tmp_path).meta
    assert meta == {
        "spacing_um": [0.5, 0.2, 0.2],
        "axes": "ZYX",
        "licence": "CC0",
        "contact": {"name": "A"},
    }
    with pytest.raises(UserError, match="must be given"):
        data.save_input_options(tmp_path, InputOptions(channel=1))


def test_a_repaired_copy_knows_the_axes_that_were_given(tmp_path):
    import tifffile

    (tmp_path / "set" / "images").mkdir(parents=True)
    tifffile.imwrite(
        tmp_path / "set" / "images" / "a.tif",
        np.zeros((3, 20, 20), np.uint8),
        photometric="minisblack",
    )
    dataset = DataSet.open(tmp_path / "set", options=InputOptions(axes="ZYX", spacing=(2, 1, 1)))
    checks.fix(dataset, [], folder=tmp_path / "copy")
    assert (
        DataSet.open(tmp_path / "copy").image(0).axes,
        DataSet.open(tmp_path / "copy").image(0).spacing_um,
    ) == ("ZYX", (2, 1, 1))
