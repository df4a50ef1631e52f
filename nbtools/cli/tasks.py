"""What `evaluate` and `compare` do for each task: open both sides, score them, say the scores, and
make a classical baseline.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools.cli import frame, sides
from nbtools.cli.labels import open_labels
from nbtools.data import InputOptions
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.cli.sides import Readers, Side
    from nbtools.data import DataSet

    Opener = Callable[..., Side]  # (place, what=, options=)
    Pairs = Iterable[tuple]  # (name, what is true, what was found or None)


@dataclass(frozen=True)
class Judge:
    """One task on the command line.

    score : (pairs, args, groups=) → the document of `evaluate`.     say : that document → lines.
    baseline : (data set, truth) → name and side of what a classical method finds, None where there
        is none.
    """

    open_truth: Opener
    open_result: Opener
    score: Callable[..., dict]
    say: Callable[[dict], list[str]]
    baseline: Callable[[DataSet, Side], tuple[str, Readers] | None]


def declare_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--task",
        choices=tuple(JUDGES),
        default="instances",
        help="what is compared (default: instances)",
    )
    group = parser.add_argument_group("by task")
    group.add_argument(
        "--gate-px",
        type=frame.positive_number,
        metavar="N",
        help="detection: largest distance of a match (default: 5)",
    )
    group.add_argument(
        "--gate-um", type=frame.positive_number, metavar="N", help="detection: the same in µm"
    )
    group.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME",
        help="semantic: names of the values 0, 1, 2…; else all above 0 is foreground",
    )
    group.add_argument(
        "--range",
        type=grey_range,
        default="clean",
        metavar="N",
        help="restoration: grey values that PSNR is held against, e.g. 255",
    )
    group.add_argument(
        "--spacing",
        type=frame.numbers,
        metavar="Z,Y,X",
        help="pixel size in µm, where the files do not say it",
    )
    parser.add_argument(
        "--group-by",
        metavar="COLUMN",
        help="column of a table beside the images: whole groups are drawn for intervals",
    )


def grey_range(text: str) -> float | str:
    return text if text == "clean" else frame.positive_number(text)


def open_options(args: argparse.Namespace) -> InputOptions:
    return InputOptions(spacing=args.spacing)


def score_instances(pairs: Pairs, args: argparse.Namespace, *, groups: dict | None) -> dict:
    from nbtools.metrics import instances

    return instances.evaluate(pairs, groups=groups, distances=True, seed=args.seed)


def score_semantic(pairs: Pairs, args: argparse.Namespace, *, groups: dict | None) -> dict:
    from nbtools.metrics import semantic

    return semantic.evaluate(pairs, classes=args.classes, groups=groups, seed=args.seed)


def score_detection(pairs: Pairs, args: argparse.Namespace, *, groups: dict | None) -> dict:
    from nbtools.metrics import detection

    if args.gate_px and args.gate_um:
        raise UserError(
            "The gate has one unit.",
            f"{args.gate_px:g} px and {args.gate_um:g} µm",
            "Give --gate-px or --gate-um.",
        )
    gate, unit = (args.gate_um, "um") if args.gate_um else (args.gate_px or detection.GATE_PX, "px")

    def scale(name: str, points: sides.Points, spacing: tuple[float, ...] | None) -> object:
        if unit == "px":
            return points.coordinates
        if spacing is None or len(spacing) not in (1, points.coordinates.shape[1]):
            raise UserError(
                "A gate in µm needs the pixel size.",
                f"{name} of unknown pixel size",
                "Add --spacing Z,Y,X, or use --gate-px.",
            )
        return points.coordinates * spacing

    found = (
        (
            name,
            scale(name, true, true.spacing_um),
            *((scale(name, p, true.spacing_um), p.scores) if p is not None else (None, None)),
        )
        for name, true, p in pairs
    )
    return detection.evaluate(found, gate=gate, unit=unit, groups=groups, seed=args.seed)


def score_classification(pairs: Pairs, args: argparse.Namespace, *, groups: dict | None) -> dict:
    from nbtools.metrics import classification

    rows = ((name, true[0], *(told or (None, None))) for name, true, told in pairs)
    return classification.evaluate(rows, groups=groups, seed=args.seed)


def score_restoration(pairs: Pairs, args: argparse.Namespace, *, groups: dict | None) -> dict:
    from nbtools.metrics import restoration

    rows = ((name, clean, restored, unprocessed) for name, (clean, unprocessed), restored in pairs)
    return restoration.evaluate(rows, range=args.range, groups=groups, seed=args.seed)


def say_instances(scores: dict) -> list[str]:
    rows = [{"IoU": threshold, **values} for threshold, values in scores["pooled"].items()]
    low, high = scores["interval_95"]["mean_ap"]
    unit = "um" if "hausdorff_95_um" in scores else "px"
    far = [scores.get(f"hausdorff_{k}_{unit}") for k in ("average", "95")]
    return [
        *frame.tabulate(rows, ["IoU", "ap", "precision", "recall", "f1", "tp", "fp", "fn"]),
        f"Mean AP {scores['mean_ap']:.3f} (95 % interval {low:.3f} to {high:.3f}) over "
        f"{scores['images']} images; "
        f"panoptic quality {scores['panoptic_quality']:.3f}, SEG {scores['seg']:.3f}",
        f"Split {scores['splits']}, merged {scores['merges']}, missed {scores['missed']}, extra "
        f"{scores['extra']} nuclei; "
        f"counts {scores['count_bias']:+.1%} in all, off by {scores['count_error']:.1%} an image",
        *(
            [
                (
                    f"Outlines of matched nuclei lie {far[0]:.3g} {unit} apart on average, 95 % "
                    f"within {far[1]:.3g} {unit}"
                )
            ]
            if far[1] is not None
            else []
        ),
        *(
            f"Class {name}: {one['nuclei']} nuclei, mean AP {one['mean_ap']:.3f}"
            for name, one in scores.get("classes", {}).items()
        ),
        *say_missing(scores, "counted as all missed"),
    ]


def say_semantic(scores: dict) -> list[str]:
    rows = [{"class": name, **values} for name, values in scores["per_class"].items()]
    words = _say_rates(scores, ("dice", "iou", "precision", "recall"))
    return [
        *frame.tabulate(rows, ["class", "dice", "iou", "precision", "recall"]),
        (
            f"Over {scores['images']} images: {words}; {scores['accuracy']:.1%} of the pixels are "
            "right"
        ),
        "Pixels only: touching nuclei found as one count as right. See --task instances.",
        *say_missing(scores, "counted as all background"),
    ]


def say_detection(scores: dict) -> list[str]:
    unit = "um" if "gate_um" in scores else "px"
    rmse = "no match" if scores["rmse"] is None else f"RMSE {scores['rmse']:.3g} {unit}"
    return [
        (
            f"Within {scores[f'gate_{unit}']:g} {unit}, over {scores['images']} images: "
            f"{_say_rates(scores, ('f1', 'precision', 'recall'))}"
        ),
        (
            f"{scores['tp']} found, {scores['fn']} missed, {scores['fp']} extra; {rmse}; AP "
            f"{scores['ap']:.3f}"
        ),
        *say_missing(scores, "counted as all missed"),
    ]


def say_classification(scores: dict) -> list[str]:
    rows = [
        {"true class": name, **dict(zip(scores["classes"], row, strict=True))}
        for name, row in zip(scores["classes"], scores["confusion"], strict=True)
    ]
    sure = scores["calibration"]
    return [
        *frame.tabulate(rows, ["true class", *scores["classes"]]),
        (
            f"Over {scores['images']} images: "
            f"{_say_rates(scores, ('balanced_accuracy', 'macro_f1', 'accuracy'))}"
        ),
        *(
            [f"Calibration: what it says and how often it is right differ by {sure['ece']:.1%}"]
            if sure
            else []
        ),
        *say_missing(scores, "counted as wrong"),
    ]


def say_restoration(scores: dict) -> list[str]:
    columns = ["", "psnr", "ssim", "rmse", "nrmse", "psnr_si"]
    rows = [
        {"": "restored", **scores["mean"]},
        *([{"": "input", **scores["input"]}] if scores["input"] else []),
    ]
    limits = scores["interval_95"]["psnr"]
    sure = f" (95 % interval {limits[0]:.2f} to {limits[1]:.2f} dB)" if limits else ""
    psnr = "" if scores["mean"]["psnr"] is None else f"PSNR {scores['mean']['psnr']:.2f} dB{sure}, "
    lines = [
        *frame.tabulate(rows, columns),
        f"{psnr}over {scores['images'] - len(scores['missing'])} images; range: {scores['range']}",
    ]
    return [*lines, *say_missing(scores, "not in the means")]


def say_missing(scores: dict, words: str) -> list[str]:
    return (
        [f"Missing in the result, {words}: {', '.join(scores['missing'])}"]
        if scores["missing"]
        else []
    )


def _say_rates(scores: dict, names: tuple[str, ...]) -> str:
    limits = scores["interval_95"]
    told = [
        f"{n.replace('_', ' ')} {scores[n]:.3f}"
        + (f" ({limits[n][0]:.3f} to {limits[n][1]:.3f})" if limits.get(n) else "")
        for n in names
    ]
    return ", ".join(told)


def find_classical(
    dataset: DataSet, truth: Side, *, task: str, part: str
) -> tuple[str, Readers] | None:
    """The first method of the table for a task that needs no training; None where it cannot take
    the images, as colour ones.
    """
    from nbtools import methods

    row = next((r for r in methods.ROWS if r.task == task and r.classical), None)
    if row is None:
        return None
    method, index = methods.get(row.name)(), {name: i for i, name in enumerate(dataset.names)}
    try:
        method.predict(dataset.image(0))
    except UserError:
        return None
    known = [name for name in truth.names if name in index]
    return row.name, sides.Readers(
        {
            name: lambda i=index[name]: getattr(method.predict(dataset.image(i)), part)
            for name in known
        }
    )


def segment_classically(dataset: DataSet, truth: Side) -> tuple[str, Readers] | None:
    return find_classical(dataset, truth, task="segment", part="labels")


def detect_classically(dataset: DataSet, truth: Side) -> tuple[str, Readers] | None:
    """The centres of what the classical segmentation finds."""
    from nbtools.geometry import centroids

    found = segment_classically(dataset, truth)
    if found is None:
        return None
    name, side = found
    return name, sides.Readers(
        {
            n: lambda read=read: sides.Points(centroids(read().pixels))
            for n, read in side.readers.items()
        }
    )


def denoise_classically(dataset: DataSet, truth: Side) -> tuple[str, Readers] | None:
    return find_classical(dataset, truth, task="denoise", part="image")


def guess_commonest(dataset: DataSet, truth: Side) -> tuple[str, Readers] | None:
    """The commonest class for every image: what a method has to beat to have learned anything."""
    common = Counter(truth.read(name)[0] for name in truth.names).most_common(1)[0][0]
    return "commonest class", sides.Readers({name: lambda: (common, None) for name in truth.names})


JUDGES = {
    "instances": Judge(
        open_labels, open_labels, score_instances, say_instances, segment_classically
    ),
    "semantic": Judge(open_labels, open_labels, score_semantic, say_semantic, segment_classically),
    "detection": Judge(
        sides.open_points, sides.open_points, score_detection, say_detection, detect_classically
    ),
    "classification": Judge(
        sides.open_classes,
        sides.open_classes,
        score_classification,
        say_classification,
        guess_commonest,
    ),
    "restoration": Judge(
        sides.open_clean,
        sides.open_restored,
        score_restoration,
        say_restoration,
        denoise_classically,
    ),
}


def open_both(
    args: argparse.Namespace, place: Path, *, truth: Side
) -> tuple[Side, dict[str, str | None]]:
    """The result at a place, and the name in it of each image of the truth."""
    judge, options = JUDGES[args.task], open_options(args)
    found = judge.open_result(place, what="The result", options=options)
    place_of_truth = Path(args.truth)
    tables = args.task == "classification"
    return found, sides.pair_names(
        found, truth, files=place.is_file() and place_of_truth.is_file() and not tables, place=place
    )
