"""`nbtools next` ranks what to label."""

import csv
import json

import numpy as np

from nbtools import io
from nbtools.image import Image


def test_it_ranks_images_and_nuclei(run, nuclei, tmp_path):
    table = tmp_path / "next.csv"
    code, out, _ = run("next", "otsu", nuclei, "--out", table, "--nuclei", "5", "--json")
    told = json.loads(out)
    assert code == 0
    assert [row["rank"] for row in told["images"]] == [1, 2, 3]
    gains = [row["gain"] for row in told["nuclei"]]
    assert gains == sorted(gains, reverse=True)
    assert len(gains) <= 5
    assert all(len(row["centre"]) == 2 and 0 <= row["gain"] <= 1 for row in told["nuclei"])
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [row["image"] for row in told["images"]]
    assert run("next", "otsu", nuclei, "--out", table)[0] == 2


def test_an_image_that_is_easy_does_not_come_first(run, tmp_path, rng):
    """Two discs on black, and others in noise as strong as the discs."""
    y, x = np.indices((96, 96))
    discs = ((y - 30) ** 2 + (x - 30) ** 2 < 100) | ((y - 65) ** 2 + (x - 60) ** 2 < 140)
    images = {"easy": 20 + 200.0 * discs}
    for number in range(3):
        images[f"hard{number}"] = 60 * discs + rng.normal(100, 60, discs.shape)
    for name, pixels in images.items():
        image = Image(pixels.clip(0, 255).astype(np.uint8), "YX", name=name)
        io.write_image(tmp_path / "images" / f"{name}.tif", image)
    told = json.loads(run("next", "otsu", tmp_path / "images", "--json")[1])
    assert told["images"][0]["image"].startswith("hard")
    assert told["images"][0]["doubtful"] > 0.3
    easy = [row for row in told["images"] if row["image"] == "easy"]
    assert (easy[0]["nuclei"], easy[0]["doubtful"]) == (2, 0)


def test_a_model_that_finds_no_labels_is_refused(run, nuclei):
    code, out, err = run("next", "nlm", nuclei)
    assert (code, out) == (2, "")
    assert "finds labels" in err
