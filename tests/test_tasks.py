"""Tasks: each alone knows what a result of it is, how it is written, read, scored and shown."""

import ast

import numpy as np
import pytest
from small import make_sample
from source_code import find_modules, find_room, parse, refuse, say

from nbtools import data, io, show, tasks
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import boxes, compare, instances
from nbtools.results import Boxes, Classes, ClassMap, Grid, Labels, Points, Restored

NAMES = ["instances", "semantic", "detection", "classification", "restoration", "translation"]


def make_results(ndim: int) -> dict[str, tuple]:
    """Kind of result → (task, image, a perfect result of it)."""
    sample = make_sample(4, ndim)
    grid = Grid.of(sample.image)
    label, centres = sample.label, sample.centres
    named = {1: "interphase", 2: "mitosis"}
    found = {
        "labels": ("instances", Labels(label, {1: 0.9, 2: 0.6}, named, {1: 0.8, 2: 0.7})),
        "class map": ("semantic", ClassMap(sample.label, ("background", "a", "b"))),
        "points": ("detection", Points(centres, grid, np.array([0.9, 0.6]))),
        "boxes": ("detection", Boxes(sample.boxes, grid)),
        "classes": ("classification", Classes(("a", "b"), np.array([[0.2, 0.8]]), "sample4")),
        "restored": ("restoration", Restored(sample.clean)),
    }
    return {kind: (tasks.get(name), sample.image, result) for kind, (name, result) in found.items()}


KINDS = list(make_results(2))


def write(folder, task: tasks.Task, image: Image, result: object) -> dict:
    """Write a result as `predict` does: its own files, and the tables of the whole folder."""
    row = task.write(result, image, folder=folder)
    for name, rows in row.pop("tables", {}).items():
        io.write_csv(folder / name, rows, columns=task.tables[name])
    io.write_json(folder / "result.json", {})
    return row


def test_there_is_one_vocabulary_and_the_words_of_older_versions_stand_for_its_words():
    assert list(tasks.TASKS) == NAMES
    assert [task.name for task in tasks.TASKS.values()] == NAMES
    older = {word: tasks.get(word).name for word in ("segment", "detect", "classify", "denoise")}
    assert list(older.values()) == ["instances", "detection", "classification", "restoration"]
    assert tasks.get("instances") is tasks.INSTANCES
    assert tasks.find("no such task") is None
    with pytest.raises(UserError, match="Known: instances, semantic"):
        tasks.get("no such task")


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_result_is_written_read_scored_compared_and_shown_by_its_task_alone(
    tmp_path, rng, kind, ndim
):
    task, image, result = make_results(ndim)[kind]
    assert tasks.of_result(result) is task
    row = write(tmp_path, task, image, result)
    assert set(row) <= {*task.summary}
    again = task.read(tmp_path)
    assert again.names == ["sample4"]
    scores = task.evaluate([("sample4", result, again.read("sample4"))])
    assert scores["task"] == task.name
    assert tasks.of_scores(scores) is task
    assert tasks.of_scores({k: v for k, v in scores.items() if k != "task"}) is task
    perfect = scores.get("mean", scores).get(task.headline)
    assert perfect == (100 if task is tasks.RESTORATION else 1)
    assert task.tuning_score([(result, again.read("sample4"))]) == perfect
    lines = task.format(scores)
    assert lines
    assert not any(task.missing in line for line in lines)
    lost = task.evaluate([("sample4", result, None), ("other", result, result)])
    assert lost["missing"] == ["sample4"]
    assert task.format(lost)[-1] == f"Missing in the result, {task.missing}: sample4"
    compared = compare.compare({"a": scores, "b": scores}, task=task.name, counting=task.counting)
    assert compared["methods"]["a"][task.headline] == pytest.approx(perfect)
    assert compared["metrics"] == list(task.counting.metrics)
    assert show.to_png(show.evaluation({"a": scores, "b": scores}))[:4] == b"\x89PNG"
    assert show.to_png(show.scores(scores))[:4] == b"\x89PNG"
    picture = show.result_rgb(image, result)
    assert (picture is None) == (task is tasks.CLASSIFICATION)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_an_example_has_the_truth_of_its_task_and_survives_a_folder(tmp_path, rng, name, ndim):
    task = tasks.get(name)
    sample = make_sample(4, ndim)
    assert len(sample.image.spatial) == ndim
    data.write_dataset(data.DataSet.of([sample]), tmp_path / "set")
    truth = task.read_truth(tmp_path / "set")
    assert truth.names == ["sample4"]
    assert task.evaluate([("sample4", truth.read("sample4"), truth.read("sample4"))])["images"] == 1


