"""What nbtools writes is never taken for what a user gives: pictures, scores and tables."""

import json
import shutil

import numpy as np
import pytest

from nbtools import io
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image

VERBS = {
    "measure": lambda r, data, out: ["measure", r, "--images", data, "--out", out / "n.csv"],
    "evaluate": lambda r, data, out: ["evaluate", r, data],
    "as truth": lambda r, data, out: ["evaluate", r, r],
    "semantic": lambda r, data, out: ["evaluate", r, data, "--task", "semantic"],
    "compare": lambda r, data, out: ["compare", r, "--truth", data, "--out", out / "c"],
    "compare as truth": lambda r, data, out: ["compare", r, r.parent / "r2", "--truth", r],
    "report": lambda r, data, out: ["report", r],
    "check": lambda r, data, out: ["check", r],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, nuclei):
    """A result with everything that the verbs write into it, and a second one."""
    from nbtools.cli import main

    folder = tmp_path_factory.mktemp("own")
    for name in ("r", "r2"):
        words = ["predict", "otsu", nuclei, "--roi", "--out", folder / name, "--quiet"]
        assert main(list(map(str, words))) == 0
    assert main(["evaluate", str(folder / "r"), str(nuclei), "--save", "--quiet"]) == 0
    table = str(folder / "r" / "nuclei.csv")
    assert main(["measure", str(folder / "r"), "--out", table, "--quiet"]) == 0
    assert main(["report", str(folder / "r"), "--quiet"]) == 0
    return folder


@pytest.fixture
def result(made, tmp_path):
    shutil.copytree(made, tmp_path / "own")
    return tmp_path / "own" / "r"


def make_older(result):
    """The layout of older versions: scores and their figures beside the labels."""
    for path in list((result / "scores").iterdir()):
        path.rename(result / path.name)
    (result / "scores").rmdir()
    picture = Image(np.zeros((9, 9, 3), np.uint8), "YXC", channels=("red", "green", "blue"))
    for name in ("compare.png", "differences.png"):
        io.write_image(result / name, picture)


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_reads_a_result_that_was_scored(run, result, nuclei, tmp_path, verb, older):
    if older:
        make_older(result)
    words = [*VERBS[verb](result, nuclei, tmp_path), "--json"]
    code, out, _ = run(*words)
    told = json.loads(out)
    assert code == (1 if verb == "check" else 0)  # labels alone have no partners
    if verb in ("measure", "evaluate", "as truth", "semantic", "check"):
        assert told["images"] == 3
    if verb == "as truth":
        assert told["mean_ap"] == 1.0
    if verb == "report":
        page = (result / "report.html").read_text("utf-8")
        assert ("worst image no. 1" in page, "mean AP" in page) == (True, True)


def test_scores_have_a_folder_of_their_own(made):
    inside = {path.name for path in (made / "r" / "scores").iterdir()}
    assert inside == {"scores.json", "strata.png", "errors"}
    assert not list((made / "r").glob("*.png"))


def test_the_images_of_a_result_are_its_results(made, nuclei):
    names = DataSet.open(nuclei).names
    assert DataSet.open(made / "r").names == names
    assert not DataSet.open(made / "r").entries[0].columns


def test_a_result_of_tables_has_no_images(run, tmp_path):
    io.write_json(tmp_path / "r" / "result.json", {"images": [{"name": "a"}]})
    io.write_csv(tmp_path / "r" / "a.csv", {"y": [1.0], "x": [2.0]})
    picture = Image(np.zeros((9, 9, 3), np.uint8), "YXC", channels=("red", "green", "blue"))
    io.write_image(tmp_path / "r" / "overlays" / "a.png", picture)
    assert len(DataSet.open(tmp_path / "r")) == 0


@pytest.mark.parametrize("folder", ["overlays", "scores/errors"])
def test_pictures_of_a_result_are_refused_as_images(run, result, tmp_path, folder):
    words = ["predict", "otsu", result / folder, "--out", tmp_path / "x"]
    if folder == "overlays":
        with pytest.raises(UserError, match="no images of nuclei"):
            DataSet.open(result / folder)
    code, _, err = run(*words)
    assert (code, "Received" in err) == (2, True)


