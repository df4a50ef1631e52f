"""Classification: the class of an image, or of each nucleus in it, with its probability."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data import DataSet, InputOptions
from nbtools.data.class_tables import require_one_class
from nbtools.data.own_files import is_result
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import classification
from nbtools.results import Classes
from nbtools.tasks.base import Task
from nbtools.tasks.reading import SCORES, ResultSet, list_files, require_existing
from nbtools.tasks.text import format_missing, format_rates, tabulate

TABLE = "classes.csv"
TERMS = """
    balanced accuracy: The share of right answers, each class counting alike: always naming the
    commonest of two classes has 0.5.

    macro F1: F1 (right answers against both kinds of wrong one) averaged over classes, rare ones
    included.

    calibration: Of what it is 80 % sure of, 80 % should be right.
    """


def write(result: Classes, image: Image, *, folder: Path) -> dict:
    """Rows of classes.csv, one per image or per nucleus.

    Parameters
    ----------
    result : classes of the image, or of its nuclei.
    image : what they were predicted from.
    folder : of the result.

    Returns
    -------
    Class and probability of the image, or the number of nuclei; and the rows of classes.csv: name,
    label (of a nucleus), class, its probability, and a column per class.
    """
    rows = []
    for number, (best, shares) in enumerate(zip(result.best, result.probability, strict=True)):
        row = {"name": result.name}
        if result.label is not None:
            row["label"] = int(result.label[number])
        row |= {"class": best, "probability": round(float(shares.max()), 4)}
        each = [round(float(share), 4) for share in shares]
        rows.append(row | dict(zip(result.names, each, strict=True)))
    first = rows[0] if result.label is None else {"nuclei": len(rows)}
    kept = ("class", "probability", "nuclei")
    return {k: v for k, v in first.items() if k in kept} | {"tables": {TABLE: rows}}


def read(
    place: Path, *, what: str = "The classes", options: InputOptions | None = None
) -> ResultSet:
    """Classes of the images of a place, by name.

    Parameters
    ----------
    place : classes.csv with the columns name and class (and label, probability), a folder with it,
        a result with NAME.csv, or a data set, also one of images/CLASS/NAME.tif.
    what : the place in words, for errors.
    options : how the images of a data set are read.

    Raises
    ------
    UserError : nothing is there, or no classes.
    """
    place = require_existing(place, what)
    table = place if place.is_file() else place / TABLE
    if table.is_file():
        rows = [row for row in io.read_csv(table) if row.get("name")]
        named = [(_name_row(row), row) for row in rows]
        require_one_class([(name, row.get("class") or "") for name, row in named], table)
        return ResultSet({name: partial(_read_row, row, table) for name, row in named})
    tables = [p for p in list_files(place) if p.suffix.lower() == ".csv"]
    if is_result(place) and tables:
        return ResultSet({io.stem(p): partial(_read_most_probable, p) for p in tables})
    dataset = DataSet.open(place, options=options or InputOptions())
    if not dataset.has("classes"):
        raise UserError(
            f"{what} must hold classes.",
            place,
            "Write classes.csv with the columns name and class.",
        )
    known = {entry.name: entry.class_name for entry in dataset.entries if entry.class_name}
    return ResultSet({name: partial(_make, name, best, None) for name, best in known.items()})


def _make(name: str, best: str, probability: float | None) -> Classes:
    """One class; its probability is not a number where nobody knows it."""
    return Classes((best,), np.array([[np.nan if probability is None else probability]]), name)


def _name_row(row: dict[str, str]) -> str:
    name = io.stem(row["name"]) if io.is_image(row["name"]) else row["name"]
    return f"{name}/{row['label']}" if row.get("label") else name


def _read_row(row: dict[str, str], table: Path) -> Classes:
    best = row.get("class")
    if not best:
        raise UserError(
            "A table of classes needs the columns name and class.",
            f"{table}, {row.get('name')}",
            "Fill in every class.",
        )
    text = next((row[c] for c in (*SCORES, best, f"p_{best}") if row.get(c)), None)
    try:
        return _make(_name_row({"name": ""} | row), best, None if text is None else float(text))
    except ValueError as error:
        raise UserError(
            "A probability must be a number.",
            f"{table} ({error})",
            "Correct the table, with a point for decimals.",
        ) from error


def _read_most_probable(path: Path) -> Classes | None:
    """Of the classes that a result lists for its image, the most probable one."""
    rows = [_read_row(row, path) for row in io.read_csv(path)]
    return max(rows, key=lambda one: np.nan_to_num(one.probability.max()), default=None)


def split_rows(result: Classes) -> list[tuple[str, float | None]]:
    """Class and its probability, None where it is unknown, of each row."""
    sure = [None if np.isnan(share) else float(share) for share in result.probability.max(axis=1)]
    return list(zip(result.best, sure, strict=True))


def evaluate(
    pairs: Iterable[tuple[str, Classes, Classes | None]],
    *,
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Scores of classes: see `metrics.classification.evaluate`.

    Parameters
    ----------
    pairs : name, truth, result or None. Rows of several nuclei pair in their order.
    groups, seed : of the bootstrap.
    """
    rows = []
    for name, truth, found in pairs:
        answers = [(None, None)] * len(truth.best) if found is None else split_rows(found)
        rows += [(name, true, *one) for true, one in zip(truth.best, answers, strict=True)]
    return classification.evaluate(rows, groups=groups, seed=seed)


