"""`nbtools check`: what is wrong with a data set, and what to do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import UserError
from nbtools.tasks.reading import require_existing

if TYPE_CHECKING:
    from nbtools.data import DataSet


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools check` to its parser."""
    parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="folder to look at, or one file"
    )
    parser.epilog = common.PARTIAL_LABELS
    parser.add_argument("--for", dest="method", metavar="METHOD", help="what this method needs")
    parser.add_argument(
        "--fix",
        type=Path,
        metavar="COPY",
        help="write a repaired copy; the original stays as it is",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing copy")
    _declare_repair(parser)
    parser.add_argument(
        "--save-pictures",
        type=Path,
        metavar="FOLDER",
        help="write a picture of each image with a finding about its partner: outlines on it",
    )
    text = (
        "write --axes and --spacing into dataset.toml of the data set, so that they need not be "
        "given again"
    )
    parser.add_argument("--remember", action="store_true", help=text)
    common.add_input_options(parser)


def _declare_repair(parser: argparse.ArgumentParser) -> None:
    """Add what only says how a repaired copy is written."""
    parser.add_argument(
        "--allow-fewer",
        action="store_true",
        help="with --fix: write repaired labels that hold fewer nuclei than before, too",
    )
    parser.add_argument(
        "--unknown",
        type=int,
        nargs="+",
        default=[],
        metavar="VALUE",
        help="with --fix: label values that mark unknown pixels; they become -1",
    )
    parser.add_argument(
        "--even-depth",
        action="store_true",
        help="with --fix: make all planes equally bright where brightness falls with depth",
    )


def run(args: argparse.Namespace) -> CommandResult:
    """Check a data set; on request write a repaired copy, or how its images are read.

    Parameters
    ----------
    args : parsed command line.

    Returns
    -------
    Findings, as document and as lines; code 1 where there are errors or warnings.

    Raises
    ------
    UserError : there is no such data set, or the folder of the copy exists already.
    """
    from nbtools import checks, data, methods

    require_fix(args)
    from nbtools.cli.train import find_requirements
    from nbtools.data import DataSet

    dataset = DataSet.open(
        require_existing(args.dataset, "The data set"), options=common.input_options(args)
    )
    checks.require_memory(dataset, whole=bool(args.fix or args.save_pictures))
    remembered = (
        data.save_input_options(args.dataset, common.input_options(args)) if args.remember else None
    )
    requirements = None
    if args.method:
        requirements = find_requirements(methods.get(args.method)(), dataset, field=True)
    for folder in filter(None, (args.fix, args.save_pictures)):
        io.require_new_folder(folder, overwrite=args.overwrite, inputs=[args.dataset])
    findings = checks.check(dataset, requirements)
    document, lines = (
        checks.to_json(findings, len(dataset)),
        format_findings(findings, len(dataset)),
    )
    if args.fix:
        options = checks.RepairOptions(args.allow_fewer, tuple(args.unknown), args.even_depth)
        changes = checks.fix(
            dataset, findings, folder=args.fix, overwrite=args.overwrite, options=options
        )
        document |= {"copy": str(args.fix), "changes": list(changes), "nuclei": changes.counts}
        lines += [f"Repaired copy: {args.fix}", *(changes or ["Nothing had to be changed."])]
        lines += format_counts(changes.counts)
    if args.save_pictures:
        names = save_pictures(
            dataset, findings, folder=args.save_pictures, overwrite=args.overwrite
        )
        document |= {"pictures": names}
        lines.append(f"Pictures: {len(names)} in {args.save_pictures}")
    if remembered:
        document |= {"remembered": str(remembered)}
        lines.append(f"Remembered in {remembered}.")
    return CommandResult(document, lines, 0 if document["ok"] else 1)


def require_fix(args: argparse.Namespace) -> None:
    """A UserError where an option of the repaired copy is given without one, or two share it."""
    if args.fix and args.save_pictures and args.fix.absolute() == args.save_pictures.absolute():
        raise UserError(
            "A repaired copy and pictures go into two folders.",
            f"--fix {args.fix} --save-pictures {args.save_pictures}",
            f"Give another folder for the pictures: --save-pictures {args.fix}_pictures.",
        )
    given = {
        "--allow-fewer": args.allow_fewer,
        "--unknown": args.unknown,
        "--even-depth": args.even_depth,
    }
    named = [name for name, value in given.items() if value]
    if named and not args.fix:
        raise UserError(
            "This option says how a repaired copy is written.",
            f"{named[0]} without --fix",
            f"Add --fix COPY, or leave out {named[0]}.",
        )


def save_pictures(dataset: DataSet, findings: list, *, folder: Path, overwrite: bool) -> list[str]:
    """Write a PNG for each image with a finding that can be seen, and return their names.

    Parameters
    ----------
    dataset, findings : what was checked and found.
    folder, overwrite : where to, and whether an earlier folder of pictures is replaced.
    """
    from nbtools import show

    names = []
    with io.new_folder(folder, overwrite=overwrite) as temporary:
        for finding, figure in show.found_pictures(dataset, findings, most=len(dataset)):
            stem = Path(finding.file).stem or "set"
            name = f"{len(names) + 1:03d}_{stem}_{finding.code}.png"
            (temporary / name).write_bytes(show.to_png(figure))
            names.append(name)
    return names


def format_counts(counts: list[dict]) -> list[str]:
    """The numbers of nuclei before and after a repair, over all images."""
    if not counts:
        return []
    before, after = (sum(row[key] or 0 for row in counts) for key in ("before", "after"))
    out = sum(row["left_out"] for row in counts)
    left = f"; {out} images left out" if out else ""
    return [f"Nuclei: {before} before, {after} after the repair{left}."]


def format_findings(findings: list, count: int) -> list[str]:
    """A line per finding, the gravest first, and the number of errors and warnings.

    Parameters
    ----------
    findings : of `checks.check`; the first of a kind also shows why it matters.
    count : number of images.
    """
    first = {f.code: f for f in reversed(findings)}
    whys = [f"{f.why} " if first[f.code] is f else "" for f in findings]
    lines = [
        f"{f.severity.upper()}  {f.file or 'data set'}: {f.message} {why}{f.remedy}"
        for f, why in zip(findings, whys, strict=True)
    ]
    errors, warnings = (sum(f.severity == s for f in findings) for s in ("error", "warning"))
    found = f"{errors} errors, {warnings} warnings" if errors or warnings else "ready to use"
    return [*lines, f"{count} images: {found}."]


COMMAND = Command("check", "what is wrong with a data set, and what to do", run, declare)
