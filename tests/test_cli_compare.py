"""Methods side by side on the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from nbtools import io
from nbtools.tasks.reading import find_partner


@pytest.fixture
def results(tmp_path, run, nuclei):
    """What otsu found; the truth under names of another program; and a result that lacks an
    image.
    """
    run("predict", "otsu", nuclei, "--out", tmp_path / "classical")
    for path in sorted((nuclei / "labels").iterdir()):
        label = io.read_label(path)
        io.write_label(tmp_path / "other" / f"{path.stem}_cp_masks.tif", label)
        io.write_label(
            tmp_path / "poor" / path.name,
            label.replace(pixels=np.where(label.pixels == 1, 0, label.pixels)),
        )
    return tmp_path


def test_results_are_compared_with_the_classical_one_among_them(run, nuclei, results):
    code, out, _ = run(
        "compare",
        results / "other",
        results / "classical",
        results / "poor",
        "--truth",
        nuclei,
        "--json",
    )
    told = json.loads(out)
    assert code == 0
    assert (told["baseline"], told["images"], told["paired_over"]) == ("classical", 3, "images")
    assert set(told["methods"]) == set(told["scores"]) == {"other", "classical", "poor"}
    assert told["methods"]["other"]["mean_ap"] == 1.0
    first = told["differences"][0]
    assert (first["method"], first["against"], first["metric"]) == ("other", "classical", "mean_ap")
    assert first["difference"] == pytest.approx(1 - told["scores"]["classical"]["mean_ap"])
    assert first["interval_95"][0] <= first["difference"] <= first["interval_95"][1]


def test_the_classical_one_is_computed_where_none_is_given(run, nuclei, results):
    code, out, _ = run("compare", results / "other", "--truth", nuclei, "--json")
    told = json.loads(out)
    assert (code, told["baseline"], list(told["methods"])) == (0, "otsu", ["otsu", "other"])
    given = json.loads(
        run("compare", results / "other", results / "classical", "--truth", nuclei, "--json")[1]
    )
    assert told["scores"]["otsu"]["pooled"] == given["scores"]["classical"]["pooled"]


def test_labels_alone_are_a_truth_too(run, nuclei, results):
    words = [
        "compare",
        results / "other",
        results / "poor",
        "--truth",
        nuclei / "labels",
        "--baseline",
        "poor",
        "--json",
    ]
    told = json.loads(run(*words)[1])
    assert (told["baseline"], set(told["methods"])) == ("poor", {"other", "poor"})


def test_a_missing_image_counts_and_is_told(run, nuclei, results):
    gone = sorted((results / "poor").iterdir())[0]
    gone.unlink()
    code, out, _ = run("compare", results / "poor", "--truth", nuclei, "--json")
    assert code == 1
    assert json.loads(out)["missing"]["poor"] == [gone.stem]


def test_groups_are_drawn_whole(run, nuclei, results):
    names = sorted(p.stem for p in (nuclei / "images").iterdir())
    table = nuclei / "groups.csv"
    io.write_csv(table, [{"name": n, "animal": "a" if i < 2 else "b"} for i, n in enumerate(names)])
    try:
        told = json.loads(
            run("compare", results / "other", "--truth", nuclei, "--group-by", "animal", "--json")[
                1
            ]
        )
        assert (told["paired_over"], told["units"]) == ("groups", 2)
        assert run("compare", results / "other", "--truth", nuclei, "--group-by", "no_such")[0] == 2
    finally:
        table.unlink()


def test_table_and_figures_are_written_whole(run, nuclei, results):
    code, out, _ = run(
        "compare", results / "other", results / "poor", "--truth", nuclei, "--out", results / "c"
    )
    assert code == 0
    assert "Differences of mean AP from otsu" in out
    rows = list(csv.DictReader((results / "c" / "compare.csv").read_text().splitlines()))
    assert rows[0]["method"] == "other"
    drawn = {
        "compare.json",
        "compare.csv",
        "compare.png",
        "differences.png",
        "strata.png",
        "strata.json",
        "errors",
    }
    assert {p.name for p in (results / "c").iterdir()} == drawn
    assert {p.name for p in (results / "c" / "errors").iterdir()} == {"otsu", "other", "poor"}
    assert [p.name[:2] for p in sorted((results / "c" / "errors" / "poor").iterdir())] == [
        "1_",
        "2_",
        "3_",
    ]
    told = json.loads((results / "c" / "compare.json").read_text())
    assert [len(one["sha256"]) for one in told["files"]] == [64, 64, 64]
    page = run("report", results / "c", "--pdf", "--json")
    assert page[0] == 0
    text = Path(json.loads(page[1])["report"]).read_text("utf-8")
    for words in (
        "on too few images for a conclusion",
        "What the terms mean",
        "worst image no. 1",
        "sha256",
        "bootstrap samples",
    ):
        assert words in text
    assert Path(json.loads(page[1])["pdf"]).read_bytes()[:4] == b"%PDF"
    assert run("compare", results / "other", "--truth", nuclei, "--out", results / "c")[0] == 2


def test_results_that_share_no_name_with_the_truth_are_refused(run, nuclei, results, tmp_path):
    io.write_label(
        tmp_path / "odd" / "elsewhere.tif", io.read_label(sorted((nuclei / "labels").iterdir())[0])
    )
    code, _, err = run("compare", tmp_path / "odd", "--truth", nuclei)
    assert code == 2
    assert "names in common" in err
    assert run("compare", results / "other", results / "other", "--truth", nuclei)[0] == 2


def test_names_with_an_addition_are_paired_only_where_it_is_plain_whose_they_are():
    assert find_partner("a", ["a_cp_masks", "b_cp_masks"], taken=["a", "b"]) == "a_cp_masks"
    assert find_partner("a", ["a_1", "a_2"], taken=["a"]) is None
    assert find_partner("a", ["a_b"], taken=["a", "a_b"]) is None
    assert find_partner("A", ["a", "a_x"], taken=["A"]) == "a"
