"""Options of the command line: one vocabulary of tasks, and no option that does nothing."""

import json

import numpy as np
import pytest

from nbtools import io
from nbtools.cli.rerun import drop_ignored
from nbtools.image import Image


@pytest.mark.parametrize(
    "words",
    [
        ["train", "otsu", "DATA", "--out", "OUT", "--diameter", "8"],
        ["train", "otsu", "DATA", "--out", "OUT", "--min-size", "8"],
        ["check", "DATA", "--min-size", "8"],
        ["check", "DATA", "--diameter", "8"],
        ["measure", "DATA", "--out", "OUT", "--diameter", "8"],
        ["predict", "otsu", "DATA", "--out", "OUT", "--dtype", "input"],
        ["predict", "otsu", "DATA", "--out", "OUT", "--tile", "64,64"],
        ["predict", "nlm", "DATA", "--out", "OUT", "--tile", "64,64"],
        ["predict", "nlm", "DATA", "--out", "OUT", "--roi"],
        ["predict", "nlm", "DATA", "--out", "OUT", "--min-size", "3"],
        ["predict", "nlm", "DATA", "--out", "OUT", "--diameter", "3"],
        ["evaluate", "DATA", "DATA", "--gate-px", "3"],
        ["evaluate", "DATA", "DATA", "--task", "semantic", "--range", "255"],
        ["evaluate", "DATA", "DATA", "--task", "restoration", "--spacing", "1,1"],
        ["compare", "DATA", "--truth", "DATA", "--classes", "a", "b"],
    ],
    ids=" ".join,
)
def test_an_option_that_does_nothing_is_refused_in_words(run, tmp_path, nuclei, words):
    places = {"DATA": nuclei, "OUT": tmp_path / "out"}
    code, out, err = run(*(places.get(word, word) for word in words), "--quiet")
    option = [word for word in words if word.startswith("--") and word not in ("--out", "--task")]
    assert (code, out) == (2, "")
    assert option[-1] in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_words_of_older_versions_stand_for_the_tasks_of_today(run, nuclei):
    methods = json.loads(run("methods", "--json")[1])
    assert {row["task"] for row in methods} >= {"instances", "restoration"}
    for old, new in (("segment", "instances"), ("denoise", "restoration")):
        listed = run("methods", "--task", old, "--json")[1]
        assert listed == run("methods", "--task", new, "--json")[1]
        assert {row["task"] for row in json.loads(listed)} == {new}
    scores = run("evaluate", nuclei / "labels", nuclei, "--task", "segment", "--json")[1]
    assert json.loads(scores)["task"] == "instances"
    code, _, err = run("evaluate", nuclei, nuclei, "--task", "counting")
    assert (code, "instances" in err) == (2, True)


def test_a_recipe_of_an_older_version_loses_the_options_that_it_ignored():
    words = ["fast_nuclei", "data", "--out", "m", "--min-size", "3", "--diameter=8"]
    assert drop_ignored(words) == words[:4]
    words = ["fast_nuclei", "data", "--diameter", "20", "--unit", "pixel", "--out", "m"]
    assert drop_ignored(words) == [*words[:2], *words[4:], "--spacing", "1"]


def test_scores_of_objects_reach_the_curve_and_the_table(run, tmp_path):
    label = np.zeros((40, 40), np.uint16)
    label[2:12, 2:12], label[20:30, 20:30] = 1, 2
    for place, pixels in (("truth", np.where(label == 1, 1, 0)), ("found", label)):
        image = Image(pixels.astype(np.uint16), "YX", spacing=(1, 1))
        io.write_label(tmp_path / place / "a.tif", image)
    rows = [
        {"image": "a", "frame": "", "label": 1, "score": 0.9, "class": "interphase"},
        {"image": "a", "frame": "", "label": 2, "score": 0.3, "class": "mitosis"},
    ]
    io.write_csv(tmp_path / "found" / "objects.csv", rows)
    code, out, _ = run("evaluate", tmp_path / "found", tmp_path / "truth", "--json")
    curve = json.loads(out)["curve"]
    assert code == 0
    assert curve.pop("f1") == pytest.approx([1, 2 / 3])  # 2 P R / (P + R)
    assert curve == {"score": [0.9, 0.3], "precision": [1, 0.5], "recall": [1, 1], "area": 1}
    assert "by score" in run("evaluate", tmp_path / "found", tmp_path / "truth")[1]
    run("measure", tmp_path / "found", "--out", tmp_path / "nuclei.csv")
    table = io.read_csv(tmp_path / "nuclei.csv")
    assert [(row["score"], row["class"]) for row in table] == [
        ("0.9", "interphase"),
        ("0.3", "mitosis"),
    ]
    (tmp_path / "found" / "objects.csv").write_text("image,label,score\na,1,high\n")
    code, _, err = run("evaluate", tmp_path / "found", tmp_path / "truth")
    assert (code, "objects.csv" in err) == (2, True)


def test_a_result_lists_its_objects_also_where_the_method_has_no_scores(run, tmp_path, nuclei):
    run("predict", "otsu", nuclei, "--out", tmp_path / "found", "--min-size", "1")
    objects = io.read_csv(tmp_path / "found" / "objects.csv")
    counts = io.read_csv(tmp_path / "found" / "summary.csv")
    assert len(objects) == sum(int(row["nuclei"]) for row in counts)
    assert list(objects[0]) == ["image", "frame", "label", "score", "class"]
    assert {row["score"] for row in objects} == {""}
