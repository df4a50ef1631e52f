"""Instances: a label image, one number per nucleus, with a score and a class per object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data import DataSet, InputOptions, read_classes, write_classes
from nbtools.data.names import name_key
from nbtools.data.own_files import is_result
from nbtools.errors import UserError
from nbtools.geometry import count_sizes
from nbtools.image import Image
from nbtools.metrics import biaflows, classes, detection, instances, overlap
from nbtools.metrics.bootstrap import format_interval
from nbtools.results import Labels
from nbtools.tasks.base import Task
from nbtools.tasks.frames import name_time, split_pairs, summarize
from nbtools.tasks.reading import (
    ResultSet,
    is_large,
    list_files,
    list_label_files,
    read_label_file,
    require_existing,
)
from nbtools.tasks.text import average_scores, count_images, format_missing, tabulate

FOLDERS = ("labels", "masks")
OBJECTS, CLASSES = "objects.csv", "_classes.csv"  # NAME_classes.csv stands beside NAME.tif
TERMS = """
    IoU: The area that a true and a found nucleus share, over the area they cover together: 1 where
    the outlines agree, 0.5 where a third of each of two nuclei of one size lies outside the other.

    matched, missed, extra: A true and a predicted nucleus match where their IoU reaches the
    threshold. Missed: true nuclei without a match. Extra: predictions without a match.

    split, merged: One nucleus predicted as several; several predicted as one. They ruin counts and
    leave the foreground as it is.

    missed entirely, extra on background: Most of a true nucleus is covered by no prediction; most
    of a prediction lies where no nucleus is.

    AP: Matched / (matched + missed + extra), all images together. At IoU 0.5 it is about counting,
    at 0.9 about the very outline. Mean AP averages IoU 0.50 to 0.90.
    """

MATCHING = (
    "A predicted and a true nucleus match from an IoU threshold upwards, each at most once; AP = "
    "TP / (TP + FP + FN), counts pooled over images; the mean AP is that over IoU 0.50, 0.55, … "
    "0.90."
)


def write(result: Labels, image: Image, *, folder: Path, suffix: str = ".tif") -> dict:
    """Write NAME.tif or NAME.ome.zarr, and NAME_classes.csv where nuclei have classes.

    Parameters
    ----------
    result : labels with their scores and classes; the name is that of their image.
    image : what they were predicted from.
    folder : of the result.
    suffix : ".tif" or ".ome.zarr".

    Returns
    -------
    Number of nuclei, their median size and mean score, and the rows of objects.csv.
    """
    label = result.image
    io.write_label(folder / f"{label.name}{suffix}", label)
    if result.classes is not None:
        present = {name_object(row) for row in list_objects(result)}
        kept = {value: name for value, name in result.classes.items() if value in present}
        path = folder / f"{label.name}{CLASSES}"
        write_classes(path, kept, probability=result.probability)
    objects, rows = list_objects(result), []
    for time, moment in enumerate(label.frames()):
        scores = [row["score"] for row in objects if row["frame"] in (None, time)]
        known = [score for score in scores if score is not None]
        rows.append(measure_sizes(moment) | average_scores(known))
    return summarize(rows, label) | {"tables": {OBJECTS: objects}}


def list_objects(result: Labels) -> list[dict]:
    """Rows of objects.csv: image, frame (of a movie), label, score and class of each object."""
    rows = []
    moving = "T" in result.image.axes
    for number, moment in enumerate(result.frames()):
        time = name_time(result.image, number) if moving else {}
        pixels = moment.image.pixels
        for label in count_sizes(pixels)[0].tolist():
            known = (moment.score or {}).get(label)
            row = {"image": result.image.name, "frame": None, "label": label}
            row["score"] = None if known is None else round(float(known), 4)
            rows.append(row | {"class": (moment.classes or {}).get(label)} | time)
    return rows


def name_object(row: Mapping) -> int | tuple[int, int]:
    """The key of an object of objects.csv in `Labels`: its label, of a movie (frame, label)."""
    label, frame = int(row["label"]), row.get("frame")
    return label if frame in (None, "") else (int(frame), label)


def read(
    place: Path, *, what: str = "The labels", options: InputOptions | None = None
) -> ResultSet:
    """Label images of a place by name, with the classes and scores beside them.

    Parameters
    ----------
    place : label image, result, folder or data set.
    what : the place in words, for errors.
    options : how images are read.

    Raises
    ------
    UserError : nothing is there, or no label image.
    """
    place, options = require_existing(place, what), options or InputOptions()
    alone = io.is_image_place(place)
    inside_zarr = alone and bool(io.list_labels(place)) if io.is_image_folder(place) else False
    opened = (not alone or inside_zarr) and not is_result(place)
    dataset = DataSet.open(place, options=options) if opened else None
    if dataset is not None and dataset.has("labels"):
        inside = [i for i, entry in enumerate(dataset.entries) if "labels" in entry.files]
        readers = {dataset.names[i]: partial(_read_sample, dataset, i) for i in inside}
        return ResultSet(readers, notes=partial(_list_notes, dataset), storable=True)
    folder = next((place / name for name in FOLDERS if (place / name).is_dir()), place)
    files = [place] if alone else [p for p in list_files(folder) if io.is_image(p)]
    if not files:
        raise UserError(
            f"{what} must hold label images.",
            f"none in {folder}",
            "Give a result of nbtools predict, or a folder with labels/.",
        )
    objects = cache(lambda: group_objects(files[0].with_name(OBJECTS)))
    readers = {
        name: partial(_read_file, name, *found, options=options, objects=objects)
        for name, found in list_label_files(files, options).items()
    }
    return ResultSet(readers, alone and len(readers) == 1, storable=True)


def _read_sample(dataset: DataSet, index: int, *, stored: bool = False) -> Labels:
    if stored and is_large(dataset.header(index)):
        return Labels(require_labels(dataset.stored_label(index)))
    sample = dataset[index]
    return Labels(require_labels(sample.label), classes=sample.classes)


def _list_notes(dataset: DataSet) -> list[str]:
    """What was decided while outlines and masks became labels."""
    return [
        f"{dataset.relative(entry.files['labels'])}: {note.message}"
        for entry in dataset.entries
        for note in dataset.reader.notes(entry)
        if note.code != io.MASKS
    ]


def _read_file(
    name: str,
    path: Path,
    series: int | None,
    *,
    options: InputOptions,
    objects: Callable[[], dict],
    stored: bool = False,
) -> Labels:
    """A label image with its objects' scores and classes: NAME_classes.csv, else objects.csv."""
    rows = objects().get(name_key(name), {})
    label = read_label_file(path, options, series=series, stored=stored).replace(name=name)
    table = path.with_name(f"{name}{CLASSES}")
    named = {label: row["class"] for label, row in rows.items() if row.get("class")} or None
    try:
        score = {label: float(row["score"]) for label, row in rows.items() if row.get("score")}
    except ValueError as error:
        raise UserError(
            "Scores in objects.csv must be numbers.",
            error,
            "Correct the table, with a point for decimals, or take it away.",
        ) from error
    named = read_classes(table) if table.is_file() else named
    found = Labels(require_labels(label), score or None, named)
    if isinstance(options.time, int) and "T" in label.axes:
        label.select(T=options.time)  # a time point that is there, or a UserError
        return found.frames()[options.time]
    return found


