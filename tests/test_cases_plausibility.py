"""The self-check at the command line: what is said, how often, and what is in the JSON."""

import json

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from nbtools import cli


def run(capsys, *words):
    code = cli.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def empty(tmp_path):
    """Three fields without nuclei: noise, few photons, haze."""
    rng = np.random.default_rng(0)
    haze = ndimage.gaussian_filter(rng.normal(size=(256, 256)), 40)
    haze = (haze - haze.min()) / np.ptp(haze)
    fields = {
        "noise": 100 + rng.poisson(20, haze.shape) + rng.normal(0, 3, haze.shape),
        "photons": rng.poisson(1.0, haze.shape),
        "haze": 100 + rng.poisson(60 + 60 * haze) + rng.normal(0, 3, haze.shape),
    }
    (tmp_path / "empty").mkdir()
    for name, pixels in fields.items():
        tifffile.imwrite(tmp_path / "empty" / f"{name}.tif", pixels.clip(0).astype(np.uint16))
    return tmp_path / "empty"


@pytest.mark.parametrize("model", ["otsu", "nuclei2d"])
def test_empty_fields_have_no_nuclei_or_are_told(capsys, empty, tmp_path, model):
    code, _, err = run(capsys, "predict", model, empty, "--out", tmp_path / "r")
    told = json.loads((tmp_path / "r" / "result.json").read_text("utf-8"))
    doubted = {w["image"] for w in told["warnings"] if w["code"] == "one_population"}
    assert code == 0
    for row in told["images"]:
        assert row["nuclei"] == 0 or row["name"] in doubted
    lines = [line for line in err.splitlines() if line.startswith("Attention")]
    kinds = {w["code"] for w in told["warnings"]}
    assert len(lines) == len(kinds)
    for line in lines:
        number, total = line.rsplit("(", 1)[1].split(" ")[0:3:2]
        assert 1 <= int(number) <= int(total) == 3
    assert all(set(w) == {"code", "image", "message", "remedy"} for w in told["warnings"])


@pytest.fixture
def imc(tmp_path):
    """Nuclei of 6 px in an image of 1 µm per pixel, as in imaging mass cytometry."""
    rng, grid, label = np.random.default_rng(3), np.indices((200, 200)), np.zeros((200, 200), int)
    centres = []
    while len(centres) < 80:
        place = rng.uniform(5, 195, 2)
        if all(np.hypot(*(place - c)) > 8 for c in centres):
            centres.append(place)
            label[np.hypot(grid[0] - place[0], grid[1] - place[1]) <= 3.2] = len(centres)
    grey = rng.poisson(2 + 30 * ndimage.gaussian_filter((label > 0).astype(float), 0.6))
    about = {"imagej": True, "resolution": (1, 1), "metadata": {"axes": "YX", "unit": "um"}}
    tifffile.imwrite(tmp_path / "imc.tif", grey.astype(np.uint16), **about)
    return tmp_path / "imc.tif"


@pytest.mark.parametrize("given", [(), ("--spacing", "1,1")])
def test_only_the_remedy_that_works_is_given(capsys, imc, tmp_path, given):
    """nuclei2d knows no pixel size: --spacing changes nothing, --diameter finds the nuclei."""
    _, _, err = run(capsys, "predict", "nuclei2d", imc, "--out", tmp_path / "a", *given)
    found = len(np.unique(tifffile.imread(tmp_path / "a" / "imc.tif"))) - 1
    assert found == 80 or "--diameter" in err  # what is found without it needs no remedy
    assert "--spacing" not in err


def test_a_followed_remedy_is_not_given_again(capsys, imc, tmp_path):
    code, _, err = run(
        capsys, "predict", "nuclei2d", imc, "--out", tmp_path / "c", "--diameter", "6.4"
    )
    told = json.loads((tmp_path / "c" / "result.json").read_text("utf-8"))
    assert (code, told["images"][0]["nuclei"]) == (0, 80)
    assert "--diameter" not in err


@pytest.fixture
def masks(tmp_path):
    """Three images with five nuclei each, told apart in labels/, not in masks/."""
    grid = np.indices((64, 80))
    label = np.zeros((64, 80), np.uint16)
    for number, (y, x) in enumerate([(12, 12), (12, 40), (12, 66), (45, 20), (45, 55)], 1):
        label[np.hypot(grid[0] - y, grid[1] - x) < 8] = number
    for i in range(3):
        for place, pixels in (
            ("labels/labels", label),
            ("labels/images", label * 100 + 50),
            ("masks/labels", (label > 0).astype(np.uint8) * 255),
            ("masks/images", label * 100 + 50),
        ):
            (tmp_path / place).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(tmp_path / place / f"i{i}.tif", pixels)
    return tmp_path


@pytest.mark.parametrize("side", ["truth", "result"])
def test_a_mask_as_truth_or_result_is_said(capsys, masks, side):
    places = ["labels", "masks"] if side == "truth" else ["masks", "labels"]
    result, truth = masks / places[0] / "labels", masks / places[1]
    _, out, _ = run(capsys, "evaluate", result, truth)
    assert f"The {side} of 3 of 3 images is a mask: one value for 5 separate objects" in out
    _, out, _ = run(capsys, "compare", result, "--truth", truth)
    assert "of 3 of 3 images is a mask: one value for 5 separate objects" in out
    _, out, _ = run(capsys, "evaluate", masks / "labels" / "labels", masks / "labels")
    assert "mask" not in out


@pytest.mark.parametrize("kind", ["swapped", "next"])
def test_a_restoration_without_gain_is_said_by_evaluate(capsys, tmp_path, kind):
    rng = np.random.default_rng(0)
    clean = [
        2000.0 * ndimage.gaussian_filter(1.0 * (rng.random((64, 64)) > 0.97), 3) for _ in range(3)
    ]
    noisy = [rng.poisson(c + 20).astype(np.uint16) for c in clean]
    for i in range(3):
        there = clean[(i + 1) % 3] if kind == "next" else noisy[i]
        here = noisy[i] if kind == "next" else clean[i]
        for place, pixels in (("images", here), ("clean", there), ("result", here)):
            (tmp_path / place).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / place / f"{i}.tif", pixels.astype(np.float32))
    found = (tmp_path / "result").rename(tmp_path.parent / f"result_{kind}")
    _, out, _ = run(capsys, "evaluate", found, tmp_path, "--task", "restoration")
    assert "Nothing was gained" in out
