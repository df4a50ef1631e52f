"""The command line: what it says, where it says it, and with which exit code."""

import csv
import functools
import json
import operator
import os
import subprocess
import sys

import numpy as np
import pytest

from nbtools import cli, io
from nbtools.image import Image

VERBS = (
    "methods",
    "doctor",
    "course",
    "simulate",
    "check",
    "split",
    "train",
    "predict",
    "evaluate",
    "measure",
    "report",
    "export",
)


@pytest.fixture(scope="module")
def result(nuclei, tmp_path_factory):
    """What otsu found in the simulated images."""
    folder = tmp_path_factory.mktemp("cli") / "result"
    assert (
        cli.main(
            ["predict", "otsu", str(nuclei / "images"), "--out", str(folder), "--quiet", "--roi"]
        )
        == 0
    )
    return folder


def test_every_verb_of_the_contract_is_there_and_helps(capsys):
    assert set(VERBS) <= set(cli.COMMANDS)
    for verb in VERBS:
        with pytest.raises(SystemExit) as ended:
            cli.main([verb, "--help"])
        assert ended.value.code == 0
        told = capsys.readouterr().out
        assert all(option in told for option in ("--json", "--seed", "--quiet"))


def test_listing_methods_loads_no_framework():
    code = (
        "import sys; from nbtools import cli; cli.main(['methods']); print({'keras', "
        "'tensorflow', 'matplotlib'} & set(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert told.splitlines()[-1] == "set()"


def test_methods_are_told_as_the_contract_says(run):
    code, out, _ = run("methods", "--json")
    rows = json.loads(out)
    keys = {
        "name",
        "title",
        "task",
        "dims",
        "needs",
        "paper",
        "system",
        "built_on",
        "parameters",
        "weights",
        "lesson",
        "passport",
    }
    assert code == 0
    assert all(keys <= row.keys() for row in rows)
    assert {"otsu", "fast_nuclei"} <= {row["name"] for row in rows}


def test_one_method_tells_its_settings(run):
    _, out, _ = run("methods", "otsu", "--json")
    settings = json.loads(out)["settings"]
    assert settings
    assert all({"name", "default", "help", "unit", "type"} <= s.keys() for s in settings)
    assert "smoothing" in run("methods", "otsu")[1]


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["trian"], "Did you mean: nbtools train?"),
        (["methods", "otso"], "otsu"),
        (["predict", "otsu"], "--help"),
        (["predict", "nowhere", "IMAGES", "--out", "OUT"], "otsu"),
        (["predict", "otsu", "nowhere.tif", "--out", "OUT"], "spelling"),
        (["train", "otso", "DATA", "--out", "OUT"], "otsu"),
        (["train", "otsu", "DATA", "--out", "OUT", "--set", "sharpness=3"], "smoothing"),
        (["train", "otsu", "DATA", "--out", "OUT", "--set", "smoothing=much"], "smoothing"),
        (["train", "otsu", "DATA", "--out", "OUT", "--minutes", "-3"], "--help"),
        (["train", "otsu", "nowhere", "--out", "OUT"], "spelling"),
        (["check", "nowhere"], "spelling"),
        (["simulate", "galaxies", "--out", "OUT"], "nuclei2d"),
        (["evaluate", "DATA", "nowhere"], "spelling"),
        (["evaluate", "RESULT", "OTHER"], "same name"),
        (["measure", "nowhere", "--out", "OUT"], "spelling"),
        (["report", "nowhere"], "spelling"),
        (["export", "otsu", "--format", "keras", "--out", "OUT"], "network"),
        (["course", "--only", "99"], "00_start_here"),
        (["split", "DATA", "--out", "OUT", "--val", "1.5"], "--help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_used_is_one_message_with_a_remedy(
    run, tmp_path, nuclei, result, words, remedy
):
    other = tmp_path / "other"
    io.write_label(other / "stranger.tif", io.read_label(next((nuclei / "labels").iterdir())))
    places = {
        "DATA": nuclei,
        "IMAGES": nuclei / "images",
        "OUT": tmp_path / "out",
        "RESULT": result,
        "OTHER": other,
    }
    code, out, err = run(*(places.get(word, word) for word in words), "--quiet")
    assert code == 2, err
    assert out == ""
    assert "Received: " in err
    assert remedy in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_error_is_a_document_too(run):
    code, out, err = run("methods", "otso", "--json")
    assert code == 2
    assert json.loads(out)["error"]["received"] == "'otso'"
    assert "otso" in err


