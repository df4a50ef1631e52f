"""`nbtools compare`: results side by side, with intervals of their differences."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import config, io, runtime, tasks
from nbtools.cli import common, error_maps, scoring
from nbtools.cli.common import Command, CommandResult
from nbtools.data.own_files import is_result
from nbtools.errors import UserError
from nbtools.metrics.bootstrap import FEWEST, name_interval
from nbtools.tasks import ResultSet, Task
from nbtools.tasks.frames import group_frames
from nbtools.tasks.reading import read_about
from nbtools.tasks.text import tabulate

if TYPE_CHECKING:
    from nbtools.cli.scoring import Reader
    from nbtools.data import DataSet
    from nbtools.plausibility import Finding


DRAWN = ("overlays/", "errors/", "scores/", "strata.png")  # pictures, which change no result


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools compare` to its parser."""
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
    scoring.declare_task(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="also write tables, figures and a report there"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder")


def run(args: argparse.Namespace) -> CommandResult:
    """Evaluate several results on the same images, and the differences from a baseline.

    Without `--baseline` the classical method of the task is computed, where it has one and the
    images are at hand; a task with unprocessed images adds these as "input".

    Parameters
    ----------
    args : parsed command line.

    Returns
    -------
    Comparison, as document and as lines; code 1 where any result lacks images.

    Raises
    ------
    UserError : a result or the truth cannot be read, or the folder of `--out` exists already.
    """
    from nbtools.metrics import compare

    inputs = (*args.results, args.truth)
    if args.out:
        io.require_new_folder(args.out, overwrite=args.overwrite, inputs=inputs)
    task = tasks.get(args.task)
    places = name_results(args.results)
    first = next((place for place in args.results if is_result(place)), args.results[0])
    options = task.recall(first) | scoring.find_options(args, task)
    truth = scoring.open_truth(args, task, result=first)
    dataset = scoring.open_images(args.truth, result=first, series=args.series)
    readers = {name: open_reader(args, place, truth=truth) for name, place in places.items()}
    baseline = find_baseline(args.baseline, places)
    wanted = baseline is None and dataset is not None
    if wanted and (made := make_baseline(task, truth, dataset=dataset)):
        baseline = made[0] if made[0] not in places else f"{made[0]} (computed)"
        readers = {baseline: made[1].read} | readers
    if "input" not in readers and task.unprocessed(truth.read(truth.names[0])):
        baseline = baseline or "input"
        readers["input"] = lambda name: task.unprocessed(truth.read(name))
    groups = scoring.find_groups(dataset, args.group_by)
    scores, doubts = score_all(args, readers, truth=truth, task=task, groups=groups, **options)
    scored = [row["name"] for one in scores.values() for row in one["per_image"]]
    units = group_frames(scored, truth.names, groups=groups) or None
    drawn = {"baseline": baseline, "groups": units, "seed": args.seed}
    found = compare.compare(scores, task=task.name, counting=task.counting, **drawn)
    document = describe(found, scores, args=args, places=places)
    document["warnings"] = [one.to_dict() for one in doubts.values()]
    if args.out:
        with io.new_folder(args.out, overwrite=args.overwrite, inputs=inputs) as folder:
            write_comparison(folder, document, scores=scores)
            draw_errors(folder, scores, readers=readers, truth=truth, dataset=dataset)
    code = 1 if any(document["missing"].values()) else 0
    lines = format_comparison(document, out=args.out)
    lines += [f"Attention: {one.for_command_line()}" for one in doubts.values()]
    lines += common.tell_ungrouped(dataset, args.group_by) if groups else []
    return CommandResult(document, lines, code)


def score_all(
    args: argparse.Namespace,
    readers: dict[str, Reader],
    *,
    truth: ResultSet,
    task: Task,
    groups: dict[str, int] | None,
    **options: object,
) -> tuple[dict[str, dict], dict[str, Finding]]:
    """Score each result.

    Parameters
    ----------
    args : parsed command line.
    readers : of each result, by name.
    truth : what is true.
    task : of the comparison.
    groups : of the bootstrap.
    options : of the evaluation.

    Returns
    -------
    Scores by name, and what makes them doubtful, by its sentence.
    """
    scores, doubts = {}, {}
    for name, read in readers.items():
        common.make_reporter(args)(f"{name}: {len(truth.names)} images")
        pairs = ((n, truth.read(n), read(n)) for n in truth.names)
        pairs, masks = scoring.count_masks(pairs, result=f"result {name}")
        scores[name] = task.evaluate(pairs, groups=groups, seed=args.seed, **options)
        doubts |= {str(one): one for one in masks()}
    return scores, doubts


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


def open_reader(args: argparse.Namespace, place: Path, *, truth: ResultSet) -> Reader:
    """A function from a name in the truth to what a result holds.

    Parameters
    ----------
    args : parsed arguments, with the task.
    place : of the result; other programs may add to a name, as in NAME_cp_masks.tif.
    truth : what is true.
    """
    found, names = scoring.open_result(args, place, truth=truth)
    return lambda name: found.read(names[name])


def make_baseline(
    task: Task, truth: ResultSet, *, dataset: DataSet
) -> tuple[str, ResultSet] | None:
    """Predict with the task's method without training, or take its best guess without images.

    Parameters
    ----------
    task : of the comparison.
    truth : what is true.
    dataset : the images.

    Returns
    -------
    Name and results; None where the task has no baseline, or its method cannot take the images, as
    colour ones.
    """
    from nbtools import methods

    if task.guess:
        return task.guess(truth)
    if not task.baseline:
        return None
    method = methods.get(task.baseline)()
    try:
        method.predict(dataset.image(0))
    except UserError:
        return None
    return task.baseline, scoring.predict_when_read(method, dataset)


def find_baseline(wished: str | None, places: dict[str, Path]) -> str | None:
    """The result that was named, else one of several by a method without training; else None.

    Parameters
    ----------
    wished : name or path of a result.
    places : of the results, by name.

    Raises
    ------
    UserError : none of the results has this name.
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
    if len(places) == 1:
        return None  # a single result needs one beside it, computed anew
    classical = {row.name for row in methods.ROWS if row.classical}
    return next(
        (name for name, place in places.items() if read_about(place).get("method") in classical),
        None,
    )


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
        "command": common.format_command(args),
    }


def describe_maker(place: Path) -> dict:
    """Method, model, decoding values and warnings of a result; {} of any other folder."""
    about = read_about(place)
    return {
        key: about[key]
        for key in ("method", "model", "decoding", "warnings", "versions")
        if about.get(key)
    }


def hash_place(place: Path) -> str:
    """One sha256 for a file, or for the names and bytes of all images and tables of a folder."""
    digest = hashlib.sha256()
    for path in [place] if place.is_file() else sorted(filter(Path.is_file, place.rglob("*"))):
        inside = path.relative_to(place).as_posix()
        if (
            path == place
            or (io.is_image(path) and not inside.startswith(DRAWN))
            or path.suffix == ".csv"
        ):
            digest.update(inside.encode() + path.read_bytes())
    return digest.hexdigest()


def make_rows(document: dict) -> list[dict]:
    """The table: a row for each method, the best first, with its difference from the baseline."""
    rows, main, columns = [], document["metrics"][0], tasks.get(document["task"]).columns
    for name, one in sorted(document["methods"].items(), key=lambda item: -(item[1][main] or 0)):
        known = document["scores"][name] | {k: v for k, v in one.items() if k != "interval_95"}
        row = {"method": name} | {column: known.get(column) for column in columns}
        row["interval"] = _format_limits(one["interval_95"][main])
        for d in document["differences"]:
            if (d["method"], d["against"], d["metric"]) == (name, document["baseline"], main):
                row |= {
                    "difference": d["difference"],
                    "paired interval": _format_limits(d["interval_95"], sign=True),
                }
        rows.append(row)
    return rows


def list_columns(document: dict) -> list[str]:
    """The columns of compare.csv."""
    columns = tasks.get(document["task"]).columns
    return ["method", *columns, "difference", "paired interval"]


def _format_limits(limits: list[float] | None, *, sign: bool = False) -> str | None:
    if limits is None:
        return None
    return " to ".join(f"{v:+.3f}" if sign else f"{v:.3f}" for v in limits)


def format_comparison(document: dict, *, out: Path | None) -> list[str]:
    """Lines for a person: the table, and what the differences are worth."""
    main = document["metrics"][0]
    task = tasks.get(document["task"])
    title = tasks.TITLES.get(main, main)
    about = {"count": document["units"], "drawn": document["paired_over"]}
    lines = [
        *tabulate(make_rows(document), list_columns(document)),
        f"Differences of {title} from {document['baseline']}, paired over "
        f"{document['units']} {document['paired_over']}, with their {name_interval(about)}:",
    ]
    lines += [
        format_difference(d, few=about["count"] < FEWEST)
        for d in document["differences"]
        if d["metric"] == main and d["interval_95"] is not None
    ]
    lines += [
        f"Missing, {task.missing}: {name}: {', '.join(names[:5])}"
        for name, names in document["missing"].items()
        if names
    ]
    if out:
        lines.append(f"Comparison: {out}; its report: nbtools report {out}")
    return lines


def format_difference(found: dict, *, few: bool = False) -> str:
    """Which of two methods scores higher, or that they cannot be told apart.

    Parameters
    ----------
    found : row of `differences`.
    few : there are too few images or groups for a 95 % interval.
    """
    one, other, gap = found["method"], found["against"], found["difference"]
    if not found["clear"]:
        limits = _format_limits(found["interval_95"], sign=True)
        told = "are compared on too little" if few else "cannot be told apart"
        return f"{one} and {other} {told}: {gap:+.3f} ({limits})"
    better, worse = (one, other) if gap >= 0 else (other, one)
    low, high = sorted(abs(v) for v in found["interval_95"])
    return f"{better} scores higher than {worse} by {abs(gap):.3f} ({low:.3f} to {high:.3f})"


def write_comparison(folder: Path, document: dict, *, scores: dict) -> None:
    """compare.json, compare.csv, compare.png (scores) and differences.png."""
    from nbtools import show

    io.write_json(folder / "compare.json", document)
    io.write_csv(folder / "compare.csv", make_rows(document), columns=list_columns(document))
    figure = show.evaluation(scores, task=document["task"])
    (folder / "compare.png").write_bytes(show.to_png(figure))
    (folder / "differences.png").write_bytes(show.to_png(show.differences(document)))


def draw_errors(
    folder: Path,
    scores: dict,
    *,
    readers: dict[str, Reader],
    truth: ResultSet,
    dataset: DataSet | None,
) -> None:
    """Draw the figures of mistakes that the task has.

    Parameters
    ----------
    folder : gets strata.png, strata.json and errors/, or errors/METHOD/ with the worst images.
    scores, readers : of each result, by name.
    truth, dataset : what is true, and its images.
    """
    figures = tasks.of_scores(next(iter(scores.values()))).figures
    if figures.get("errors") == "error_maps":
        error_maps.draw_restored(folder / "errors", scores, truth=truth, readers=readers)
    if "strata" not in figures:
        return
    place = {"truth": truth.read, "dataset": dataset}
    found = error_maps.draw_strata(folder / "strata.png", readers, names=truth.names, **place)
    io.write_json(folder / "strata.json", found)
    for name, one in scores.items():
        errors = folder / "errors" / name.replace("/", "_")
        found = readers[name]
        error_maps.draw_errors(errors, one, names=truth.names, found=found, **place)


COMMAND = Command(
    "compare", "set results side by side, with intervals of their differences", run, declare
)
