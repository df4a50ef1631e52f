"""The command line with a network: train, predict, export, report, and what a model folder
holds.
"""

import csv
import json
import os
from pathlib import Path

import pytest

from nbtools import cli, io


@pytest.fixture(scope="module")
def model(nuclei, tmp_path_factory):
    """A tiny network, trained for a moment."""
    folder = tmp_path_factory.mktemp("cli") / "model"
    settings = ["preset=tiny", "epochs=2", "steps_per_epoch=2", "batch_size=2", "patch_size=64"]
    assert (
        cli.main(
            [
                "train",
                "fast_nuclei",
                str(nuclei),
                "--out",
                str(folder),
                "--seed",
                "1",
                "--quiet",
                "--set",
                *settings,
            ]
        )
        == 0
    )
    return folder


def test_a_trained_model_is_a_whole_folder(model, nuclei):
    assert {p.name for p in model.iterdir()} == {
        ".nbtools.jsonl",
        "model.json",
        "weights.npz",
        "weights_last.npz",
        "history.csv",
        "recipe.json",
        "checkpoint",
    }
    recipe = json.loads((model / "recipe.json").read_text())
    assert recipe["seed"] == 1
    assert "train fast_nuclei" in recipe["command"]
    files = {os.path.basename(i["file"]) for i in recipe["inputs"]}
    assert {p.name for p in (nuclei / "images").iterdir()} <= files
    assert len(list(csv.DictReader((model / "history.csv").read_text().splitlines()))) == 2


def test_a_training_is_told_as_the_contract_says(run, tmp_path, nuclei):
    code, out, err = run("train", "otsu", nuclei, "--out", tmp_path / "m", "--json")
    told = json.loads(out)
    assert code == 0
    assert {
        "model",
        "method",
        "seconds",
        "epochs",
        "steps",
        "parameters",
        "best",
        "stopped",
    } <= told.keys()
    assert "images to learn from" in err


def test_a_trained_model_predicts_with_raw_maps(run, tmp_path, model, nuclei):
    code, out, _ = run(
        "predict", model, nuclei, "--out", tmp_path / "p", "--raw", "--tile", "64,64", "--json"
    )
    assert code == 0
    assert json.loads(out)["method"] == "fast_nuclei"
    maps = io.read_image(next((tmp_path / "p" / "raw").iterdir()))
    assert (maps.space_shape, maps.size("C")) == ((96, 96), 2)


def test_best_or_last_weights_are_chosen_on_the_command_line(run, tmp_path, model, nuclei):
    for weights in ("best", "last"):
        code, out, _ = run(
            "predict",
            model,
            nuclei,
            "--weights",
            weights,
            "--out",
            tmp_path / weights,
            "--raw",
            "--json",
        )
        assert (code, json.loads(out)["weights"]) == (0, weights)
    maps = [io.read_image(next((tmp_path / w / "raw").iterdir())).pixels for w in ("best", "last")]
    same = (
        json.loads((model / "recipe.json").read_text())["best"]["epoch"] == 2
    )  # the last epoch was the best one
    assert (abs(maps[0] - maps[1]).max() == 0) == same
    code, _, err = run("predict", "otsu", nuclei, "--weights", "last", "--out", tmp_path / "o")
    assert (code, "Only a trained network" in err) == (2, True)
    code, _, err = run(
        "predict", "nuclei2d_small", nuclei, "--weights", "last", "--out", tmp_path / "o"
    )
    assert (code, "weights_last.npz" in err) == (2, True)


def test_the_checkpoints_of_a_model_are_ranked_by_the_score_of_their_results(
    run, tmp_path, model, nuclei
):
    code, out, _ = run("evaluate", model, nuclei, "--json")
    ranking = json.loads(out)
    assert (code, ranking["ranked_by"]) == (0, "mean_ap")
    scores = {one["checkpoint"]: one["mean_ap"] for one in ranking["checkpoints"]}
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert scores.keys() == {"best", "last"}
    for name, score in scores.items():
        run("predict", model, nuclei, "--weights", name, "--out", tmp_path / name)
        _, out, _ = run("evaluate", tmp_path / name, nuclei, "--json")
        assert json.loads(out)["mean_ap"] == pytest.approx(score, abs=1e-9)
    labels = next((nuclei / "labels").iterdir())
    code, _, err = run("evaluate", model, labels)
    assert (code, "Give a data set with images" in err) == (2, True)


