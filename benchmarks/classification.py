"""Classes of nuclei: a random forest on measurements, a network, and what a leaking split makes up.

python benchmarks/classification.py cells
    $NBTOOLS_DATA/cell_cycle (Jurkat cells, three channels), four phases: G1, S, G2 and M (prophase
    to telophase). Five folds: SHA-256 of the name, as a number, modulo 5. `feature_forest` with
    three seeds; seven phases are counted, too, with one.
python benchmarks/classification.py network [--epochs 12] [--folds 0,1,2,3,4] [--seed 0]
        [--minutes M] [--cells N]
    `resnet` on the same folds; beside its scores stand the seconds of processor time it had.
python benchmarks/classification.py simulated [--minutes M]
    wild type and mutant in 3D, each planted effect alone: balanced accuracy of `feature_forest` by
    number of plants, on outlines alone and on shuffled pixels, and with a leaking split.

Each part goes into benchmarks/results/classification.json; the others stay. The last two keep each
row in runs/classification/: the same command goes on with the next one. With --minutes no row is
begun that would likely end later, by what the longest of this run took, and `left` names those that
are missing; a first row is always done. --cells takes the first N by SHA-256 of the name, as a
trial that is printed and not kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
from _runs import count_cores, describe_machine

from nbtools import data, io, methods, simulate, training
from nbtools.data.crops import cut_crops, plan_crops
from nbtools.methods.cross_validation import compare_inputs, cross_validate
from nbtools.methods.decision_trees import grow
from nbtools.metrics import classification

RESULTS = Path(__file__).parent / "results" / "classification.json"
RUNS = Path(__file__).parents[1] / "runs" / "classification"
MITOSIS = ("Prophase", "Metaphase", "Anaphase", "Telophase")
PHASES = {"S_phase": "S"} | dict.fromkeys(MITOSIS, "M")
FOLDS, SEEDS = 5, (0, 1, 2)
EFFECTS = ("size", "flatness", "chromocentres", "position", "none")
STUDIES, PLANTS, TREES = 3, (2, 3, 4), 100  # simulated studies; plants per genotype
EFFECTS_SIZE = {
    "size": "radius x 1.12",
    "flatness": "shortest axis / 1.4, volume kept",
    "chromocentres": "4 -> 8 on average",
    "position": "chromocentres from the border inwards",
    "none": "no difference",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("cells", "network", "simulated"))
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--folds", default="0,1,2,3,4")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--cells", type=int)
    args = parser.parse_args()
    if args.part == "network":
        folds = [int(text) for text in args.folds.split(",")]
        about = {"epochs": args.epochs, "seed": args.seed, "cells": args.cells}
        rows = Rows(f"network {json.dumps(about)}", args.minutes)
        found = score_network(folds, rows, about=about)
    elif args.part == "simulated":
        found = score_simulated(Rows("simulated", args.minutes))
    else:
        found = score_forest()
    if not found:
        raise SystemExit("No figure is complete yet. Rows that are done are kept: run it again.")
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    known |= {args.part: found, "machine": describe_machine()}
    if not args.cells:  # part of the cells is a trial
        RESULTS.write_text(json.dumps(io.to_plain(known), indent=1) + "\n")
    print(json.dumps(io.to_plain({args.part: found}), indent=1))


class Rows:
    """Rows of a part that are done, in a file each; the next ones as long as there is time.

    Parameters
    ----------
    part : name and settings: rows of other ones are not taken.
    minutes : of this run; None: until all is done.
    """

    def __init__(self, part: str, minutes: float | None):
        self.folder = RUNS / hashlib.sha256(part.encode()).hexdigest()[:12]
        self.part, self.started, self.longest = part, time.monotonic(), 0.0
        self.seconds, self.left = None if minutes is None else 60 * minutes, []

    def get(self, name: str, make: Callable[[], dict]) -> dict | None:
        """A row: what an earlier run found, else made now; None where the time is over.

        Parameters
        ----------
        name : of the row.
        make : () → the row, as plain values.
        """
        path = self.folder / f"{name}.json"
        if path.is_file():
            return json.loads(path.read_text())
        spent = time.monotonic() - self.started
        if self.longest and self.seconds is not None and spent + self.longest > self.seconds:
            self.left.append(name)
            return None
        begun = time.monotonic()
        row = io.to_plain(make())
        self.longest = max(self.longest, time.monotonic() - begun)
        io.write_json(path, {"part": self.part, **row})
        print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
        return row


def open_cells() -> data.DataSet:
    return data.DataSet.open(Path(os.environ["NBTOOLS_DATA"]) / "cell_cycle" / "all")


def fold_of(name: str, folds: int = FOLDS) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % folds


def summarize(names: Sequence, truth: Sequence, told: np.ndarray, *, classes: Sequence) -> dict:
    """Scores of all cells, each predicted by the model that had not seen it, and by fold."""
    best = [classes[i] for i in told.argmax(axis=1)]
    rows = list(zip(names, truth, best, told.max(axis=1).tolist(), strict=True))
    scores = classification.evaluate(rows)
    each = [
        classification.evaluate([row for row in rows if fold_of(row[0]) == fold])
        for fold in sorted({fold_of(name) for name in names})
    ]
    kept = ("images", "balanced_accuracy", "macro_f1", "accuracy", "classes", "confusion")
    found = {key: scores[key] for key in kept}
    found |= {"interval_95": scores["interval_95"], "ece": scores["calibration"]["ece"]}
    found["balanced_accuracy_by_fold"] = [one["balanced_accuracy"] for one in each]
    return found


def score_forest() -> dict:
    cells, method = open_cells(), methods.get("feature_forest")()
    started = time.process_time()
    method.begin_fit(cells)
    table = [method.describe(method.read(sample)) for sample in cells]
    names = sorted(set().union(*table))
    rows = np.array([[row.get(name, 0.0) for name in names] for row in table], np.float32)
    measured = time.process_time() - started
    phases = [entry.class_name for entry in cells.entries]
    four = [PHASES.get(name, name) for name in phases]
    grow_forest = partial(grow, trees=method.settings.trees, leaf=method.settings.leaf)
    about = {"names": cells.names, "grow": partial(grow_forest, balanced=True)}
    return {
        "features": len(names),
        "seconds_of_processor": round(measured, 1),
        "four_phases": {seed: predict_folds(rows, four, seed=seed, **about) for seed in SEEDS},
        "seven_phases": predict_folds(rows, phases, seed=0, **about),
    }


def predict_folds(rows: np.ndarray, truth: list, *, names: list, grow: partial, seed: int) -> dict:
    classes = sorted(set(truth))
    numbers = np.array([classes.index(name) for name in truth])
    fold = np.array([fold_of(name) for name in names])
    told = np.zeros((len(rows), len(classes)), np.float32)
    for one in range(FOLDS):
        trees = grow(rows[fold != one], numbers[fold != one], seed=seed)
        told[fold == one] = trees.ask(rows[fold == one].T)
    return summarize(names, truth, told, classes=classes)


def score_network(folds: Sequence[int], rows: Rows, *, about: dict) -> dict:
    """The network on some folds; a tenth of the training cells chooses the epoch."""
    samples = cache(partial(list_cells, about["cells"]))
    done = []
    for fold in folds:
        make = partial(train_fold, samples, fold, epochs=about["epochs"], seed=about["seed"])
        row = rows.get(f"fold {fold}", make)
        if row is not None:
            done.append(row | {"fold": fold})
    if not done:
        return {}
    names, truth, told = (
        [one for row in done for one in row[k]] for k in ("names", "truth", "told")
    )
    found = summarize(names, truth, np.array(told), classes=done[0]["classes"])
    found |= {key: done[0][key] for key in ("method", "settings", "parameters")}
    found |= {"seed": about["seed"], "folds": [row["fold"] for row in done], "left": rows.left}
    found |= {"cells": about["cells"] or "all", "cores": count_cores()}
    return found | {"seconds_of_processor": [row["seconds"] for row in done]}


def list_cells(count: int | None) -> list[data.Sample]:
    """Cells with one of four phases; the first by SHA-256 of the name, where a number is given."""
    cells = open_cells()
    order = sorted(range(len(cells)), key=lambda i: fold_of(cells.names[i], 2**256))
    chosen = cells.subset(sorted(order[:count]))
    return [s.replace(class_name=PHASES.get(s.class_name, s.class_name)) for s in chosen]


def train_fold(samples: Callable[[], list], fold: int, *, epochs: int, seed: int) -> dict:
    """Train without one fold, and predict it."""
    started, known = time.process_time(), samples()
    rest = [s for s in known if fold_of(s.name) != fold]
    val = [s for s in rest if fold_of(f"{s.name} val", 10) == 0]
    chosen = {s.name for s in val}
    train = data.DataSet.of([s for s in rest if s.name not in chosen])
    settings = {"epochs": epochs, "steps_per_epoch": 25, "batch_size": 64}
    method = methods.get("resnet")(**settings, augmentation="flips", learning_rate=3e-3)
    method.fit(train, data.DataSet.of(val), plan=training.TrainingPlan(seed=seed))
    unseen = [s for s in known if fold_of(s.name) == fold]
    told = [method.predict(s.image).result.probability[0].tolist() for s in unseen]
    return {
        "names": [s.name for s in unseen],
        "truth": [s.class_name for s in unseen],
        "told": told,
        "classes": list(method.domain.classes),
        "method": method.name,
        "settings": method.settings.to_dict(),
        "parameters": method.model.count_params(),
        "seconds": round(time.process_time() - started, 1),
    }


def score_simulated(rows: Rows) -> dict:
    """Power by number of plants, inputs without a part of the information, and the leak."""
    method = methods.get("feature_forest")(trees=TREES)
    power, inputs = {}, {}
    for effect in EFFECTS:
        study = cache(partial(cut_study, effect))
        for plants in PLANTS:
            each = []
            for seed in range(STUDIES):
                make = partial(judge_study, method, study, seed=seed, plants=plants)
                each.append(rows.get(f"{effect} study {seed} plants {plants}", make))
            if all(each):
                power.setdefault(effect, {})[plants] = summarize_studies(each)
        found = rows.get(f"{effect} inputs", partial(judge_inputs, method, study))
        if found is not None:
            inputs[effect] = {k: v for k, v in found.items() if k != "part"}
    if not power and not inputs:
        return {}
    return {
        "effects": EFFECTS_SIZE,
        "nuclei_per_plant": 12,
        "studies": STUDIES,
        "trees": TREES,
        "found": "the lower end of the 95 % interval over plants lies above 0.5",
        "power": power,
        "inputs": inputs,
        "left": rows.left,
    }


def judge_study(method: methods.Method, study: Callable, *, seed: int, plants: int) -> dict:
    return judge(method, study(seed=seed), plants=plants)


def judge_inputs(method: methods.Method, study: Callable) -> dict:
    """Scores of the first study by what the forest is shown of the crops."""
    crops = study(seed=0)
    plants = [entry.columns["group"] for entry in crops.entries]
    found = compare_inputs(method, crops, groups=plants, folds=max(PLANTS))
    return {name: keep(scores) for name, scores in found.items()}


def cut_study(effect: str, *, seed: int) -> data.DataSet:
    """Crops of two volumes of each of the most plants of both genotypes."""
    plants = max(PLANTS)
    settings = {"effect": effect, "plants": plants}
    volumes = simulate.make("classes", count=4 * plants, seed=seed, settings=settings)
    return cut_crops(volumes, plan_crops(volumes, mask="channel"))


def judge(method: methods.Method, crops: data.DataSet, *, plants: int) -> dict:
    """Scores of the first plants of both genotypes, each judged by a model without it."""
    groups = [entry.columns["group"] for entry in crops.entries]
    chosen = [i for i, group in enumerate(groups) if int(group.split()[-1]) <= plants]
    about = {"groups": [groups[i] for i in chosen], "folds": plants}
    return keep(cross_validate(method, crops.subset(chosen), **about))


def summarize_studies(scores: list[dict]) -> dict:
    each = [one["balanced_accuracy"] for one in scores]
    lows = [one["interval_95"]["balanced_accuracy"][0] for one in scores]
    return {
        "balanced_accuracy": [round(value, 4) for value in each],
        "mean": round(float(np.mean(each)), 4),
        "found": sum(low > 0.5 for low in lows),
    }


def keep(scores: dict) -> dict:
    kept = ("balanced_accuracy", "macro_f1", "accuracy", "interval_95", "interval_units")
    return {key: scores[key] for key in kept}


if __name__ == "__main__":
    main()
