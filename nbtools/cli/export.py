"""`nbtools export`: a model, or labels, points or boxes of a result, for another program."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io, runtime, tasks
from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult
from nbtools.errors import UserError, require_choice
from nbtools.io.table_files import (
    DECIMALS,
    SEPARATORS,
    TABLE_FORMATS,
    find_table,
    type_columns,
    write_omero,
    write_parquet,
    write_spreadsheet,
)
from nbtools.results import Boxes, Labels, Points
from nbtools.tasks.reading import ResultSet, list_files, read_about, require_existing

if TYPE_CHECKING:
    from nbtools.methods import Method

CARD = {
    "author": "of a package of bioimage.io or a workflow: who made the model; once per person",
    "licence": "of a package or workflow: an identifier of SPDX, such as CC-BY-4.0",
    "description": "of a package or workflow: one sentence",
}

SIGNS = {
    "separator": "between cells (default: semicolon)",
    "decimal": "before decimals (default: comma)",
}


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `nbtools export` to its parser."""
    text = "folder of a model or the name of shipped weights; or a result, data set or label image"
    parser.add_argument("model", metavar="MODEL|RESULT", help=text)
    text = (
        "of a model: keras, onnx, savedmodel (TensorFlow), bioimageio, deepimagej, biaflows (a "
        "workflow in a container); of labels: rois "
        "(Fiji), geojson (QuPath), coco, nrrd, nifti, ome-zarr, cellpose, napari; of volumes: ply, "
        "stl, vtk; of points and boxes: rois, geojson, trackmate, napari, coco (boxes); of tracks: "
        "trackmate, geff; of tables: parquet, csv, omero"
    )
    parser.add_argument("--format", required=True, metavar="FORMAT", help=text)
    for name, text in CARD.items():
        kind = "append" if name == "author" else "store"
        parser.add_argument(f"--{name}", action=kind, metavar=name.upper(), help=text)
    for name, choices in (("separator", SEPARATORS), ("decimal", DECIMALS)):
        text = f"of a csv: the sign {SIGNS[name]}"
        parser.add_argument(f"--{name}", choices=sorted(choices), help=text)
    common.add_out(parser, "FILE", help="the file to write; a folder where images are several")


def run(args: argparse.Namespace) -> CommandResult:
    """Write a model, or what a result holds, as files for another program.

    Parameters
    ----------
    args : parsed command line.

    Raises
    ------
    UserError : an unknown format, nothing it can hold, or the file exists already.
    """
    from nbtools import export

    require_choice(
        args.format,
        dict.fromkeys(
            (
                *export.FORMATS,
                *export.LABEL_FORMATS,
                *export.MARK_FORMATS,
                *export.TRACK_FORMATS,
                *TABLE_FORMATS,
            )
        ),
        rule="Models and results are exported in a known format.",
    )
    signs = [f"--{name}" for name in SIGNS if getattr(args, name)]
    if signs and args.format != "csv":
        raise UserError(
            "Separator and decimal sign are those of a CSV file.",
            f"{signs[0]} with --format {args.format}",
            "Leave it out, or choose --format csv.",
        )
    given = [f"--{name}" for name in CARD if getattr(args, name)]
    if given and args.format not in export.CARDED:
        raise UserError(
            "Author, licence and description go into packages of bioimage.io and workflows.",
            f"{given[0]} with --format {args.format}",
            f"Leave it out, or choose --format {', '.join(export.CARDED)}.",
        )
    if args.format in TABLE_FORMATS:
        return _export_table(args)
    if args.format in export.TRACK_FORMATS and export.hold_tracks(Path(args.model)):
        return _export_tracks(args)
    return _export_model(args) if args.format in export.FORMATS else _export_result(args)


def _export_tracks(args: argparse.Namespace) -> CommandResult:
    """Write the tracks of `nbtools track`; one file, or a folder with one per movie."""
    from nbtools import export

    found, suffix = export.open_tracks(Path(args.model)), export.TRACK_FORMATS[args.format][0]
    about = {"overwrite": args.overwrite, "inputs": [args.model]}
    if len(found) == 1 and not args.out.name.lower().endswith(suffix):
        args.out = args.out.with_name(args.out.name + suffix)
    if len(found) == 1 and args.format == "trackmate":
        io.require_new_file(args.out, **about)
        files = export.write_tracks(found, args.out, format=args.format)
        io.add_to_mark(args.out.parent, files)
    else:
        with io.new_folder(args.out, **about) as temporary:
            inside = temporary if len(found) > 1 else temporary / args.out.name
            files = export.write_tracks(found, inside, format=args.format)
            if len(found) == 1:  # the folder itself is the file
                for child in inside.iterdir():
                    child.rename(temporary / child.name)
                inside.rmdir()
        files = [args.out / path.name for path in files] if len(found) > 1 else [args.out]
    document = {"files": [str(path) for path in files], "format": args.format}
    return CommandResult(document, [f"Written: {args.out}, tracks of {len(found)} movies"])


