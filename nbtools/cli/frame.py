"""What all verbs share: their parser, common options, answers, and progress on standard error."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nbtools import config
from nbtools.errors import UserError
from nbtools.image import UNITS


@dataclass(frozen=True)
class Answer:
    """What a verb has done: a document for --json, lines for a person, and the exit code (0 done, 1
    done but with findings).
    """

    document: object
    lines: list[str] = field(default_factory=list)
    code: int = 0


@dataclass(frozen=True)
class Verb:
    """One word of the command line: `declare` adds its arguments to a parser, `run` takes the
    parsed ones and gives an Answer.
    """

    name: str
    help: str
    declare: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Answer]


class Parser(argparse.ArgumentParser):
    """argparse that says what is wrong in one message, as everything else here does."""

    def error(self, message: str):
        raise UserError(
            "The command line must be complete and spelled as the help shows.",
            message,
            f"See: {self.prog} --help",
        )


def add_common(parser: argparse.ArgumentParser) -> None:
    """Options that every verb takes."""
    group = parser.add_argument_group("every verb")
    group.add_argument(
        "--json",
        action="store_true",
        help="one JSON document on standard output, nothing else there",
    )
    group.add_argument(
        "--seed", type=whole_number, default=0, metavar="N", help="random seed (default 0)"
    )
    group.add_argument("--quiet", action="store_true", help="no progress on standard error")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_out(parser: argparse.ArgumentParser, metavar: str, *, help: str) -> None:
    """The place of the result, and whether an older one may be replaced."""
    parser.add_argument("--out", required=True, type=Path, metavar=metavar, help=help)
    parser.add_argument("--overwrite", action="store_true", help="replace an existing result")


def refuse_file(args: argparse.Namespace) -> None:
    """A UserError where the file to write is there already."""
    if args.out.is_dir():
        raise UserError(
            "The result is a file.",
            f"the folder {args.out}",
            f"Give a file in it: {args.out}/nuclei.csv.",
        )
    if args.out.exists() and not args.overwrite:
        raise UserError(
            "An existing result is not overwritten.",
            args.out,
            "Choose another --out, or add --overwrite.",
        )


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """How images are to be read where their files do not say it, or say it wrongly."""
    group = parser.add_argument_group("input")
    group.add_argument(
        "--axes", metavar="ZYX", help="what the dimensions of the files mean, in order"
    )
    group.add_argument(
        "--channel", metavar="N|NAME", help="the channel to use (from 0, or its name)"
    )
    group.add_argument("--time", metavar="N|all", help="the time point to use")
    group.add_argument("--spacing", type=numbers, metavar="Z,Y,X", help="pixel size, in µm")
    group.add_argument(
        "--unit",
        choices=UNITS,
        default="um",
        help="unit of --spacing; pixel where only the ratio is known",
    )
    group.add_argument(
        "--diameter",
        type=positive_number,
        metavar="UM",
        help="the nuclei's diameter (µm or --unit), to rescale to the model's",
    )
    group.add_argument(
        "--min-size",
        type=positive_number,
        metavar="UM",
        help="leave out nuclei of a smaller diameter",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    text = "a setting, e.g. epochs=5; may be given several times"
    parser.add_argument(
        "--set",
        action="extend",
        nargs="+",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help=text,
    )


def input_options(args: argparse.Namespace):
    """`data.InputOptions` of the parsed arguments."""
    from nbtools.data import InputOptions

    channel = (
        int(args.channel) if args.channel and args.channel.lstrip("-").isdigit() else args.channel
    )
    time = int(args.time) if args.time and args.time.lstrip("-").isdigit() else args.time
    counted = (
        (1.0,) if args.unit == "pixel" and args.diameter else None
    )  # a diameter in pixels needs no other spacing
    return InputOptions(
        axes=args.axes, channel=channel, time=time, spacing=args.spacing or counted, unit=args.unit
    )


def say_command(args: argparse.Namespace) -> str:
    """The command as it was typed; the folder of data sets is spelled $NBTOOLS_DATA, which each
    machine has elsewhere.
    """
    return config.spell_path(shlex.join(args.command))


def existing(path: str | Path, what: str) -> Path:
    """The path, or a UserError where nothing is there."""
    if not Path(path).exists():
        raise UserError(
            f"{what} must exist.", path, "Check the spelling, and that you are in the right folder."
        )
    return Path(path)


def progress(args: argparse.Namespace) -> Callable[[str], None]:
    """A function that says a line on standard error, or nothing with --quiet."""
    return (
        (lambda text: None)
        if args.quiet
        else (lambda text: print(text, file=sys.stderr, flush=True))
    )


def whole_number(text: str) -> int:
    return int(_checked(text, lambda n: n >= 0 and n == int(n), "a whole number from 0"))


def positive_number(text: str) -> float:
    return _checked(text, lambda n: n > 0, "a number above 0")


def share(text: str) -> float:
    return _checked(text, lambda n: 0 <= n < 1, "a share from 0 to below 1")


def numbers(text: str) -> tuple[float, ...]:
    return tuple(positive_number(part) for part in text.strip("()[]").split(","))


def _checked(text: str, holds: Callable[[float], bool], words: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and holds(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is not {words}")
    return number


def tabulate(rows: list[dict], columns: list[str]) -> list[str]:
    """Rows as aligned lines under a heading."""
    cells = [columns, *([_show(row.get(c)) for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _show(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
