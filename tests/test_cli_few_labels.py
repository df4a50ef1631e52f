"""Methods for few labels from the command line: images without labels, two tasks of one model,
images of another kind.
"""

import json
import shutil

import numpy as np
import pytest

from nbtools import io

TINY = ["preset=tiny", "epochs=1", "steps_per_epoch=2", "batch_size=2", "patch_size=32"]
SETTINGS = [word for pair in TINY for word in ("--set", pair)]
pytestmark = pytest.mark.usefixtures("step_by_step")


@pytest.fixture
def few(nuclei, tmp_path):
    """Three images, of which two have labels, and images of another kind."""
    folder = tmp_path / "few"
    for name in ("images", "labels", "unpaired"):
        shutil.copytree(nuclei / ("labels" if name == "labels" else "images"), folder / name)
    for path in sorted((folder / "images").iterdir()):
        image = io.read_image(path)
        dark = image.replace(pixels=image.pixels.max() - image.pixels)
        io.write_image(folder / "clean" / path.name, dark)
    sorted((folder / "labels").iterdir())[0].unlink()
    return folder


def test_a_model_of_two_tasks_writes_labels_or_restored_images(run, few, tmp_path):
    model, label, image = (tmp_path / name for name in ("model", "labels", "restored"))
    code, _, err = run("train", "denoiseg", few, "--out", model, *SETTINGS)
    assert code == 0, err
    assert "2 images to learn from, 1 to choose by" in err  # one of the two with labels
    assert run("predict", model, few, "--out", label)[0] == 0
    code, out, err = run(
        *("predict", model, few, "--out", image, "--task", "restoration", "--json")
    )
    assert code == 0, err
    assert json.loads(out)["task"] == "restoration"
    for name in (path.name for path in sorted((few / "images").glob("*.tif"))):
        found, given = io.read_image(image / name), io.read_image(few / "images" / name)
        assert found.pixels.dtype == np.float32
        assert found.shape == given.shape
        assert io.read_label(label / name).pixels.dtype.kind in "iu"
    code, _, err = run(
        *("predict", model, few, "--out", tmp_path / "x", "--task", "classification")
    )
    assert (code, "restoration" in err) == (2, True)


@pytest.mark.parametrize("method", ["pix2pix", "cyclegan"])
def test_images_of_another_kind_are_made_and_scored(run, few, tmp_path, method):
    model, out = tmp_path / "model", tmp_path / "out"
    code, _, err = run("train", method, few, "--out", model, *SETTINGS)
    assert code == 0, err
    code, _, err = run("predict", model, few, "--out", out)
    assert code == 0, err
    found = [io.read_image(path) for path in sorted(out.glob("*.tif"))]
    given = [io.read_image(path) for path in sorted((few / "images").glob("*.tif"))]
    assert [image.shape for image in found] == [image.shape for image in given]
    told = json.loads(run("evaluate", out, few, "--task", "translation", "--json")[1])
    assert told["task"] == "translation"
    assert np.isfinite(told["mean"]["psnr"])


def test_voidseg_begins_with_a_model_of_noise2void(run, few, tmp_path):
    first, second = tmp_path / "n2v", tmp_path / "voidseg"
    assert run("train", "n2v", few, "--out", first, *SETTINGS)[0] == 0
    code, _, err = run(
        *("train", "voidseg", few, "--out", second, "--init", first, *SETTINGS),
        *("--set", "finetune=true"),
    )
    assert code == 0, err
    recipe = json.loads((second / "recipe.json").read_text("utf-8"))
    assert recipe["init"]["method"] == "n2v"
    code, _, err = run(
        *("train", "voidseg", few, "--out", tmp_path / "x", *SETTINGS, "--set", "finetune=true")
    )
    assert (code, "--init MODEL" in err) == (2, True)
