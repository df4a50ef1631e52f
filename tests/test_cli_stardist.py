"""StarDist on the command line: decoded again with its model, and fine-tuned."""

import json

import numpy as np
import pytest

from nbtools import cli, data, io, methods

TINY = ["preset=tiny", "epochs=1", "steps_per_epoch=2", "batch_size=2", "patch_size=32"]


@pytest.fixture(scope="module")
def model(nuclei, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stars") / "model"
    assert (
        cli.main(
            [
                "train",
                "stardist",
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
    method = methods.load(folder)
    dist = method.inner.keras_model.get_layer("dist")
    dist.bias.assign(
        np.full(dist.bias.shape, 5.0)
    )  # hardly trained, it shall find discs where its probability is highest
    method.save(folder)
    return folder


@pytest.fixture(scope="module")
def middle(nuclei, model) -> float:
    """A probability between those of this hardly trained network, so that some shapes lie above
    it.
    """
    maps = methods.load(model).infer(data.DataSet.open(nuclei).image(0).pixels[..., None])
    return float(np.percentile(maps[..., 0], 99))


def read_weights(folder) -> dict[str, np.ndarray]:
    with np.load(folder / "weights.npz", allow_pickle=False) as file:
        return dict(file)


def change_settings(model, folder, **values):
    """A copy of a model with other settings."""
    folder.mkdir()
    for path in (p for p in model.iterdir() if p.is_file()):
        (folder / path.name).write_bytes(path.read_bytes())
    about = json.loads((folder / "model.json").read_text())
    about["settings"] |= values
    (folder / "model.json").write_text(json.dumps(about))
    return folder


def test_decoding_again_equals_predicting_with_that_threshold(run, tmp_path, nuclei, model, middle):
    other = change_settings(model, tmp_path / "m", threshold=middle, nms=0.3)
    assert run("predict", other, nuclei, "--out", tmp_path / "wanted")[0] == 0
    assert run("predict", model, nuclei, "--raw", "--out", tmp_path / "r")[0] == 0
    code, out, _ = run(
        "decode",
        tmp_path / "r",
        "--set",
        f"threshold={middle}",
        "nms=0.3",
        "--out",
        tmp_path / "got",
        "--json",
    )
    assert (code, json.loads(out)["decoding"]) == (0, {"threshold": middle, "nms": 0.3})
    assert max(io.read_label(path).pixels.max() for path in (tmp_path / "wanted").glob("*.tif")) > 1
    for path in sorted((tmp_path / "wanted").glob("*.tif")):
        np.testing.assert_array_equal(
            io.read_label(tmp_path / "got" / path.name).pixels, io.read_label(path).pixels
        )


def test_training_goes_on_from_a_model(run, tmp_path, nuclei, model):
    words = ["--init", model, "--out", tmp_path / "m", "--quiet", "--set", *TINY]
    assert run("train", "stardist", nuclei, *words)[0] == 0
    recipe = json.loads((tmp_path / "m" / "recipe.json").read_text())
    assert (recipe["init"]["method"], len(recipe["init"]["sha256"])) == ("stardist", 64)
    assert recipe["settings"]["learning_rate"] == pytest.approx(0.3 * 1e-3)
    before, after = (
        [weights[k] for k in sorted(weights)]
        for weights in map(read_weights, (model, tmp_path / "m"))
    )
    change = [abs(a - b).max() for a, b in zip(before, after, strict=True)]
    assert 0 < max(change) < 0.01  # two small steps away from where it began
    code, _, err = run(
        "train",
        "stardist",
        nuclei,
        "--init",
        model,
        "--out",
        tmp_path / "n",
        "--set",
        "rays=16",
        *TINY,
    )
    assert (code, "rays=16 (model: None)" in err) == (2, True)
    assert (
        run(
            "train",
            "stardist",
            nuclei,
            "--init",
            "nuclei2d",
            "--out",
            tmp_path / "n",
            "--set",
            *TINY,
        )[0]
        == 2
    )
