"""Make the pictures of README.md and of the site from real runs: python benchmarks/pictures.py

hero.jpg       a real image, the nuclei that shipped weights predict in it, and their areas
training.webp  a network while it learns: what it predicts in an image that it does not learn from
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

import nbtools as nb
from nbtools import data, simulate
from nbtools.training import TrainingPlan

FOLDER = Path(__file__).resolve().parent.parent / "notebooks" / "pictures"
SIDE = 256  # pixels of the image that the hero shows
SETTINGS = {
    "preset": "small",
    "epochs": 12,
    "steps_per_epoch": 50,
    "batch_size": 4,
    "patch_size": 96,
    "auto_scale": False,
}


class Watcher:
    """Keeps what the network predicts in one image after each epoch."""

    def __init__(self, model, sample):
        self.model, self.sample = model, sample
        self.frames: list[Image.Image] = []

    def on_epoch(self, epoch: int, logs: dict) -> None:
        """Predict and score, with the weights just tested."""
        found = self.model.predict(self.sample.image).labels
        self.frames.append(draw_frame(self.sample, found, epoch))


def draw_frame(sample, found, epoch: int) -> Image.Image:
    """Image with the truth, and with what is predicted."""
    pairs = [("held out", sample.label, found)]
    at_half = nb.metrics.instances.evaluate(pairs)["pooled"]["0.50"]
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.95), dpi=80)
    titles = ("truth", f"epoch {epoch}: AP at IoU 0.5 = {at_half['ap']:.2f}")
    for axis, label, title in zip(axes, (sample.label, found), titles, strict=True):
        axis.imshow(nb.show.overlay_rgb(sample.image, label))
        axis.set_title(title, fontsize=11)
        axis.axis("off")
    figure.tight_layout(pad=0.4)
    return close(figure)


def close(figure) -> Image.Image:
    """A figure as a picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return Image.open(buffer).convert("RGB")


def make_hero(path: Path) -> dict:
    """A part of the sample, labelled by `nuclei2d`, coloured by area."""
    sample = next(iter(data.samples("nuclei2d")))
    label = nb.methods.load("nuclei2d").predict(sample.image).labels
    table = nb.measure.measure(label, sample.image, solidity=False)
    name = "area_um2" if "area_um2" in table else "area_px"
    area = np.full(int(label.pixels.max()) + 1, np.nan)
    area[np.asarray(table["label"], int)] = table[name]
    part = (slice(0, SIDE), slice(0, SIDE))
    figure, axes = plt.subplots(1, 3, figsize=(10.8, 3.9), dpi=100, width_ratios=(1, 1, 1.16))
    grey = np.asarray(sample.image.pixels, float)
    axes[0].imshow(grey[part], cmap="gray", vmax=np.percentile(grey, 99.5))
    whole = nb.show.overlay_rgb(sample.image, label)
    times = whole.shape[0] // grey.shape[0]
    axes[1].imshow(whole[: SIDE * times, : SIDE * times])
    shown = axes[2].imshow(np.ma.masked_invalid(area[label.pixels[part]]), cmap="viridis")
    axes[2].set_facecolor("black")
    unit = "µm²" if name == "area_um2" else "pixels"
    figure.colorbar(shown, ax=axes[2], label=f"area ({unit})", fraction=0.046, pad=0.03)
    for axis, title in zip(axes, ("image", "predicted nuclei", "measured"), strict=True):
        axis.set_title(title)
        axis.set_xticks([])
        axis.set_yticks([])
    figure.tight_layout(pad=0.5)
    close(figure).save(path, quality=85, optimize=True)
    return {"nuclei": len(table["label"]), "bytes": path.stat().st_size}


def make_film(path: Path) -> dict:
    """A training of seconds on simulated nuclei, watched on one more of them."""
    shape = {"shape_px": (192, 192), "radius_um": (5.0, 8.0)}
    made = list(simulate.make("nuclei2d", count=10, seed=4, settings=shape))
    samples = data.DataSet.of(made[:9], name="simulated")
    train, val = samples.split(val=0.2, seed=0)
    model = nb.methods.get("fast_nuclei")(**SETTINGS)
    watcher = Watcher(model, made[9])
    model.fit(train, val, plan=TrainingPlan(seed=1, callbacks=(watcher,)))
    first, *rest = watcher.frames
    long = [250] * (len(rest)) + [2500]
    first.save(path, save_all=True, append_images=rest, duration=long, loop=0, quality=55, method=6)
    return {"frames": len(watcher.frames), "bytes": path.stat().st_size}


def main() -> None:
    """Make one or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["hero", "film"])
    parts = parser.parse_args().parts
    FOLDER.mkdir(exist_ok=True)
    if "hero" in parts:
        print(make_hero(FOLDER / "hero.jpg"))
    if "film" in parts:
        print(make_film(FOLDER / "training.webp"))


if __name__ == "__main__":
    main()
