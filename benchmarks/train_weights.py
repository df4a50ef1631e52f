"""Re-create the weights that ship, each from its recipe: `python benchmarks/train_weights.py
nuclei2d --out data/weights`.

Needs the data sets under $NBTOOLS_DATA. Every choice is made on validation images; the test images
are scored once, for the card. `nuclei3d` and `denoise2d` learn from simulated images, which are
written first.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import detection_panel
import embryo
import mixture
import numpy as np
from _runs import count_cores
from weight_recipes import RECIPES

from nbtools import config, io, methods, training
from nbtools.data import DataSet, write_dataset

HERE = Path(__file__).resolve().parent
EARLIER_STAGES = HERE / "weights"  # of trainings in several, the models that the next begin with
PAIRS = {"train": 48, "val": 6, "test": 12}

CARD = """# {title}

Weights `{name}` of the method `{method}`, {parameters:,} parameters, stored as float16.
Use: `nbtools predict {name} IMAGES --out FOLDER`.

- **Data:** {source}. {images} images to learn from, {held} to choose by{apart}.
- **Licence:** {licence}.
- **Domain:** {domain}{size} Outside of it, look before you trust.
- **Recipe:** `recipe.json` beside this file: settings, seed, sha256 of every training
  image, versions.
  Made by `python benchmarks/train_weights.py {name}` in {minutes:.0f} minutes on {machine}.