def test_debug_shows_the_traceback(run):
    assert "Traceback" not in run("methods", "otso")[2]
    assert "Traceback" in run("methods", "otso", "--debug")[2]


def test_a_bug_is_no_user_error(run, monkeypatch):
    def break_down(args: object) -> None:
        raise ZeroDivisionError

    broken = cli.common.Command("methods", "broken", break_down)
    monkeypatch.setitem(cli.COMMANDS, "methods", broken)
    code, _, err = run("methods")
    assert code == 70
    assert "ZeroDivisionError" in err
    assert "bug" in err


def test_json_is_alone_on_standard_output(tmp_path, nuclei):
    command = [
        sys.executable,
        "-m",
        "nbtools.cli",
        "predict",
        "otsu",
        str(nuclei),
        "--out",
        str(tmp_path / "p"),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["images"]) == 3
    assert "3 of 3" in done.stderr


def test_quiet_says_nothing_on_standard_error(run, tmp_path, nuclei):
    assert run("predict", "otsu", nuclei, "--out", tmp_path / "p", "--quiet")[2] == ""


def test_a_closed_pipe_is_no_error(nuclei):
    command = f"{sys.executable} -m nbtools.cli methods | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_simulated_images_have_exact_labels_and_a_pixel_size(nuclei):
    image, label = (
        io.read_image(sorted((nuclei / kind).iterdir())[0]) for kind in ("images", "labels")
    )
    assert image.shape == label.shape == (96, 96)
    assert image.spacing_um is not None


def test_the_same_seed_simulates_the_same_images(run, tmp_path, nuclei):
    run(
        "simulate",
        "nuclei2d",
        "--count",
        3,
        "--seed",
        3,
        "--set",
        "shape_px=96,96",
        "--out",
        tmp_path / "again",
    )
    for path in sorted((nuclei / "images").iterdir()):
        np.testing.assert_array_equal(
            io.read_image(path).pixels,
            io.read_image(tmp_path / "again" / "images" / path.name).pixels,
        )


def test_a_good_data_set_is_told_to_be_good(run, nuclei):
    code, out, _ = run("check", nuclei, "--json")
    document = json.loads(out)
    assert (code, document["ok"], document["images"]) == (0, True, 3), document


def test_a_split_keeps_every_image_once(run, tmp_path, nuclei):
    code, out, _ = run(
        "split", nuclei, "--out", tmp_path / "parts", "--val", "0.3", "--test", "0.3", "--json"
    )
    names = json.loads(out)["names"]
    assert code == 0
    assert sorted(functools.reduce(operator.iadd, names.values(), [])) == sorted(
        p.stem for p in (nuclei / "images").iterdir()
    )
    assert all(
        (tmp_path / "parts" / part / "labels" / f"{name}.tif").is_file()
        for part in names
        for name in names[part]
    )