def _export_result(args: argparse.Namespace) -> CommandResult:
    """Write labels, points or boxes of a result; one file, or a folder with one per image."""
    from nbtools import export

    found = open_result(Path(args.model))
    first = found.read(found.names[0])
    kind = tasks.of_result(first)
    formats, write = EXPORTS[type(first)]()
    if args.format not in formats:
        raise UserError(
            f"What was {kind.done} is exported in a format that can hold it.",
            f"{args.format} of {args.model}",
            f"It goes as {', '.join(formats)}.{advise_tracks(args)}",
        )
    suffix = formats[args.format][0]
    if args.format == "ome-zarr" and args.out.parent.name == "labels":
        return _export_in_place(found, args)
    readers = {name: partial(found.read, name) for name in found.names}
    if (len(readers) == 1 and args.format not in export.FOLDERS) or args.format == "coco":
        if not args.out.name.lower().endswith(suffix):
            args.out = args.out.with_name(args.out.name + suffix)
        io.require_new_file(args.out, overwrite=args.overwrite, inputs=[args.model])
        files = write(readers, args.out, format=args.format)
        io.add_to_mark(args.out.parent, files)
    else:
        with io.new_folder(args.out, overwrite=args.overwrite, inputs=[args.model]) as temporary:
            written = write(readers, temporary, format=args.format)
        files = [args.out / path.name for path in written]
    document = {"files": [str(path) for path in files], "format": args.format}
    what = {Labels: "labels", Points: "points", Boxes: "boxes"}[type(first)]
    lines = [f"Written: {args.out}, {what} of {len(readers)} images"]
    if args.format == "napari" and isinstance(first, Labels):
        lines.append(f"Open an image with its labels: napari IMAGE {files[0]}")
    if args.format == "cellpose":
        lines.append("Open an image in Cellpose, then File > Load masks.")
    return CommandResult(document, lines)


def advise_tracks(args: argparse.Namespace) -> str:
    """What to do where a format holds tracks, and there are none yet; "" for other formats."""
    from nbtools import export

    if args.format not in export.TRACK_FORMATS:
        return ""
    return " Of the labels of a movie, make tracks first: nbtools track RESULT --out TRACKS"


def _export_in_place(found: ResultSet, args: argparse.Namespace) -> CommandResult:
    """Write the labels of one image into its folder, as IMAGE.zarr/labels/NAME."""
    if len(found.names) != 1:
        raise UserError(
            "The labels of one image are written into its folder.",
            f"{len(found.names)} images in {args.model}",
            "Give the label image of one.",
        )
    io.require_new_folder(args.out, overwrite=args.overwrite, inputs=[args.model])
    io.write_labels_in_place(args.out, found.read(found.names[0], stored=True).image)
    document = {"files": [str(args.out)], "format": args.format}
    return CommandResult(document, [f"Written: {args.out}, labels of {found.names[0]}"])


def _export_table(args: argparse.Namespace) -> CommandResult:
    """Write the table of a result, or a CSV file, for another program."""
    suffix = TABLE_FORMATS[args.format]
    if not args.out.name.lower().endswith(suffix):
        args.out = args.out.with_name(args.out.name + suffix)
    rows, source = read_table(Path(args.model))
    io.require_new_file(args.out, overwrite=args.overwrite, inputs=[args.model])
    columns = type_columns(rows)
    if args.format == "parquet":
        write_parquet(args.out, columns)
    elif args.format == "omero":
        write_omero(args.out, columns, files=name_files(Path(args.model)))
    else:
        signs = {"separator": args.separator, "decimal": args.decimal}
        signs = {name: value for name, value in signs.items() if value}
        write_spreadsheet(args.out, columns, **signs)
    io.add_to_mark(args.out.parent, [args.out])
    count = len(next(iter(columns.values()), ()))
    document = {"files": [str(args.out)], "format": args.format, "rows": count}
    return CommandResult(document, [f"Written: {args.out}, {count} rows of {source}"])


def read_table(place: Path) -> tuple[list[dict[str, str]], str]:
    """Rows of the table of a result, and what they are of.

    Points and boxes have a table per image: these are joined, with the name of the image in front.

    Parameters
    ----------
    place : a result, the folder of tracks, or a CSV file.

    Raises
    ------
    UserError : there is no table.
    """
    require_existing(place, "The result")
    try:
        source = find_table(place)
        return io.read_csv(source), source.name
    except UserError:
        files = list_files(place) if place.is_dir() else []
        tables = [path for path in files if path.suffix.lower() == ".csv"]
        if not tables:
            raise
    rows = [{"image": io.stem(path)} | row for path in tables for row in io.read_csv(path)]
    columns = dict.fromkeys(name for row in rows for name in row)
    return [dict.fromkeys(columns, "") | row for row in rows], ", ".join(
        path.name for path in tables
    )