def test_scores_and_classes_of_labels_stand_in_one_table(tmp_path, rng):
    task, image, result = make_results(2)["labels"]
    row = write(tmp_path, task, image, result)
    assert row["nuclei"] == 2
    assert row["mean_score"] == 0.75
    assert (tmp_path / "objects.csv").read_text().splitlines() == [
        "image,frame,label,score,class",
        "sample4,,1,0.9,interphase",
        "sample4,,2,0.6,mitosis",
    ]
    again = task.read(tmp_path).read("sample4")
    assert (again.score, again.classes) == (result.score, result.classes)


def test_objects_of_a_movie_have_a_frame_and_those_of_a_method_without_scores_no_score(tmp_path):
    label = np.zeros((2, 8, 8), np.uint16)
    label[0, :3, :3] = label[1, 4:, 4:] = 1
    write(tmp_path, tasks.INSTANCES, None, Labels(Image(label, "TYX", name="movie")))
    rows = io.read_csv(tmp_path / "objects.csv")
    assert [(r["frame"], r["label"], r["score"]) for r in rows] == [("0", "1", ""), ("1", "1", "")]
    assert tasks.INSTANCES.read(tmp_path).read("movie").score is None


def test_confidence_is_ranked_where_all_found_nuclei_have_scores(rng):
    label = np.zeros((40, 40), np.uint16)
    label[2:8, 2:8], label[12:18, 2:8], label[22:28, 2:8] = 1, 2, 3
    truth, image = Labels(Image(np.where(label < 3, label, 0), "YX")), Image(label, "YX")

    def score(*confidence: float) -> dict:
        found = Labels(image, dict(enumerate(confidence, 1)))
        return tasks.INSTANCES.evaluate([("a", truth, found)])["curve"]

    assert score(0.9, 0.8, 0.1)["area"] == 1.0  # the extra nucleus comes last
    assert score(0.2, 0.8, 0.9)["area"] == pytest.approx(2 / 3)  # it comes first
    assert score(0.9, 0.8, 0.1)["recall"] == [0.5, 1.0, 1.0]
    assert "curve" not in tasks.INSTANCES.evaluate([("a", truth, Labels(image))])
    pairs = [("a", truth, Labels(image, {1: 0.9})), ("b", truth, Labels(image))]
    assert "curve" not in tasks.INSTANCES.evaluate(pairs)


def test_an_image_without_a_result_counts_in_the_recall_of_the_curve():
    label = Image(np.eye(9, dtype=np.uint16), "YX")
    pairs = [("a", Labels(label), Labels(label, {1: 0.9})), ("b", Labels(label), None)]
    assert tasks.INSTANCES.evaluate(pairs)["curve"]["recall"] == [0.5]


def test_the_score_that_tunes_labels_is_the_mean_ap_of_evaluate(rng):
    truth = np.kron(np.arange(9).reshape(3, 3), np.ones((12, 12), int))
    found = np.roll(truth, 1, axis=0)
    wanted = instances.evaluate([("a", truth, found)])["mean_ap"]
    assert tasks.INSTANCES.tuning_score([(truth, found)]) == wanted
    labels = tuple(Labels(Image(one, "YX")) for one in (truth, found))
    assert tasks.INSTANCES.tuning_score([labels]) == wanted


def test_points_are_written_in_pixels_and_in_um(tmp_path):
    grid = Grid("YX", (9, 9), (0.5, 0.25), name="a")
    points = Points(np.array([[2.0, 4.0]]), grid, np.array([0.75]), ("mitosis",))
    assert write(tmp_path, tasks.DETECTION, None, points) == {"nuclei": 1, "mean_score": 0.75}
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "y,x,y_um,x_um,score,class",
        "2.0,4.0,1.0,1.0,0.75,mitosis",
    ]
    again = tasks.DETECTION.read(tmp_path).read("a")
    assert again.coordinates.tolist() == [[2.0, 4.0]]
    assert (again.score.tolist(), again.classes) == ([0.75], ("mitosis",))


