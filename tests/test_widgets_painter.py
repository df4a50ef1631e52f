"""Twin of the painter, without a browser: what a hand does, done again from its notes, saved as a
data set.
"""

import base64
import builtins
import sys
import zlib

import numpy as np
import pytest

from nbtools import data, io, widgets
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.geometry import centroids
from nbtools.image import Image
from nbtools.metrics import instances
from nbtools.widgets import marks
from nbtools.widgets.label_editor import Journal, LabelEditor, encode_runs, expand_runs, pack_plane


def paint(z, to, *runs):
    return {"do": "paint", "z": z, "to": to, "runs": list(runs)}


def test_runs_are_spread_and_gathered_again(rng):
    places = np.flatnonzero(rng.random(500) < 0.6)
    np.testing.assert_array_equal(expand_runs(encode_runs(places)), places)
    assert len(expand_runs(np.zeros((0, 2), int))) == len(encode_runs(places[:0])) == 0


def test_a_plane_travels_as_text_and_comes_back(rng):
    plane = np.kron(rng.integers(-1, 90_000, (7, 5)), np.ones((9, 8), int)).astype(np.int32)
    runs = np.frombuffer(zlib.decompress(base64.b64decode(pack_plane(plane))), "<i4").reshape(-1, 2)
    np.testing.assert_array_equal(np.repeat(runs[:, 1], runs[:, 0]), plane.ravel())
    assert len(runs) < plane.size / 4


def test_what_is_painted_is_undone_and_redone():
    editor = LabelEditor(np.zeros((2, 4, 5), np.int32))
    assert editor.apply(paint(1, 3, 0, 5, 12, 2)) == 1
    painted = editor.label.copy()
    assert painted[1, 0].tolist() == [3] * 5
    assert editor.counts == {3: 7}
    editor.apply(paint(1, 0, 0, 2))
    editor.apply({"do": "undo"})
    np.testing.assert_array_equal(editor.label, painted)
    editor.apply({"do": "undo"})
    assert not editor.label.any()
    assert editor.apply({"do": "undo"}) is None
    editor.apply({"do": "redo"})
    np.testing.assert_array_equal(editor.label, painted)
    assert editor.next_label == 4


def test_any_row_of_actions_undone_leads_back_to_the_start(rng):
    start = np.kron(rng.integers(0, 9, (2, 5, 5)), np.ones((1, 4, 4), int)).astype(np.int32)
    editor, done = LabelEditor(start, {1: "a", 2: "b"}), 0
    for _ in range(60):
        label = int(rng.choice(list(editor.counts)))
        stroke = paint(int(rng.integers(2)), int(rng.integers(12)), int(rng.integers(380)), 20)
        named = {"do": "class", "label": label, "name": rng.choice(["a", ""])}
        joined = {"do": "join", "label": label, "into": min(editor.counts)}
        others = [stroke, named, joined, {"do": "remove", "label": label}]
        done += editor.apply(others[rng.integers(4 if len(editor.counts) > 4 else 2)]) is not None
        numbers, counts = np.unique(editor.label[editor.label > 0], return_counts=True)
        assert editor.counts == dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    for _ in range(done):
        editor.apply({"do": "undo"})
    np.testing.assert_array_equal(editor.label, start)
    assert editor.classes == {1: "a", 2: "b"}