def require_labels(label: Image) -> Image:
    """A label image itself; a UserError where it holds the grey values of a photograph."""
    from nbtools.checks.grey_values import are_grey_values

    if are_grey_values(split_frames(label)[0]):
        raise UserError(
            "Labels number the nuclei; grey values are no labels.",
            f"{label.name or 'an image'}, in which one number stands in many places",
            "Give a result of nbtools predict, or the folder labels/ of a data set.",
        )
    return label


def group_objects(table: Path) -> dict[str, dict[int | tuple[int, int], dict[str, str]]]:
    """Rows of objects.csv by image and label, of movies by image, frame and label.

    Parameters
    ----------
    table : path of objects.csv; {} where there is none.
    """
    found: dict[str, dict[int | tuple[int, int], dict[str, str]]] = {}
    for row in io.read_csv(table) if table.is_file() else ():
        if row.get("label", "").isdecimal() and (row.get("frame") or "0").isdecimal():
            found.setdefault(name_key(row.get("image", "")), {})[name_object(row)] = row
    return found


def remove_smaller_than(result: Labels, diameter: float | None) -> Labels:
    """Labels without the nuclei smaller than a disc or ball of a diameter.

    Parameters
    ----------
    result : labels, also of a movie.
    diameter : in the unit of the pixel size; None keeps all.

    Raises
    ------
    UserError : a diameter is given, but the pixel size of the image is unknown.
    """
    if diameter is None:
        return result
    label = result.image
    if label.spacing is None:
        raise UserError(
            "A size in µm needs the pixel size.",
            f"{label.name} of unknown pixel size",
            "Add --spacing Z,Y,X in µm.",
        )
    stored = io.is_stored(label.pixels)  # of a prediction, which has no other use for its file
    pixels = label.pixels if stored else label.pixels.copy()
    for moment in split_frames(label.replace(pixels=pixels)):
        labels, sizes = count_sizes(moment)
        small = labels[sizes < count_pixels(diameter, label.spacing)]
        for place, slab in io.read_slabs(moment):
            moment[place] = np.where(np.isin(slab, small), 0, slab)
    about = (result.score, result.classes, result.probability)
    return Labels(label.replace(pixels=pixels), *about)


