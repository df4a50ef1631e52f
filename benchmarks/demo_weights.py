"""Demonstration weights: small networks that learned for seconds, from simulated images alone.

`python benchmarks/demo_weights.py METHOD … [--out data/weights] [--keep FOLDER]` trains the
preset `tiny` of each method (of `stardist`, `small`) and writes OUT/demo_METHOD: weights as
float16, settings, history, recipe, scores on further simulated images, and a card. With them every
method can be tried before anything was trained, and its file formats can be looked at; for images
of one's own they are of no use.
What a method learns from decides what is simulated: labels, points and boxes from fields of nuclei,
classes from one crop per nucleus of wild type and mutant, in planes or in volumes, restoration from
noisy and clean pairs, translation from masks and the images of them.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io as text
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from _runs import count_cores
from train_weights import halve, hide_places, write_checksums

from nbtools import cli, io, methods
from nbtools.data import DataSet, Sample, write_dataset

PARTS = {"train": 24, "val": 6, "test": 10}  # simulated images of each part
LARGEST = 300_000  # bytes of a folder
STEPS = ("epochs=8", "steps_per_epoch=50")
FEWER = ("epochs=5", "steps_per_epoch=40")
EFFECT = ("effect=size", "strength=4")


@dataclass(frozen=True)
class Source:
    """What is simulated for a method, and how long it learns from it.

    Parameters
    ----------
    kind, settings : of `nbtools simulate`.
    words : in the card.
    training : settings of the training.
    crop : words of `nbtools crop`, where nuclei are cut out one by one; else None.
    partner : turns the simulated samples into those that are learned from; None: as they are.
    after : in the card: what that does.
    """

    kind: str
    settings: tuple[str, ...]
    words: str
    training: tuple[str, ...]
    crop: tuple[str, ...] | None = None
    partner: Callable[[list[Sample]], list[Sample]] | None = None
    after: str = ""


def draw_masks(samples: list[Sample]) -> list[Sample]:
    """Masks as images, with what was simulated of them, and of the next, as partners."""
    made = []
    for sample, other in zip(samples, [*samples[1:], samples[0]], strict=True):
        mask = sample.label.replace(pixels=(sample.label.pixels > 0).astype(np.uint8) * 255)
        pair = {"image": mask, "clean": sample.image, "unpaired": other.image}
        made.append(Sample(sample.name, label=sample.label, **pair))
    return made


def add_others(samples: list[Sample]) -> list[Sample]:
    """To each image the next one as that of another field, without labels."""
    others = [*samples[1:], samples[0]]
    return [one.replace(unpaired=next_.image) for one, next_ in zip(samples, others, strict=True)]


PLANE = ("shape_px=160,160", "spacing_um=0.4,0.4")
FIELDS = Source(
    "nuclei2d",
    PLANE,
    "simulated fields of nuclei",
    (*STEPS, "patch_size=96"),
)
OUTLINED = replace(FIELDS, training=(*FEWER, "patch_size=64"))
STACKS = Source(
    "nuclei3d",
    ("shape_px=16,96,96", "spacing_um=1,0.5,0.5"),
    "simulated volumes of nuclei",
    (*FEWER, "patch_size=64"),
)
PLANES = Source(
    "classes",
    (*EFFECT, "batch=0.3", "shape_px=160,160", "spacing_um=0.25,0.25", "count=12"),
    "simulated nuclei of wild type and mutant (larger), one crop per nucleus",
    FEWER,
    (),
)
VOLUMES = Source(
    "classes",
    (*EFFECT, "batch=0", "spacing_um=1,0.5,0.5"),
    "simulated nuclei of wild type and mutant (larger), one crop in 3D per nucleus",
    ("epochs=8", "steps_per_epoch=25"),
    (),
)
PAIRS = Source(
    "pairs",
    (*PLANE, "photons=5,100", "read_noise=2"),
    "simulated pairs of a noisy and a clean image",
    (*FEWER, "patch_size=64"),
)
MASKS = Source(
    "nuclei2d",
    PLANE,
    "masks of simulated nuclei as images, and what was simulated of them",
    (*FEWER, "patch_size=64"),
    partner=draw_masks,
    after="then `draw_masks` of `benchmarks/demo_weights.py`",
)
OTHERS = Source(
    "nuclei2d",
    PLANE,
    "masks of simulated fields of nuclei, and images of other such fields without labels",
    (*FEWER, "patch_size=64"),
    partner=add_others,
    after="then `add_others` of `benchmarks/demo_weights.py`",
)
SOURCES = {
    "unpaired": MASKS,
    "paired": MASKS,
    "points": FIELDS,
    "boxes": OUTLINED,
    "labels": OUTLINED,
    "classes": PLANES,
    "clean": PAIRS,
    "nothing": PAIRS,
}
PRETRAINED = ("jigsaw", "masked_image")  # begin other networks: their own result is no image
TREES = ("trees=25", "leaf=4", "pixels=20000")  # fewer than usual: a file of that size
# where the settings of the source do not suit
TRAINING = {
    # the smallest network that sees a nucleus as a whole; with that of `tiny` nothing was found
    "stardist": ("preset=small", "epochs=10", "steps_per_epoch=100", "patch_size=96"),
    "vgg": ("epochs=8", "steps_per_epoch=25"),
    "unet": ("epochs=5", "steps_per_epoch=40", "patch_size=64"),
    "forest": TREES,
    "feature_forest": ("trees=100",),
    "cdeep3m": (*FEWER, "patch_size=64", "tta=none"),
    "qcanet": (*FEWER, "patch_size=48"),
}

CARD = """# A demonstration of `{method}`

