"""Every task on the command line: evaluate, compare, and what is said of missing results."""

import json

import numpy as np
import pytest

from nbtools import io
from nbtools.image import Image


def write_points(folder, name: str, points: list, *, scores: list | None = None) -> None:
    """Points as NAME.csv with y, x and a score where there is one."""
    columns = ["y", "x", *(["score"] if scores else [])]
    rows = [
        dict(zip(columns, [*p, *([s] if scores else [])], strict=True))
        for p, s in zip(points, scores or points, strict=True)
    ]
    io.write_csv(folder / f"{name}.csv", rows, columns=columns)


@pytest.fixture
def spots(tmp_path):
    """A data set with centres; a result that finds one of two nuclei in "a", 2 px off, and invents
    one of lower score; and lacks "b".
    """
    for name in "ab":
        io.write_image(
            tmp_path / "data" / "images" / f"{name}.tif",
            Image(np.zeros((64, 64), np.uint8), "YX", spacing=(0.5, 0.5)),
        )
        write_points(tmp_path / "data" / "centres", name, [(10, 10), (40, 40)])
    write_points(tmp_path / "found", "a", [(10, 12), (60, 5)], scores=[0.9, 0.4])
    return tmp_path


@pytest.fixture
def restored(tmp_path, rng):
    """A data set of clean and noisy images, and a result that is half as noisy; "b" is missing in
    it.
    """
    for name in "ab":
        clean = np.add.outer(np.arange(32.0), np.arange(32.0)) * 4
        noise = rng.normal(0, 8, clean.shape)
        for place, pixels in {
            "data/clean": clean,
            "data/images": clean + noise,
            "found": clean + noise / 2,
        }.items():
            io.write_image(tmp_path / place / f"{name}.tif", Image(pixels.astype(np.float32), "YX"))
    (tmp_path / "found" / "b.tif").unlink()
    return tmp_path


def test_points_are_judged_within_a_gate(run, spots):
    code, out, _ = run(
        "evaluate", spots / "found", spots / "data", "--task", "detection", "--biaflows", "--json"
    )
    told = json.loads(out)
    assert (code, told["missing"], told["gate_px"], told["rmse"]) == (1, ["b"], 5.0, 2.0)
    assert (told["precision"], told["recall"], told["ap"]) == (0.5, 0.25, 0.25)
    assert told["biaflows"]["TP"] == 0.5
    (spots / "data" / "centres" / "b.csv").write_text("y,x\n")
    write_points(spots / "found", "b", [])
    code, out, _ = run(
        "evaluate",
        spots / "found",
        spots / "data",
        "--task",
        "detection",
        "--gate-um",
        0.9,
        "--json",
    )
    assert (code, json.loads(out)["gate_um"], json.loads(out)["tp"]) == (0, 0.9, 0)
    code, out, _ = run(
        "evaluate",
        spots / "found",
        spots / "data",
        "--task",
        "detection",
        "--gate-um",
        1.0,
        "--json",
    )
    assert (json.loads(out)["tp"], json.loads(out)["rmse"]) == (1, 1.0)


def test_points_of_one_table_and_of_label_images_are_read_too(run, spots):
    code, out, _ = run(
        "evaluate",
        spots / "found" / "a.csv",
        spots / "data" / "centres" / "b.csv",
        "--task",
        "detection",
        "--json",
    )
    assert (code, json.loads(out)["tp"]) == (0, 1)
    blobs = np.zeros((64, 64), np.uint8)
    blobs[9:12, 9:12], blobs[39:42, 39:42] = 1, 2
    io.write_label(spots / "blobs" / "a.tif", Image(blobs, "YX"))
    assert (
        json.loads(
            run("evaluate", spots / "blobs", spots / "data", "--task", "detection", "--json")[1]
        )["rmse"]
        == 0.0
    )


def test_points_without_coordinates_or_pixel_size_are_refused(run, spots):
    (spots / "odd").mkdir()
    (spots / "odd" / "a.csv").write_text("row,column\n1,2\n")
    code, _, err = run("evaluate", spots / "odd", spots / "data", "--task", "detection")
    assert (code, "columns y and x" in err) == (2, True)
    code, _, err = run(
        "evaluate",
        spots / "found",
        spots / "data" / "centres",
        "--task",
        "detection",
        "--gate-um",
        2,
    )
    assert (code, "pixel size" in err) == (2, True)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("y,x,score\nnan,12,0.9\n", "finite"),
        ("y,x,score\n10,12,nan\n", "finite"),
        ("y0,x0,y1,x1\n15,25,5,15\n", "ends behind"),
    ],
)
def test_tables_that_no_score_can_be_made_of_are_refused(run, spots, table, told):
    (spots / "found" / "a.csv").write_text(table)
    code, _, error = run("evaluate", spots / "found", spots / "data", "--task", "detection")
    assert code == 2
    assert told in error