def test_a_model_is_exported_and_reported(run, tmp_path, model, nuclei):
    assert run("export", model, "--format", "keras", "--out", tmp_path / "net.keras")[0] == 0
    assert (tmp_path / "net.keras").stat().st_size > 1000
    assert run("export", model, "--format", "keras", "--out", tmp_path / "net")[0] == 2
    code, out, _ = run("report", model, "--json")
    assert code == 0
    assert "<html" in Path(json.loads(out)["report"]).read_text("utf-8")


def test_a_resume_without_a_checkpoint_does_not_overwrite(run, tmp_path, nuclei):
    (tmp_path / "notes.txt").write_text("mine")
    assert run("train", "otsu", nuclei, "--out", tmp_path, "--resume")[0] == 2


def test_validation_images_are_found_beside_the_training_images(run, tmp_path, nuclei):
    run("split", nuclei, "--out", tmp_path / "parts", "--val", "0.3", "--test", "0")
    for place in ("parts", "parts/train"):
        err = run("train", "otsu", tmp_path / place, "--out", tmp_path / "m", "--overwrite")[2]
        assert "2 images to learn from, 1 to choose by" in err


def test_a_diameter_brings_nuclei_to_the_size_the_model_knows(run, tmp_path, model, nuclei):
    known = json.loads((model / "model.json").read_text())["nucleus_size"]
    spacing = io.read_image(sorted((nuclei / "images").iterdir())[0]).spacing_um[0]
    code, out, _ = run(
        "predict",
        model,
        nuclei,
        "--diameter",
        2 * known * spacing,
        "--out",
        tmp_path / "p",
        "--json",
    )
    told = json.loads(out)["images"][0]
    assert code == 0
    assert told["zoom"] == pytest.approx(
        [0.5, 0.5], rel=0.01
    )  # nuclei said to be twice as large as those it knows
    assert io.read_label(tmp_path / "p" / f"{told['name']}.tif").shape == (96, 96)


def test_volumes_go_from_simulation_to_measurement_with_their_spacing(run, tmp_path):
    truth, model = tmp_path / "truth", tmp_path / "model"
    words = ["--count", 2, "--seed", 1, "--set", "shape_px=12,100,64"]
    assert run("simulate", "nuclei3d", *words, "--out", truth)[0] == 0
    tiny = [
        "preset=tiny",
        "epochs=1",
        "steps_per_epoch=2",
        "batch_size=1",
        "patch_size=32",
        "patch_depth=8",
    ]
    assert run("train", "fast_nuclei", truth, "--out", model, "--quiet", "--set", *tiny)[0] == 0
    for name, tile in {"whole": "12,100,64", "tiled": "12,48,48"}.items():
        assert (
            run("predict", model, truth, "--out", tmp_path / name, "--raw", "--tile", tile)[0] == 0
        )
    for file in (tmp_path / "whole" / "raw").iterdir():
        whole, tiled = (
            io.read_image(tmp_path / name / "raw" / file.name) for name in ("whole", "tiled")
        )
        assert abs(whole.pixels - tiled.pixels).max() < 1e-4
        name = file.name.replace(".maps", "")
        label = io.read_label(tmp_path / "tiled" / name)
        assert label.spacing_um == io.read_image(truth / "images" / name).spacing_um
        assert len(set(label.spacing_um)) == 2  # planes lie farther apart than pixels
    code, out, _ = run("evaluate", tmp_path / "whole", truth, "--task", "instances", "--json")
    assert (code, json.loads(out)["images"]) == (0, 2)
    assert run("measure", truth, "--images", truth, "--out", tmp_path / "nuclei.csv")[0] == 0
    rows = list(csv.DictReader((tmp_path / "nuclei.csv").read_text().splitlines()))
    assert {"volume_um3", "surface_um2", "flatness", "nearest_um", "mean_0"} <= rows[0].keys()
    assert all(float(row["volume_um3"]) > 0 for row in rows)
