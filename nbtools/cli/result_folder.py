"""The files of a result folder: results, overlays, outlines, and the tables of all images."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io, tasks
from nbtools.image import RGB, Image
from nbtools.tasks import Task, frames

if TYPE_CHECKING:
    from nbtools.results import Result

LARGEST_OVERLAY = 64e6  # pixels; nothing could be recognised in the picture of a larger image


def write_result(
    result: Result, image: Image, *, folder: Path, roi: bool = False, **options: object
) -> dict:
    """Write the result of one image, its overlay, and outlines for Fiji where asked for.

    Parameters
    ----------
    result : of any kind; its task writes it.
    image : what it was predicted from; None gives no overlay.
    folder : of the result.
    roi : write outlines of labels, points or boxes for Fiji, too.
    options : of the task's `write`.

    Returns
    -------
    The row of the summary that the task makes of it.
    """
    row = tasks.of_result(result).write(result, image, folder=folder, **options)
    write_pictures(result, image, folder=folder, roi=roi)
    return row


def write_pictures(result: Result, image: Image | None, *, folder: Path, roi: bool) -> None:
    """The overlay for a first look, and outlines for Fiji where asked for."""
    from nbtools import export, show

    if image is not None and image.select(T=0).pixels.size <= LARGEST_OVERLAY:
        picture = show.result_rgb(image, result)
        if picture is not None:
            place = folder / "overlays" / f"{image.name}.png"
            io.write_image(place, Image(picture, "YXC", channels=RGB))
    if roi:
        (folder / "rois").mkdir(exist_ok=True)
        export.write_rois(result, folder / "rois")


def write_tables(folder: Path, rows: list[dict], *, task: Task) -> None:
    """Write summary.csv, and the tables that the task keeps of all images.

    Parameters
    ----------
    folder : of the result.
    rows : of the summary; the rows of tables under "tables" are taken out of them.
    task : names the tables and their columns.
    """
    kept: dict[str, list] = {name: [] for name in task.tables}
    for row in rows:
        for name, more in row.pop("tables", {}).items():
            kept[name] += more
    for name, every in kept.items():
        more = [c for c in frames.COLUMNS if any(c in row for row in every)]
        columns = dict.fromkeys((*task.tables[name], *more)) if task.tables[name] else ()
        io.write_csv(folder / name, every, columns=list(columns))
    every = list(chain.from_iterable(map(list_frames, rows)))
    time = [c for c in frames.COLUMNS if any(c in row for row in every)]
    columns = ("name", *time, *list_columns(task)[1:])
    known = [{c: row.get(c) for c in columns} for row in every]
    io.write_csv(folder / "summary.csv", known, columns=columns)


def list_frames(row: dict) -> list[dict]:
    """Rows of summary.csv for an image: one, or of a movie one per time point."""
    moments = row.get("frames") or [{}]
    seconds = row.get("seconds")
    seconds = None if seconds is None else round(seconds / len(moments), 4)
    return [{**row, "seconds": seconds, **moment} for moment in moments]


def list_columns(task: Task) -> tuple[str, ...]:
    """The columns of summary.csv."""
    return ("name", *task.summary, "seconds")


def list_known_columns(rows: list[dict], *, task: Task) -> list[str]:
    """The columns of summary.csv in which something stands."""
    return [c for c in list_columns(task) if any(row.get(c) is not None for row in rows)]