def test_a_result_beside_the_images_is_no_class_of_them(run, tmp_path, nuclei):
    shutil.copytree(nuclei / "images", tmp_path / "plain" / "wild type")
    run("predict", "otsu", tmp_path / "plain" / "wild type", "--out", tmp_path / "plain" / "r")
    assert DataSet.open(tmp_path / "plain").class_names == ["wild type"]


def test_another_table_of_points_in_a_result_is_no_image(run, tmp_path):
    io.write_json(tmp_path / "r" / "result.json", {"images": [{"name": "a"}]})
    for name in ("a", "mine"):
        io.write_csv(tmp_path / "r" / f"{name}.csv", {"y": [1.0], "x": [2.0]})
    code, out, _ = run("evaluate", tmp_path / "r", tmp_path / "r", "--task", "detection", "--json")
    assert (code, json.loads(out)["images"]) == (0, 1)


# --- tables of a German or French spreadsheet


def write(path, text, encoding="utf-8-sig"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(
    "text", ["y;x\n10,5;20,25\n", "y\tx\n10,5\t20,25\n", 'y,x\n"10,5",20.25\n']
)
def test_points_with_decimal_commas_are_where_they_should_be(tmp_path, text, encoding):
    path = write(tmp_path / "a.csv", text, encoding)
    assert io.read_centres(path, "YX").tolist() == [[10.5, 20.25]]


def test_boxes_groups_and_classes_are_read_from_such_tables(run, tmp_path, nuclei):
    path = write(tmp_path / "a.csv", "sep=;\ny0;x0;y1;x1;class\n0,5;1;9,5;12;größe\n", "cp1252")
    boxes, classes = io.read_boxes(path, 2)
    assert (boxes.tolist(), classes) == ([[0.5, 1.0, 9.5, 12.0]], ("größe",))
    shutil.copytree(nuclei, tmp_path / "s")
    names = DataSet.open(tmp_path / "s").names
    rows = [f"{name};0,5;Zelle {i}" for i, name in enumerate(names)]
    write(tmp_path / "s" / "groups.csv", "\n".join(["name;group;class", *rows]))
    dataset = DataSet.open(tmp_path / "s")
    assert (len(set(dataset.groups())), dataset.class_names[0]) == (1, "Zelle 0")


def test_detection_reads_scores_with_decimal_commas(run, tmp_path):
    path = write(tmp_path / "a.csv", "y;x;score\n10,5;20,5;0,75\n")
    code, out, _ = run("evaluate", path, path, "--task", "detection", "--json")
    assert (code, json.loads(out)["tp"], json.loads(out)["ap"]) == (0, 1, 1.0)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0,5", "0.5"), ("-1,25", "-1.25"), ("1.234,5", "1234.5"), ("1,5e-3", "1.5e-3")],
)
def test_a_decimal_comma_becomes_a_point(text, number):
    assert io.files.with_decimal_point(text) == number


@pytest.mark.parametrize("text", ["a,b", "1,2,3", "", "1, 2", "1.5"])
def test_other_texts_stay_as_they_are(text):
    assert io.files.with_decimal_point(text) == text


def test_images_without_a_group_are_named(run, tmp_path, nuclei):
    shutil.copytree(nuclei, tmp_path / "s")
    names = DataSet.open(tmp_path / "s").names
    text = f"name;plant\n{names[0]};A\n{names[1]};B\n{names[2]};\n"
    write(tmp_path / "s" / "plants.csv", text)
    how = ["--val", "0.3", "--test", "0", "--group-by", "plant"]
    code, out, _ = run("split", tmp_path / "s", *how, "--out", tmp_path / "parts")
    assert (code, f"no group in column plant for {names[2]}" in out) == (0, True)
    run("predict", "otsu", tmp_path / "s", "--out", tmp_path / "r")
    _, out, _ = run("evaluate", tmp_path / "r", tmp_path / "s", "--group-by", "plant")
    assert f"no group in column plant for {names[2]}" in out