def evaluate_samples(data: Iterable, found: Iterable) -> dict:
    """Score results of the same samples, as lessons do.

    Parameters
    ----------
    data : samples with a class each.
    found : their classes, or predictions, in the order of the samples.

    Returns
    -------
    See `evaluate`.
    """
    pairs = []
    for sample, one in zip(data, found, strict=True):
        truth = _make(sample.name, sample.class_name, None)
        pairs.append((sample.name, truth, getattr(one, "result", one)))
    return evaluate(pairs)


def tuning_score(pairs: list[tuple]) -> float:
    """Balanced accuracy of (truth, found) pairs of classes."""
    rows = [
        {"truth": true, "predicted": guess}
        for truth, found in pairs
        for true, guess in zip(truth.best, found.best, strict=True)
    ]
    names = sorted({value for row in rows for value in row.values()})
    table = classification.count_classes(rows, names).sum(axis=0)
    return float(classification.rate_confusion(table)["balanced_accuracy"])


def guess_commonest(truth: ResultSet) -> tuple[str, ResultSet]:
    """The commonest class for every image: what a method has to beat to have learned anything."""
    counts = Counter(best for name in truth.names for best in truth.read(name).best)
    common = counts.most_common(1)[0][0]
    names = truth.names
    return "commonest class", ResultSet({n: partial(_make, n, common, None) for n in names})


def format_scores(scores: dict) -> list[str]:
    """Format the confusion table, accuracies with their intervals, and calibration, as lines."""
    rows = [
        {"true class": name, **dict(zip(scores["classes"], row, strict=True))}
        for name, row in zip(scores["classes"], scores["confusion"], strict=True)
    ]
    lines = [
        *tabulate(rows, ["true class", *scores["classes"]]),
        f"Over {scores['images']} images: "
        f"{format_rates(scores, ('balanced_accuracy', 'macro_f1', 'accuracy'))}",
    ]
    if scores["calibration"]:
        gap = scores["calibration"]["ece"]
        lines.append(f"Calibration: predicted probability and accuracy differ by {gap:.1%}")
    return [*lines, *format_missing(scores, TASK.missing)]


TASK = Task(
    name="classification",
    results=(Classes,),
    partner="classes",
    write=write,
    read=read,
    read_truth=read,
    evaluate=evaluate,
    format=format_scores,
    tuning_score=tuning_score,
    counting=classification.COUNTING,
    columns=("balanced_accuracy", "interval", "macro_f1", "accuracy"),
    summary=("class", "probability", "nuclei"),
    tables={TABLE: ()},
    panels=("balanced_accuracy", "macro_f1", "accuracy"),
    missing="counted as wrong",
    terms=TERMS,
    done="classified",
    figures={"scores": "confusion"},
    guess=guess_commonest,
)
