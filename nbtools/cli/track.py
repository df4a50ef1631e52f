"""`nbtools track`: nuclei followed through the frames of a movie."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import io, tasks
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.data import DataSet, InputOptions
from nbtools.errors import UserError
from nbtools.tasks.reading import find_partner, read_input, require_existing
from nbtools.tasks.text import tabulate

if TYPE_CHECKING:
    from nbtools.image import Image
    from nbtools.tasks import ResultSet
    from nbtools.tracking import Tracks

COLUMNS = ("name", "frames", "nuclei", "tracks", "divisions", "whole")
SCORES = ("tra", "det", "seg")
HASTY = 3  # frames; nuclei do not divide again so soon
MOST_HASTY = 0.3  # share of divisions
FEW_LINKED = 0.5  # share of nuclei with a next one, below which the distance is doubtful


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools track` to its parser."""
    parser.epilog = (
        "Each nucleus is linked to the nearest one of the next frame, all links of a frame chosen "
        "together. That works where nuclei move less between frames than they lie apart."
    )
    parser.add_argument(
        "result",
        type=Path,
        metavar="RESULT",
        help="labels of movies: a result of nbtools predict, a folder, a data set, or one file",
    )
    common.add_out(parser, "TRACKS", help="folder of the tracks")
    _declare_links(parser)
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="DATASET",
        help="data set whose labels are tracks, with tracks/NAME.txt: TRA, DET and SEG are scored",
    )
    parser.add_argument(
        "--ctc", action="store_true", help="also write the format of the Cell Tracking Challenge"
    )
    parser.add_argument(
        "--geff", action="store_true", help="also write GEFF, the graph exchange file format"
    )
    parser.add_argument(
        "--axes", metavar="AXES", help="of the label images, where the files do not say it: TYX"
    )


def _declare_links(parser: argparse.ArgumentParser) -> None:
    """What may be linked."""
    parser.add_argument(
        "--distance",
        type=common.positive_number,
        metavar="UM",
        help="farthest that a nucleus moves between two frames, in µm (pixels, where the pixel "
        "size is unknown); default: measured",
    )
    parser.add_argument(
        "--gap",
        type=common.whole_number,
        default=1,
        metavar="N",
        help="frames in which a nucleus may be missing (default: 1)",
    )
    parser.add_argument(
        "--no-divisions",
        dest="divisions",
        action="store_false",
        help="nobody divides in these movies",
    )


def run(args: argparse.Namespace) -> CommandResult:
    """Link the nuclei of each movie, and write the folder of the tracks.

    Parameters
    ----------
    args : parsed command line.

    Returns
    -------
    A row per movie, with scores where the truth is given; code 1 where movies were left out.

    Raises
    ------
    UserError : no movie, no labels, or laptrack is not installed.
    """
    say = common.make_reporter(args)
    inputs = [args.result, args.truth or args.result]
    io.require_new_folder(args.out, overwrite=args.overwrite, inputs=inputs)
    labels = open_labels(args)
    truth = open_truth(args.truth)
    rows, failed = [], []
    with io.new_folder(args.out, overwrite=args.overwrite, inputs=inputs) as folder:
        for name in labels.names:
            try:
                rows.append(track_one(labels.read(name).image, name, folder=folder, args=args))
                rows[-1] |= score_one(rows[-1].pop("made"), name, truth=truth)
            except UserError as error:
                if len(labels.names) == 1:
                    raise
                failed.append({"name": name, "message": str(error.for_command_line())})
            say(f"{len(rows) + len(failed)} of {len(labels.names)}: {name}")
        if not rows:
            raise UserError(
                "There must be a movie to follow nuclei in.",
                f"{args.result}: {failed[0]['message'].rstrip('.')}",
                "Give labels with an axis T; --axes TYX tells of frames read as a volume.",
            )
        document = {"task": "tracking", "images": rows, "failed": failed}
        document |= {"command": common.format_command(args), **_average(rows)}
        columns = _list_columns(rows)
        known = [{name: row.get(name) for name in columns} for row in rows]
        io.write_csv(folder / "summary.csv", known, columns=columns)
        io.write_json(folder / "tracks.json", document)
    lines = [
        *tabulate(rows, _list_columns(rows)),
        *(f"Attention: {text}" for row in rows for text in row["warnings"]),
        *(f"Left out: {one['name']}: {one['message']}" for one in failed),
        f"Tracks: {args.out}",
    ]
    return CommandResult(document | {"folder": str(args.out)}, lines, 1 if failed else 0)


def _list_columns(rows: list[dict]) -> list[str]:
    return [name for name in (*COLUMNS, *SCORES) if any(name in row for row in rows)]


def _average(rows: list[dict]) -> dict[str, float]:
    """The mean of each score over the movies that have it."""
    known = {name: [row[name] for row in rows if name in row] for name in SCORES}
    return {name: float(np.mean(values)) for name, values in known.items() if values}


