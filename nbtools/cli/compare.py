"""The verb that sets methods side by side: compare."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import config, io, runtime
from nbtools.cli import frame, pictures, sides, tasks
from nbtools.cli.frame import Answer, Verb
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.cli.sides import Side
    from nbtools.data import DataSet

    Reader = Callable[[str], object | None]  # name of an image of the truth → what was found in it

COLUMNS = {
    "instances": (
        "mean_ap",
        "interval",
        "ap50",
        "ap75",
        "f1_50",
        "splits",
        "merges",
        "missed",
        "extra",
    ),
    "semantic": ("dice", "interval", "iou", "precision", "recall", "accuracy"),
    "detection": ("f1", "interval", "precision", "recall", "rmse", "ap"),
    "classification": ("balanced_accuracy", "interval", "macro_f1", "accuracy"),
    "restoration": ("psnr", "interval", "ssim", "rmse", "nrmse", "psnr_si"),
}
WORDS = {
    "mean_ap": "mean AP",
    "psnr": "PSNR (dB)",
    "f1": "F1",
    "dice": "Dice",
    "balanced_accuracy": "balanced accuracy",
}


def declare_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results",
        type=Path,
        nargs="+",
        metavar="RESULT",
        help="results of nbtools predict, or any folders of their kind",
    )
    parser.add_argument(
        "--truth",
        type=Path,
        required=True,
        metavar="TRUTH",
        help="what is true: data set, or folder",
    )
    parser.add_argument(
        "--baseline",
        metavar="NAME",
        help="the result to compare with (default: the classical one, computed if need be)",
    )
    tasks.declare_task(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="also write tables, figures and a report there"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder")


def run_compare(args: argparse.Namespace) -> Answer:
    from nbtools.metrics import compare

    if args.out:
        io.require_new_folder(args.out, overwrite=args.overwrite)
    judge, places = tasks.JUDGES[args.task], name_results(args.results)
    truth = judge.open_truth(args.truth, what="The truth", options=tasks.open_options(args))
    dataset = sides.open_images(args.truth)
    readers = {name: open_result(args, place, truth=truth) for name, place in places.items()}
    baseline = find_baseline(args.baseline, places)
    if baseline is None and dataset is not None and (made := judge.baseline(dataset, truth)):
        baseline = made[0] if made[0] not in places else f"{made[0]} (computed)"
        readers = {baseline: made[1].read} | readers
    if "input" not in readers and (inputs := find_inputs(args, truth)):
        baseline, readers = baseline or "input", readers | inputs
    groups, scores, say = sides.find_groups(dataset, args.group_by), {}, frame.progress(args)
    for name, read in readers.items():
        say(f"{name}: {len(truth.names)} images")
        scores[name] = judge.score(
            ((n, truth.read(n), read(n)) for n in truth.names), args, groups=groups
        )
    found = compare.compare(
        scores, task=args.task, baseline=baseline, groups=groups, seed=args.seed
    )
    document = describe(found, scores, args=args, places=places)
    if args.out:
        with io.new_folder(args.out, overwrite=args.overwrite) as folder:
            write_comparison(folder, document, scores=scores)
            if args.task == "instances":
                draw_nuclei(folder, scores, readers=readers, truth=truth, dataset=dataset)
            if args.task == "restoration":
                pictures.draw_restored(folder / "errors", scores, truth=truth, readers=readers)
    return Answer(
        document,
        say_comparison(document, out=args.out),
        1 if any(document["missing"].values()) else 0,
    )


def name_results(paths: list[Path]) -> dict[str, Path]:
    """A name for each result: that of its folder, with the folder above where two are alike."""
    names = [path.absolute().name for path in paths]
    names = [
        n if names.count(n) == 1 else f"{p.absolute().parent.name}/{n}"
        for n, p in zip(names, paths, strict=True)
    ]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise UserError(
            "Results to compare must have names of their own.",
            f"{twice} twice",
            "Give each result once, or rename a folder.",
        )
    return dict(zip(names, paths, strict=True))


def open_result(args: argparse.Namespace, place: Path, *, truth: Side) -> Reader:
    """A function from a name of the truth to what a result holds; other programs may add to the
    name, as in NAME_cp_masks.tif.
    """
    found, names = tasks.open_both(args, place, truth=truth)
    return lambda name: found.read(names[name]) if names[name] else None


def find_inputs(args: argparse.Namespace, truth: Side) -> dict[str, Reader]:
    """Of restorations, the unprocessed images: a result that is no better than its input is
    none.
    """
    if args.task != "restoration" or truth.read(truth.names[0])[1] is None:
        return {}
    return {"input": lambda name: truth.read(name)[1]}


def find_baseline(wished: str | None, places: dict[str, Path]) -> str | None:
    """The result that was named, or one of a method without training; None where there is
    neither.
    """
    from nbtools import methods

    if wished is not None:
        named = [n for n, p in places.items() if wished in (n, str(p), str(p.absolute()))]
        if not named:
            raise UserError(
                "The baseline must be one of the results.",
                repr(wished),
                f"Known: {', '.join(places)}.",
            )
        return named[0]
    classical = {row.name for row in methods.ROWS if row.classical}
    return next(
        (name for name, place in places.items() if read_about(place).get("method") in classical),
        None,
    )


def read_about(place: Path) -> dict:
    """result.json of a result of ours, {} where there is none."""
    try:
        about = json.loads((place / "result.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def describe(
    found: dict, scores: dict, *, args: argparse.Namespace, places: dict[str, Path]
) -> dict:
    """The document: what was compared, the scores of each, and the differences."""
    kept = {
        name: {k: v for k, v in one.items() if k not in ("per_image", "curve")}
        for name, one in scores.items()
    }
    return {
        "truth": config.spell_path(str(args.truth)),
        "results": {name: str(places[name]) if name in places else None for name in scores},
        "missing": {name: one["missing"] for name, one in scores.items()},
        **found,
        "scores": kept,
        "made_by": {name: describe_maker(places[name]) for name in scores if name in places},
        "files": [
            {"file": config.spell_path(str(place)), "sha256": hash_place(place)}
            for place in (args.truth, *places.values())
        ],
        "versions": runtime.versions(),
        "command": frame.say_command(args),
    }


def describe_maker(place: Path) -> dict:
    """What a result of ours says of its making: method, model, decoding values, warnings; {} of any
    other folder.
    """
    about = read_about(place)
    return {
        key: about[key]
        for key in ("method", "model", "decoding", "warnings", "versions")
        if about.get(key)
    }


def hash_place(place: Path) -> str:
    """One sha256 for a file, or for all images and tables of a folder: their names, and the bytes
    in them.
    """
    digest = hashlib.sha256()
    for path in [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file()):
        inside = path.relative_to(place).as_posix()
        if (
            path == place
            or (io.is_image(path) and not inside.startswith(("overlays/", "errors/")))
            or path.suffix == ".csv"
        ):
            digest.update(inside.encode() + path.read_bytes())
    return digest.hexdigest()


def make_rows(document: dict) -> list[dict]:
    """The table: a row for each method, the best first, with its difference from the baseline."""
    rows, main = [], document["metrics"][0]
    for name, one in sorted(document["methods"].items(), key=lambda item: -(item[1][main] or 0)):
        known = document["scores"][name] | {k: v for k, v in one.items() if k != "interval_95"}
        row = {"method": name} | {column: known.get(column) for column in COLUMNS[document["task"]]}
        row["interval"] = _say_limits(one["interval_95"][main])
        for d in document["differences"]:
            if (d["method"], d["against"], d["metric"]) == (name, document["baseline"], main):
                row |= {
                    "difference": d["difference"],
                    "paired interval": _say_limits(d["interval_95"], sign=True),
                }
        rows.append(row)
    return rows


def list_columns(document: dict) -> list[str]:
    return ["method", *COLUMNS[document["task"]], "difference", "paired interval"]


def _say_limits(limits: list[float] | None, *, sign: bool = False) -> str | None:
    return (
        None if limits is None else " to ".join(f"{v:+.3f}" if sign else f"{v:.3f}" for v in limits)
    )


def say_comparison(document: dict, *, out: Path | None) -> list[str]:
    """Lines for a person: the table, and which methods differ beyond doubt."""
    main, lines = (
        document["metrics"][0],
        frame.tabulate(make_rows(document), list_columns(document)),
    )
    words = (
        f"Differences of {WORDS[main]} from {document['baseline']}, paired over "
        f"{document['units']} {document['paired_over']}."
    )
    lines.append(words)
    for d in document["differences"]:
        if d["metric"] == main and d["interval_95"] is not None:
            better, worse = (
                (d["method"], d["against"]) if d["difference"] >= 0 else (d["against"], d["method"])
            )
            low, high = sorted(abs(v) for v in d["interval_95"])
            if d["clear"]:
                lines.append(
                    f"{better} is better than {worse} by {abs(d['difference']):.3f} ({low:.3f} "
                    f"to {high:.3f})"
                )
            else:
                limits = _say_limits(d["interval_95"], sign=True)
                lines.append(
                    f"{d['method']} and {d['against']} cannot be told apart: "
                    f"{d['difference']:+.3f} ({limits})"
                )
    missing = [
        f"{name}: {', '.join(names[:5])}" for name, names in document["missing"].items() if names
    ]
    left_out = "left out of all" if document["task"] == "restoration" else "counted as all missed"
    lines += [f"Missing, {left_out}: {text}" for text in missing]
    return [*lines, *([f"Comparison: {out}; its report: nbtools report {out}"] if out else [])]


def write_comparison(folder: Path, document: dict, *, scores: dict) -> None:
    """compare.json, compare.csv, compare.png (scores) and differences.png."""
    from nbtools import show

    io.write_json(folder / "compare.json", document)
    io.write_csv(folder / "compare.csv", make_rows(document), columns=list_columns(document))
    (folder / "compare.png").write_bytes(
        show.to_png(show.evaluation(scores, task=document[("task")]))
    )
    (folder / "differences.png").write_bytes(show.to_png(show.differences(document)))


def draw_nuclei(
    folder: Path, scores: dict, *, readers: dict[str, Reader], truth: Side, dataset: DataSet | None
) -> None:
    """strata.png and strata.json, and errors/METHOD/ with maps of the worst images of each
    method.
    """
    found = pictures.draw_strata(
        folder / "strata.png",
        {n: (scores[n], readers[n]) for n in scores},
        truth=truth,
        dataset=dataset,
    )
    io.write_json(folder / "strata.json", found)
    for name, one in scores.items():
        pictures.draw_errors(
            folder / "errors" / name.replace("/", "_"),
            one,
            truth=truth,
            found=readers[name],
            dataset=dataset,
        )


VERBS = (
    Verb(
        "compare",
        "set results side by side, with intervals of their differences",
        declare_compare,
        run_compare,
    ),
)
