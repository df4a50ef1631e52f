"""Detection: a point or a box per nucleus, with a score and a class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data import DataSet, InputOptions, Sample
from nbtools.data.own_files import is_result
from nbtools.errors import UserError
from nbtools.geometry import centroids, count_sizes
from nbtools.image import Image
from nbtools.io.points_and_boxes import EDGES, require_extent, require_finite
from nbtools.metrics import biaflows, boxes, detection, found_classes
from nbtools.results import Boxes, Grid, Labels, Points
from nbtools.tasks.base import Task
from nbtools.tasks.frames import split_pairs, summarize
from nbtools.tasks.reading import (
    SCORES,
    ResultSet,
    list_files,
    list_known_images,
    read_label_file,
    require_existing,
)
from nbtools.tasks.text import average_scores, format_missing, format_rates

FRAMES = ("frame", "t")  # columns that hold the time point
Found = Points | Boxes | Labels  # of boxes the middle is the point, of labels the centre of gravity
EDGE = 0.5  # from the corner of a pixel, which edges count, to its centre, which points count
TERMS = """
    match: A found point within the gate of a true one; each is used once.

    precision, recall, F1: The share of found points that are right, the share of nuclei that were
    found, and one number for both.

    RMSE: How far matched points lie apart. It says nothing of points that were not matched.
    """


def write(result: Points | Boxes, image: Image, *, folder: Path) -> dict:
    """Write NAME.csv, a row per point or box.

    Parameters
    ----------
    result : points or boxes; the name is that of their grid.
    image : what they were predicted from.
    folder : of the result.

    Returns
    -------
    Number of nuclei and their mean score. The columns of the table are z, y, x in pixels and, where
    the pixel size is known, z_um, y_um, x_um; or z0, y0, x0, z1, y1, x1; then frame, score and
    class where there are any.
    """
    columns = list_columns(result)
    if result.frame is not None:
        columns["frame"] = np.asarray(result.frame)
        if image.interval_s is not None:
            columns["time_s"] = np.round(columns["frame"] * image.interval_s, 6)
    if result.score is not None:
        columns["score"] = np.round(np.asarray(result.score, float), 4)
    if result.classes:
        columns["class"] = result.classes
    io.write_csv(folder / f"{result.grid.name}.csv", columns)
    if result.frame is None:
        return {"nuclei": len(result)} | average_scores(result.score)
    moments = [result.of_frame(t) for t in range(image.size("T"))]
    rows = [{"nuclei": len(one)} | average_scores(one.score) for one in moments]
    return summarize(rows, image)


def list_columns(result: Points | Boxes) -> dict[str, np.ndarray]:
    """Column → coordinates of a table of points or boxes."""
    letters, spacing = result.grid.axes.lower(), result.grid.spacing_um
    if isinstance(result, Boxes):
        names = [f"{a}{side}" for side in "01" for a in letters]
        edges = np.concatenate(boxes.split_edges(result.edges), axis=1)
        return dict(zip(names, edges.T, strict=True))
    columns = dict(zip(letters, result.coordinates.T, strict=True))
    if spacing is None:
        return columns
    return columns | {f"{a}_um": columns[a] * s for a, s in zip(letters, spacing, strict=True)}


def read(
    place: Path, *, what: str = "The result", options: InputOptions | None = None
) -> ResultSet:
    """Points, boxes or labels of a place, by name of their image.

    Parameters
    ----------
    place : NAME.csv with y, x (and z, score, class) or the edges of boxes, a label image of blobs
        or nuclei, a folder of these, or a data set with centres, boxes or labels.
    what : the place in words, for errors.
    options : how images are read.

    Raises
    ------
    UserError : nothing is there, or nothing that holds points.
    """
    place, options = require_existing(place, what), options or InputOptions()
    if place.is_file() or (io.is_image_folder(place) and not io.list_labels(place)):
        return ResultSet({io.stem(place): lambda: read_file(place, options)}, alone=True)
    dataset = None if is_result(place) else DataSet.open(place, options=options)
    for kind in ("centres", "boxes", "labels") if dataset is not None else ():
        if dataset.has(kind):
            inside = [i for i, entry in enumerate(dataset.entries) if kind in entry.files]
            return ResultSet({dataset.names[i]: partial(_choose, kind, dataset, i) for i in inside})
    folder = place / "centres" if (place / "centres").is_dir() else place
    files = list_files(folder)
    known = {str(row["name"]): row for row in list_known_images(place)}
    tables = [p for p in files if p.suffix.lower() == ".csv"]
    images = [p for p in files if io.is_image(p)]
    if not (tables or images):
        raise UserError(
            f"{what} must hold points.",
            f"none in {folder}",
            "Give NAME.csv with the columns y, x (and z, score).",
        )
    readers = {}
    for path in tables or images:
        own = calibrate(options, known.get(io.stem(path), {}))
        readers[io.stem(path)] = partial(read_file, path, own)
    return ResultSet(readers)


def calibrate(options: InputOptions, row: Mapping) -> InputOptions:
    """The options with the pixel size that a result remembers of an image, unless one is given.

    Parameters
    ----------
    options : how images are read.
    row : of the image in result.json.
    """
    spacing, unit = row.get("spacing"), row.get("unit")
    if options.spacing is not None or not isinstance(spacing, list) or not spacing:
        return options
    if not all(isinstance(size, int | float) and size > 0 for size in spacing):
        return options
    return replace(options, spacing=tuple(map(float, spacing)), unit=str(unit or "um"))


def _choose(kind: str, dataset: DataSet, index: int) -> Found:
    """The partner of an image as a result."""
    sample = dataset[index]
    if kind == "labels":
        return Labels(sample.label)
    grid, file = Grid.of(sample.image), dataset.entries[index].files[kind]
    rows = read_rows(file) if file.suffix.lower() == ".csv" else []
    frame = read_frames(rows, file) if "T" in sample.image.axes else None
    if kind == "boxes":
        require_extent(sample.boxes, file)
        return Boxes(sample.boxes, grid, classes=sample.box_classes, frame=frame)
    classes = tuple(row["class"] for row in rows) if rows and "class" in rows[0] else ()
    return Points(sample.centres, grid, classes=classes, frame=frame)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table, with names of columns in lower case."""
    return [{k.lower(): v for k, v in row.items()} for row in io.read_csv(path)]