def test_true_boxes_that_end_before_they_begin_are_refused(run, spots):
    (spots / "data" / "centres").rename(spots / "data" / "boxes")
    for name in "ab":
        (spots / "data" / "boxes" / f"{name}.csv").write_text("y0,x0,y1,x1\n5,5,5,9\n")
    code, _, error = run("evaluate", spots / "found", spots / "data", "--task", "detection")
    assert (code, "1 of 1 boxes" in error) == (2, True)


def test_classes_are_judged_with_what_is_missing(run, tmp_path):
    (tmp_path / "truth.csv").write_text(
        "name,class\na.tif,wild type\nb.tif,wild type\nc.tif,mutant\nd.tif,mutant\n"
    )
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "classes.csv").write_text(
        "name,class,probability\na,wild type,0.9\nb,mutant,0.6\nc,mutant,0.8\n"
    )
    code, out, _ = run(
        "evaluate", tmp_path / "found", tmp_path / "truth.csv", "--task", "classification", "--json"
    )
    told = json.loads(out)
    assert (code, told["missing"], told["accuracy"], told["balanced_accuracy"]) == (
        1,
        ["d"],
        0.5,
        0.5,
    )
    assert told["confusion"] == [[1, 0], [1, 1]]
    assert told["calibration"]["ece"] == pytest.approx((0.1 + 0.6 + 0.2) / 3)
    code, out, _ = run(
        "evaluate", tmp_path / "found", tmp_path / "truth.csv", "--task", "classification"
    )
    assert "balanced accuracy 0.500" in out


@pytest.mark.parametrize("spelled", ["Mutant", "1"])
def test_classes_that_are_spelled_otherwise_are_told(run, tmp_path, spelled):
    (tmp_path / "truth.csv").write_text(f"name,class\na,{spelled}\nb,{spelled}\n")
    (tmp_path / "found.csv").write_text("name,class\na,mutant\nb,mutant\n")
    paths = tmp_path / "found.csv", tmp_path / "truth.csv"
    told = json.loads(run("evaluate", *paths, "--task", "classification", "--json")[1])
    assert [one["code"] for one in told["warnings"]] == ["class_names_differ"]
    assert f"'{spelled}'" in told["warnings"][0]["message"]


def test_one_image_of_two_classes_is_refused(run, tmp_path):
    (tmp_path / "truth.csv").write_text("name,class\na.tif,G1\na.tif,G1\na,S\n")
    (tmp_path / "found.csv").write_text("name,class\na,S\n")
    paths = tmp_path / "found.csv", tmp_path / "truth.csv"
    code, _, told = run("evaluate", *paths, "--task", "classification")
    assert code == 2
    assert "a as G1 and as S" in told


def test_restored_images_are_judged_beside_their_input(run, restored):
    code, out, _ = run(
        "evaluate",
        restored / "found",
        restored / "data",
        "--task",
        "restoration",
        "--range",
        255,
        "--json",
    )
    told = json.loads(out)
    assert (code, told["missing"], told["range"]) == (1, ["b"], "255")
    assert told["mean"]["rmse"] == pytest.approx(told["input"]["rmse"] / 2, rel=1e-4)
    assert told["mean"]["psnr"] - told["input"]["psnr"] == pytest.approx(6.02, abs=0.01)
    assert (
        "PSNR" in run("evaluate", restored / "found", restored / "data", "--task", "restoration")[1]
    )


def test_restored_images_are_not_judged_by_what_they_were_made_of(run, restored):
    (restored / "data" / "clean").rename(restored / "clean")
    io.write_json(restored / "found" / "result.json", {"source": str(restored / "data")})
    about = "--task", "restoration"
    code, _, told = run("evaluate", restored / "found", restored / "data", *about)
    assert code == 2
    assert "not with those that they were made of" in told
    assert run("evaluate", restored / "found", restored / "clean", *about)[0] == 1  # "b" is missing


