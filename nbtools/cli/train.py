"""`nbtools train`: a model from labelled images."""

from __future__ import annotations

import argparse
import contextlib
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io, runtime
from nbtools.cli import before_loading, common
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import UserError
from nbtools.tasks.reading import require_existing

if TYPE_CHECKING:
    from nbtools.checks import Requirements
    from nbtools.data import DataSet, InputOptions
    from nbtools.methods import Method
    from nbtools.training import History, TrainingPlan


VAL_SHARE = 0.15
IMAGENET = "imagenet"  # of --init: no model, but downloaded weights
MODEL_FILES = ("model.json", "history.csv", "recipe.json")


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools train` to its parser."""
    parser.epilog = common.PARTIAL_LABELS
    parser.add_argument("method", metavar="METHOD", help="its name; see nbtools methods")
    declare_images(parser)
    common.add_out(parser, "MODEL", help="folder of the trained model")
    parser.add_argument(
        "--minutes",
        type=common.positive_number,
        metavar="M",
        help="wall time, from start to usable model",
    )
    parser.add_argument(
        "--init",
        metavar="MODEL",
        help="fine-tune: begin with the weights of this model, a folder or a name of shipped ones; "
        "imagenet: with downloaded ones, of a classifier with preset=paper",
    )
    parser.add_argument(
        "--init-parts",
        choices=("all", "encoder"),
        default="all",
        help="of --init: all weights, or those of the encoder where the task is another",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on where an earlier run of the same training stopped",
    )
    common.add_settings(parser)
    common.add_input_options(parser)


def declare_images(parser: argparse.ArgumentParser) -> None:
    """Add what a training learns from and chooses by to its parser."""
    parser.add_argument(
        "dataset",
        type=Path,
        nargs="+",
        metavar="DATASET",
        help="folder with images/ and labels/, or with train/ and val/; several are mixed",
    )
    parser.add_argument(
        "--share",
        type=common.numbers,
        metavar="3,1,1",
        help="how often each of several sets is drawn; else as often as it has images",
    )
    parser.add_argument(
        "--windows",
        type=common.positive_whole,
        metavar="PX",
        help="leave larger images in their files, and read windows of this side (default: those "
        "alone that do not fit into memory)",
    )
    parser.add_argument(
        "--val",
        type=Path,
        nargs="+",
        metavar="DATASET",
        help="images to choose by; else DATASET/val, DATASET/../val, or 15 %% of DATASET",
    )


def run(args: argparse.Namespace) -> CommandResult:
    """Train a method on a data set, and write the folder of the model.

    Ctrl-C, once, ends the training and keeps the best model so far.

    Parameters
    ----------
    args : parsed command line.

    Returns
    -------
    Model, method and the summary of the training.

    Raises
    ------
    UserError : the model folder exists already, the data do not fit the method, or `--init-parts`
        is given without `--init`.
    """
    from nbtools import methods

    say, row = common.make_reporter(args), methods.row(args.method)
    resumes = args.resume and (args.out / "checkpoint").is_dir()
    require_place(args, resumes=resumes)
    train, val = open_training(args)
    training = runtime.load_quietly("nbtools.training")
    cls = methods.get(row.name)
    model = cls(cls.Settings.from_dict(cls.Settings.parse(args.settings)))
    if args.init == IMAGENET:
        start_from_imagenet(model, say)
    elif args.init:
        start_from(model, args.init, parts=args.init_parts)
    elif args.init_parts != "all":
        raise UserError(
            "Parts are chosen of a model to begin with.",
            f"--init-parts {args.init_parts} without --init",
            "Name the model with --init, or leave --init-parts out.",
        )
    if args.share and not model.draws_by_share:
        raise UserError(
            "Shares are for methods that draw their patches here.",
            f"--share for {row.name}, whose package draws them",
            "Leave --share out, or choose another method.",
        )
    require_fitting(model, train, val=val, say=say)
    say(f"{row.title}: {len(train)} images to learn from, {len(val) if val else 0} to choose by.")
    begin_folder(args, resumes=resumes)
    with Watch(say) as watch, training.RunLock(args.out / "checkpoint"):
        history, plan = _fit(model, train, val=val, args=args, watch=watch)
        write_model(model, history, plan=plan, args=args, inputs=[train, val])
    document = {"model": str(args.out), "method": row.name, **history.summary()}
    document["warnings"] = [one.to_dict() for one in history.warnings]
    best = ", ".join(f"{k} {v:.4g}" for k, v in history.best.items() if isinstance(v, (int, float)))
    trained = (
        f"Trained {row.name} in {history.seconds:.0f} s: {history.epochs} epochs, "
        f"{history.steps} steps, ended by {history.stopped}."
    )
    lines = [trained, *([f"Best: {best}."] if best else [])]
    lines += [f"Attention: {one.for_command_line()}" for one in history.warnings]
    return CommandResult(document, [*lines, f"Model: {args.out}"])


def require_place(args: argparse.Namespace, *, resumes: bool) -> None:
    """Require, before anything is read, that a model can be written to its folder at the end.

    Parameters
    ----------
    args : parsed arguments.
    resumes : the folder holds a checkpoint of this training, and may hold its model.
    """
    if resumes:
        for path in args.out.glob("*.*"):
            if path.name in MODEL_FILES or path.match("weights*.npz"):
                io.require_new_file(path, overwrite=True)
    else:
        begun = [args.init] if args.init and args.init != IMAGENET else []
        inputs = (*args.dataset, *(args.val or ()), *begun)
        io.require_new_folder(args.out, overwrite=args.overwrite, inputs=inputs)


def begin_folder(args: argparse.Namespace, *, resumes: bool) -> None:
    """Make the folder of the model, which holds its checkpoint while training goes on.

    Parameters
    ----------
    args : parsed arguments.
    resumes : what is there stays; else what an earlier training left goes.
    """
    if not resumes:
        with io.new_folder(args.out, overwrite=args.overwrite):
            pass


def start_from_imagenet(model: Method, say: Callable[[str], None]) -> None:
    """Let a classifier begin with downloaded weights; their terms are told, and which they are."""
    from nbtools import training

    begin = getattr(model, "start_from_imagenet", None)
    if begin is None:
        raise UserError(
            "Weights of ImageNet are for classifiers.",
            f"--init {IMAGENET} for {model.name}",
            "Take vgg, resnet, densenet or efficientnet, with --set preset=paper.",
        )
    say(begin())
    model.origin |= {"model": IMAGENET, "sha256": training.hash_file(model.pretrained)}


def start_from(model: Method, source: str, *, parts: str = "all") -> None:
    """Let a method begin with the weights of a model, or with its encoder, and remember which."""
    from nbtools import config, methods, training

    model.start_from(methods.load(source), parts=parts)
    weights = methods.find_folder(source) / "weights.npz"
    model.origin |= {
        "model": config.spell_path(source),
        "sha256": training.hash_file(weights) if weights.is_file() else None,
    }


def open_training(args: argparse.Namespace) -> tuple[DataSet, DataSet | None]:
    """Open the training images, and those to choose by.

    Parameters
    ----------
    args : parsed arguments. Without --val: a folder val/ inside or beside the data set, else a
        seeded share that keeps groups together.

    Returns
    -------
    Training and validation images; None for these where a single group cannot be divided.
    """
    from nbtools.data import DataSet, join, require_shares

    options, shares = common.input_options(args), args.share or ()
    require_shares(shares, len(args.dataset))
    opened = [open_one(place, args, options=options) for place in args.dataset]
    train, held = opened[0][0], [val for _, val in opened if val is not None]
    if len(opened) > 1:
        train = join([one for one, _ in opened], shares=shares, named="mixture")
    if args.val:
        places = [require_existing(place, "The validation set") for place in args.val]
        held = [DataSet.open(place, options=options) for place in places]
    before_loading.require_sizes(train, *held)
    val = held[0] if held else None
    return train, val if len(held) < 2 else join(held, named="validation")


def open_one(
    place: Path, args: argparse.Namespace, *, options: InputOptions
) -> tuple[DataSet, DataSet | None]:
    """Open one data set, and what of it, or beside it, is there to choose by.

    Parameters
    ----------
    place : the folder of the data set.
    args : parsed arguments; with --val nothing is kept apart here.
    options : how the images are read.
    """
    from nbtools.data import DataSet

    whole = DataSet.open(require_existing(place, "The data set"), options=options)
    common.say_layout(whole, common.make_reporter(args))
    parts, say = whole.splits(), common.make_reporter(args)
    # the images of a test part are not even looked at
    train = leave_in_files(parts.get("train", whole), say, side=args.windows)
    if args.val:
        return train, None
    val, beside = parts.get("val"), place.absolute().parent / "val"
    if val is not None:
        val = leave_in_files(val, say, side=args.windows)
    elif (place / "val").is_dir():
        val = DataSet.open(place / "val", options=options)
    elif (beside / "images").is_dir() and beside != place.absolute():
        val = DataSet.open(beside, options=options)
    else:
        among = find_judges(args.method, train)
        if len({group for group, one in zip(train.groups(), among, strict=True) if one}) > 1:
            train, val = train.split(val=VAL_SHARE, seed=args.seed, among=among)
    return train, val


def leave_in_files(dataset: DataSet, say: Callable[[str], None], *, side: int | None) -> DataSet:
    """The data set with windows in place of images that do not fit into memory.

    Parameters
    ----------
    dataset : of training images.
    say : takes a remark.
    side : of a window, in pixels: all images that are larger are divided; None for those only that
        do not fit.
    """
    from nbtools.data import cut_windows, windows
    from nbtools.tasks.reading import is_large

    divided = []
    for index, entry in enumerate(dataset.entries):
        image, path = dataset.header(index), entry.files.get("images")
        if "T" in image.axes:
            divided.append(False)  # of a movie, each time point is an image
        elif side is None:
            able = (
                path is not None and io.is_storable(path) and set(entry.files) <= windows.PARTNERS
            )
            divided.append(able and is_large(image))
        else:
            divided.append(max(image.space_shape[-2:]) > side)
    if not any(divided):
        return dataset
    found = cut_windows(dataset, side or windows.SIDE, among=divided)
    count = len(found) - len(dataset) + sum(divided)
    say(f"{sum(divided)} images stay in their files, and are learned from in {count} windows.")
    return found


def find_judges(method: str, train: DataSet) -> Sequence[bool]:
    """Which images a method can be judged by: those that have what it needs, else all.

    Parameters
    ----------
    method : its name.
    train : images, some of which may have no labels where the method welcomes such.
    """
    from nbtools import methods

    row = methods.row(method)
    labelled = train.which_have(row.needs[0]) if row.welcomes else ()
    return labelled if any(labelled) else [True] * len(train)


def require_fitting(
    model: Method, train: DataSet, *, val: DataSet | None, say: Callable[[str], None]
) -> None:
    """Report the warnings of the set, and refuse what must fail later.

    Parameters
    ----------
    model : to be trained.
    train, val : training and validation images.
    say : takes the warnings.

    Raises
    ------
    UserError : the first finding that forbids training.
    """
    from nbtools import checks
    from nbtools.methods.domain import Domain

    with contextlib.suppress(
        UserError, IndexError
    ):  # no image, or none that can be read: found by the checks
        model.domain = Domain.of(train.image(0))
    requirements = find_requirements(model, train)
    found = [
        f for d in (train, val) if d is not None for f in checks.check(d, requirements, quick=True)
    ]
    for line in dict.fromkeys(
        f"Attention: {f.message} {f.remedy}"
        for f in found
        if f.severity == "warning" and not f.file
    ):
        say(line)
    if errors := [f for f in found if f.severity == "error"]:
        rest = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise UserError(
            "The data set must be free of errors.",
            f"{errors[0].file}: {errors[0].message}{rest}",
            f"{errors[0].remedy} See: nbtools check.",
        )


def find_requirements(
    model: Method, dataset: DataSet | None = None, *, field: bool = False
) -> Requirements:
    """What a method needs of its data, by its row of the table and its settings.

    Parameters
    ----------
    model : the method.
    dataset : the data set in question.
    field : the requirements hold the receptive field of the network for it, too.
    """
    from nbtools import checks, methods

    row = methods.row(model.name)
    needs = find_partner(model, row.needs[0] if row.needs else "nothing", dataset=dataset)
    return checks.Requirements(
        dims=row.dims,
        needs=needs,
        # what learns takes the channels of its training set
        channels=1 if row.classical else None,
        patch_size=model.resolve("patch_size") if hasattr(model.settings, "patch_size") else None,
        receptive_field=_measure_field(model, dataset) if field and dataset is not None else None,
        # it learns from hidden pixels, and takes for signal what pixels share
        white_noise=hasattr(model.settings, "masked"),
    )


def find_partner(model: Method, need: str, *, dataset: DataSet | None) -> str:
    """The folder that each image of a data set must have a partner in; "nothing" for none.

    Parameters
    ----------
    model : method to train.
    need : what the method learns from.
    dataset : the images; None where there are none yet.
    """
    from nbtools.methods.domain import FOLDERS

    if "unlabelled" in model.welcomes or need in ("nothing", "unpaired", "paired"):
        return "nothing"
    folders = FOLDERS.get(need, (need,))
    return next((f for f in folders if dataset is not None and dataset.has(f)), folders[0])


def _measure_field(model: Method, dataset: DataSet) -> int | None:
    """Width of the receptive field in the plane, in pixels, of the network for the first image.

    None without a network, or where the field has no bound.
    """
    from nbtools.inference.receptive_field import measure_receptive_field
    from nbtools.methods.domain import Domain

    if not hasattr(model, "build") or not len(dataset):
        return None
    try:
        model.domain = Domain.of(dataset.image(0))
        radius = measure_receptive_field(model.build()).radius
    except UserError:  # said by the checks of the image itself
        return None
    return None if radius is None else 2 * min(radius[-2:]) + 1


def _fit(
    model: Method, train: DataSet, *, val: DataSet | None, args: argparse.Namespace, watch: Watch
) -> tuple[History, TrainingPlan]:
    from nbtools import training

    about = {
        "seed": args.seed,
        "minutes": args.minutes,
        "schedule": getattr(args, "schedule", None),
    }
    plan = training.TrainingPlan(**about, folder=args.out, resume=args.resume, callbacks=(watch,))
    return model.fit(train, val, plan=plan), plan


def write_model(
    model: Method, history: History, *, plan: TrainingPlan, args: argparse.Namespace, inputs: list
) -> None:
    """Write a model beside its checkpoint; files of the user in the folder stay.

    Parameters
    ----------
    model : trained.
    history, plan : of the training.
    args : parsed arguments, with the folder.
    inputs : data sets, whose files the recipe lists.
    """
    from nbtools import training

    with io.new_folder(args.out, keep=True) as folder:
        model.save(folder)
        io.write_csv(
            folder / "history.csv",
            history.rows,
            columns=["epoch", "step", "seconds"] if not history.rows else (),
        )
        files = [f for d in inputs if d is not None for f in d.files()]
        training.write_recipe(
            folder,
            model,
            plan=plan,
            history=history,
            inputs=files,
            command=common.format_command(args),
        )


class Watch:
    """Says how training goes; the first Ctrl-C ends it with a usable model, the second gives up."""

    def __init__(self, say: Callable[[str], None]):
        self.say, self.stop, self.before = say, False, None

    def __enter__(self) -> Watch:
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _interrupt(self, number: int, frame: object) -> None:
        if self.stop:
            raise KeyboardInterrupt
        self.stop = True
        self.say("Stopping, and keeping the best model so far. Press Ctrl-C again to give up.")

    def wants_stop(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.stop

    def on_note(self, text: str) -> None:
        """Report a note of the training."""
        self.say(text)

    def on_epoch(self, epoch: int, logs: dict) -> None:
        """Report the losses and the seconds of an epoch on one line."""
        numbers = ", ".join(
            f"{k} {logs[k]:.4f}" for k in ("loss", "val_loss") if logs.get(k) is not None
        )
        self.say(f"epoch {epoch}: {numbers}, {logs.get('seconds', 0):.0f} s")


COMMAND = Command("train", "train a method on labelled images", run, declare)