- **Score** on {tested}, {independence}: {score} All figures: `scores.json`.
"""
FOUND = """pooled AP at IoU 0.5 **{ap50:.3f}**, mean AP 0.5–0.9 **{mean_ap:.3f}**
  ({interval}). Otsu and watershed on the same images{red}: {otsu50:.3f} and {otsu:.3f}."""
PLACED = """F1 within 5 px **{f1:.3f}** (95 % interval {low:.3f}–{high:.3f}), within 0.3 of the
  diameter {relative:.3f}{boxes}. {beside}"""
RESTORED = """mean PSNR **{ours:.1f} dB**; of the noisy images {input:.1f} dB,
  of non-local means {nlm:.1f} dB."""


def run(*words: object) -> dict:
    """One `nbtools` command; its JSON."""
    command = [sys.executable, "-m", "nbtools.cli", *map(str, words), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} failed.")
    return json.loads(done.stdout)


def train(name: str, folder: Path) -> dict:
    """Train one set of weights into `folder`/NAME, score it, halve it, write its card."""
    about, model = RECIPES[name], folder / name
    with tempfile.TemporaryDirectory() as place:
        sets, first = gather(about, Path(place)), ()
        for stage in about.get("stages", ()):
            begun = EARLIER_STAGES / stage["folder"]
            learn(about | stage, sets, place=Path(place), model=begun, first=first)
            hide_places(begun / "recipe.json", {f"{place}/": "", str(HERE): "benchmarks"})
            first = ("--init", begun)
        trained = learn(about, sets, place=Path(place), model=model, first=first)
        described = json.loads((model / "model.json").read_text("utf-8"))
        described["tuned"] |= about.get("chosen", {})
        io.write_json(model / "model.json", described)
        scores = score_both(name, model, sets)
        held = "simulated" if simulates(about) else f"{about['test'].split('/')[0]}_rgb"
        names = {f"{place}/mixture": "mixture", place: held, str(folder): "data/weights"}
        hide_places(model / "recipe.json", names | {str(HERE): "benchmarks"})
    tested = f"$NBTOOLS_DATA/{about['test']}" if "test" in about else "simulated"
    io.write_json(model / "scores.json", {"test": tested, **scores})
    write_card(name, model, trained=trained, scores=scores)
    write_checksums(folder)
    return trained


def learn(about: dict, sets: dict, *, place: Path, model: Path, first: tuple = ()) -> dict:
    """One training, its weights halved; what `train` printed.

    Parameters
    ----------
    about : of the recipe: method, minutes, settings.
    sets : folders of the parts.
    place : where further data sets are written.
    model : the folder of the model.
    first : words that name the model to begin with.
    """
    settings = [
        word for pair in about["settings"].items() for word in ("--set", "{}={}".format(*pair))
    ]
    budget = ("--minutes", about["minutes"], "--overwrite", *settings)
    words, held = list_sources(about, sets, place)
    trained = run("train", about["method"], *words, "--val", *held, *first, "--out", model, *budget)
    shutil.rmtree(model / "checkpoint", ignore_errors=True)
    (model / "weights_last.npz").unlink(missing_ok=True)
    halve(model / "weights.npz")
    return trained


def list_sources(about: dict, sets: dict, place: Path) -> tuple[list, list]:
    """What `train` is given to learn from, with its shares, and to choose by."""
    if "shares" not in about:
        return [sets["train"]], [sets["val"]]
    if not (place / "mixture").is_dir():
        mixture.write_sets(place / "mixture", seed=0)
    more = [place / "mixture" / name for name in about["shares"] if name]
    shares = ",".join(map(str, about["shares"].values()))
    held = [sets["val"], place / "mixture" / "cells_val"]
    return [sets["train"], *more, "--share", shares], held


def score_both(name: str, model: Path, sets: dict[str, Path]) -> dict[str, dict]:
    """Scores of weights and of the classical method on the test images."""
    if RECIPES[name].get("task") == "detection":
        return detection_panel.look({name: str(model), "nuclei2d": "nuclei2d", "otsu": "otsu"})
    beside, task = ("nlm", "restoration") if "pairs" in RECIPES[name] else ("otsu", "instances")
    return {
        name: score(str(model), sets["test"], task=task),
        beside: score(beside, sets.get("grey", sets["test"]), task=task),
    }


def rescore(name: str, folder: Path) -> dict:
    """Score shipped weights anew, as after a change of the classical method; no training."""
    about, model = RECIPES[name], folder / name
    before = json.loads((model / "scores.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as place:
        data = Path(config.environment("NBTOOLS_DATA", "."))
        sets = {"test": data / about["test"]}
        if about.get("only") == "RGB":
            sets["test"] = pick(sets["test"], Path(place) / "test")
            sets["grey"] = darken(sets["test"], Path(place) / "grey")
        scores = score_both(name, model, sets)
    old, new = (say_score(about, *list_scores(one)) for one in (before, scores))
    card = (model / "README.md").read_text("utf-8")
    if old not in card:
        raise SystemExit(f"The card of {name} does not hold the scores of its scores.json.")
    io.write_text(model / "README.md", card.replace(old, new))
    io.write_json(model / "scores.json", {"test": before["test"], **scores})
    return {"name": name, "before": old, "now": new}


def list_scores(document: dict) -> list[dict]:
    """Those of the weights and of the classical method, in this order."""
    return [one for one in document.values() if isinstance(one, dict)]


def simulates(about: dict) -> bool:
    return "looks" in about or "pairs" in about


def gather(about: dict, place: Path) -> dict[str, Path]:
    """Folders of train, val and test: the data sets, copies of their images with the axes asked
    for, or volumes simulated now.
    """
    data = Path(config.environment("NBTOOLS_DATA", "."))
    if "looks" in about:
        embryo.simulate(str(place))
        return {"train": place / "train", "val": place / "val", "test": data / about["test"]}
    if "pairs" in about:
        settings = [word for pair in about["pairs"].split() for word in ("--set", pair)]
        for seed, (part, count) in enumerate(PAIRS.items()):
            run(
                "simulate",
                "pairs",
                "--count",
                count,
                "--seed",
                seed,
                *settings,
                "--out",
                place / part,
            )
        return {part: place / part for part in PAIRS}
    sets = {part: data / about[part] for part in ("train", "val", "test")}
    if about.get("only") != "RGB":
        return sets
    sets = {part: pick(source, place / part) for part, source in sets.items()}
    return sets | {"grey": darken(sets["test"], place / "grey")}


def pick(source: Path, out: Path) -> Path:
    """A copy of a data set with its colour images only."""
    dataset = DataSet.open(source)
    colour = [sample for sample in dataset if sample.image.is_rgb]
    write_dataset(DataSet.of(colour, name=source.name), out)
    return out


def darken(source: Path, out: Path) -> Path:
    """A copy of a colour data set for Otsu, which wants bright nuclei in one channel: red, of which
    stained nuclei take most, inverted.
    """
    turned = [
        replace(s, image=s.image.select(C=0).replace(pixels=255 - s.image.select(C=0).pixels))
        for s in DataSet.open(source)
    ]
    write_dataset(DataSet.of(turned, name=source.name), out)
    return out


def score(model: str, test: Path, *, task: str = "instances") -> dict:
    """The scores of a model on the test images."""
    with tempfile.TemporaryDirectory() as temporary:
        run("predict", model, test, "--out", Path(temporary) / "result")
        scores = run("evaluate", Path(temporary) / "result", test, "--task", task)
    rows = scores.pop("per_image", [])
    if task == "restoration":  # by name: a test simulates some of them again
        scores["per_image"] = [{k: row[k] for k in ("name", "psnr")} for row in rows]
    return scores


def halve(path: Path) -> None:
    """Store weights as float16; the card's scores are those of the halved ones."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key].astype(np.float16) for key in file.files}
    np.savez_compressed(path, **arrays)