Weights `{name}` of the method `{method}`, {stored}.
Use: `nbtools predict {name} IMAGES --out FOLDER`.

- **What for:** demonstration only: to see the method run before anything was trained. It learned
  for {seconds:.0f} seconds; train your own for real images.
- **Data:** {words}, no real image. {images} images to learn from, {held} to choose by.
- **Licence:** CC0-1.0 (weights and simulated training data).
- **Domain:** images like the simulated ones.
- **Recipe:** `recipe.json` beside this file: settings, seed, sha256 of every training
  image, versions. The images are made by
  `nbtools simulate {kind} --count N --seed S --set {settings} --out PART`,
  N and S {counts}{cropped}.
  Made by `python benchmarks/demo_weights.py {method}` on {machine}.
- **Score** on {tested} simulated {part}:
  {score}. All figures: `scores.json`.
"""
NETWORK = "preset `{}`, {:,} parameters, stored as float16"
FOREST = "decision trees with {:,} nodes"
TESTED = "test images, never used for a choice"
HELD = "validation images, for there is no truth to score its result with"
CROPPED = ("then `nbtools crop PART --out CROPS`", "")
# what a card tells of the scores
SHOWN = ("f1", "mean_ap", "balanced_accuracy", "psnr", "val_loss")


def find_source(method: str) -> Source:
    """What a method learns from."""
    row = methods.row(method)
    need = next((n for n in row.needs if n in SOURCES), None)
    if need is None or row.classical:
        raise SystemExit(f"Nothing is simulated for {method}, which needs {row.needs}.")
    if row.needs == ("labels", "unpaired"):
        return OTHERS
    if 2 not in row.dims:
        return VOLUMES if need == "classes" else STACKS
    return SOURCES[need]


def name_place(source: Source) -> str:
    """The folder that keeps what was simulated for it."""
    words = source.partner.__name__ if source.partner else source.kind
    return "volumes" if source is VOLUMES else words


def run_here(*words: object) -> dict:
    """One `nbtools` command in this process, which has loaded the libraries; its JSON."""
    keras.utils.clear_session()  # names of layers count from the beginning, as in a new process
    with contextlib.redirect_stdout(text.StringIO()) as printed:
        code = cli.main([*map(str, words), "--json"])
    if code not in (0, 1):
        raise SystemExit(f"nbtools {' '.join(map(str, words))} failed.")
    return json.loads(printed.getvalue())


def simulate(source: Source, place: Path) -> None:
    """Train, val and test images, each from a seed of its own."""
    for seed, (part, count) in enumerate(PARTS.items()):
        plain = source.crop is None and source.partner is None
        made = place / part if plain else place / f"{part}_fields"
        about = ("--count", count, "--seed", seed, "--set", *source.settings)
        run_here("simulate", source.kind, *about, "--out", made)
        if source.crop is not None:
            run_here("crop", made, *source.crop, "--out", place / part)
        if source.partner is not None:
            samples = source.partner(list(DataSet.open(made)))
            write_dataset(DataSet.of(samples, name=part), place / part)


def train(method: str, place: Path, folder: Path) -> dict:
    """Train one set of weights, halve it, score it, write its card."""
    source, name = find_source(method), f"demo_{method}"
    if not place.is_dir():
        simulate(source, place)
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary) / name
        settings, preset = TRAINING.get(method, source.training), ("preset=tiny",)
        if methods.row(method).trained:
            settings = preset + settings
        words = ("--val", place / "val", "--set", *settings, "--seed", 0)
        trained = run_here("train", method, place / "train", *words, "--out", model)
        shutil.rmtree(model / "checkpoint", ignore_errors=True)
        for spare in ("weights_last.npz", ".nbtools.jsonl"):
            (model / spare).unlink(missing_ok=True)
        if methods.row(method).trained:  # of trees, numbers of nodes and thresholds must be exact
            halve(model / "weights.npz")
        hide_places(model / "recipe.json", {str(place): "simulated", temporary: "data/weights"})
        task = None if method in PRETRAINED else methods.row(method).task
        scores = score_model(model, place / "test", task=task)
        io.write_json(model / "scores.json", {"test": "simulated", name: scores})
        write_card(model, source, trained=trained, scores=scores)
        size = sum(file.stat().st_size for file in model.iterdir())
        if size > LARGEST:
            raise SystemExit(f"{name} has {size} bytes, more than {LARGEST}.")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(model, folder / name)
    write_checksums(folder)
    return {"name": name, "seconds": trained["seconds"], "bytes": size} | shorten(scores)


def score_model(model: Path, test: Path, *, task: str | None) -> dict:
    """Scores on the test images; without a task the loss on the validation images."""
    if task is not None:
        with tempfile.TemporaryDirectory() as temporary:
            run_here("predict", model, test, "--out", Path(temporary) / "result")
            scores = run_here("evaluate", Path(temporary) / "result", test, "--task", task)
        return {key: value for key, value in scores.items() if key not in ("per_image", "curve")}
    with (model / "history.csv").open(encoding="utf-8", newline="") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file) if row["val_loss"]]
    return {"val_loss": min(losses), "images": PARTS["val"]}


def shorten(scores: dict) -> dict:
    """The scores that the card tells."""
    flat = scores | scores.get("mean", {})
    return {name: round(flat[name], 4) for name in SHOWN if name in flat}


def write_card(model: Path, source: Source, *, trained: dict, scores: dict) -> None:
    recipe = json.loads((model / "recipe.json").read_text("utf-8"))
    files = [one["file"] for one in recipe["inputs"] if "/images/" in one["file"]]
    held = sum("/val/" in file for file in files)
    counts = ", ".join(f"{n} and {seed} ({p})" for seed, (p, n) in enumerate(PARTS.items()))
    stored = FOREST.format(trained["parameters"])
    if methods.row(trained["method"]).trained:
        stored = NETWORK.format(recipe["settings"]["preset"], trained["parameters"])
    card = CARD.format(
        method=trained["method"],
        name=model.name,
        stored=stored,
        seconds=trained["seconds"],
        words=source.words,
        images=len(files) - held,
        held=held,
        kind=source.kind,
        settings=" ".join(source.settings),
        counts=counts,
        cropped=f", {after}" if (after := source.after or CROPPED[source.crop is None]) else "",
        machine=f"{count_cores()} CPU core(s)",
        tested=scores["images"],
        part=HELD if "val_loss" in scores else TESTED,
        score=", ".join(f"{name} **{value:.3f}**" for name, value in shorten(scores).items()),
    )
    io.write_text(model / "README.md", card)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", metavar="METHOD")
    parser.add_argument("--out", type=Path, default=Path("data/weights"))
    parser.add_argument("--keep", type=Path, help="folder that keeps the simulated images")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for method in args.names:
            source = find_source(method)
            place = (args.keep or Path(temporary)) / name_place(source)
            done = train(method, place, args.out)
            sys.stdout.write(json.dumps(done) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
