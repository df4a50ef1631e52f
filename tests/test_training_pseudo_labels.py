"""Pseudo-labels: what is found twice is kept, what is found once is void. Drawn by hand."""

import json
import time

import numpy as np
import pytest

from nbtools import cli, io, methods, runtime, simulate
from nbtools.image import Image
from nbtools.results import Boxes, Grid, Labels, Points
from nbtools.training import pseudo_labels

SHAPE = (20, 30)
IMAGE = Image(np.zeros(SHAPE, np.uint8), "YX", name="a")


def two_nuclei():
    label = np.zeros(SHAPE, np.int32)
    label[2:8, 2:8], label[10:16, 20:26] = 1, 2
    return label


def looks(first, second):
    mirrored = np.flip(second, 1)
    return Labels(Image(first, "YX")), Labels(Image(mirrored.copy(), "YX"))


def test_objects_found_twice_keep_their_outline():
    found = pseudo_labels.agree(*looks(two_nuclei(), two_nuclei()), image=IMAGE)
    np.testing.assert_array_equal(found.sample.label.pixels, two_nuclei())
    assert (found.kept, found.doubtful) == (2, 0)


@pytest.mark.parametrize("missed_by", [0, 1])
def test_an_object_found_once_is_void_whichever_look_missed_it(missed_by):
    both = [two_nuclei(), two_nuclei()]
    both[missed_by][both[missed_by] == 2] = 0
    found = pseudo_labels.agree(*looks(*both), image=IMAGE)
    label = found.sample.label.pixels
    assert (label[10:16, 20:26] == -1).all()
    assert (label[2:8, 2:8] == 1).all()
    assert (found.kept, found.doubtful) == (1, 1)


def test_an_object_split_by_one_look_is_void():
    other = two_nuclei()
    other[10:13, 20:26] = 3
    found = pseudo_labels.agree(*looks(two_nuclei(), other), image=IMAGE)
    assert (found.sample.label.pixels[10:16, 20:26] == -1).all()


def test_points_are_kept_within_the_gate_of_both_looks():
    grid = Grid("YX", SHAPE)
    first = Points(np.array([[5.0, 5], [12, 22]]), grid)
    second = Points(np.array([[5.0, 29 - 7.0], [3, 3]]), grid)  # the first again, 2 px away
    found = pseudo_labels.agree(first, second, image=IMAGE)
    assert found.sample.centres.tolist() == [[5.0, 6.0]]
    assert (found.kept, found.doubtful) == (1, 2)


def test_boxes_are_kept_with_their_class():
    grid = Grid("YX", SHAPE)
    first = Boxes(np.array([[2.0, 2, 8, 8], [10, 20, 16, 26]]), grid, classes=("a", "b"))
    second = Boxes(np.array([[10.0, 4, 16, 10]]), grid, classes=("b",))  # 30 - 26 and 30 - 20
    found = pseudo_labels.agree(first, second, image=IMAGE)
    assert found.sample.boxes.tolist() == [[10, 20, 16, 26]]
    assert found.sample.box_classes == ("b",)
    assert found.doubtful == 1


def test_boxes_of_volumes_are_mirrored_along_x_only():
    image = Image(np.zeros((4, *SHAPE), np.uint8), "ZYX", name="a")
    grid = Grid("ZYX", (4, *SHAPE))
    first = Boxes(np.array([[2.0, 2, 8, 8, 1, 3]]), grid)
    second = Boxes(np.array([[2.0, 22, 8, 28, 1, 3]]), grid)
    assert pseudo_labels.agree(first, second, image=image).kept == 1


def test_the_second_look_is_mirrored_and_keeps_the_range():
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    seen = pseudo_labels.change_view(Image(pixels, "YX")).pixels
    assert (seen.min(), seen.max()) == (0, 11)
    assert (np.argsort(np.flip(seen, 1).ravel()) == np.arange(12)).all()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapt") / "images"
    for sample in simulate.make("nuclei2d", count=2, seed=0):
        corner = sample.image.replace(pixels=sample.image.pixels[:160, :160])
        io.write_image(folder / f"{sample.name}.tif", corner)
    return folder


def test_a_shipped_model_is_adapted_and_says_from_what(images, tmp_path, capsys, monkeypatch):
    """In a process that has run for an hour, as one is by the last of several rounds."""
    monkeypatch.setattr(runtime, "process_seconds", lambda: time.monotonic() - started + 3600)
    out, started = tmp_path / "adapted", time.monotonic()
    run = ["adapt", "nuclei2d_small", str(images), "--out", str(out), "--minutes", "0.5", "--json"]
    few = ["--set", "epochs=1", "steps_per_epoch=1", "learning_rate=1e-5", "--rounds", "2"]
    assert cli.main([*run, *few]) == 0, capsys.readouterr().err
    document = json.loads(capsys.readouterr().out)
    assert [one["kept"] >= 10 for one in document["rounds"]] == [True, True]
    recipe = json.loads((out / "recipe.json").read_text())
    assert recipe["init"]["model"] == "nuclei2d_small"
    assert recipe["init"]["pseudo_labels"][0]["kept"] == document["rounds"][0]["kept"]
    before, after = methods.load("nuclei2d_small"), methods.load(out)
    assert after.tuned == before.tuned
    changed = zip(before.model.get_weights(), after.model.get_weights(), strict=True)
    assert any((a != b).any() for a, b in changed)


def test_a_method_without_training_is_not_adapted(images, tmp_path, capsys):
    assert cli.main(["adapt", "otsu", str(images), "--out", str(tmp_path / "o")]) == 2
    assert "has learned to find nuclei" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_an_empty_field_teaches_nothing(tmp_path, capsys):
    flat = Image(np.full((64, 64), 7, np.uint8), "YX")
    io.write_image(tmp_path / "images" / "a.tif", flat)
    run = ["adapt", "nuclei2d", str(tmp_path / "images"), "--out", str(tmp_path / "o")]
    assert cli.main(run) == 2
    assert "found twice" in capsys.readouterr().err