def name_files(place: Path) -> dict[str, str]:
    """Name of each image of a result → name of its file; {} where these are not at hand.

    Parameters
    ----------
    place : of the result, or of its table.
    """
    from nbtools.data import DataSet

    source = read_about(place if place.is_dir() else place.parent).get("source")
    if not isinstance(source, str) or not Path(source).exists():
        return {}
    entries = DataSet.open(source).entries
    return {one.name: one.files["images"].name for one in entries if "images" in one.files}


def open_result(place: Path) -> ResultSet:
    """What a place holds for export: labels, else points or boxes.

    Parameters
    ----------
    place : of a result, which says what it is; or any folder or file of labels, points or boxes.

    Raises
    ------
    UserError : nothing is there, or nothing of these.
    """
    about = read_about(place)
    task = tasks.find(about.get("task") if isinstance(about.get("task"), str) else None)
    if task is not None and not set(task.results) & set(EXPORTS):
        raise UserError(
            "Labels, points and boxes are exported for other programs.",
            f"{place}, whose images were {task.done}",
            "Its files are ready as they are: images as TIFF, tables as CSV.",
        )
    table = place.suffix.lower() == ".csv"
    if task is not None or table:
        return (task or tasks.DETECTION).read(place, what="The result")
    try:
        return tasks.INSTANCES.read(place, what="The result")
    except UserError as error:
        try:
            return tasks.DETECTION.read(place, what="The result")
        except UserError:
            raise error from None


def _write_labels() -> tuple[dict, Callable]:
    from nbtools import export

    return export.LABEL_FORMATS, export.write_labels


def _write_marks() -> tuple[dict, Callable]:
    from nbtools import export

    return export.MARK_FORMATS, export.write_marks


EXPORTS = {Labels: _write_labels, Points: _write_marks, Boxes: _write_marks}


def _export_model(args: argparse.Namespace) -> CommandResult:
    """Write a model as a file for another program; a missing suffix is added to its name."""
    from nbtools import export, methods

    if args.format in export.FORMATS and not args.out.name.endswith(
        suffix := export.FORMATS[args.format][0]
    ):
        args.out = args.out.with_name(args.out.name + suffix)
    if suffix:
        io.require_new_file(args.out, overwrite=args.overwrite)
    else:
        io.require_new_folder(args.out, overwrite=args.overwrite)
    model = methods.load(args.model)
    if args.format in export.CARDED:
        return _export_package(args, model)
    about = {"format": args.format, "overwrite": args.overwrite}
    path = export.write_model(model, args.out, **about)
    if suffix:
        io.add_to_mark(path.parent, [path])
    stock_layers = runtime.load_quietly("nbtools.export.stock_layers")
    own, messages = stock_layers.find_own_layers(model.model), [f"Written: {path}"]
    if own:
        kinds = ", ".join(own)
        messages.append(f"The file holds layers of nbtools ({kinds}): load it where that is.")
    if stock_layers.adds_steps(model):
        messages.append("The network alone: what the method does with its output is left out.")
    elif model.scale is None:
        scaling = model.normalization
        messages.append(f"Scale the grey values of each image before, as a whole: {scaling.words}.")
        if scaling.beside:
            messages.append(f"nbtools does more, which no file can say: {scaling.beside}.")
    document = {"file": str(path), "format": args.format, "own_layers": own}
    return CommandResult(document, messages)


def _export_package(args: argparse.Namespace, model: Method) -> CommandResult:
    """Write a package of bioimage.io, and say what it cannot express and what it lacks."""
    from nbtools.export.model import write_model
    from nbtools.export.model_card import ASKED, ModelCard

    card = ModelCard(
        description=args.description or "",
        authors=tuple(args.author or ()),
        licence=args.licence or "",
    )
    path = write_model(model, args.out, format=args.format, card=card, overwrite=args.overwrite)
    if path.is_file():
        io.add_to_mark(path.parent, [path])
    remarks = list_remarks(args.format, model)
    missing = card.list_missing()
    lines = [f"Written: {path}", *remarks]
    lines += [f"The package does not tell its {name}: {ASKED[name]}." for name in missing]
    document = {"file": str(path), "format": args.format, "remarks": remarks, "missing": missing}
    return CommandResult(document, lines)


def list_remarks(format: str, model: Method) -> list[str]:
    """What a package or workflow cannot express, and what is left to do, a sentence each.

    Parameters
    ----------
    format : one of `export.CARDED`.
    model : that was exported.
    """
    package = runtime.load_quietly(f"nbtools.export.{format}")
    if format in ("bioimageio", "deepimagej"):
        return package.STYLE.remarks(package.run_example(model))
    return list(package.REMARKS)


COMMAND = Command("export", "write a model or a result for another program", run, declare)
