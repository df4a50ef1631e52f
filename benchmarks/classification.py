"""Classes of nuclei: a random forest on measurements, a network, and what a leaking split makes up.

python benchmarks/classification.py cells
    $NBTOOLS_DATA/cell_cycle (Jurkat cells, three channels), four phases: G1, S, G2 and M (prophase
    to telophase). Five folds: SHA-256 of the name, as a number, modulo 5. `feature_forest` with
    three seeds; seven phases are counted, too, with one.
python benchmarks/classification.py network [--epochs 12] [--folds 0,1,2,3,4] [--seed 0]
    `resnet` on the same folds; beside its scores stand the seconds of processor time it had.
python benchmarks/classification.py simulated
    wild type and mutant in 3D, each planted effect alone: balanced accuracy of `feature_forest` by
    number of plants, on outlines alone and on shuffled pixels, and with a leaking split.

Each part goes into benchmarks/results/classification.json; the others stay.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from _runs import count_cores, describe_machine

from nbtools import data, io, methods, simulate, training
from nbtools.data.crops import cut_crops, plan_crops
from nbtools.methods.cross_validation import compare_inputs, cross_validate
from nbtools.methods.decision_trees import grow
from nbtools.metrics import classification

RESULTS = Path(__file__).parent / "results" / "classification.json"
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
    args = parser.parse_args()
    if args.part == "network":
        folds = [int(text) for text in args.folds.split(",")]
        found = score_network(folds, epochs=args.epochs, seed=args.seed)
    else:
        found = {"cells": score_forest, "simulated": score_simulated}[args.part]()
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    known |= {args.part: found, "machine": describe_machine()}
    RESULTS.write_text(json.dumps(io.to_plain(known), indent=1) + "\n")
    print(json.dumps(io.to_plain({args.part: found}), indent=1))


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


def score_network(folds: Sequence[int], *, epochs: int, seed: int) -> dict:
    """The network on some folds; a tenth of the training cells chooses the epoch."""
    cells = open_cells()
    samples = [s.replace(class_name=PHASES.get(s.class_name, s.class_name)) for s in cells]
    names, truth, told, spent = [], [], [], []
    for fold in folds:
        started = time.process_time()
        rest = [s for s in samples if fold_of(s.name) != fold]
        val = [s for s in rest if fold_of(f"{s.name} val", 10) == 0]
        chosen = {s.name for s in val}
        train = data.DataSet.of([s for s in rest if s.name not in chosen])
        settings = {"epochs": epochs, "steps_per_epoch": 25, "batch_size": 64}
        method = methods.get("resnet")(**settings, augmentation="flips", learning_rate=3e-3)
        method.fit(train, data.DataSet.of(val), plan=training.TrainingPlan(seed=seed))
        for sample in (s for s in samples if fold_of(s.name) == fold):
            names.append(sample.name)
            truth.append(sample.class_name)
            told.append(method.predict(sample.image).result.probability[0])
        classes = method.domain.classes
        spent.append(round(time.process_time() - started, 1))
        score = summarize(names, truth, np.array(told), classes=classes)["balanced_accuracy"]
        print(f"fold {fold}: {score:.4f} so far, {spent[-1]} s", flush=True)
    found = summarize(names, truth, np.array(told), classes=classes)
    about = {"method": method.name, "settings": method.settings.to_dict(), "seed": seed}
    about |= {"folds": list(folds), "seconds_of_processor": spent, "cores": count_cores()}
    return found | about | {"parameters": method.model.count_params()}


def score_simulated() -> dict:
    """Power by number of plants, inputs without a part of the information, and the leak."""
    method = methods.get("feature_forest")(trees=TREES)
    power, inputs = {}, {}
    for effect in EFFECTS:
        studies = [cut_study(effect, seed=seed) for seed in range(STUDIES)]
        power[effect] = {
            plants: summarize_studies([judge(method, one, plants=plants) for one in studies])
            for plants in PLANTS
        }
        print(effect, json.dumps(power[effect]), flush=True)
        plants = [entry.columns["group"] for entry in studies[0].entries]
        found = compare_inputs(method, studies[0], groups=plants, folds=max(PLANTS))
        inputs[effect] = {name: keep(scores) for name, scores in found.items()}
        print(effect, {k: round(v["balanced_accuracy"], 3) for k, v in inputs[effect].items()})
    return {
        "effects": EFFECTS_SIZE,
        "nuclei_per_plant": 12,
        "studies": STUDIES,
        "trees": TREES,
        "found": "the lower end of the 95 % interval over plants lies above 0.5",
        "power": power,
        "inputs": inputs,
    }


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
