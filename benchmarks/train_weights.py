"""Re-create the weights that ship, each from its recipe: `python benchmarks/train_weights.py nuclei2d --out data/weights`.

Needs the data sets under $NBTOOLS_DATA. Every choice is made on validation images; the test images are scored once, for the card.
`nuclei3d` learns from simulated volumes, which are written first.
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

import embryo
import numpy as np
from _runs import count_cores

from nbtools import config, io, methods, training
from nbtools.data import DataSet, write_dataset

RECIPES = {
    "nuclei2d": {
        "method": "fast_nuclei",
        "train": "dsb2018_fluorescence/train",
        "val": "dsb2018_fluorescence/val",
        "test": "dsb2018_fluorescence/test",
        "minutes": 40,
        "settings": {"averaging": 0.995, "preset": "paper"},
        "title": "Nuclei in 2D fluorescence images",
        "licence": "CC0-1.0 (weights and training data)",
        "source": "Data Science Bowl 2018, Broad Bioimage Benchmark Collection BBBC038 (corrected labels), doi:10.1038/s41592-019-0612-7",
        "domain": "Single-channel fluorescence of DNA stains, cultured cells and tissue sections; nuclei of about 6 to 60 pixels across.",
    },
    "nuclei2d_histology": {
        "method": "fast_nuclei",
        "train": "dsb2018_other/train",
        "val": "dsb2018_other/val",
        "test": "dsb2018_other/test",
        "only": "RGB",
        "minutes": 20,
        "settings": {"averaging": 0.995},
        "title": "Nuclei in stained tissue, bright field",
        "licence": "CC0-1.0 (weights and training data)",
        "source": "Data Science Bowl 2018, Broad Bioimage Benchmark Collection BBBC038 (corrected labels), doi:10.1038/s41592-019-0612-7",
        "domain": "RGB images of tissue in purple and pink stains, such as haematoxylin and eosin.",
    },
    "nuclei3d": {
        "method": "flows",
        "looks": embryo.LOOKS,
        "test": "mouse_embryo_3d/all",
        "minutes": 15,
        "settings": {"views": "planes", "patch_size": 96},
        "title": "Nuclei in 3D fluorescence, planes about twice as far apart as pixels",
        "licence": "CC0-1.0 (weights and simulated training data)",
        "source": "simulated volumes of nuclei, no real image; their looks (`embryo.py`) were shaped on the volume scored below",
        "domain": "Single-channel volumes of nuclei, blurred more along Z, on a dim background, such as embryos.",
    },
}

CARD = """# {title}

Weights `{name}` of the method `{method}`, {parameters:,} parameters, stored as float16. Use: `nbtools predict {name} IMAGES --out FOLDER`.

- **Data:** {source}. {images} images to learn from, {held} to choose by{apart}.
- **Licence:** {licence}.
- **Domain:** {domain} Median diameter in training: {size:.0f} pixels. Outside of it, look before you trust.
- **Recipe:** `recipe.json` beside this file: settings, seed, sha256 of every training image, versions.
  Made by `python benchmarks/train_weights.py {name}` in {minutes:.0f} minutes on {machine}.
- **Score** on {tested}, never used for a choice: pooled AP at IoU 0.5 **{ap50:.3f}**, mean AP 0.5–0.9 **{mean_ap:.3f}**
  ({interval}). Otsu and watershed on the same images{red}: {otsu50:.3f} and {otsu:.3f}. All figures: `scores.json`.
"""


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
    settings = [word for pair in about["settings"].items() for word in ("--set", "{}={}".format(*pair))]
    with tempfile.TemporaryDirectory() as place:
        sets = gather(about, Path(place))
        budget = ("--minutes", about["minutes"], "--overwrite", *settings)
        trained = run("train", about["method"], sets["train"], "--val", sets["val"], "--out", model, *budget)
        shutil.rmtree(model / "checkpoint", ignore_errors=True)
        (model / "weights_last.npz").unlink(missing_ok=True)
        halve(model / "weights.npz")
        scores = {str(model): score(str(model), sets["test"]), "otsu": score("otsu", sets.get("grey", sets["test"]))}
        held = "simulated" if "looks" in about else f"{about['test'].split('/')[0]}_rgb"
        hide_places(model / "recipe.json", {place: held, str(folder): "data/weights"})
    io.write_json(model / "scores.json", {"test": f"$NBTOOLS_DATA/{about['test']}", name: scores[str(model)], "otsu": scores["otsu"]})
    write_card(name, model, trained=trained, scores=scores)
    write_checksums(folder)
    return trained


def gather(about: dict, place: Path) -> dict[str, Path]:
    """Folders of train, val and test: the data sets, copies of their images with the axes asked for, or volumes simulated now."""
    data = Path(config.environment("NBTOOLS_DATA", "."))
    if "looks" in about:
        embryo.simulate(str(place))
        return {"train": place / "train", "val": place / "val", "test": data / about["test"]}
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
    """A copy of a colour data set for Otsu, which wants bright nuclei in one channel: red, of which stained nuclei take most, inverted."""
    turned = [replace(s, image=s.image.select(C=0).replace(pixels=255 - s.image.select(C=0).pixels)) for s in DataSet.open(source)]
    write_dataset(DataSet.of(turned, name=source.name), out)
    return out


def score(model: str, test: Path) -> dict:
    """The scores of a model on the test images."""
    with tempfile.TemporaryDirectory() as temporary:
        run("predict", model, test, "--out", Path(temporary) / "result")
        scores = run("evaluate", Path(temporary) / "result", test, "--task", "instances")
    scores.pop("per_image", None)
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
    lines = [f"{training.hash_file(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    io.write_text(folder / methods.CHECKSUMS, "".join(lines))


def write_card(name: str, model: Path, *, trained: dict, scores: dict) -> None:
    recipe, described = (json.loads((model / f).read_text("utf-8")) for f in ("recipe.json", "model.json"))
    ours, otsu = scores[str(model)], scores["otsu"]
    held = sum("/val/images/" in i["file"] for i in recipe["inputs"])
    images = sum("/images/" in i["file"] for i in recipe["inputs"]) - held
    interval = (ours.get("interval_95") or {}).get("mean_ap")
    apart = "" if "looks" in RECIPES[name] else "; whole mosaics stay on one side"
    text = CARD.format(
        name=name, **{k: RECIPES[name][k] for k in ("title", "method", "source", "licence", "domain")}, parameters=trained["parameters"],
        images=images, held=held, size=described["nucleus_size"], minutes=trained["seconds"] / 60, machine=f"{count_cores()} CPU core(s)",
        tested="one real volume" if ours["images"] == 1 else f"the {ours['images']} test images",
        apart=apart, red=" (red, inverted)" * (RECIPES[name].get("only") == "RGB"),
        ap50=ours["pooled"]["0.50"]["ap"], mean_ap=ours["mean_ap"],
        interval="95 % interval {:.3f}–{:.3f}".format(*interval) if interval and ours["images"] > 1 else "no interval from one image",
        otsu50=otsu["pooled"]["0.50"]["ap"], otsu=otsu["mean_ap"],
    )  # fmt: skip
    io.write_text(model / "README.md", text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(RECIPES), help=f"of: {', '.join(RECIPES)}")
    parser.add_argument("--out", type=Path, default=Path("data/weights"))
    arguments = parser.parse_args()
    for each in arguments.names or RECIPES:
        sys.stdout.write(json.dumps(train(each, arguments.out)) + "\n")