def test_restorations_are_compared_with_their_input_on_images_that_both_have(run, restored):
    words = [
        "compare",
        restored / "found",
        "--truth",
        restored / "data",
        "--task",
        "restoration",
        "--baseline",
        restored / "found",
        "--out",
        restored / "c",
    ]
    code, out, _ = run(*words, "--json")
    told = json.loads(out)
    assert (code, told["images"], told["missing"]["found"]) == (1, 1, ["b"])
    difference = next(
        d for d in told["differences"] if (d["method"], d["metric"]) == ("input", "psnr")
    )
    assert difference["difference"] == pytest.approx(-6.02, abs=0.01)
    assert [p.name for p in (restored / "c" / "errors").iterdir()] == ["1_a.png"]


def test_points_and_classes_are_compared_too(run, spots, tmp_path):
    for name in "ab":
        write_points(spots / "all", name, [(10, 10), (40, 41)])
    words = [
        "compare",
        spots / "found",
        spots / "all",
        "--truth",
        spots / "data" / "centres",
        "--task",
        "detection",
        "--out",
        spots / "c",
        "--json",
    ]
    code, out, _ = run(*words)
    told = json.loads(out)
    assert (code, told["metrics"][0], told["smaller_is_better"]) == (1, "f1", ["rmse"])
    assert told["methods"]["all"]["f1"] == 1.0
    assert (spots / "c" / "compare.png").is_file()
    assert run("report", spots / "c")[0] == 0


def test_pixels_are_judged_and_the_page_says_what_they_cannot_tell(run, tmp_path):
    label = np.zeros((20, 20), np.uint16)
    label[2:8, 2:8], label[2:8, 8:14] = 1, 2
    io.write_label(tmp_path / "truth" / "a.tif", Image(label, "YX"))
    io.write_label(tmp_path / "found" / "a.tif", Image((label > 0).astype(np.uint8), "YX"))
    code, out, _ = run(
        "evaluate", tmp_path / "found", tmp_path / "truth", "--task", "semantic", "--json"
    )
    assert (code, json.loads(out)["dice"]) == (0, 1.0)
    assert (
        "touching nuclei"
        in run("evaluate", tmp_path / "found", tmp_path / "truth", "--task", "semantic")[1]
    )
    named = run(
        "evaluate",
        tmp_path / "found",
        tmp_path / "truth",
        "--task",
        "semantic",
        "--classes",
        "background",
        "a",
        "b",
        "--json",
    )[1]
    assert json.loads(named)["per_class"]["b"]["recall"] == 0.0


def test_scores_are_kept_for_the_report_with_the_worst_image_first(run, tmp_path, nuclei):
    result = tmp_path / "result"
    for number, path in enumerate(sorted((nuclei / "labels").iterdir())):
        label = io.read_label(path)
        io.write_label(
            result / path.name,
            label.replace(pixels=np.where(label.pixels <= number, 0, label.pixels)),
        )
    io.write_json(
        result / "result.json",
        {
            "method": "otsu",
            "images": [],
            "warnings": ["Nuclei found are 2.0 times as large as those."],
        },
    )
    code, out, _ = run("evaluate", result, nuclei, "--save", "--biaflows", "--json")
    told = json.loads(out)
    assert (code, set(told["biaflows"])) == (0, {"DC", "AHD", "FOVL", "mAP", "REC"})
    names = [p.stem for p in sorted((result / "scores" / "errors").iterdir())]
    worst = sorted(told["per_image"], key=lambda row: row["mean_ap"])[0]["name"]
    assert names[0] == f"1_{worst}"
    run("report", result)
    page = (result / "report.html").read_text("utf-8")
    assert "Nuclei found are 2.0 times as large" in page
    assert "worst image no. 1" in page
    assert run("evaluate", result, nuclei, "--task", "restoration", "--biaflows")[0] == 2


def test_animals_and_not_images_are_drawn_where_a_table_names_them(run, tmp_path, nuclei):
    table = nuclei / "animals.csv"
    io.write_csv(
        table, [{"name": p.stem, "animal": "one"} for p in sorted((nuclei / "images").iterdir())]
    )
    try:
        told = json.loads(
            run("evaluate", nuclei / "labels", nuclei, "--group-by", "animal", "--json")[1]
        )
        assert told["interval_95"]["mean_ap"] == [0.0, 1.0]  # one animal says nothing of others
    finally:
        table.unlink()
