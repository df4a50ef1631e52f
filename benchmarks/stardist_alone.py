"""The stardist package driven by itself, as its documentation shows: for `dsb2018.py`.

`python benchmarks/stardist_alone.py MINUTES OUT SEED [NAME=VALUE …]` trains on
$NBTOOLS_DATA/dsb2018_fluorescence/train within the budget, chooses thresholds on `val`, writes the
labels of the test images into OUT, and prints {"minutes", "seconds", "parameters"}: until the model
was usable, and of predicting. Network, patches, batch and learning rate are the package's defaults
for grid 2, or what NAME=VALUE gives its `Config2D`; flips, quarter turns and grey values vary the
patches.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time

STARTED = time.monotonic()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path  # noqa: E402

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tifffile  # noqa: E402
from csbdeep.utils import normalize  # noqa: E402
from stardist import fill_label_holes  # noqa: E402
from stardist.models import Config2D, StarDist2D  # noqa: E402

THRESHOLD_SECONDS = 80  # of the budget, for choosing thresholds
RNG = np.random.default_rng(0)


class Budget(keras.callbacks.Callback):
    """Ends the training when the budget is spent."""

    def __init__(self, seconds: float):
        super().__init__()
        self.seconds = seconds

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.model.stop_training = time.monotonic() - STARTED > self.seconds


def read(part: str) -> tuple[list[str], list[np.ndarray], list[np.ndarray]]:
    """(names, normalised images, labels) of train, val or test."""
    place = Path(os.path.expandvars("$NBTOOLS_DATA")) / "dsb2018_fluorescence" / part
    files = sorted((place / "images").glob("*.tif"))
    images = [normalize(tifffile.imread(f).astype(np.float32), 1, 99.8) for f in files]
    return (
        [f.name for f in files],
        images,
        [fill_label_holes(tifffile.imread(place / "labels" / f.name)) for f in files],
    )


def vary(image: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A turned or flipped patch, its grey values stretched and shifted."""
    turns, flip = RNG.integers(4), RNG.random() < 0.5
    image, label = np.rot90(image, turns), np.rot90(label, turns)
    if flip:
        image, label = image[:, ::-1], label[:, ::-1]
    image = image * RNG.uniform(0.6, 2) + RNG.uniform(-0.2, 0.2)
    return image + 0.02 * RNG.random() * RNG.normal(0, 1, image.shape), label


def main() -> None:
    minutes, out, seed = float(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    given = {name: json.loads(value) for name, value in (word.split("=") for word in sys.argv[4:])}
    _, images, labels = read("train")
    _, val_images, val_labels = read("val")
    model = StarDist2D(
        Config2D(n_rays=32, grid=(2, 2), train_tensorboard=False, **given),
        name="alone",
        basedir=str(out.parent),
    )
    model.prepare_for_training()
    model.callbacks.append(Budget(minutes * 60 - THRESHOLD_SECONDS))
    model.train(
        images,
        labels,
        validation_data=(val_images, val_labels),
        augmenter=vary,
        seed=seed,
        epochs=10_000,
        steps_per_epoch=100,
    )
    model.optimize_thresholds(val_images, val_labels)
    spent = time.monotonic() - STARTED
    names, test_images, _ = read("test")
    out.mkdir(parents=True)
    began = time.monotonic()
    found = [model.predict_instances(image)[0] for image in test_images]
    seconds = time.monotonic() - began
    for name, label in zip(names, found, strict=True):
        tifffile.imwrite(out / name, label.astype(np.uint16), compression="zlib")
    answer = {
        "minutes": round(spent / 60, 2),
        "seconds": round(seconds, 2),
        "parameters": model.keras_model.count_params(),
    }
    print(json.dumps(answer), file=ANSWER)


if __name__ == "__main__":
    ANSWER = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        main()
