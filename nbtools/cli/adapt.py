"""`nbtools adapt`: a model made familiar with images that nobody labelled."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from nbtools import io, runtime
from nbtools.cli import common, train
from nbtools.cli.common import Command, CommandResult
from nbtools.cli.predict import open_images
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbtools.data import DataSet
    from nbtools.methods import Method
    from nbtools.training.pseudo_labels import Agreement

ROUNDS, MINUTES = 2, 5.0
LEAST_KEPT = 10  # objects that both looks must find in all images, to learn from them


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools adapt` to its parser."""
    parser.epilog = (
        "The model looks twice at each image, learns from what it finds both times, and leaves out "
        "what it is in doubt about. It cannot learn what it never finds, and it can learn its own "
        "mistakes: label a few images, and compare both models with nbtools compare."
    )
    common.add_model_and_images(parser)
    common.add_out(parser, "MODEL", help="folder of the adapted model")
    parser.add_argument(
        "--rounds",
        type=common.whole_number,
        default=ROUNDS,
        metavar="N",
        help=f"times to look and to learn (default: {ROUNDS})",
    )
    parser.add_argument(
        "--minutes",
        type=common.positive_number,
        default=MINUTES,
        metavar="M",
        help=f"of learning in all rounds together (default: {MINUTES:g})",
    )
    common.add_settings(parser)
    common.add_input_options(parser)


def run(args: argparse.Namespace) -> CommandResult:
    """Adapt a model to images without labels, and write the folder of the adapted one.

    Parameters
    ----------
    args : parsed command line.

    Returns
    -------
    Model, method, and for each round how many objects were found twice and once.

    Raises
    ------
    UserError : a model that cannot learn or finds no objects, no images, or hardly an object that
        the model finds twice.
    """
    from nbtools import methods

    say = common.make_reporter(args)
    if not args.rounds:
        raise UserError("There must be at least one round.", "0", "Leave --rounds out for 2.")
    io.require_new_folder(args.out, overwrite=args.overwrite, inputs=[args.images, args.model])
    dataset = open_images(args).frames()
    model = require_adaptable(methods.load(args.model))
    with io.new_folder(args.out, overwrite=args.overwrite):
        pass
    rounds = []
    with train.Watch(say) as watch:
        for number in range(1, args.rounds + 1):
            found = look_twice(model, dataset, say=partial(_say_image, say, number, args.rounds))
            counts = {
                "kept": sum(f.kept for f in found),
                "doubtful": sum(f.doubtful for f in found),
            }
            require_enough(counts["kept"], args)
            say(f"Round {number}: {counts['kept']} found twice, {counts['doubtful']} once.")
            model, history, plan = learn_from(found, model, args=args, watch=watch, number=number)
            rounds.append(counts | history.summary())
    model.origin["pseudo_labels"] = [{k: r[k] for k in ("kept", "doubtful")} for r in rounds]
    train.write_model(model, history, plan=plan, args=args, inputs=[dataset])
    document = {"model": str(args.out), "method": model.name, "rounds": rounds}
    last = rounds[-1]
    lines = [
        f"Adapted {args.model} to {len(dataset)} images in {args.rounds} rounds: in the last one "
        f"{last['kept']} objects were found twice, {last['doubtful']} once.",
        f"Model: {args.out}. Whether it is better, only labels can tell: nbtools compare.",
    ]
    return CommandResult(document, lines)


def _say_image(say: Callable[[str], None], number: int, rounds: int, text: str) -> None:
    say(f"round {number} of {rounds}, {text}")


def require_adaptable(model: Method) -> Method:
    """The model itself; a UserError where it cannot learn, or finds no objects."""
    from nbtools.methods.keras_method import KerasMethod
    from nbtools.training.pseudo_labels import AGREE

    task = model.task
    if not isinstance(model, KerasMethod) or not set(task.results) & set(AGREE):
        raise UserError(
            "A model is adapted that has learned to find nuclei.",
            f"{model.name}, a method for {task.name}",
            "Give a trained model that finds labels, points or boxes.",
        )
    return model


def look_twice(model: Method, dataset: DataSet, *, say: Callable[[str], None]) -> list[Agreement]:
    """Pseudo-labels of all images.

    Parameters
    ----------
    model : that looks.
    dataset : the images; their labels, if any, are not looked at.
    say : takes messages on progress.
    """
    from nbtools.training import pseudo_labels

    found = []
    for index, name in enumerate(dataset.names):
        image = dataset.image(index)
        first, second = (
            model.predict(view).result for view in (image, pseudo_labels.change_view(image))
        )
        found.append(pseudo_labels.agree(first, second, image=image.replace(name=name)))
        say(f"{index + 1} of {len(dataset)}: {name}, {found[-1].kept} found twice")
    return found


def require_enough(kept: int, args: argparse.Namespace) -> None:
    """A UserError where there is hardly anything to learn from."""
    if kept < LEAST_KEPT:
        raise UserError(
            f"At least {LEAST_KEPT} objects must be found twice to learn from them.",
            f"{kept} in {args.images}",
            "Give more images, or label some nuclei and use nbtools train --init.",
        )


def learn_from(
    found: list[Agreement],
    model: Method,
    *,
    args: argparse.Namespace,
    watch: train.Watch,
    number: int,
) -> tuple:
    """Fine-tune a model on pseudo-labels.

    Parameters
    ----------
    found : of all images; those with nothing found twice are left out.
    model : to begin with.
    args : parsed arguments.
    watch : tells progress, and Ctrl-C.
    number : of the round, from 1; part of the seed.

    Returns
    -------
    Adapted model, history and plan of the training.
    """
    from nbtools import methods
    from nbtools.data import DataSet
    from nbtools.training.clock import add_reserve

    training = runtime.load_quietly("nbtools.training")
    cls = methods.get(model.name)
    given = cls.Settings.parse(args.settings)
    adapted = cls(cls.Settings.from_dict(given))
    if number == 1:
        train.start_from(adapted, args.model)
    else:
        adapted.start_from(model)
        adapted.origin = dict(model.origin)
    # the thresholds of the model stay: pseudo-labels were made with them, and cannot judge them
    samples = [one.sample for one in found if one.kept]
    seed = args.seed + number - 1
    # a budget counts from the start of the process: what was spent before comes on top
    until = runtime.process_seconds() + 60 * args.minutes / args.rounds
    minutes = add_reserve(until)
    plan = training.TrainingPlan(seed=seed, minutes=minutes, callbacks=(watch,))
    history = adapted.fit(DataSet.of(samples, name=str(args.images)), plan=plan)
    adapted.keep_thresholds(model)
    return adapted, history, plan


COMMAND = Command("adapt", "make a model familiar with images that nobody labelled", run, declare)