def test_boxes_are_written_by_their_edges_and_read_again(tmp_path):
    edges = np.array([[1.0, 2.0, 5.0, 6.0, 0.0, 3.0]])  # y0, x0, y1, x1, z0, z1
    write(tmp_path, tasks.DETECTION, None, Boxes(edges, Grid("ZYX", (9, 9, 9), name="a")))
    head, line = (tmp_path / "a.csv").read_text().splitlines()
    assert head == "z0,y0,x0,z1,y1,x1"
    assert line == "0.0,1.0,2.0,3.0,5.0,6.0"
    assert tasks.DETECTION.read(tmp_path).read("a").edges.tolist() == edges.tolist()
    none = Boxes(np.zeros((0, 4)), Grid("YX", (9, 9), name="none"))
    write(tmp_path, tasks.DETECTION, None, none)
    assert len(tasks.DETECTION.read(tmp_path).read("none")) == 0


def test_the_average_precision_of_boxes_is_that_of_the_textbook():
    """Three found boxes, the second an extra one: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1."""
    truth = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], float)
    found = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 30]], float)
    assert boxes.measure_ap([(truth, found, np.array([0.9, 0.8, 0.7]))]) == pytest.approx(5 / 6)
    assert boxes.measure_ap([(truth, found[:0], None)]) == 0
    assert boxes.measure_ap([(truth[:0], found[:0], None)]) == 1
    shifted = boxes.find_box_iou(truth, truth + np.array([0, 5, 0, 5]))
    assert shifted[0, 0] == pytest.approx(50 / 150)
    assert shifted[0, 1] == 0


def test_classes_of_single_nuclei_have_a_row_each(tmp_path):
    shares = np.array([[0.9, 0.1], [0.3, 0.7]])
    found = Classes(("a", "b"), shares, "image", label=np.array([3, 8]))
    assert write(tmp_path, tasks.CLASSIFICATION, None, found) == {"nuclei": 2}
    assert (tmp_path / "classes.csv").read_text().splitlines() == [
        "name,label,class,probability,a,b",
        "image,3,a,0.9,0.9,0.1",
        "image,8,b,0.7,0.3,0.7",
    ]
    again = tasks.CLASSIFICATION.read(tmp_path)
    assert again.names == ["image/3", "image/8"]
    assert again.read("image/8").best == ["b"]


def test_the_mean_iou_tunes_class_maps_and_the_psnr_restored_images():
    truth, found = np.zeros((2, 4), int), np.zeros((2, 4), int)
    truth[:, 2:], found[:, 1:] = 1, 1
    pair = tuple(ClassMap(Image(one, "YX"), ()) for one in (truth, found))
    assert tasks.SEMANTIC.tuning_score([pair]) == pytest.approx((2 / 4 + 4 / 6) / 2)
    clean = Image(np.array([[0.0, 10.0]]), "YX")
    pair = (Restored(clean), Restored(clean.replace(pixels=clean.pixels + 1)))
    assert tasks.RESTORATION.tuning_score([pair]) == pytest.approx(20)


def test_a_translation_is_scored_as_a_restoration_under_its_own_name(rng):
    clean = Restored(make_sample(4, 2).clean)
    scores = tasks.TRANSLATION.evaluate([("a", clean, clean)])
    assert (scores["task"], scores["mean"]["psnr"]) == ("translation", 100)
    assert tasks.TRANSLATION.partner == "paired"
    assert tasks.TRANSLATION.guess is None


def test_marks_on_a_picture_are_those_of_the_first_frame():
    image = Image(np.zeros((2, 20, 20), np.uint8), "TYX", name="movie")
    points = Points(np.array([[5.0, 5.0], [15.0, 15.0]]), Grid.of(image), frame=np.array([0, 1]))
    drawn = show.points_rgb(image, points)
    side = drawn.shape[0] // 20
    assert drawn[5 * side, 5 * side].any()
    assert not drawn[15 * side, 15 * side].any()


def test_nothing_else_asks_which_task_it_is():
    known, problems = {*NAMES, *tasks.ALIASES}, []
    for path in (p for p in find_modules() if find_room(p) != "tasks"):
        for node in (n for n in ast.walk(parse(path)) if isinstance(n, ast.Compare)):
            words = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant)}
            if known & {word for word in words if isinstance(word, str)}:
                problems.append(say(path, node.lineno, "what differs by task stands in its file."))
    refuse(problems)
