"""Verbs that make data ready: simulate, check, fetch, split."""

from __future__ import annotations

import argparse
from pathlib import Path

from nbtools import io
from nbtools.cli import frame
from nbtools.cli.frame import Answer, Verb
from nbtools.errors import UserError


def declare_simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind", metavar="KIND", help="nuclei2d, nuclei3d, tissue, beads, pairs (noisy and clean)"
    )
    parser.add_argument(
        "--count",
        type=frame.whole_number,
        default=10,
        metavar="N",
        help="number of images (default 10)",
    )
    frame.add_out(parser, "DATASET", help="folder of the data set")
    frame.add_settings(parser)


def run_simulate(args: argparse.Namespace) -> Answer:
    from nbtools import data, simulate

    io.require_new_folder(args.out, overwrite=args.overwrite)
    changes = type(simulate.settings_for(args.kind)).parse(args.settings)
    frame.progress(args)(f"Simulating {args.count} images of kind {args.kind} …")
    dataset = simulate.make(args.kind, count=args.count, seed=args.seed, settings=changes)
    data.write_dataset(dataset, args.out, overwrite=args.overwrite)
    nuclei = sum(int(sample.label.pixels.max()) for sample in dataset)
    settings = simulate.settings_for(args.kind, changes).to_dict()
    document = {
        "dataset": str(args.out),
        "kind": args.kind,
        "images": len(dataset),
        "nuclei": nuclei,
        "seed": args.seed,
        "settings": settings,
    }
    return Answer(document, [f"{len(dataset)} images with {nuclei} nuclei: {args.out}"])


def declare_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="folder to look at, or one file"
    )
    parser.add_argument("--for", dest="method", metavar="METHOD", help="what this method needs")
    parser.add_argument(
        "--fix",
        type=Path,
        metavar="COPY",
        help="write a repaired copy; the original stays as it is",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing copy")
    text = (
        "write --axes and --spacing into dataset.toml of the data set, so that they need not be "
        "given again"
    )
    parser.add_argument("--remember", action="store_true", help=text)
    frame.add_input_options(parser)


def run_check(args: argparse.Namespace) -> Answer:
    from nbtools import checks, data, methods
    from nbtools.cli.learn import requirements_of
    from nbtools.data import DataSet

    dataset = DataSet.open(
        frame.existing(args.dataset, "The data set"), options=frame.input_options(args)
    )
    remembered = (
        data.save_input_options(args.dataset, frame.input_options(args)) if args.remember else None
    )
    requirements = requirements_of(methods.get(args.method)(), dataset) if args.method else None
    if args.fix:
        io.require_new_folder(args.fix, overwrite=args.overwrite)
    findings = checks.check(dataset, requirements)
    document, lines = checks.to_json(findings, len(dataset)), say_findings(findings, len(dataset))
    if args.fix:
        changes = checks.fix(dataset, findings, folder=args.fix, overwrite=args.overwrite)
        document |= {"copy": str(args.fix), "changes": changes}
        lines += [f"Repaired copy: {args.fix}", *(changes or ["Nothing had to be changed."])]
    if remembered:
        document |= {"remembered": str(remembered)}
        lines.append(f"Remembered in {remembered}.")
    return Answer(document, lines, 0 if document["ok"] else 1)


def say_findings(findings: list, count: int) -> list[str]:
    """A line a finding, the gravest first, with why it matters where it is said for the first time,
    and what they come to.
    """
    first = {f.code: f for f in reversed(findings)}
    whys = [f"{f.why} " if first[f.code] is f else "" for f in findings]
    lines = [
        f"{f.severity.upper()}  {f.file or 'data set'}: {f.message} {why}{f.remedy}"
        for f, why in zip(findings, whys, strict=True)
    ]
    errors, warnings = (sum(f.severity == s for f in findings) for s in ("error", "warning"))
    told = f"{errors} errors, {warnings} warnings" if errors or warnings else "ready to use"
    return [*lines, f"{count} images: {told}."]


def declare_split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="the data set to split; it stays as it is"
    )
    frame.add_out(parser, "FOLDER", help="folder that gets train/, val/ and test/")
    parser.add_argument(
        "--val",
        type=frame.share,
        default=0.15,
        metavar="SHARE",
        help="share to choose by (default 0.15)",
    )
    parser.add_argument(
        "--test",
        type=frame.share,
        default=0.15,
        metavar="SHARE",
        help="share to judge on (default 0.15)",
    )
    parser.add_argument(
        "--group-by", metavar="COLUMN", help="column of classes.csv whose images stay together"
    )


def run_split(args: argparse.Namespace) -> Answer:
    from nbtools import data

    io.require_new_folder(args.out, overwrite=args.overwrite)
    dataset = data.DataSet.open(frame.existing(args.dataset, "The data set"))
    if dataset.splits():
        raise UserError(
            "A data set is split once.",
            f"{args.dataset} with {', '.join(dataset.splits())}",
            "Give one of its parts.",
        )
    parts = dict(
        zip(
            ("train", "val", "test"),
            dataset.split(val=args.val, test=args.test, seed=args.seed, group_by=args.group_by),
            strict=False,
        )
    )
    parts = {name: part for name, part in parts.items() if len(part)}
    data.copy_split(parts, args.out, overwrite=args.overwrite)
    document = {
        "folder": str(args.out),
        "seed": args.seed,
        "groups": len(set(dataset.groups(args.group_by))),
    }
    document |= {name: len(part) for name, part in parts.items()} | {
        "names": {name: part.names for name, part in parts.items()}
    }
    return Answer(
        document,
        [f"{name}: {len(part)} images" for name, part in parts.items()] + [f"Split: {args.out}"],
    )


def declare_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="a public set; without, all are listed"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("data"),
        metavar="FOLDER",
        help="where it goes, as FOLDER/NAME (default data)",
    )


def run_fetch(args: argparse.Namespace) -> Answer:
    from nbtools import data

    if args.name is None:
        known = [
            {k: v for k, v in vars(s).items() if k not in ("sha256", "md5")}
            | {"checked": bool(s.hashes)}
            for s in data.sources().values()
        ]
        rows = [
            row
            | {"by": "command" if row["files"] else "hand", "licence": row["licence"] or "see page"}
            for row in known
        ]
        return Answer(
            known, frame.tabulate(rows, ["name", "task", "dims", "by", "licence", "page"])
        )
    frame.progress(args)(f"Fetching {args.name} …")
    folder = data.fetch(args.name, args.out)
    return Answer({"name": args.name, "folder": str(folder)}, [f"{args.name}: {folder}"])


VERBS = (
    Verb("simulate", "make images of nuclei with exact truth", declare_simulate, run_simulate),
    Verb("check", "what is wrong with a data set, and what to do", declare_check, run_check),
    Verb("fetch", "public sets of nuclei: list them, or fetch one", declare_fetch, run_fetch),
    Verb(
        "split",
        "split a data set into training, validation and test images",
        declare_split,
        run_split,
    ),
)
