"""The files of a result folder: results, overlays, outlines, and the tables of all images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io, tasks
from nbtools.image import RGB, Image
from nbtools.tasks import Task

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
    roi : write outlines of labels, too.
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
        label = result.image.select(T=0)
        (folder / "rois").mkdir(exist_ok=True)
        export.rois(label, folder / "rois" / f"{label.name}.zip")


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
        io.write_csv(folder / name, every, columns=task.tables[name])
    columns = list_columns(task)
    known = [{c: row.get(c) for c in columns} for row in rows]
    io.write_csv(folder / "summary.csv", known, columns=columns)


def list_columns(task: Task) -> tuple[str, ...]:
    """The columns of summary.csv."""
    return ("name", *task.summary, "seconds")


def list_known_columns(rows: list[dict], *, task: Task) -> list[str]:
    """The columns of summary.csv in which something stands."""
    return [c for c in list_columns(task) if any(row.get(c) is not None for row in rows)]