def read_file(path: Path, options: InputOptions) -> Found:
    """Points or boxes of a table, or the labels of an image.

    Parameters
    ----------
    path : NAME.csv, or a label image.
    options : axes and pixel size, where the file does not have them.

    Raises
    ------
    UserError : columns that are missing, entries that are no numbers.
    """
    if io.is_image(path):
        return Labels(read_label_file(path, options))
    rows = read_rows(path)
    header = {name.lower() for name in io.read_header(path)}
    axes = [a for a in "zyx" if a in header or {f"{a}0", f"{a}1"} <= header]
    if axes[-2:] != ["y", "x"]:
        raise UserError(
            "A table of points needs the columns y and x (and z).",
            f"{path} with {', '.join(sorted(header))}",
            "Name them so.",
        )
    edged = "y" not in header
    wanted = EDGES[: 2 * len(axes)] if edged else axes
    column = next((name for name in SCORES if name in header), None)
    try:
        places = np.array([[float(row[name]) for name in wanted] for row in rows], float)
        score = np.array([float(row[column]) for row in rows]) if column else None
    except ValueError as error:
        raise UserError(
            "Coordinates and scores must be numbers.",
            f"{path} ({error})",
            "Correct the table, with a point for decimals.",
        ) from error
    places = places.reshape(-1, len(wanted))
    require_finite(np.c_[places, score] if column else places, path)
    if edged:
        require_extent(places, path)
    grid = Grid("".join(axes).upper(), (), options.spacing, options.unit, io.stem(path))
    named = tuple(row["class"] for row in rows) if "class" in header else ()
    frame = read_frames(rows, path)
    if not rows and header & set(FRAMES):
        frame = np.zeros(0, int)
    return (Boxes if edged else Points)(places, grid, score, named, frame)


def read_frames(rows: list[dict[str, str]], path: Path) -> np.ndarray | None:
    """Time points of the objects of a table, from 0; None where no column names them.

    Parameters
    ----------
    rows : of the table, with names of columns in lower case.
    path : of the table, for errors.

    Raises
    ------
    UserError : time points that are no whole numbers.
    """
    column = next((name for name in FRAMES if rows and name in rows[0]), None)
    if column is None or not any(row[column] for row in rows):
        return None
    if not all(row[column].isdecimal() for row in rows):
        raise UserError(
            "Time points of a table must be whole numbers from 0.",
            f"{path}, column {column}",
            "Give each row its time point, or take the column out.",
        )
    return np.array([int(row[column]) for row in rows])


