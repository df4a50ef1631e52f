"""The results of one image as a folder like that of `nbtools predict`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nbtools import io, runtime, show
from nbtools.errors import UserError
from nbtools.export.mark_files import write_mark_rois
from nbtools.export.outlines import rois
from nbtools.image import RGB, Image
from nbtools.metrics import instances
from nbtools.results import Boxes, Labels, Points
from nbtools.tasks.frames import split_pair, summarize
from nbtools.tasks.reading import SCORES_FOLDER


def labels(label: Image, path: str | Path) -> Path:
    """Write a label image as a TIFF that opens in Fiji with its pixel size.

    Parameters
    ----------
    label : label image; 16 bit up to 65,535 nuclei, 32 bit beyond.
    path : of the file; written whole or not at all.

    Returns
    -------
    Path : of the file.
    """
    io.write_label(path, label)
    return Path(path)


def write_rois(result: Labels | Points | Boxes, folder: Path) -> Path:
    """Write the outlines, points or boxes of an image for the ROI Manager of Fiji.

    Parameters
    ----------
    result : labels, points or boxes; the name is that of their image.
    folder : of the file.

    Returns
    -------
    Path : of NAME.zip.
    """
    if isinstance(result, Labels):
        path = folder / f"{result.image.name}.zip"
        rois(result.image, path)
    else:
        path = folder / f"{result.grid.name}.zip"
        write_mark_rois(path, result)
    return path


def table(columns: Mapping, path: str | Path) -> Path:
    """Write a table as CSV for a spreadsheet.

    Parameters
    ----------
    columns : column → values, or a pandas table.
    path : of the file; written whole or not at all.

    Returns
    -------
    Path : of the file.
    """
    io.write_csv(path, {str(name): list(values) for name, values in columns.items()})
    return Path(path)


def save_run(folder: str | Path, sample: Any, *found: Any, overwrite: bool = False) -> Path:
    """Write the results of one image: labels, overlay, Fiji outlines, table and report data.

    Parameters
    ----------
    folder : of the result; appears whole or not at all.
    sample : the image, or a sample with image and perhaps true labels.
    found : a Prediction or a label image; and, in any order, the table of its nuclei and the method
        that found them.
    overwrite : replace a folder that has content.

    Returns
    -------
    Path : the folder, with NAME.tif, overlays/NAME.png, rois/NAME.zip, nuclei.csv, summary.csv and
        result.json; where the sample has true labels also scores/ with scores.json and
        errors/NAME.png.

    Raises
    ------
    UserError : the folder has content and `overwrite` is False; none of `found` holds labels.
    """
    image = sample if isinstance(sample, Image) else sample.image
    label, measured = _find_label_and_table(found)
    name = getattr(sample, "name", "") or image.name or "image"
    with io.new_folder(folder, overwrite=overwrite) as inside:
        labels(label, inside / f"{name}.tif")
        rois(label, inside / "rois" / f"{name}.zip")
        _write_png(inside / "overlays" / f"{name}.png", show.overlay_rgb(image, label))
        if measured is not None:
            table(measured, inside / "nuclei.csv")
        if getattr(sample, "label", None) is not None:
            _write_scores(inside, image, truth=sample.label, label=label, name=name)
        counts = [{"nuclei": count_labels(moment)} for moment in label.frames()]
        row = {"name": name, **summarize(counts, label), "seconds": _seconds(found)}
        moments = row.get("frames", counts)
        rows = [{"name": name, **one, "seconds": row["seconds"]} for one in moments]
        io.write_csv(inside / "summary.csv", rows)
        io.write_json(inside / "result.json", _describe(image, row, found))
    return Path(folder)


def count_labels(label: Image) -> int:
    """Number of nuclei in a label image; pixels of -1 are none."""
    return int(np.count_nonzero(np.unique(label.pixels) > 0))


def _find_label_and_table(found: tuple) -> tuple[Image, Mapping | None]:
    """The label image and the table among the results, recognised by their types."""
    held = [f if isinstance(f, Image) else getattr(f, "labels", None) for f in found]
    label = next((h for h in held if isinstance(h, Image)), None)
    measured = next((f for f in found if isinstance(f, Mapping) or hasattr(f, "columns")), None)
    if label is None:
        raise UserError(
            "A result needs labels.",
            "none",
            "Give the Prediction of a segmentation method, or a label image.",
        )
    return label, measured


def _write_scores(folder: Path, image: Image, *, truth: Image, label: Image, name: str) -> None:
    """Write scores against the true labels, and the map of errors, into a folder of their own."""
    pairs = split_pair(name, Labels(truth), found=Labels(label))
    scores = instances.evaluate((one, true.image, found.image) for one, true, found in pairs)
    io.write_json(folder / SCORES_FOLDER / "scores.json", scores)
    first, true, found = (one.select(T=0) for one in (image, truth, label))
    figure = show.error_map(first, true, predicted=found)
    (folder / SCORES_FOLDER / "errors").mkdir()
    (folder / SCORES_FOLDER / "errors" / f"{name}.png").write_bytes(show.to_png(figure))


def _write_png(path: Path, rgb: np.ndarray) -> None:
    io.write_image(path, Image(rgb, "YXC", channels=RGB))


def _seconds(found: tuple) -> float | None:
    return next((round(float(f.seconds), 3) for f in found if hasattr(f, "seconds")), None)


def _describe(image: Image, row: dict, found: tuple) -> dict:
    """Content of result.json, with the method where it is among the results."""
    method = next((f for f in found if hasattr(f, "predict")), None)
    about = (
        {
            "method": method.name,
            "settings": method.settings.to_dict(),
            "decoding": method.decoding_values(),
        }
        if method is not None
        else {}
    )
    return {
        **about,
        "axes": image.axes,
        "spacing": image.spacing,
        "unit": image.unit,
        "seconds": row["seconds"],
        "images": [row],
        "versions": runtime.versions(),
    }