def test_a_result_has_all_the_contract_asks(result, nuclei):
    names = [p.stem for p in sorted((nuclei / "images").iterdir())]
    for name in names:
        label = io.read_label(result / f"{name}.tif")
        image = io.read_image(nuclei / "images" / f"{name}.tif")
        assert (label.axes, label.shape) == (image.axes, image.shape)
        assert label.spacing_um == pytest.approx(image.spacing_um)
        assert (result / "overlays" / f"{name}.png").stat().st_size > 1000
        assert (result / "rois" / f"{name}.zip").is_file()
    rows = list(csv.DictReader((result / "summary.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == names
    told = json.loads((result / "result.json").read_text())
    assert (told["method"], told["axes"], len(told["images"])) == ("otsu", "YX", 3)


def test_an_existing_result_is_kept_unless_told_otherwise(run, nuclei, result):
    before = (result / "summary.csv").read_bytes()
    assert run("predict", "otsu", nuclei, "--out", result)[0] == 2
    assert (result / "summary.csv").read_bytes() == before
    assert (
        run("predict", "otsu", nuclei / "images", "--out", result, "--overwrite", "--roi")[0] == 0
    )


def test_scores_are_those_of_the_metric(run, nuclei, result):
    from nbtools.metrics import instances

    names = [p.name for p in sorted((nuclei / "labels").iterdir())]
    pairs = [(n, io.read_label(nuclei / "labels" / n), io.read_label(result / n)) for n in names]
    code, out, _ = run("evaluate", result, nuclei, "--task", "instances", "--json")
    assert code == 0
    assert json.loads(out)["pooled"] == json.loads(json.dumps(instances.evaluate(pairs)["pooled"]))


def test_a_missing_prediction_counts_and_is_told(run, tmp_path, nuclei, result):
    part = tmp_path / "part"
    for path in sorted(result.glob("*.tif"))[1:]:
        io.write_label(part / path.name, io.read_label(path))
    code, out, err = run("evaluate", part, nuclei, "--json")
    assert code == 1
    assert json.loads(out)["missing"] == [sorted(result.glob("*.tif"))[0].stem]
    assert "missing" in err


def test_the_table_has_a_row_for_every_nucleus(run, tmp_path, nuclei, result):
    table = tmp_path / "nuclei.csv"
    code, out, _ = run("measure", result, "--images", nuclei / "images", "--out", table, "--json")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    nuclei_found = sum(io.read_label(p).pixels.max() for p in result.glob("*.tif"))
    assert code == 0
    assert len(rows) == json.loads(out)["nuclei"] == nuclei_found
    assert {"image", "label", "area_um2", "mean_0"} <= rows[0].keys()


def test_pixel_size_on_the_command_line_calibrates_the_table(run, tmp_path):
    square = np.zeros((30, 30), np.uint8)
    square[5:15, 5:15] = 1
    io.write_label(tmp_path / "square.png", Image(square, "YX"))
    assert (
        run(
            "measure", tmp_path / "square.png", "--spacing", "0.5,0.5", "--out", tmp_path / "n.csv"
        )[0]
        == 0
    )
    row = next(csv.DictReader((tmp_path / "n.csv").read_text().splitlines()))
    assert float(row["area_um2"]) == pytest.approx(25)  # 100 pixels of 0.5 µm x 0.5 µm


def test_small_nuclei_are_left_out_where_asked_for(run, tmp_path):
    label = np.zeros((60, 60), np.uint8)
    label[5:25, 5:25], label[40:43, 40:43] = 1, 2  # 400 and 9 µm²: diameters 22.6 and 3.4 µm
    io.write_label(tmp_path / "two.tif", Image(label, "YX", spacing=(1, 1)))
    assert (
        json.loads(
            run(
                "measure",
                tmp_path / "two.tif",
                "--min-size",
                5,
                "--out",
                tmp_path / "n.csv",
                "--json",
            )[1]
        )["nuclei"]
        == 1
    )


def test_recorded_commands_spell_the_folder_of_data_sets_by_its_variable(
    run, tmp_path, nuclei, monkeypatch
):
    monkeypatch.setenv("NBTOOLS_DATA", str(nuclei.parent))
    run("predict", "otsu", nuclei / "images", "--out", tmp_path / "p", "--quiet")
    assert (
        "$NBTOOLS_DATA/nuclei/images"
        in json.loads((tmp_path / "p" / "result.json").read_text())["command"]
    )


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(run, tmp_path, nuclei):
    tmp_path.chmod(0o500)
    assert run("predict", "otsu", nuclei, "--out", tmp_path / "p")[0] == 2