def as_points(found: Found) -> Points:
    """The points themselves, the middles of boxes, or the centres of gravity of labels.

    Parameters
    ----------
    found : points, boxes or labels.

    Examples
    --------
    >>> as_points(Boxes(np.array([[2.0, 4, 5, 9]]), Grid("YX", (9, 9)))).coordinates.tolist()
    [[3.0, 6.0]]
    """
    if isinstance(found, Labels):
        names, pixels = found.classes or {}, found.image.pixels
        known = [names.get(n) for n in np.unique(pixels[pixels > 0]).tolist()] if names else []
        classes = tuple(known) if all(known) else ()
        score = None
        if found.score is not None:
            score = np.array([found.score[n] for n in count_sizes(pixels)[0].tolist()], float)
        return Points(centroids(pixels), Grid.of(found.image), score, classes)
    if isinstance(found, Boxes):
        middles = sum(boxes.split_edges(found.edges)) / 2 - EDGE
        about = (found.grid, found.score, found.classes, found.frame, found.void)
        return Points(middles, *about)
    return found


def convert(result: Found) -> Points | Boxes:
    """The centre of gravity of each label, with its score and class; points and boxes as they are.

    So every method that segments is a detector, too. The rule is one for all: where a nucleus has
    its centre of gravity, whatever the method believes of its inside.

    Parameters
    ----------
    result : labels, also of a movie; points or boxes.
    """
    if not isinstance(result, Labels):
        return result
    moments = [as_points(moment) for moment in result.frames()]
    if "T" not in result.image.axes:
        return moments[0]
    frame = np.repeat(np.arange(len(moments)), [len(one) for one in moments])
    known = all(one.score is not None for one in moments)
    score = np.concatenate([one.score for one in moments]) if known else None
    names = tuple(name for one in moments for name in one.classes)
    places = np.concatenate([one.coordinates for one in moments])
    return Points(places, moments[0].grid, score, names if len(names) == len(frame) else (), frame)


