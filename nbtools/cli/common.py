"""What all verbs share: parser, common options, results, and progress on standard error."""

from __future__ import annotations

import argparse
import math
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbtools import config, tasks
from nbtools.data import DataSet, InputOptions, split_name
from nbtools.data.layout import name_key
from nbtools.errors import UserError
from nbtools.image import UNITS, Image, check_axes
from nbtools.tasks.reading import is_large

LEAST, MOST = 1e-12, 10**9  # of numbers on the command line
SEED = f"a whole number from 0 to {2**32 - 1}"

PARTIAL_LABELS = (
    "Labels may be partial: pixels of -1 in a label image were not looked at. They are left out of "
    "training and of scores, and no nucleus lies there in measurements."
)


@dataclass(frozen=True)
class CommandResult:
    """What a verb has done.

    Parameters
    ----------
    document : for --json.
    lines : for a person.
    code : 0 done, 1 done but with findings.
    """

    document: object
    lines: list[str] = field(default_factory=list)
    code: int = 0


@dataclass(frozen=True)
class Command:
    """A verb of the command line.

    Parameters
    ----------
    name : the verb.
    help : what it does, in one line.
    run : parsed arguments → result.
    declare : adds its arguments to a parser.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], CommandResult]
    declare: Callable[[argparse.ArgumentParser], None] = lambda parser: None

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Its arguments, without the verb."""
        parser = Parser(prog=f"nbtools {self.name}", allow_abbrev=False)
        self.declare(parser)
        add_common(parser)
        return parser.parse_args(words)


class Parser(argparse.ArgumentParser):
    """argparse that reports a mistake as one message, as everything else here does."""

    def error(self, message: str):
        """Raise a mistake of the command line as a `UserError`."""
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
    group.add_argument("--seed", type=seed, default=0, metavar="N", help="random seed (default 0)")
    group.add_argument("--quiet", action="store_true", help="no progress on standard error")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_out(parser: argparse.ArgumentParser, metavar: str, *, help: str) -> None:
    """The place of the result, and whether an existing one may be replaced."""
    parser.add_argument("--out", required=True, type=Path, metavar=metavar, help=help)
    parser.add_argument("--overwrite", action="store_true", help="replace an existing result")


def add_input_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """How images are read where their files lack the facts, or have wrong ones."""
    group = parser.add_argument_group("input")
    group.add_argument(
        "--axes", metavar="ZYX", help="what the dimensions of the files mean, in order"
    )
    group.add_argument(
        "--channel", metavar="N|NAME", help="the channel to use (from 0, or its name)"
    )
    text = "the time point to use (from 0), or all: each as an image of its own"
    group.add_argument("--time", type=time_point, metavar="N|all", help=text)
    add_series(group)
    text = "of the pyramid of a TIFF or OME-Zarr image (default 0: the full resolution)"
    group.add_argument("--level", type=whole_number, default=0, metavar="N", help=text)
    group.add_argument("--spacing", type=numbers, metavar="Z,Y,X", help="pixel size, in µm")
    group.add_argument(
        "--unit",
        choices=UNITS,
        default="um",
        help="unit of --spacing; pixel where only the ratio is known",
    )
    return group


def add_series(group: argparse._ArgumentGroup) -> None:
    """Which image is used of a file that holds several."""
    group.add_argument(
        "--series",
        metavar="N|NAME|all",
        help="of files that hold several images (positions, scenes): the one to use; all makes "
        "each an image of its own",
    )


def add_min_size(group: argparse._ArgumentGroup) -> None:
    """The smallest nuclei that are kept."""
    group.add_argument(
        "--min-size",
        type=positive_number,
        metavar="UM",
        help="leave out nuclei of a smaller diameter (µm or --unit)",
    )


def add_task(parser: argparse.ArgumentParser, *, help: str, default: str | None = None) -> None:
    """The task, in the words of `nbtools.tasks` or those of older versions."""
    parser.add_argument(
        "--task", type=tasks.rename, choices=tuple(tasks.TASKS), default=default, help=help
    )


def require_options(given: Mapping[str, object], suited: Sequence[str], *, task: str) -> None:
    """A UserError where an option is given that does nothing for a task."""
    for name in (name for name, value in given.items() if value and name not in suited):
        option = "--" + name.replace("_", "-")
        raise UserError(
            "An option must do something for the task.",
            f"{option} with {task}",
            f"Leave out {option}.",
        )