def measure_sizes(label: Image) -> dict:
    """Number of nuclei and their median size.

    Parameters
    ----------
    label : label image, not of a movie.

    Returns
    -------
    `nuclei`, `median_pixels` and, where the pixel size is known, `median_diameter_um`.
    """
    sizes = count_sizes(label.pixels)[1]
    row = {"nuclei": len(sizes), "median_pixels": float(np.median(sizes)) if len(sizes) else None}
    if label.spacing_um and len(sizes):
        one = count_pixels(1.0, label.spacing_um)
        row["median_diameter_um"] = round(
            float((row["median_pixels"] / one) ** (1 / len(label.spatial))), 4
        )
    return row


def count_pixels(diameter: float, spacing: tuple[float, ...]) -> float:
    """Pixels in a disc (2D) or ball (3D) of a diameter.

    Parameters
    ----------
    diameter : in the unit of the spacing.
    spacing : pixel size along each axis.

    Examples
    --------
    >>> round(count_pixels(10.0, (1.0, 1.0)), 2)
    78.54
    """
    shape = np.pi / 4 if len(spacing) == 2 else np.pi / 6
    return shape * diameter ** len(spacing) / float(np.prod(spacing))


def split_frames(label: Image) -> list[np.ndarray]:
    """Views of the time points, or the image alone."""
    if "T" not in label.axes:
        return [label.pixels]
    return list(np.moveaxis(label.pixels, label.axes.index("T"), 0))


class Confidence:
    """Collects for each found nucleus its score and whether it is a hit at IoU 0.5."""

    def __init__(self):
        self.hits, self.scores, self.n_true, self.known = [], [], 0, True

    def add(self, truth: Labels, found: Labels | None) -> None:
        """Add an image; once an image has nuclei without scores, nothing more is collected.

        Parameters
        ----------
        truth : true labels.
        found : predicted labels; None where the image has no result.
        """
        if found is None:
            nothing = np.broadcast_to(np.zeros((), np.uint8), truth.image.shape)
            found = Labels(truth.image.replace(pixels=nothing))
        self.known &= found.score is not None or found.image.pixels.max(initial=0) <= 0
        if self.known:
            table = overlap.find_overlap(truth.image, found.image)
            matched = overlap.match_nuclei(table, table.iou, iou=0.5)
            self.hits.append(np.isin(np.arange(len(table.predicted_labels)), table.column[matched]))
            self.scores += [(found.score or {}).get(n, 0.0) for n in table.predicted_labels]
            self.n_true += len(table.true_labels)

    def summarize(self) -> dict:
        """Precision and recall at IoU 0.5 from the most confident nucleus on.

        Returns
        -------
        `curve`, with its `area`: how well scores rank hits before extra nuclei; {} without scores.
        """
        if not (self.known and self.scores):
            return {}
        curve = detection.precision_recall_curve(
            np.concatenate(self.hits), np.array(self.scores), n_true=self.n_true
        )
        area = detection.average_precision(curve)
        return {"curve": detection.thin_curve(curve) | {"area": area}}


