"""The verb that sets methods side by side: compare."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io
from nbtools.cli import frame
from nbtools.cli.frame import Answer, Verb
from nbtools.cli.labels import open_labels
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.data import DataSet
    from nbtools.image import Image

    Reader = Callable[[str], Image | None]  # name of an image of the truth → what was found in it

COLUMNS = ("method", "mean_ap", "interval", "ap50", "ap75", "f1_50", "splits", "merges", "missed", "extra", "difference", "paired interval")
MISTAKES = ("splits", "merges", "missed", "extra")


def declare_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results", type=Path, nargs="+", metavar="RESULT", help="results of nbtools predict, or any folders of label images"
    )
    parser.add_argument("--truth", type=Path, required=True, metavar="TRUTH", help="what is true: data set, or folder of label images")
    parser.add_argument("--baseline", metavar="NAME", help="the result to compare with (default: the classical one, computed if need be)")
    parser.add_argument("--group-by", metavar="COLUMN", help="column of a table beside the images: whole groups are drawn")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="also write compare.json, compare.csv and two figures there")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing folder")


def run_compare(args: argparse.Namespace) -> Answer:
    from nbtools.metrics import compare, instances

    if args.out:
        io.refuse_existing(args.out, overwrite=args.overwrite)
    truth, dataset, say = open_labels(args.truth, what="The truth"), open_images(args.truth), frame.progress(args)
    places = name_results(args.results)
    readers = {name: open_result(place, truth.names) for name, place in places.items()}
    baseline = find_baseline(args.baseline, places)
    if baseline is None and dataset is not None and (made := make_classical(dataset, taken=places)):
        baseline, readers = made[0], dict([made]) | readers
    groups, scores = find_groups(dataset, args.group_by), {}
    for name, read in readers.items():
        say(f"{name}: {len(truth)} images")
        scores[name] = instances.evaluate(((n, truth.read(n), read(n)) for n in truth.names), groups=groups, seed=args.seed)
    document = describe(compare.compare(scores, baseline=baseline, groups=groups, seed=args.seed), scores, args=args, places=places)
    if args.out:
        write_comparison(args.out, document, scores=scores, overwrite=args.overwrite)
    return Answer(document, say_comparison(document, out=args.out), 1 if any(document["missing"].values()) else 0)


def name_results(paths: list[Path]) -> dict[str, Path]:
    """A name for each result: that of its folder, with the folder above where two are alike."""
    names = [path.absolute().name for path in paths]
    names = [n if names.count(n) == 1 else f"{p.absolute().parent.name}/{n}" for n, p in zip(names, paths, strict=True)]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise UserError("Results to compare must have names of their own.", f"{twice} twice", "Give each result once, or rename a folder.")
    return dict(zip(names, paths, strict=True))


def open_result(place: Path, names: list[str]) -> Reader:
    """A function from a name of the truth to the label image of a result; other programs may add to the name, as in NAME_cp_masks.tif."""
    found = open_labels(place, what="The result")
    partners = {name: find_partner(name, found.names, taken=names) for name in names}
    if not any(partners.values()):
        received = f"{place} with {', '.join(found.names[:3])}; truth with {', '.join(names[:3])}"
        raise UserError("Result and truth must have names in common.", received, "Give both files the same name, whatever the ending.")
    return lambda name: found.read(partners[name]) if partners[name] else None


def find_partner(name: str, candidates: list[str], *, taken: list[str]) -> str | None:
    """The candidate of this name, else the only one that adds to it and belongs to no other name.

    >>> find_partner("a", ["a_cp_masks", "b"], taken=["a", "b"])
    'a_cp_masks'
    """
    from nbtools.data.layout import name_key

    key, others = name_key(name), {name_key(n) for n in taken}
    same = [c for c in candidates if name_key(c) == key]
    longer = [c for c in candidates if name_key(c).startswith(tuple(key + mark for mark in "_-. ")) and name_key(c) not in others]
    return same[0] if same else longer[0] if len(longer) == 1 else None


def open_images(truth: Path) -> DataSet | None:
    """The data set of the truth, where it has images and not labels alone."""
    from nbtools.data import DataSet

    if not truth.is_dir() or (truth / "result.json").is_file():
        return None
    dataset = DataSet.open(truth)
    return dataset if dataset.has("labels") else None


def find_groups(dataset: DataSet | None, column: str | None) -> dict[str, int] | None:
    """Name of an image to its group: by the column asked for, else by a column "group" where there is one; None otherwise."""
    if column and dataset is None:
        remedy = "Give the data set of the truth, with images/ and the table."
        raise UserError("Groups must stand in a column of a CSV file beside the images.", repr(column), remedy)
    if dataset is None or not (column or any(e.columns.get("group") for e in dataset.entries)):
        return None
    return dict(zip(dataset.names, dataset.groups(column), strict=True))


def find_baseline(wished: str | None, places: dict[str, Path]) -> str | None:
    """The result that was named, or one of a method without training; None where there is neither."""
    from nbtools import methods

    if wished is not None:
        named = [n for n, p in places.items() if wished in (n, str(p), str(p.absolute()))]
        if not named:
            raise UserError("The baseline must be one of the results.", repr(wished), f"Known: {', '.join(places)}.")
        return named[0]
    classical = {row.name for row in methods.ROWS if not row.trained}
    return next((name for name, place in places.items() if _method_of(place) in classical), None)


def _method_of(place: Path) -> str | None:
    """The method that made a result of ours."""
    try:
        return json.loads((place / "result.json").read_text("utf-8")).get("method")
    except (OSError, ValueError, AttributeError):
        return None


def make_classical(dataset: DataSet, *, taken: dict[str, Path]) -> tuple[str, Reader] | None:
    """Name and reader of what the classical baseline finds in the images; None where it cannot take them, as colour images."""
    from nbtools import methods

    row = next(r for r in methods.ROWS if r.task == "segment" and not r.trained)
    method, index = methods.get(row.name)(), {name: i for i, name in enumerate(dataset.names)}
    try:
        method.predict(dataset.image(0))
    except UserError:
        return None
    name = row.name if row.name not in taken else f"{row.name} (computed)"
    return name, lambda image: method.predict(dataset.image(index[image])).labels if image in index else None


def describe(found: dict, scores: dict, *, args: argparse.Namespace, places: dict[str, Path]) -> dict:
    """The document: what was compared, the scores of each, and the differences."""
    kept = {name: {k: v for k, v in one.items() if k != "per_image"} for name, one in scores.items()}
    return {
        "truth": str(args.truth),
        "results": {name: str(places[name]) if name in places else None for name in scores},
        "missing": {name: one["missing"] for name, one in scores.items()},
        **found,
        "scores": kept,
        "command": frame.say_command(args),
    }


def make_rows(document: dict) -> list[dict]:
    """The table: a row for each method, the best first, with its difference from the baseline."""
    rows = []
    for name, one in sorted(document["methods"].items(), key=lambda item: -item[1]["mean_ap"]):
        row = {"method": name, **{k: v for k, v in one.items() if k != "interval_95"}} | {k: document["scores"][name][k] for k in MISTAKES}
        row["interval"] = _say_limits(one["interval_95"]["mean_ap"])
        for d in document["differences"]:
            if (d["method"], d["against"], d["metric"]) == (name, document["baseline"], "mean_ap"):
                row |= {"difference": d["difference"], "paired interval": _say_limits(d["interval_95"], sign=True)}
        rows.append(row)
    return rows


def _say_limits(limits: list[float] | None, *, sign: bool = False) -> str | None:
    return None if limits is None else " to ".join(f"{v:+.3f}" if sign else f"{v:.3f}" for v in limits)


def say_comparison(document: dict, *, out: Path | None) -> list[str]:
    """Lines for a person: the table, and which methods differ beyond doubt."""
    lines = frame.tabulate(make_rows(document), list(COLUMNS))
    lines.append(f"Differences of mean AP from {document['baseline']}, paired over {document['units']} {document['paired_over']}.")
    for d in document["differences"]:
        if d["metric"] == "mean_ap" and d["interval_95"] is not None:
            better, worse = (d["method"], d["against"]) if d["difference"] >= 0 else (d["against"], d["method"])
            words = f"{better} is better than {worse}" if d["clear"] else f"{d['method']} and {d['against']} cannot be told apart"
            lines.append(f"{words}: {d['difference']:+.3f} ({_say_limits(d['interval_95'], sign=True)})")
    missing = [f"{name}: {', '.join(names[:5])}" for name, names in document["missing"].items() if names]
    lines += [f"Missing, counted as all missed: {text}" for text in missing]
    return [*lines, *([f"Comparison: {out}"] if out else [])]


def write_comparison(out: Path, document: dict, *, scores: dict, overwrite: bool) -> None:
    """compare.json, compare.csv, compare.png (scores) and differences.png, all or none."""
    from nbtools import show

    with io.new_folder(out, overwrite=overwrite) as folder:
        io.write_json(folder / "compare.json", document)
        io.write_csv(folder / "compare.csv", make_rows(document), columns=list(COLUMNS))
        (folder / "compare.png").write_bytes(show.to_png(show.scores(scores)))
        (folder / "differences.png").write_bytes(show.to_png(show.differences(document)))


VERBS = (Verb("compare", "set results side by side, with intervals of their differences", declare_compare, run_compare),)
