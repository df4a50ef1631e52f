"""`nbtools check`: what is wrong with a data set, and what to do."""

from __future__ import annotations

import argparse
from pathlib import Path

from nbtools import io
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.tasks.reading import require_existing


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
    text = (
        "write --axes and --spacing into dataset.toml of the data set, so that they need not be "
        "given again"
    )
    parser.add_argument("--remember", action="store_true", help=text)
    common.add_input_options(parser)


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
    from nbtools.cli.train import find_requirements
    from nbtools.data import DataSet

    dataset = DataSet.open(
        require_existing(args.dataset, "The data set"), options=common.input_options(args)
    )
    remembered = (
        data.save_input_options(args.dataset, common.input_options(args)) if args.remember else None
    )
    requirements = None
    if args.method:
        requirements = find_requirements(methods.get(args.method)(), dataset, field=True)
    if args.fix:
        io.require_new_folder(args.fix, overwrite=args.overwrite, inputs=[args.dataset])
    findings = checks.check(dataset, requirements)
    document, lines = (
        checks.to_json(findings, len(dataset)),
        format_findings(findings, len(dataset)),
    )
    if args.fix:
        changes = checks.fix(dataset, findings, folder=args.fix, overwrite=args.overwrite)
        document |= {"copy": str(args.fix), "changes": changes}
        lines += [f"Repaired copy: {args.fix}", *(changes or ["Nothing had to be changed."])]
    if remembered:
        document |= {"remembered": str(remembered)}
        lines.append(f"Remembered in {remembered}.")
    return CommandResult(document, lines, 0 if document["ok"] else 1)


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
