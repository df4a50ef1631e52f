"""Twin of benchmarks/demo_weights: small weights of every method, which load by name."""

import json
from pathlib import Path

import numpy as np
import pytest

from nbtools import data, methods, tasks
from nbtools.image import Image

WEIGHTS = Path(__file__).resolve().parent.parent / "data" / "weights"
DEMOS = sorted(path.name for path in WEIGHTS.glob("demo_*"))
PRESETS = {"stardist": "small"}  # its smallest network does not see a nucleus as a whole
LARGEST, MOST = 300_000, 20_000_000  # bytes: of a folder, and of all named weights together


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("name", DEMOS)
def test_it_is_small_and_says_what_it_is_for(name):
    folder, method = WEIGHTS / name, name.removeprefix("demo_")
    assert size_of(folder) <= LARGEST
    about, recipe = (
        json.loads((folder / f).read_text("utf-8")) for f in ("model.json", "recipe.json")
    )
    assert about["method"] == recipe["method"] == method
    assert f"nbtools train {method} simulated/train" in recipe["command"]
    assert all("/" in one["file"] and len(one["sha256"]) == 64 for one in recipe["inputs"])
    card = (folder / "README.md").read_text("utf-8")
    assert "CC0-1.0" in card
    assert "no real image" in card
    assert "demonstration only" in card
    assert json.loads((folder / "scores.json").read_text("utf-8"))[name]
    if methods.row(method).trained:
        assert about["settings"]["preset"] == PRESETS.get(method, "tiny")
        with np.load(folder / "weights.npz") as file:
            assert {file[key].dtype for key in file.files} == {np.dtype(np.float16)}


def test_all_named_weights_together_are_small():
    folders = [path for path in WEIGHTS.iterdir() if path.is_dir()]
    named = [path for path in folders if not path.name.startswith("demo_")]
    assert sum(map(size_of, named)) <= MOST
    assert sum(map(size_of, folders)) <= MOST + LARGEST * len(DEMOS)


@pytest.mark.slow
@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("name", DEMOS)
def test_it_predicts_by_its_name(name):
    model = methods.load(name)
    domain = model.domain
    deep = domain.ndim == 3
    image = data.samples("simulated3d" if deep else "simulated2d").image(0)
    pixels = image.to("ZYX" if deep else "YX").pixels
    pixels = pixels[(slice(0, 16), slice(0, 48), slice(0, 48))] if deep else pixels[:96, :96]
    axes, about = domain.axes, {"spacing": image.spacing, "unit": image.unit}
    if domain.channels > 1:
        pixels, axes = np.repeat(pixels[..., None], domain.channels, axis=-1), axes + "C"
        about["channels"] = domain.channel_names
    found = model.predict(Image(pixels, axes, **about)).result
    assert isinstance(found, tasks.get(methods.row(model.name).task).results)