def hide_places(recipe: Path, names: dict[str, str]) -> None:
    """Folders of this machine by what they held."""
    text = recipe.read_text("utf-8")
    for place, name in names.items():
        text = text.replace(place, name)
    io.write_text(recipe, text)


def write_checksums(folder: Path) -> None:
    """What `nbtools.methods.load` compares shipped weights with."""
    files = sorted(folder.glob("*/*.npz"))  # texts may come with other line ends
    lines = [
        f"{training.hash_file(file)}  {file.relative_to(folder).as_posix()}\n" for file in files
    ]
    io.write_text(folder / methods.CHECKSUMS, "".join(lines))


def write_card(name: str, model: Path, *, trained: dict, scores: dict) -> None:
    recipe, described = (
        json.loads((model / f).read_text("utf-8")) for f in ("recipe.json", "model.json")
    )
    held = sum("/val/images/" in i["file"] for i in recipe["inputs"])
    images = sum("/images/" in i["file"] for i in recipe["inputs"]) - held
    size = described["nucleus_size"]
    text = CARD.format(
        name=name,
        **{k: RECIPES[name][k] for k in ("title", "method", "source", "licence", "domain")},
        parameters=trained["parameters"],
        images=images,
        held=held,
        size=f" Median diameter in training: {size:.0f} pixels." if size else "",
        minutes=trained["seconds"] / 60,
        machine=f"{count_cores()} CPU core(s)",
        independence=RECIPES[name].get("independence", "never used for a choice"),
        tested=say_tested(RECIPES[name], scores[name]),
        apart="" if simulates(RECIPES[name]) else "; whole mosaics stay on one side",
        score=say_score(RECIPES[name], *scores.values()),
    )
    io.write_text(model / "README.md", text)


def say_tested(about: dict, ours: dict) -> str:
    if "pairs" in about:
        return f"{ours['images']} simulated test images"
    return "one real volume" if ours["images"] == 1 else f"the {ours['images']} test images"


def say_score(about: dict, ours: dict, *others: dict) -> str:
    """What the card says of the scores of the weights and of the classical method."""
    if about.get("task") == "detection":
        return say_places(ours, *others)
    [beside] = others
    if "pairs" in about:
        return RESTORED.format(
            ours=ours["mean"]["psnr"], input=ours["input"]["psnr"], nlm=beside["mean"]["psnr"]
        )
    interval = (ours.get("interval_95") or {}).get("mean_ap")
    told = (
        "95 % interval {:.3f}–{:.3f}".format(*interval)
        if interval and ours["images"] > 1
        else "no interval from one image"
    )
    scores = {"ap50": ours["pooled"]["0.50"]["ap"], "mean_ap": ours["mean_ap"]}
    otsu = {"otsu50": beside["pooled"]["0.50"]["ap"], "otsu": beside["mean_ap"]}
    return FOUND.format(
        **scores, **otsu, interval=told, red=" (red, inverted)" * (about.get("only") == "RGB")
    )


def say_places(ours: dict, segmented: dict, classical: dict) -> str:
    """What the card says of points or boxes, and of those of two segmentations."""
    low, high = ours["interval_95"]
    told = {"f1": ours["f1"], "low": low, "high": high, "relative": ours["f1_relative"]}
    boxes, key = "", "f1"
    if ours["ap50"] is not None:
        boxes, key = f"; AP of boxes at IoU 0.5 **{ours['ap50']:.3f}**", "ap50"
    what = {"f1": "Centres of the labels", "ap50": "AP of the boxes of the labels"}[key]
    beside = f"{what} of `nuclei2d`: {segmented[key]:.3f}; of `otsu`: {classical[key]:.3f}."
    return PLACED.format(**told, boxes=boxes, beside=beside)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    known = [name for name in RECIPES if RECIPES[name].get("task") != "detection"]
    parser.add_argument("names", nargs="*", default=known, help=f"of: {', '.join(RECIPES)}")
    parser.add_argument("--out", type=Path, default=Path("data/weights"))
    parser.add_argument("--rescore", action="store_true", help="score shipped weights anew")
    arguments = parser.parse_args()
    for each in arguments.names or known:
        done = rescore if arguments.rescore else train
        sys.stdout.write(json.dumps(done(each, arguments.out)) + "\n")