def evaluate(
    pairs: Iterable[tuple[str, Labels, Labels | None]],
    *,
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Scores of label images: see `metrics.instances.evaluate`.

    Where both sides have classes, `classes`, `class_accuracy`, `confusion`, `per_class` and
    `macro_f1` (`metrics.classes`) are added; where all predicted nuclei have scores, `curve`
    (`Confidence`).

    Parameters
    ----------
    pairs : name, truth, result or None.
    groups, seed : of the bootstrap.
    """
    tally, confidence = classes.ClassScores(), Confidence()

    pairs, groups = split_pairs(pairs, groups)

    def look(pairs: Iterable[tuple]) -> Iterator[tuple]:
        for name, truth, found in pairs:
            confidence.add(truth, found)
            if found is not None and truth.classes is not None and found.classes is not None:
                known = {"true_classes": truth.classes, "classes": found.classes}
                tally.add(truth.image, found.image, **known)
            yield name, truth.image, found and found.image

    scores = instances.evaluate(look(pairs), groups=groups, distances=True, seed=seed)
    return scores | tally.summarize() | confidence.summarize()


def tuning_score(pairs: list[tuple]) -> float:
    """Mean over IoU 0.50 … 0.90 of the AP pooled over images.

    Parameters
    ----------
    pairs : (truth, result) of each image, as `Labels`, images or arrays.
    """
    tables = [overlap.find_overlap(*(getattr(p, "image", p) for p in pair)) for pair in pairs]
    pooled = []
    for iou in (t for t in instances.THRESHOLDS if t <= instances.LAST_AVERAGED):
        scores = [instances.score_overlap(table, iou) for table in tables]
        pooled.append(sum(scores[1:], scores[0]).ap)
    return float(np.mean(pooled))


def format_scores(scores: dict) -> list[str]:
    """The table of thresholds, the mean AP, kinds of mistake, outlines and classes."""
    rows = [{"IoU": threshold, **values} for threshold, values in scores["pooled"].items()]
    sure = format_interval(scores["interval_95"]["mean_ap"], scores.get("interval_units"))
    lines = [
        *tabulate(rows, ["IoU", "ap", "precision", "recall", "f1", "tp", "fp", "fn"]),
        f"Mean AP {scores['mean_ap']:.3f} ({sure}) over "
        f"{scores['images']} images; "
        f"panoptic quality {scores['panoptic_quality']:.3f}, SEG {scores['seg']:.3f}",
        f"Split {scores['splits']}, merged {scores['merges']}, missed entirely "
        f"{scores['missed']}, extra on background {scores['extra']} nuclei; "
        f"counts {scores['count_bias']:+.1%} in all, off by {scores['count_error']:.1%} per image",
    ]
    unit = "um" if "hausdorff_95_um" in scores else "px"
    average, highest = (scores.get(f"hausdorff_{k}_{unit}") for k in ("average", "95"))
    if highest is not None:
        lines.append(
            f"Outlines of matched nuclei lie {average:.3g} {unit} apart on average, 95 % "
            f"within {highest:.3g} {unit}"
        )
    if "curve" in scores:
        area = scores["curve"]["area"]
        lines.append(f"Area under precision and recall by score, at IoU 0.5: {area:.3f}")
    lines += [
        f"Class {name}: {one['nuclei']} nuclei, mean AP {one['mean_ap']:.3f}"
        for name, one in scores.get("classes", {}).items()
    ]
    if scores.get("macro_f1") is not None:
        lines.append(f"Macro F1 over the classes, at IoU 0.5: {scores['macro_f1']:.3f}")
    return [*lines, *format_missing(scores, TASK.missing)]


def write_sentence(scores: dict) -> str:
    """The mean AP with its interval, for the methods section of a paper."""
    if scores.get("mean_ap") is None:
        return ""
    half = scores.get("pooled", {}).get("0.50", {})
    at_half = f" and {half['ap']:.3f} at 0.5" if half.get("ap") is not None else ""
    interval = (scores.get("interval_95") or {}).get("mean_ap")
    sure = (
        f" (bootstrap, {format_interval(interval, scores.get('interval_units'))})"
        if interval and None not in interval and (scores.get("images") or 0) > 1
        else ""
    )
    return (
        f"Against the true labels of {count_images(scores.get('images'))}, the mean AP over IoU "
        f"thresholds from 0.5 to 0.9 was {scores['mean_ap']:.3f}{sure}{at_half}."
    )


def rate_biaflows(truth: Labels, found: Labels | None) -> dict[str, float]:
    """What BIAFLOWS measures in an image of labels."""
    label = truth.image.pixels
    return biaflows.of_instances(label, label * 0 if found is None else found.image.pixels)


TASK = Task(
    name="instances",
    results=(Labels,),
    partner="labels",
    write=write,
    read=read,
    read_truth=read,
    evaluate=evaluate,
    format=format_scores,
    sentence=write_sentence,
    tuning_score=tuning_score,
    counting=instances.COUNTING,
    columns=("mean_ap", "interval", "ap50", "ap75", "f1_50", "splits", "merges", "missed", "extra"),
    summary=("nuclei", "median_pixels", "median_diameter_um", "mean_score"),
    tables={OBJECTS: ("image", "frame", "label", "score", "class")},
    missing="counted as all missed",
    matching=MATCHING,
    terms=TERMS,
    done="segmented",
    figures={
        "overlay": "overlay_rgb",
        "scores": "rates",
        "evaluation": "compare",
        "errors": "error_map",
        "strata": "strata",
    },
    baseline="otsu",
    calibrated=True,
    biaflows=rate_biaflows,
    predict_options=("min_size", "roi", "zarr"),
)