def evaluate(
    pairs: Iterable[tuple[str, Found, Found | None]],
    *,
    gate_px: float | None = None,
    gate_um: float | None = None,
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Scores of points: see `metrics.detection.evaluate`.

    Where both sides are boxes, `ap50` and `map50_95` are added: see `metrics.boxes`. Where both
    have classes, those are means over the classes, and `per_class` is added; of points, `per_class`
    and `confusion`: see `metrics.found_classes`.

    Parameters
    ----------
    pairs : name, truth, result or None.
    gate_px, gate_um : largest distance of a match, in one of the two units; 5 px without.
    groups, seed : of the bootstrap.

    Raises
    ------
    UserError : two gates, or a gate in µm and no pixel size.
    """
    if gate_px and gate_um:
        raise UserError(
            "The gate has one unit.",
            f"{gate_px:g} px and {gate_um:g} µm",
            "Give --gate-px or --gate-um.",
        )
    unit, marks = "um" if gate_um else "px", MarkScores()
    gate = gate_um or gate_px or detection.GATE_PX
    pairs, groups = split_pairs(pairs, groups)

    def convert(pairs: Iterable[tuple]) -> Iterator[tuple]:
        for name, truth, found in pairs:
            points = as_points(truth)
            scale = _require_spacing(name, points) if gate_um else 1.0
            other = None if found is None else as_points(found)
            if other is not None and isinstance(truth, Labels):
                void = truth.image.to(other.grid.axes).pixels < 0
                reach = gate / np.asarray(scale)
                other = _choose_points(other, ~find_void(other, void, near=points, reach=reach))
            places = None if other is None else other.coordinates * scale
            score = None if other is None else other.score
            marks.add(truth, found, true=points, other=other, gate=gate / np.asarray(scale))
            yield name, points.coordinates * scale, places, score

    scores = detection.evaluate(convert(pairs), gate=gate, unit=unit, groups=groups, seed=seed)
    return scores | marks.summarize()


def evaluate_each(
    data: Iterable, found: Mapping[str, Iterable], *, gate_px: float = detection.GATE_PX
) -> dict[str, dict]:
    """Score several methods on the same samples, as lessons do.

    Parameters
    ----------
    data : samples with centres or labels.
    found : name of a method → its results, or predictions, in the order of the samples.
    gate_px : largest distance of a match.

    Returns
    -------
    Name of the method → its scores, see `evaluate`.
    """
    truth = [(sample.name, _truth_of(sample)) for sample in data]
    scores = {}
    for name, results in found.items():
        plain = [convert(getattr(one, "result", one)) for one in results]
        pairs = [(*known, one) for known, one in zip(truth, plain, strict=True)]
        scores[name] = evaluate(pairs, gate_px=gate_px)
    return scores


def make_rows(scores: Mapping[str, Mapping]) -> list[dict]:
    """A table of scores, a row per method.

    Parameters
    ----------
    scores : of `evaluate_each`.
    """
    columns = ("f1", "precision", "recall", "rmse", "count_error")
    return [{"method": name} | {c: one[c] for c in columns} for name, one in scores.items()]


def _truth_of(sample: Sample) -> Found:
    """The centres of a sample, or else its labels."""
    if sample.centres is not None:
        return Points(sample.centres, Grid.of(sample.image), classes=sample.centre_classes)
    return Labels(sample.label)


class MarkScores:
    """Collects what only boxes, and only marks with classes, are scored by."""

    def __init__(self):
        self.edges, self.names, self.points = [], [], found_classes.MatchedClasses()

    def add(
        self, truth: Found, found: Found | None, *, true: Points, other: Points | None, gate: object
    ) -> None:
        """Add an image.

        Parameters
        ----------
        truth, found : true and found objects; None where the image has no result.
        true, other : their points.
        gate : largest distance of a match in pixels, along each axis.
        """
        self.edges.append(_pair_edges(truth, found))
        names = _list_classes(true), () if other is None else _list_classes(other)
        known = names[0] is not None and names[1] is not None
        self.names.append(names if known else None)
        if known and self.edges[-1] is None:
            places = np.zeros_like(true.coordinates[:0]) if other is None else other.coordinates
            reach = np.asarray(gate, float)
            matched = detection.match_points(true.coordinates / reach, places / reach, gate=1.0)
            self.points.add(names, matched=matched[:2])

    def summarize(self) -> dict:
        """The additional scores; {} of points without classes."""
        classed = all(names is not None for names in self.names)
        if not all(self.edges):
            return self.points.summarize() if classed else {}
        if classed and found_classes.list_names(self.names):
            return found_classes.score_box_classes(self.edges, self.names)
        return boxes.score_boxes(self.edges)


def _list_classes(points: Points) -> tuple[str, ...] | None:
    """The class of each point; None where points have none."""
    return points.classes if len(points.classes) == len(points) else None


def find_void(
    found: Points, void: np.ndarray, *, near: Points, reach: np.ndarray | float
) -> np.ndarray:
    """Find the points where nobody has looked, unless a true point is within reach.

    Parameters
    ----------
    found : points.
    void : (*space) bool.
    near : true points.
    reach : of a match, in pixels.

    Returns
    -------
    (N,) bool.
    """
    if not len(found) or not void.any():
        return np.zeros(len(found), bool)
    places = np.clip(np.rint(found.coordinates).astype(int), 0, np.array(void.shape) - 1)
    steps = (found.coordinates[:, None] - near.coordinates[None]) / reach
    return void[tuple(places.T)] & ~(np.linalg.norm(steps, axis=-1) <= 1).any(axis=1)


def _choose_points(found: Points, kept: np.ndarray) -> Points:
    """Some of the points, with their scores and classes."""
    score = None if found.score is None else np.asarray(found.score)[kept]
    classes = tuple(n for n, stays in zip(found.classes, kept, strict=False) if stays)
    return Points(found.coordinates[kept], found.grid, score, classes)


def _require_spacing(name: str, points: Points) -> tuple[float, ...]:
    """The pixel size in µm."""
    spacing = points.grid.spacing_um
    if spacing is None or len(spacing) not in (1, points.coordinates.shape[1]):
        raise UserError(
            "A gate in µm needs the pixel size.",
            f"{name} of unknown pixel size",
            "Add --spacing Z,Y,X, or use --gate-px.",
        )
    return spacing


def _pair_edges(truth: Found, found: Found | None) -> boxes.Pair | None:
    """True and found boxes with their scores; None where one of the two sides has none."""
    if not isinstance(truth, Boxes) or not isinstance(found, Boxes | None):
        return None
    if found is None:
        return truth.edges, truth.edges[:0], None
    return truth.edges, found.edges, found.score


def tuning_score(pairs: list[tuple]) -> float:
    """Of (truth, found) pairs, F1 at IoU 0.5 of boxes, F1 within 5 px of points.

    AP would choose the lowest threshold: extra boxes of low score cost it nothing.

    Parameters
    ----------
    pairs : (truth, found) of each image.
    """
    pairs = [(truth, _leave_void(found, truth)) for truth, found in pairs]
    edges = [_pair_edges(truth, found) for truth, found in pairs]
    if all(edges):
        return boxes.measure_f1(edges)
    counts = np.zeros(4)
    for truth, found in pairs:
        places, other = as_points(truth).coordinates, as_points(found).coordinates
        distance = detection.match_points(places, other, gate=detection.GATE_PX)[2]
        counts += (len(places), len(other), len(distance), (distance**2).sum())
    return float(detection.rate_counts(counts)["f1"])


def _leave_void(found: Found, truth: Found) -> Found:
    """What was found, without what lies where nobody has looked for true points or boxes."""
    void = getattr(truth, "void", None)
    if void is None or isinstance(found, Labels):
        return found
    points = as_points(found)
    kept = ~find_void(points, void, near=as_points(truth), reach=detection.GATE_PX)
    if isinstance(found, Points):
        return _choose_points(found, kept)
    return Boxes(found.edges[kept], found.grid, np.asarray(found.score)[kept])


def format_scores(scores: dict) -> list[str]:
    """Rates within the gate, counts, and the AP of boxes."""
    unit = "um" if "gate_um" in scores else "px"
    rmse = "no match" if scores["rmse"] is None else f"RMSE {scores['rmse']:.3g} {unit}"
    lines = [
        f"Within {scores[f'gate_{unit}']:g} {unit}, over {scores['images']} images: "
        f"{format_rates(scores, ('f1', 'precision', 'recall'))}",
        f"{scores['tp']} matched, {scores['fn']} missed, {scores['fp']} extra; {rmse}; AP "
        f"{scores['ap']:.3f}",
    ]
    if "ap50" in scores:
        lines.append(
            f"Boxes: AP {scores['ap50']:.3f} at IoU 0.5, {scores['map50_95']:.3f} over IoU 0.50 "
            "to 0.95"
        )
    lines += [_format_class(name, one) for name, one in scores.get("per_class", {}).items()]
    return [*lines, *format_missing(scores, TASK.missing)]


def _format_class(name: str, scores: dict) -> str:
    """A line on one class."""
    of_boxes = "ap50" in scores
    rates = f"AP {scores['ap50']:.3f} at IoU 0.5" if of_boxes else f"F1 {scores['f1']:.3f}"
    return f"Class {name}: {scores['n_true']} true, {scores['n_found']} found; {rates}"


def rate_biaflows(truth: Found, found: Found | None) -> dict[str, float]:
    """What BIAFLOWS measures of points."""
    places = as_points(truth).coordinates
    other = places[:0] if found is None else as_points(found).coordinates
    return biaflows.detect_objects(places, other) | biaflows.count_spots(len(places), len(other))


TASK = Task(
    name="detection",
    results=(Points, Boxes),
    partner="points",
    write=write,
    read=read,
    read_truth=read,
    evaluate=evaluate,
    format=format_scores,
    tuning_score=tuning_score,
    counting=detection.COUNTING,
    columns=("f1", "interval", "precision", "recall", "rmse", "ap"),
    summary=("nuclei", "mean_score"),
    panels=("f1", "precision", "recall", "ap"),
    missing="counted as all missed",
    terms=TERMS,
    done="searched",
    figures={"overlay": "points_rgb"},
    accepts=(Labels,),
    convert=convert,
    baseline="blob_log",
    calibrated=True,
    biaflows=rate_biaflows,
    evaluate_options=("gate_px", "gate_um"),
    predict_options=("roi",),
)
