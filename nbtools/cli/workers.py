"""Options that spread the blocks of large images over several processes or machines."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from math import prod
from typing import TYPE_CHECKING

from nbtools.cli import common
from nbtools.cli.common import CommandResult
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.data import DataSet
    from nbtools.image import Image
    from nbtools.inference.blocks import Executor
    from nbtools.methods import Method

MOST_WORKERS = 10_000


def declare(parser: argparse.ArgumentParser) -> None:
    """Add `--workers`, `--scheduler` and `--plan` to a parser."""
    group = parser.add_argument_group("images in blocks")
    group.add_argument(
        "--workers",
        type=count_workers,
        metavar="N",
        help="processes that compute blocks of large images side by side (default: this one)",
    )
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS|slurm",
        help="of a Dask cluster, as in tcp://node1:8786; slurm: N jobs of that queue",
    )
    group.add_argument(
        "--plan",
        action="store_true",
        help="tell the blocks of each image, and which worker computes which; compute none",
    )


def count_workers(text: str) -> int:
    """Convert the text of `--workers` to a number from 1; ArgumentTypeError otherwise."""
    count = common.whole_number(text)
    if not 1 <= count <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of workers from 1")
    return count


class Workers(ExitStack):
    """The workers of a command; they are started for the first image that is predicted in blocks.

    Parameters
    ----------
    args : parsed command line.
    say : takes messages on progress.
    """

    def __init__(self, args: argparse.Namespace, *, say: Callable[[str], None]):
        super().__init__()
        self.count, self.scheduler, self.say = args.workers, args.scheduler, say
        self._executor: Executor | None = None

    @property
    def wanted(self) -> bool:
        return self.count is not None or self.scheduler is not None

    def take(self, image: Image) -> bool:
        """Whether an image has more than one block for them; the header is enough."""
        if not self.wanted:
            return False
        from nbtools.inference.workers import LARGEST

        return prod(image.space_shape) > LARGEST

    def open(self) -> Executor:
        """The executor of blocks: this process where no workers are wanted."""
        from nbtools.inference import blocks, workers

        if not self.wanted:
            return blocks.run_in_order
        if self._executor is None:
            self.say("Workers are started.")
            opened = workers.open_executor(self.count, scheduler=self.scheduler)
            self._executor = self.enter_context(opened)
        return self._executor


def plan(args: argparse.Namespace, model: Method, *, dataset: DataSet) -> CommandResult:
    """The blocks of each image, and which worker would compute which.

    Parameters
    ----------
    args : parsed command line.
    model : that would predict.
    dataset : the images.

    Raises
    ------
    UserError : no image can be predicted in blocks.
    """
    from nbtools.methods.large_plan import plan_stored

    found, lines = [], []
    for index, name in enumerate(dataset.names):
        if not model.works_in_blocks(dataset.header(index)):
            lines.append(f"{name}: in one piece, by one process")
            continue
        image = dataset.stored_image(index)
        schedule = plan_stored(model, image, workers=args.workers or 1, diameter=args.diameter)
        found.append({"name": name, **schedule.to_dict()})
        lines += [f"{name}:", *(f"  {line}" for line in schedule.list_lines())]
    if not found:
        raise UserError(
            "Only images that are predicted in blocks are planned.",
            f"{args.model} and {args.images}",
            "Predict without --plan: each image is predicted in one piece.",
        )
    return CommandResult({"images": found}, [*lines, "Nothing was computed."])