def open_labels(args: argparse.Namespace) -> ResultSet:
    """The label images of a place, read with the axes of their images."""
    place = require_existing(args.result, "The result")
    axes = args.axes or read_input(place).axes
    return tasks.INSTANCES.read(place, what="The result", options=InputOptions(axes=axes))


def open_truth(place: Path | None) -> DataSet | None:
    """The data set of true tracks; None where none is given."""
    if place is None:
        return None
    dataset = DataSet.open(require_existing(place, "The truth"))
    if not (dataset.has("labels") and dataset.has("tracks")):
        raise UserError(
            "True tracks are label images of tracks with their lineage.",
            f"{place} without {'labels' if not dataset.has('labels') else 'tracks'}/",
            "Give labels/NAME.tif and tracks/NAME.txt, with the lines: track first last parent.",
        )
    return dataset


def track_one(label: Image, name: str, *, folder: Path, args: argparse.Namespace) -> dict:
    """Link the nuclei of a movie and write its files.

    Parameters
    ----------
    label : label image of the movie.
    name : of the movie.
    folder : of the tracks.
    args : parsed command line.

    Returns
    -------
    Row of the summary; under "made" the label image and its tracks.
    """
    from nbtools import tracking

    options = tracking.LinkOptions(args.distance, args.gap, args.divisions)
    nuclei = tracking.from_labels(label)
    reach = args.distance or (tracking.find_reach(nuclei) if len(nuclei) else None)
    tracks = tracking.link(nuclei, options)
    tracking.write_table(tracks, folder / f"{name}.csv")
    tracking.write_trackmate(tracks, folder / f"{name}.xml")
    io.write_label(folder / f"{name}.tif", tracking.draw_tracks(tracks, label))
    if args.ctc:
        tracking.write_ctc(tracks, label, folder=folder / "ctc" / name)
    if args.geff:
        tracking.write_geff(tracks, folder / f"{name}.geff")
    spans = tracks.spans()
    whole = sum(last - first + 1 == label.size("T") for first, last in spans.values())
    return {
        "name": name,
        "frames": label.size("T"),
        "nuclei": len(tracks),
        "tracks": len(spans),
        "divisions": tracks.divisions,
        "whole": whole,
        "distance": None if reach is None else round(reach, 4),
        "warnings": list_doubts(tracks, label, name=name),
        "made": (label, tracks),
    }


def list_doubts(tracks: Tracks, label: Image, *, name: str) -> list[str]:
    """What makes the tracks of a movie doubtful, a sentence each.

    Parameters
    ----------
    tracks, label : of the movie.
    name : of the movie.
    """
    if not len(tracks):
        return [f"{name} has no nuclei. See how they were predicted."]
    before_last = tracks.frame < label.size("T") - 1
    linked = len({source for source, _, _ in tracks.edges()})
    found = []
    if linked < FEW_LINKED * max(before_last.sum(), 1):
        share = linked / max(before_last.sum(), 1)
        found.append(
            f"{name}: only {share:.0%} of the nuclei have a next one. They move far between two "
            "frames, or the axis of time is another: give --distance, or --axes."
        )
    hasty = count_hasty(tracks)
    if hasty > max(MOST_HASTY * tracks.divisions, 2):
        found.append(
            f"{name}: after {hasty} of {tracks.divisions} divisions a nucleus divides again, or is "
            f"gone, within {HASTY} frames. Look at some of them; add --no-divisions where nobody "
            "divides."
        )
    return found


def count_hasty(tracks: Tracks) -> int:
    """Divisions after which a daughter lives for less than `HASTY` frames, the last ones left out.

    Parameters
    ----------
    tracks : of a movie.
    """
    spans, end = tracks.spans(), int(tracks.frame.max())
    short = {
        tracks.parents[child]
        for child in tracks.parents
        if spans[child][1] - spans[child][0] + 1 < HASTY and spans[child][1] < end
    }
    return len(short)


def score_one(made: tuple, name: str, *, truth: DataSet | None) -> dict:
    """Scores of a movie; {} without a truth of it."""
    from nbtools import tracking

    if truth is None:
        return {}
    partner = find_partner(name, truth.names, taken=truth.names)
    if partner is None:
        raise UserError(
            "Each movie needs its true tracks.",
            f"{name}; the truth has {', '.join(truth.names[:3])}",
            "Give both the same name.",
        )
    label, tracks = made
    sample = truth[truth.names.index(partner)]
    true = tracking.from_labels(sample.label, parents=sample.lineage, tracked=True)
    if sample.label.shape != label.to(sample.label.axes).shape:
        raise UserError(
            "True and found tracks must be of one movie.",
            f"{sample.label.shape} and {label.shape}, axes {sample.label.axes} and {label.axes}",
            "Compare with the truth of the same frames, not cropped or scaled.",
        )
    return tracking.score(sample.label, label.to(sample.label.axes), true=true, tracks=tracks)


COMMAND = Command("track", "follow nuclei through the frames of a movie", run, declare)
