"""`nbtools fetch`: public sets of nuclei."""

from __future__ import annotations

import argparse
from pathlib import Path

from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import UserError
from nbtools.tasks.text import tabulate


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools fetch` to its parser."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="a public set; without, all are listed"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where it goes, as FOLDER/NAME (default data)",
    )
    text = "also write FOLDER/NAME-nuclei: images/ with label images in labels/, and what is known"
    parser.add_argument("--arrange", action="store_true", help=text)


def run(args: argparse.Namespace) -> CommandResult:
    """Download a public set of images into a folder; without a name, list all sets."""
    from nbtools import data

    if args.name is None and args.out is not None:
        raise UserError(
            "--out is for a set that is fetched.",
            f"--out {args.out} without a name",
            f"Give the name as well: nbtools fetch NAME --out {args.out}; or leave out --out.",
        )
    if args.name is None:
        known = [
            {k: v for k, v in vars(s).items() if k not in ("sha256", "md5")}
            | {"checked": bool(s.hashes), "terms": s.terms, "checksum": s.checksum}
            for s in data.sources().values()
        ]
        rows = [
            row
            | {"by": "command" if row["files"] else "hand", "licence": row["licence"] or "see page"}
            for row in known
        ]
        return CommandResult(
            known, tabulate(rows, ["name", "task", "dims", "by", "licence", "checksum", "page"])
        )
    common.make_reporter(args)(f"Fetching {args.name} …")
    place = args.out or Path("data")
    folder = data.fetch(args.name, place)
    document, lines = {"name": args.name, "folder": str(folder)}, [f"{args.name}: {folder}"]
    if args.arrange:
        ours = place / f"{args.name}-nuclei"
        count = data.arrange(data.sources()[args.name], folder, folder=ours)
        document["arranged"] = {"folder": str(ours), "images": count}
        lines.append(f"in our layout: {ours}, {count} images with labels")
    return CommandResult(document, lines)


COMMAND = Command("fetch", "public sets of nuclei: list them, or fetch one", run, declare)