def test_nuclei_are_joined_removed_and_parted():
    editor = LabelEditor(np.array([[[1, 1, 0, 2, 2, 2], [0, 0, 0, 0, 0, 0], [0, 3, 3, 3, 3, 0]]]))
    editor.apply({"do": "join", "label": 1, "into": 2})
    assert editor.label[0, 0].tolist() == [2, 2, 0, 2, 2, 2]
    editor.apply({"do": "part", "label": 2})  # the larger piece keeps its number
    assert editor.label[0, 0].tolist() == [4, 4, 0, 2, 2, 2]
    editor.apply({"do": "remove", "label": 3})
    assert set(editor.counts) == {2, 4}


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"do": "part", "label": 1}, "in pieces"),
        ({"do": "remove", "label": 9}, "existing nucleus"),
        ({"do": "dance"}, "one of the painter's"),
        (paint(4, 1, 0, 2), "in the image"),
        (paint(0, 1, 10, 99), "in the image"),
        ({"do": "between", "label": 1}, "between painted ones"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(action, words):
    editor = LabelEditor(np.ones((1, 4, 5), np.int32))
    with pytest.raises(UserError, match=words):
        editor.apply(action)
    assert editor.done == []


def test_planes_between_two_painted_ones_are_filled_evenly():
    yy, xx = np.mgrid[:40, :40]
    label = np.zeros((9, 40, 40), np.int32)
    label[0], label[8] = (np.hypot(yy - 20, xx - 20) < r for r in (4, 12))
    label[4, :, :18] = 7  # a neighbour in between stays
    editor = LabelEditor(label)
    editor.apply({"do": "between", "label": 1})
    areas = (editor.label == 1).sum(axis=(1, 2))
    radii = np.sqrt(areas[[1, 2, 3, 5, 6, 7]] / np.pi)
    np.testing.assert_allclose(radii, [5, 6, 7, 9, 10, 11], atol=0.5)
    assert (editor.label[4, :, :18] == 7).all()
    assert areas[4] < areas[3]


def test_a_nucleus_that_is_gone_has_no_class():
    editor = LabelEditor(np.array([[[1, 1, 2]]]))
    editor.apply({"do": "class", "label": 1, "name": "mitosis"})
    editor.apply(paint(0, 0, 0, 2))
    assert editor.classes == {}
    editor.apply({"do": "undo"})
    assert editor.classes == {1: "mitosis"}


def test_time_at_work_leaves_out_the_coffee():
    editor = LabelEditor(np.zeros((1, 4, 5), np.int32))
    for at in (0.0, 5.0, 12.0, 600.0, 603.0):
        editor.apply(paint(0, 1, 0, 1) | {"at": at})
    assert editor.seconds == 15


@pytest.fixture
def image(rng):
    return Image(
        rng.integers(0, 50_000, (24, 30)).astype(np.uint16), "YX", spacing=(0.5, 0.25), name="cell"
    )


def test_the_default_of_the_painter_is_a_valid_answer(image, tmp_path):
    painter = widgets.paint(image, save_to=tmp_path)
    assert painter.label.axes == "YX"
    assert painter.label.spacing_um == (0.5, 0.25)
    assert not painter.label.pixels.any()
    assert "nothing painted yet" in painter.describe()
    assert list(tmp_path.iterdir()) == []
    assert painter.get_state()["scene"]["picture"].startswith("iVBOR")  # a PNG, as text


def test_unsaved_work_is_there_again_until_it_is_saved(image, tmp_path):
    first = widgets.paint(image, save_to=tmp_path, classes=("a", "b"))
    first.apply(paint(0, 1, 0, 5))
    first.apply({"do": "class", "label": 1, "name": "b"})
    second = widgets.paint(image, save_to=tmp_path)
    assert second.value.classes == {1: "b"}
    np.testing.assert_array_equal(second.label.pixels, first.label.pixels)
    second.apply({"do": "undo"})
    second.apply(paint(0, 2, 60, 5))
    second.save()
    second.apply({"do": "undo"})  # an undo beyond what was saved is work, too
    third = widgets.paint(image, save_to=tmp_path)
    np.testing.assert_array_equal(third.label.pixels, second.label.pixels)
    assert set(np.unique(third.label.pixels)) == {0, 1}
    again = widgets.paint(image, save_to=tmp_path, start_over=True)
    assert not again.label.pixels.any()


def test_labels_that_were_there_before_are_kept(image, tmp_path):
    first = widgets.paint(image, save_to=tmp_path)
    first.apply(paint(0, 1, 0, 5))
    path = first.save()
    theirs = path.read_bytes()
    again = widgets.paint(image, save_to=tmp_path, start_over=True)
    again.apply(paint(0, 1, 60, 5))
    again.save()
    again.apply(paint(0, 2, 90, 5))
    again.save()
    kept = list((tmp_path / ".before" / "labels").iterdir())
    assert [p.read_bytes() for p in kept] == [theirs]
    assert len(data.DataSet.open(tmp_path)) == 1


def test_a_torn_note_costs_only_itself(tmp_path):
    notes = Journal(tmp_path / "x.jsonl")
    notes.add(paint(0, 1, 0, 5))
    with notes.path.open("a") as file:
        file.write('{"do": "pai')
    assert notes.read() == [paint(0, 1, 0, 5)]


def test_what_is_saved_is_a_data_set_and_is_gone_on_with(rng, tmp_path):
    volume = Image(
        rng.random((4, 20, 25)).astype(np.float32), "ZYX", spacing=(2.0, 0.5, 0.5), name="embryo"
    )
    painter = widgets.paint(volume, save_to=tmp_path, classes=("interphase", "mitosis"))
    painter.apply(paint(2, 1, 0, 60))
    painter.apply({"do": "class", "label": 1, "name": "mitosis"})
    assert painter.save() == tmp_path / "labels" / "embryo.tif"
    [sample] = DataSet.open(tmp_path)
    assert sample.classes == {1: "mitosis"}
    assert sample.label.spacing == sample.image.spacing == (2.0, 0.5, 0.5)
    np.testing.assert_array_equal(sample.label.pixels, painter.label.pixels)
    before = (tmp_path / "images" / "embryo.tif").read_bytes()
    widgets.paint(volume, save_to=tmp_path).apply(paint(0, 2, 0, 30))
    painter = widgets.paint(volume, save_to=tmp_path)
    painter.save()
    assert set(np.unique(io.read_label(tmp_path / "labels" / "embryo.tif").pixels)) == {0, 1, 2}
    assert (tmp_path / "images" / "embryo.tif").read_bytes() == before
    with pytest.raises(UserError, match="stands for one image"):
        widgets.paint(volume.replace(pixels=volume.pixels + 1), save_to=tmp_path)


def test_a_label_in_an_opened_data_set_is_saved_in_its_own_file(nuclei, tmp_path):
    folder = data.write_dataset(DataSet.open(nuclei), tmp_path / "copy")
    sample = DataSet.open(folder)[1]
    painter = widgets.paint(sample, save_to=folder)
    np.testing.assert_array_equal(painter.label.pixels, sample.label.pixels)
    painter.apply({"do": "remove", "label": int(sample.label.pixels.max())})
    assert painter.save() in list((folder / "labels").iterdir())
    assert len(DataSet.open(folder)) == 3
    assert len(list((folder / "labels").iterdir())) == 3
    again = DataSet.open(folder)[1].label.pixels
    scores = instances.evaluate([("corrected", sample.label, sample.label.replace(pixels=again))])
    assert scores["pooled"]["0.50"]["fn"] == 1


def test_the_page_is_answered_in_plain_text_and_numbers(image, tmp_path, monkeypatch):
    painter = widgets.paint(image, save_to=tmp_path, classes=("a",))
    sent = []
    monkeypatch.setattr(painter, "send", sent.append)
    poll_button = painter._handle_custom_msg
    poll_button({"number": 5, "z": 0, "action": paint(0, 1, 0, 5)}, [])
    poll_button({"number": 6, "z": 0, "action": {"do": "class", "label": 1, "name": "a"}}, [])
    poll_button({"number": 7, "z": 0, "action": {"do": "part", "label": 1}}, [])
    poll_button({"number": 8, "z": 0, "ask": "brightness", "value": 2}, [])
    poll_button({"number": 9, "z": 0, "ask": "save"}, [])
    assert [one["kind"] for one in sent] == ["state", "plane", "plane", "plane", "state"]
    assert [one["heard"] for one in sent] == [5, 6, 7, 8, 9]
    assert sent[1]["classes"] == [[1, 1]]
    assert sent[2]["error"]
    assert "in pieces" in sent[2]["told"]
    assert "picture" in sent[3]
    assert sent[0]["unsaved"]
    assert not sent[4]["unsaved"]


def test_scribbles_are_nucleus_background_or_nothing_said(image, tmp_path):
    painter = widgets.paint(image, save_to=tmp_path, mark="scribbles")
    assert (painter.label.pixels == -1).all()
    painter.apply(paint(0, 1, 0, 9))
    painter.apply(paint(0, 0, 60, 27))
    painter.apply(paint(0, -1, 60, 18))
    assert "scribbles on 2.5% of the pixels" in painter.describe()
    painter.save()
    [sample] = DataSet.open(tmp_path)
    assert [int((sample.label.pixels == n).sum()) for n in (-1, 0, 1)] == [702, 9, 9]
    assert (
        widgets.paint(image, save_to=tmp_path, mark="scribbles").label.pixels == sample.label.pixels
    ).all()


def test_centres_and_boxes_are_tables_of_the_data_set(image, rng, tmp_path):
    points = widgets.paint(image, save_to=tmp_path, mark="centres")
    for number, (y, x) in enumerate([(6, 7), (15, 20)], start=1):
        points.apply(
            paint(0, number, *[v for dy in (-1, 0, 1) for v in ((y + dy) * 30 + x - 1, 3)])
        )
    np.testing.assert_array_equal(points.value.centres, [[6, 7], [15, 20]])
    assert points.save() == tmp_path / "centres" / "cell.csv"
    frames = widgets.paint(image, save_to=tmp_path, mark="boxes", classes=("mitosis",))
    frames.apply(paint(0, 1, 2 * 30 + 3, 6, 3 * 30 + 3, 1, 3 * 30 + 8, 1, 4 * 30 + 3, 6))
    frames.apply({"do": "class", "label": 1, "name": "mitosis"})
    frames.save()
    [sample] = DataSet.open(tmp_path)
    assert sample.label is None
    np.testing.assert_array_equal(sample.boxes, [[2, 3, 5, 9]])
    assert sample.box_classes == ("mitosis",)
    np.testing.assert_array_equal(sample.centres, [[6, 7], [15, 20]])
    again = widgets.paint(image, save_to=tmp_path, mark="boxes")
    assert again.classes == {1: "mitosis"}
    np.testing.assert_array_equal(again.value.boxes, sample.boxes)
    np.testing.assert_array_equal(
        widgets.paint(image, save_to=tmp_path, mark="centres").value.centres, sample.centres
    )
    with pytest.raises(UserError, match="kind of mark"):
        widgets.paint(image, mark="outlines", save_to=tmp_path)


def test_marks_of_tables_are_drawn_and_found_again(rng):
    boxes = np.array([[2, 3, 9, 12, 1, 4], [20, 20, 31, 35, 0, 2]], float)
    np.testing.assert_array_equal(marks.find_boxes(marks.draw_boxes(boxes, (6, 40, 50))), boxes)
    centres = np.array([[1, 10, 12], [4, 25, 30]], float)
    np.testing.assert_allclose(centroids(marks.draw_centres(centres, (6, 40, 50))), centres)
    assert centroids(np.zeros((4, 5), int)).shape == (0, 2)


def test_colour_images_channels_and_samples_can_be_painted_on(rng, tmp_path):
    colors = Image(
        rng.integers(0, 255, (20, 22, 3)).astype(np.uint8),
        "YXC",
        channels=("red", "green", "blue"),
        name="he",
    )
    assert widgets.paint(colors, save_to=tmp_path).label.shape == (20, 22)
    movie = Image(rng.random((1, 2, 3, 20, 22)), "TCZYX", name="m")
    assert widgets.paint(movie, save_to=tmp_path).label.axes == "ZYX"
    label = Image(np.eye(20, 22, dtype=np.uint8), "YX")
    painter = widgets.paint(Sample("he", colors, label=label), save_to=tmp_path)
    assert painter.label.pixels.sum() == 20


@pytest.mark.parametrize(
    ("shape", "axes", "words"),
    [((2, 9, 9), "TYX", "an image or a volume"), ((1, 5000), "YX", "4096 pixels per side")],
)
def test_what_cannot_be_painted_on_is_refused(shape, axes, words, tmp_path):
    with pytest.raises(UserError, match=words):
        widgets.paint(Image(np.zeros(shape, np.uint8), axes), save_to=tmp_path)


def test_a_label_of_another_size_and_too_many_classes_are_refused(image, tmp_path):
    with pytest.raises(UserError, match="same size"):
        widgets.paint(image, Image(np.zeros((9, 9), np.uint8), "YX"), save_to=tmp_path)
    with pytest.raises(UserError, match="one per digit"):
        widgets.paint(image, classes=list("abcdefghij"), save_to=tmp_path)


def test_without_anywidget_only_the_painter_is_missing(image, monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name == "anywidget":
            raise ModuleNotFoundError("No module named 'anywidget'", name="anywidget")
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "nbtools.widgets.canvas", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError, match="pip install anywidget"):
        widgets.paint(image)
