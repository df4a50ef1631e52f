"""Folders as other programs write them: named, read with their labels, and converted."""

import json
import shlex
import zipfile

import numpy as np
import pytest
from skimage.draw import disk

from nbtools import checks, cli, data, export, io
from nbtools.data import DataSet
from nbtools.data.class_tables import find_classes
from nbtools.errors import UserError
from nbtools.image import Image

NUCLEI = 6
SHAPE = (64, 96)


def draw(seed):
    """Six discs on a grid, shifted by the seed."""
    label = np.zeros(SHAPE, np.uint16)
    for i in range(NUCLEI):
        label[disk((16 + 30 * (i // 3), 12 + 30 * (i % 3) + seed % 12), 9)] = i + 1
    return label


def grey(seed):
    noise = np.random.default_rng(seed).normal(30, 6, SHAPE)
    return (noise + 120 * (draw(seed) > 0)).clip(0, 255).astype(np.uint8)


def put(path, pixels):
    io.write_image(path, Image(pixels, "ZYX"[-pixels.ndim :]))


def dsb(folder, deeper=""):
    for k in range(3):
        place = folder / deeper / f"id{k}"
        put(place / "images" / f"id{k}.png", grey(k))
        for i in range(NUCLEI):
            put(place / "masks" / f"m{i}.png", ((draw(k) == i + 1) * 255).astype(np.uint8))


def dsb_stages(folder):
    dsb(folder, "stage1_train")
    put(folder / "stage1_test" / "t0" / "images" / "t0.png", grey(9))


def plane_per_nucleus(folder):
    for k in range(3):
        put(folder / "images" / f"{k}.tif", grey(k))
        masks = [(draw(k) == i + 1) * 255 for i in range(NUCLEI)]
        put(folder / "labels" / f"{k}.tif", np.stack(masks).astype(np.uint8))


def masks_in_a_folder_per_image(folder):
    for k in range(3):
        put(folder / "images" / f"{k}.tif", grey(k))
        for i in range(NUCLEI):
            put(folder / "masks" / f"{k}" / f"m{i}.png", (draw(k) == i + 1).astype(np.uint8))


def paired(source, target):
    def write(folder):
        for k in range(3):
            put(folder / source / f"{k}.tif", grey(k))
            put(folder / target / f"{k}.tif", draw(k))

    return write


def beside(image, label):
    def write(folder):
        for k in range(3):
            put(folder / image.format(k), grey(k))
            put(folder / label.format(k), draw(k))

    return write


def cellpose_with_its_pictures(folder):
    beside("images/{}.tif", "images/{}_cp_masks.png")(folder)
    for k in range(3):
        put(folder / "images" / f"{k}_cp_output.png", grey(k))
        put(folder / "images" / f"{k}_flows.tif", grey(k))
        (folder / "images" / f"{k}_seg.npy").write_bytes(b"\x93NUMPY")


def nnunet(folder):
    for k in range(3):
        put(folder / "imagesTr" / f"case_{k}_0000.tif", grey(k))
        put(folder / "imagesTr" / f"case_{k}_0001.tif", grey(k))
        put(folder / "labelsTr" / f"case_{k}.tif", draw(k))


def squares(seed):
    """Outlines of 10 x 10 px around the six places."""
    corners = [(11 + 30 * (i // 3), 7 + 30 * (i % 3) + seed % 12) for i in range(NUCLEI)]
    return [[(x, y), (x + 10, y), (x + 10, y + 10), (x, y + 10)] for y, x in corners]


def labelme(folder):
    for k in range(3):
        put(folder / f"{k}.png", grey(k))
        shapes = [{"label": "n", "shape_type": "polygon", "points": s} for s in squares(k)]
        content = {"imagePath": f"{k}.png", "imageData": None, "shapes": shapes}
        (folder / f"{k}.json").write_text(json.dumps(content))


def write_coco(path, parts=("",)):
    images = [
        {"id": k, "file_name": f"{part}/{k}.png".strip("/")} for part in parts for k in range(3)
    ]
    annotations = [
        {"image_id": k, "segmentation": [np.ravel(s).tolist()]}
        for k in range(3)
        for s in squares(k)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations}))


def coco_as_published(folder):
    for k in range(3):
        put(folder / "train2017" / f"{k}.png", grey(k))
    write_coco(folder / "annotations" / "instances_train2017.json")


def coco_beside(folder):
    for k in range(3):
        put(folder / f"{k}.png", grey(k))
    write_coco(folder / "_annotations.coco.json")


def coco_above(folder):
    for k in range(3):
        put(folder / "images" / f"{k}.png", grey(k))
    write_coco(folder / "instances.json")


LAYOUTS = {
    "dsb": dsb,
    "dsb_stages": dsb_stages,
    "plane_per_nucleus": plane_per_nucleus,
    "zerocost": paired("Training_source", "Training_target"),
    "zerocost_spelled": paired("Training - Images", "Training - Masks"),
    "zerocost_inside": paired("images/Training_source", "images/Training_target"),
    "any_two_folders": paired("tiles", "drawn"),
    "cellpose": beside("f{}.tif", "f{}_cp_masks.png"),
    "cellpose_training": beside("{}_img.png", "{}_masks.png"),
    "cellpose_pictures": cellpose_with_its_pictures,
    "label_suffix": beside("{}.tif", "{}_label.tif"),
    "nnunet": nnunet,
    "labelme": labelme,
    "coco_as_published": coco_as_published,
    "coco_beside": coco_beside,
    "coco_above": coco_above,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_named_and_one_command_converts_it(tmp_path, layout, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    LAYOUTS[layout](tmp_path / "set")
    named = next(f for f in checks.check("set") if f.code == "other_tool")
    assert named.message.startswith("This looks like ")
    command = shlex.split(named.remedy.partition(": ")[2])
    assert command[:2] == ["nbtools", "convert"]
    assert cli.main([*command[1:], "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["nuclei"]
    labelled = {name: n for name, n in counts.items() if not name.startswith("t0")}
    assert list(labelled.values()) == [NUCLEI] * 3
    made = DataSet.open(tmp_path / command[-1])
    assert sum(s.label is not None for s in made) == 3
    assert not any(f.code in ("other_tool", "image_is_label") for f in checks.check(made))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_label_image_is_read_as_an_image(tmp_path, layout):
    LAYOUTS[layout](tmp_path)
    dataset = DataSet.open(tmp_path)
    assert len(dataset) == (4 if layout == "dsb_stages" else 3)
    for sample in dataset:
        assert not data.hold_labels(sample.image.pixels)


def test_masks_in_a_folder_per_image_are_one_label_image(tmp_path):
    masks_in_a_folder_per_image(tmp_path)
    for k, sample in enumerate(DataSet.open(tmp_path)):
        np.testing.assert_array_equal(sample.label.pixels, draw(k))


def test_masks_that_overlap_go_to_the_smaller_nucleus_and_it_is_told(tmp_path):
    """Two squares of 100 and 36 px that share 9 px."""
    masks = np.zeros((3, 40, 40), np.uint8)
    masks[0, 5:15, 5:15] = masks[1, 12:18, 12:18] = 255
    put(tmp_path / "images" / "a.tif", np.arange(1600, dtype=np.uint16).reshape(40, 40))
    put(tmp_path / "labels" / "a.tif", masks)
    label = DataSet.open(tmp_path)[0].label.pixels
    assert np.bincount(label.ravel())[1:].tolist() == [91, 36]
    told = {f.code: f.message for f in checks.check(tmp_path)}
    assert told["masks_overlap"].startswith("9 pixels lie in several masks")
    assert told["mask_empty"].startswith("1 of 3 masks")


@pytest.mark.parametrize("name", ["z{:03d}.tif", "slice_{}.png", "cell_z{}.tif", "{:04d}.tif"])
def test_a_folder_of_planes_is_a_volume(tmp_path, name):
    """Balls that grow and shrink along Z; ten planes, so that 10 must stand behind 9."""
    z, y, x = np.indices((12, 40, 40))
    label = (((z - 5) * 3) ** 2 + (y - 20) ** 2 + (x - 20) ** 2 < 15**2).astype(np.uint8)
    image = (label * 100 + np.random.default_rng(0).normal(20, 3, label.shape)).astype(np.uint8)
    for vol in ("vol0", "vol1"):
        for plane in range(12):
            put(tmp_path / "images" / vol / name.format(plane), image[plane])
            put(tmp_path / "labels" / vol / name.format(plane), label[plane])
    sample = DataSet.open(tmp_path)[1]
    assert (sample.name, sample.image.axes, sample.class_name) == ("vol1", "ZYX", None)
    np.testing.assert_array_equal(sample.image.pixels, image)
    np.testing.assert_array_equal(sample.label.pixels, label)
    assert data.convert_dataset(DataSet.open(tmp_path), tmp_path / "out") == {"vol0": 1, "vol1": 1}
    assert DataSet.open(tmp_path / "out")[0].image.axes == "ZYX"


def test_images_of_classes_stay_images_of_classes(tmp_path):
    """Files of one name in two class folders, numbered without a gap, that show other things."""
    for name in ("G1", "S"):
        for k in range(6):
            put(tmp_path / "images" / name / f"{k:03d}.tif", grey(3 * k + (name == "S")))
    dataset = DataSet.open(tmp_path)
    assert (len(dataset), dataset.class_names, dataset.about.other_tool) == (12, ["G1", "S"], "")


def test_pairs_of_noisy_and_clean_folders_are_for_restoration(tmp_path):
    for k in range(3):
        put(tmp_path / "low" / f"{k}.tif", grey(k))
        put(tmp_path / "GT" / f"{k}.tif", grey(k + 10))
    dataset = DataSet.open(tmp_path)
    assert (dataset.has("clean"), dataset.has("labels")) == (True, False)


def test_parts_of_other_tools_are_the_parts_of_a_split(tmp_path):
    for part in ("Training", "Test"):
        paired(f"{part} - Images", f"{part} - Masks")(tmp_path)
    assert {k: len(v) for k, v in DataSet.open(tmp_path).splits().items()} == {
        "train": 3,
        "test": 3,
    }


def test_boxes_of_labelimg_beside_images_or_in_labels(tmp_path):
    for place in (tmp_path / "a", tmp_path / "b"):
        put(place / "images" / "0.png", grey(0))
        text = place / ("labels" if place.name == "a" else "images") / "0.txt"
        text.parent.mkdir(exist_ok=True)
        text.write_text("0 0.5 0.5 0.25 0.25\n")
        (text.parent / "classes.txt").write_text("nucleus\n")
        sample = DataSet.open(place)[0]
        np.testing.assert_allclose(sample.boxes, [[24, 36, 40, 60]])
        assert sample.box_classes == ("nucleus",)
        assert sample.label is None


def test_facts_beside_an_image_and_noisy_partners_are_no_labels(tmp_path):
    """A JSON of acquisition data, a zip of anything, and an image whose name ends like a label."""
    put(tmp_path / "a.tif", grey(0))
    put(tmp_path / "a_gt.tif", grey(1))
    (tmp_path / "a.json").write_text('{"Exposure-ms": 10}')
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("raw.dat", b"x")
    dataset = DataSet.open(tmp_path)
    assert (dataset.names, dataset.has("labels")) == (["a", "a_gt"], False)


@pytest.mark.parametrize(
    "name", ["RoiSet_a.zip", "a_RoiSet.zip", "a.tif.zip", "a_labels.zip", "mask_of_a.zip"]
)
def test_usual_names_of_label_files_pair(tmp_path, name):
    put(tmp_path / "images" / "a.tif", grey(0))
    (tmp_path / "labels").mkdir()
    export.rois(Image(draw(0), "YX"), tmp_path / "labels" / name)
    np.testing.assert_array_equal(DataSet.open(tmp_path)[0].label.pixels, draw(0))


def test_a_folder_of_roi_files_is_one_label_image(tmp_path):
    put(tmp_path / "images" / "a.tif", grey(0))
    export.rois(Image(draw(0), "YX"), tmp_path / "rois.zip")
    with zipfile.ZipFile(tmp_path / "rois.zip") as archive:
        archive.extractall(tmp_path / "labels" / "a")
    np.testing.assert_array_equal(DataSet.open(tmp_path)[0].label.pixels, draw(0))
    put(tmp_path / "images" / "b.tif", grey(1))
    (tmp_path / "labels" / "b").mkdir()
    with pytest.raises(UserError, match="masks, planes or ROIs"):
        _ = DataSet.open(tmp_path)[1]


def test_masks_of_a_movie_are_not_joined(tmp_path):
    """One nucleus in each of four frames."""
    movie = np.stack([(draw(k) == 1).astype(np.uint8) for k in range(4)])
    io.write_image(tmp_path / "images" / "a.tif", Image(movie * 90 + 7, "TYX"))
    io.write_image(tmp_path / "labels" / "a.tif", Image(movie, "TYX"))
    assert DataSet.open(tmp_path)[0].label.shape == movie.shape


def test_every_verb_that_opens_a_layout_names_it(tmp_path, capsys):
    paired("Training_source", "Training_target")(tmp_path / "set")
    for words in (["predict", "otsu"], ["split"]):
        cli.main([*words, str(tmp_path / "set"), "--out", str(tmp_path / words[0])])
        assert "looks like folders of images and of label images" in capsys.readouterr().err
    assert len(list((tmp_path / "predict").glob("*.tif"))) == 3


def test_a_label_image_among_images_is_found_by_its_content(tmp_path):
    put(tmp_path / "images" / "a.tif", draw(0))
    put(tmp_path / "images" / "b.tif", grey(0))
    found = [f for f in checks.check(tmp_path) if f.code == "image_is_label"]
    assert [f.file for f in found] == ["images/a.tif"]


def test_one_broken_label_file_does_not_cost_the_others(tmp_path, capsys):
    labelme(tmp_path / "set")
    (tmp_path / "set" / "1.json").write_text("{")
    code = cli.main(["convert", str(tmp_path / "set"), "--out", str(tmp_path / "out"), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (code, document["nuclei"], list(document["failed"])) == (1, {"0": 6, "2": 6}, ["1"])


@pytest.mark.parametrize(
    "rows",
    [
        [{"": "1", "Folder": "C:\\x", "Image": "a.tif", "Category": "M", "Comment": ""}],
        [{"": "1", "Folder": "C:\\x", "Image": "a.tif", "G1": "0", "M": "1", "Comment": ""}],
        [{"Filename": "a.tif", "Class": "M"}],
        [{"image": "a.tif", "label": "M"}],
    ],
)
def test_classes_of_images_under_other_column_names(tmp_path, rows):
    """The first two are tables of Fiji's plugin Qualitative Annotations."""
    put(tmp_path / "images" / "a.tif", grey(0))
    io.write_csv(tmp_path / "Annotations.csv", rows)
    assert DataSet.open(tmp_path)[0].class_name == "M"


def test_tables_of_nuclei_and_of_rois_are_no_classes_of_images():
    assert "numbers" in find_classes([{"image": "a.tif", "label": "1", "area_px": "20"}])[1]
    assert "single ROIs" in find_classes([{"Image": "a.tif", "Category": "M", "Roi": "0001"}])[1]
