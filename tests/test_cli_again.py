"""Doing something once more: other thresholds without the network, a training from its recipe, a
model to begin with.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

from nbtools import cli, io

TINY = [
    "preset=tiny",
    "epochs=1",
    "steps_per_epoch=2",
    "batch_size=2",
    "patch_size=32",
    "augmentation=none",
]


@pytest.fixture(scope="module")
def model(nuclei, tmp_path_factory):
    folder = tmp_path_factory.mktemp("again") / "model"
    assert (
        cli.main(
            [
                "train",
                "fast_nuclei",
                str(nuclei),
                "--out",
                str(folder),
                "--quiet",
                "--seed",
                "4",
                "--set",
                *TINY,
            ]
        )
        == 0
    )
    return folder


@pytest.fixture(scope="module")
def found(nuclei, model):
    """What that network found, with its maps."""
    folder = model.parent / "found"
    assert (
        cli.main(["predict", str(model), str(nuclei), "--out", str(folder), "--raw", "--quiet"])
        == 0
    )
    return folder


def read(folder) -> dict[str, np.ndarray]:
    return {p.stem: io.read_label(p).pixels for p in sorted(folder.glob("*.tif"))}


def test_decoding_again_with_the_same_values_gives_the_same_labels(run, tmp_path, found):
    code, out, _ = run("decode", found, "--out", tmp_path / "same", "--json")
    assert code == 0
    assert (
        json.loads(out)["decoding"] == json.loads((found / "result.json").read_text())["decoding"]
    )
    for name, label in read(found).items():
        np.testing.assert_array_equal(label, read(tmp_path / "same")[name])


def test_decoding_again_equals_predicting_with_that_threshold(run, tmp_path, nuclei, model, found):
    about = json.loads((model / "model.json").read_text())
    about["settings"]["threshold"] = 0.3
    for path in model.iterdir():
        if path.is_file():
            (tmp_path / "m").mkdir(exist_ok=True)
            (tmp_path / "m" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "m" / "model.json").write_text(json.dumps(about))
    assert run("predict", tmp_path / "m", nuclei, "--out", tmp_path / "p")[0] == 0
    assert run("decode", found, "--set", "threshold=0.3", "--out", tmp_path / "d")[0] == 0
    wanted, got = read(tmp_path / "p"), read(tmp_path / "d")
    for name in wanted:
        np.testing.assert_array_equal(wanted[name], got[name])
    assert (tmp_path / "d" / "summary.csv").is_file()
    assert {p.stem for p in (tmp_path / "d" / "overlays").iterdir()} == set(wanted)


def test_decoding_a_network_again_loads_no_framework(found, tmp_path):
    code = (
        "import sys; from nbtools import cli; cli.main(sys.argv[1:]); print({'keras', "
        "'tensorflow'} & set(sys.modules))"
    )
    words = [
        "decode",
        str(found),
        "--set",
        "threshold=0.6",
        "--out",
        str(tmp_path / "d"),
        "--quiet",
    ]
    told = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    ).stdout
    assert told.splitlines()[-1] == "set()"


def test_the_functions_of_the_table_decode_as_their_methods_do(rng):
    from nbtools import methods

    for row in (r for r in methods.ROWS if r.target and 2 in r.dims and r.task == "instances"):
        method = methods.get(row.name)()
        maps = rng.random((40, 40, 3)).astype(np.float32)
        target = row.load_target(method.domain, method.settings.to_dict())
        # the method's own may hold more than decoding needs: how patches are drawn or made
        assert isinstance(method.target(), type(target))
        values = method.decoding_values()
        found = method.decode(maps, **values).image.pixels
        np.testing.assert_array_equal(target.find_labels(maps, **values), found)


def test_a_result_is_decoded_in_place_and_keeps_what_else_lies_there(run, tmp_path, nuclei):
    place = tmp_path / "r"
    run("predict", "otsu", nuclei, "--out", place, "--raw", "--roi")
    (place / "notes.txt").write_text("mine")
    before = json.loads((place / "result.json").read_text())
    code = run("decode", place, "--set", "min_size=100000")[0]
    after = json.loads((place / "result.json").read_text())
    assert code == 0
    assert after["decoding"]["min_size"] == 100000
    assert (
        sum(r["nuclei"] for r in before["images"]) > sum(r["nuclei"] for r in after["images"]) == 0
    )
    assert (place / "notes.txt").read_text() == "mine"
    assert {p.name for p in (place / "raw").iterdir()} == {
        f"{r['name']}.maps.tif" for r in after["images"]
    }
    assert run("decode", place, "--set", "min_size=20")[0] == 0  # and back
    assert [r["nuclei"] for r in json.loads((place / "result.json").read_text())["images"]] == [
        r["nuclei"] for r in before["images"]
    ]


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["threshold"], "Known, as they are now: split=0.15, threshold="),
        (["epochs=3"], "Known, as they are now: split=0.15, threshold="),
        (["threshold=2"], "between 0.01 and 0.99"),
        (["threshold=often"], "must be a number"),
        (["min_size=2.5"], "must be a whole number"),
    ],
)
def test_values_that_cannot_be_are_refused_and_nothing_changes(run, found, words, remedy):
    before = (found / "result.json").read_bytes()
    code, _, err = run("decode", found, "--set", *words)
    assert code == 2
    assert remedy in err
    assert (found / "result.json").read_bytes() == before


def test_a_result_without_maps_says_how_to_get_them(run, tmp_path, nuclei):
    run("predict", "otsu", nuclei, "--out", tmp_path / "r")
    code, _, err = run("decode", tmp_path / "r", "--set", "split=2")
    assert code == 2
    assert "predict --raw" in err


def test_a_rerun_gives_the_same_weights(run, tmp_path, model):
    code, out, _ = run("rerun", model / "recipe.json", "--out", tmp_path / "again", "--json")
    assert code == 0
    assert json.loads(out)["same_weights"] is True
    first, second = (
        json.loads((f / "recipe.json").read_text()) for f in (model, tmp_path / "again")
    )
    assert all(first[k] == second[k] for k in ("settings", "seed", "inputs", "steps", "command"))


def test_a_rerun_refuses_images_that_have_changed(run, tmp_path, model):
    recipe = json.loads((model / "recipe.json").read_text())
    recipe["inputs"][0]["sha256"] = "0" * 64
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    code, _, err = run("rerun", tmp_path / "recipe.json", "--out", tmp_path / "again")
    assert (code, (tmp_path / "again").exists()) == (2, False)
    assert "files changed" in err
    (tmp_path / "recipe.json").write_text("{}")
    assert run("rerun", tmp_path / "recipe.json", "--out", tmp_path / "again")[0] == 2


def test_the_model_to_begin_with_stands_in_the_recipe(run, tmp_path, nuclei, model):
    brief = [word for word in TINY if not word.startswith("preset")]  # the network is the model's
    words = ["--init", model, "--out", tmp_path / "m", "--set", *brief, "freeze_encoder=true"]
    assert run("train", "fast_nuclei", nuclei, *words)[0] == 0
    recipe = json.loads((tmp_path / "m" / "recipe.json").read_text())
    assert (recipe["init"]["model"], recipe["init"]["method"], len(recipe["init"]["sha256"])) == (
        str(model),
        "fast_nuclei",
        64,
    )
    assert recipe["settings"]["learning_rate"] == pytest.approx(0.3 * 3e-3)
    assert recipe["settings"]["preset"] == "tiny"
    code, _, err = run(
        "train",
        "fast_nuclei",
        nuclei,
        "--init",
        model,
        "--out",
        tmp_path / "n",
        "--set",
        "preset=paper",
    )
    assert code == 2
    assert "preset=paper (model: tiny)" in err
    assert run("train", "fast_nuclei", nuclei, "--init", "otsu", "--out", tmp_path / "n")[0] == 2
