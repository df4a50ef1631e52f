"""Semantic: a class per pixel. Touching nuclei are one region; for counting, see instances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data import InputOptions
from nbtools.image import Image
from nbtools.metrics import biaflows, semantic
from nbtools.results import ClassMap, Labels
from nbtools.tasks import instances
from nbtools.tasks.base import Task
from nbtools.tasks.frames import split_pairs, summarize
from nbtools.tasks.reading import ResultSet, read_about
from nbtools.tasks.text import format_missing, format_rates, tabulate

TERMS = """
    Dice, IoU: Agreement of the foreground's pixels. Touching nuclei found as one cost nothing: do
    not read counts from it.

    precision, recall: The share of predicted pixels that are right, and the share of true ones that
    were found.
    """


def write(result: ClassMap, image: Image, *, folder: Path) -> dict:
    """Write NAME.tif with the number of the class of each pixel.

    Parameters
    ----------
    result : class map; the name is that of its image.
    image : what it was predicted from.
    folder : of the result.

    Returns
    -------
    `foreground`, the share of pixels that are not background.
    """
    label = result.image
    io.write_label(folder / f"{label.name}.tif", label)
    rows = [
        {"foreground": round(float((one.pixels > 0).sum() / max((one.pixels >= 0).sum(), 1)), 4)}
        for one in label.frames()
    ]
    return summarize(rows, label)


def read(
    place: Path, *, what: str = "The class maps", options: InputOptions | None = None
) -> ResultSet:
    """Read class maps, by name.

    Parameters
    ----------
    place : an image, a folder of images, a result or a data set with labels.
    what : the place in words, for errors.
    options : how images are read.

    Raises
    ------
    UserError : nothing is there, or no label images.
    """
    found = instances.read(place, what=what, options=options)
    readers = {name: lambda name=name: ClassMap(found.read(name).image, ()) for name in found.names}
    return ResultSet(readers, found.alone)


def recall(place: Path) -> dict:
    """The names of the classes, where a result is a map of several.

    Parameters
    ----------
    place : of the result, a folder or a file.

    Returns
    -------
    `classes`, in the order of their numbers; {} where all above 0 is foreground.
    """
    about = read_about(place) if place.is_dir() else {}
    names = (about.get("domain") or {}).get("classes")
    return {"classes": list(names)} if about.get("task") == TASK.name and names else {}


def convert(result: Labels | ClassMap) -> ClassMap:
    """Labels → a map of background and foreground; a class map stays as it is.

    Parameters
    ----------
    result : labels, of a segmentation, or a class map.
    """
    if isinstance(result, ClassMap):
        return result
    label = result.image
    inside = np.where(label.pixels < 0, -1, label.pixels > 0).astype(np.int32)
    return ClassMap(label.replace(pixels=inside), semantic.FOREGROUND)


def evaluate(
    pairs: Iterable[tuple[str, ClassMap | Labels, ClassMap | Labels | None]],
    *,
    classes: Sequence[str] | None = None,
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Scores of class maps or labels: see `metrics.semantic.evaluate`.

    Parameters
    ----------
    pairs : name, truth, result or None.
    classes : names of the values 0, 1, 2…; None: all above 0 is foreground. Labels of nuclei
        among the results, as those of a method without classes, count as the first class above 0.
    groups, seed : of the bootstrap.
    """
    pairs, groups = split_pairs(pairs, groups)
    images = ((name, truth.image, found and convert(found).image) for name, truth, found in pairs)
    return semantic.evaluate(images, classes=classes, groups=groups, seed=seed)


def tuning_score(pairs: list[tuple]) -> float:
    """Mean IoU over the classes that occur, of (truth, found) pairs of class maps, pooled."""
    pixels = [tuple(one.image.pixels for one in pair) for pair in pairs]
    count = max(int(label.max(initial=0)) for pair in pixels for label in pair) + 1
    tables = [semantic.count_pixels(*pair, count=count) for pair in pixels]
    return float(semantic.rate_confusion(np.sum(tables, axis=0))["mean_iou"])


def format_scores(scores: dict) -> list[str]:
    """The table of classes, the means with their intervals, and what they cannot show."""
    rows = [{"class": name, **values} for name, values in scores["per_class"].items()]
    words = format_rates(scores, ("dice", "iou", "precision", "recall"))
    return [
        *tabulate(rows, ["class", "dice", "iou", "precision", "recall"]),
        f"Over {scores['images']} images: {words}; {scores['accuracy']:.1%} of the pixels are "
        "right",
        "Pixels only: touching nuclei found as one count as right. See --task instances.",
        *format_missing(scores, TASK.missing),
    ]


def rate_biaflows(truth: ClassMap, found: ClassMap | None) -> dict[str, float]:
    """What BIAFLOWS measures in a class image."""
    label = truth.image.pixels
    return biaflows.classify_pixels(label, label * 0 if found is None else found.image.pixels)


TASK = Task(
    name="semantic",
    results=(ClassMap,),
    partner="labels",
    write=write,
    read=read,
    read_truth=read,
    evaluate=evaluate,
    format=format_scores,
    tuning_score=tuning_score,
    counting=semantic.COUNTING,
    columns=("dice", "interval", "iou", "precision", "recall", "accuracy"),
    summary=("foreground",),
    panels=("dice", "iou", "precision", "recall"),
    missing="counted as all background",
    terms=TERMS,
    done="segmented",
    figures={"overlay": "overlay_rgb"},
    baseline="otsu",
    accepts=(Labels,),
    convert=convert,
    recall=recall,
    biaflows=rate_biaflows,
    evaluate_options=("classes",),
)