def add_model_and_images(parser: argparse.ArgumentParser, *, untrained: bool = False) -> None:
    """Add MODEL and IMAGES, which a verb predicts.

    Parameters
    ----------
    parser : of the verb.
    untrained : whether it takes methods that need no training, too.
    """
    text = "folder of a model, or the name of shipped weights"
    text += " or of a method without training" * untrained
    parser.add_argument("model", metavar="MODEL", help=text)
    text = "image file, folder of images, or data set"
    parser.add_argument("images", type=Path, metavar="IMAGES", help=text)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add `--set KEY=VALUE`, which may be repeated; the texts are collected in `settings`."""
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


def input_options(args: argparse.Namespace) -> InputOptions:
    """`data.InputOptions` of the parsed arguments."""
    spacing = args.spacing
    if spacing is None and args.unit == "pixel" and getattr(args, "diameter", None):
        spacing = (1.0,)  # a diameter in pixels needs no other spacing
    return InputOptions(
        axes=None if args.axes is None else check_axes(args.axes),
        channel=to_number(args.channel),
        time=args.time,
        spacing=spacing,
        unit=args.unit,
        series=to_number(args.series),
        level=args.level,
    )


def to_number(text: str | None) -> int | str | None:
    """A number where the text is one, else the text.

    Parameters
    ----------
    text : of an option that takes a number or a name; None stays None.

    Examples
    --------
    >>> to_number("2"), to_number("DAPI")
    (2, 'DAPI')
    """
    return int(text) if text and re.fullmatch("-?[0-9]{1,9}", text) else text


def format_command(args: argparse.Namespace) -> str:
    """The command as it was typed, with the folder of data sets as $NBTOOLS_DATA."""
    return config.spell_path(shlex.join(args.command))


def expand_path(text: str) -> str:
    """A recorded path or command with the folder of data sets as it is on this machine."""
    folder = config.environment("NBTOOLS_DATA")
    if "$NBTOOLS_DATA" in text and not folder:
        raise UserError(
            "NBTOOLS_DATA must name the folder of data sets.",
            text,
            "Set it: export NBTOOLS_DATA=FOLDER.",
        )
    return text.replace("$NBTOOLS_DATA", folder.rstrip("/"))


def read_images(dataset: DataSet | None, *, stored: bool = False) -> Callable[[str], Image | None]:
    """A function from a name, whatever its case, to the image; None where it is not at hand.

    The name may be that of a time point of a movie, such as "embryo_t07".

    Parameters
    ----------
    dataset : of the images; None where there are none.
    stored : leave the pixels of images that hardly fit into memory in their files.
    """
    places = {name_key(name): i for i, name in enumerate(dataset.names)} if dataset else {}

    def read(name: str) -> Image | None:
        index = places.get(name_key(name))
        if index is not None:
            large = stored and is_large(dataset.header(index))
            return dataset.stored_image(index) if large else dataset.image(index)
        moment = split_name(name_key(name), places)
        movie = moment and dataset.image(places[moment[0]])
        inside = movie is not None and moment[1] < movie.size("T") > 1
        return movie.select(T=moment[1]).replace(name=name) if inside else None

    return read


def tell_ungrouped(dataset: DataSet | None, column: str | None) -> list[str]:
    """A line on images whose table names no group, where it does for others; [] without any."""
    names = dataset.ungrouped(column) if dataset is not None else []
    if not names:
        return []
    some = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    where = f" in column {column}" if column else ""
    return [f"Attention: no group{where} for {some}: each counts as a group of its own."]


def make_reporter(args: argparse.Namespace) -> Callable[[str], None]:
    """A function that writes a line on standard error, or nothing with --quiet."""
    if args.quiet:
        return lambda text: None
    return lambda text: print(text, file=sys.stderr, flush=True)


def say_layout(dataset: DataSet, say: Callable[[str], None]) -> None:
    """Say whose layout a folder has, where another program wrote it."""
    if dataset.about.other_tool:
        say(f"{dataset.folder} looks like {dataset.about.other_tool}; it is read as it is.")


def time_point(text: str) -> int | str:
    """Convert the text of `--time` to a number from 0, or "all"."""
    return text if text == "all" else whole_number(text)


def whole_number(text: str) -> int:
    """Convert the text of an option to a whole number from 0; ArgumentTypeError otherwise."""
    words = f"a whole number from 0 to {MOST:,}"
    return int(_checked(text, lambda n: 0 <= n <= MOST and n == int(n), words))


def positive_whole(text: str) -> int:
    """Convert the text of an option to a whole number from 1; ArgumentTypeError otherwise."""
    words = f"a whole number from 1 to {MOST:,}"
    return int(_checked(text, lambda n: 1 <= n <= MOST and n == int(n), words))


def seed(text: str) -> int:
    """Convert the text of `--seed` to a number that every library takes for one."""
    return int(_checked(text, lambda n: 0 <= n < 2**32 and n == int(n), SEED))


def positive_number(text: str) -> float:
    """Convert the text of an option to a number above 0; ArgumentTypeError otherwise."""
    words = f"a number above 0, from {LEAST:g} to {1 / LEAST:g}"
    return _checked(text, lambda n: LEAST <= n <= 1 / LEAST, words)


def share(text: str) -> float:
    """Convert the text of an option to a share in [0, 1); ArgumentTypeError otherwise."""
    return _checked(text, lambda n: 0 <= n < 1, "a share from 0 to below 1")


def numbers(text: str) -> tuple[float, ...]:
    """Convert numbers above 0, separated by commas, with or without brackets, to a tuple.

    Parameters
    ----------
    text : as it stands on the command line.

    Raises
    ------
    argparse.ArgumentTypeError : a part is not a number above 0.

    Examples
    --------
    >>> numbers("0.5,0.1,0.1"), numbers("(2,1)")
    ((0.5, 0.1, 0.1), (2.0, 1.0))
    """
    return tuple(positive_number(part) for part in text.strip("()[]").split(","))


def _checked(text: str, holds: Callable[[float], bool], words: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and holds(number)):
        raise argparse.ArgumentTypeError(f"{text!r} is not {words}")
    return number
