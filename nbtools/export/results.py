"""The results of all images of a data set as a folder like that of `nbtools predict`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nbtools import io, measure, runtime, show, tasks
from nbtools.errors import UserError
from nbtools.export.outlines import rois
from nbtools.image import RGB, Image
from nbtools.metrics import instances
from nbtools.tasks.instances import OBJECTS
from nbtools.tasks.reading import SCORES_FOLDER

SUMMARY = ("name", "nuclei", "median_pixels", "median_diameter_um", "mean_score", "seconds")
FIRST = ("image", "frame", "time_s", "label")


def save_results(
    folder: str | Path,
    images: Iterable,
    *,
    model: Any,
    source: str | Path = "",
    overwrite: bool = False,
) -> Path:
    """Predict all images with a method that labels nuclei, measure them, and write the folder.

    An image that cannot be predicted is left out and named in result.json.

    Parameters
    ----------
    folder : of the result; appears whole or not at all.
    images : samples, such as a DataSet; their labels are not looked at.
    model : trained method.
    source : folder of the model or name of shipped weights, for the report.
    overwrite : replace a folder that has content.

    Returns
    -------
    Path : the folder, with NAME.tif, overlays/NAME.png and rois/NAME.zip per image, nuclei.csv,
        objects.csv, summary.csv and result.json.

    Raises
    ------
    UserError : the folder has content and `overwrite` is False, or no image could be predicted.
    """
    rows, nuclei, failed = [], [], []
    with io.new_folder(folder, overwrite=overwrite) as inside:
        for sample in images:
            try:
                found = model.predict(sample.image)
                rows.append(_write_one(inside, sample.image.replace(name=sample.name), found))
            except UserError as error:
                failed.append({"name": sample.name, "message": str(error)})
                continue
            nuclei += _measure(sample, found)
        if not rows:
            raise UserError(
                "A result needs at least one image that can be predicted.",
                failed[0]["message"] if failed else "no images",
                "Choose other images, or a model for images of this kind.",
            )
        _write_tables(inside, rows, nuclei)
        about = _describe(model, rows, failed=failed, source=source)
        io.write_json(inside / "result.json", about)
    return Path(folder)


def save_scores(
    folder: str | Path, test: Sequence, *, found: Mapping[str, Sequence], overwrite: bool = True
) -> Path | None:
    """Write the scores of a model on test images, and those of others, for its report.

    Parameters
    ----------
    folder : of the model; scores/ in it gets scores.json and errors/NUMBER_NAME.png.
    test : samples with labels that nothing has learned from.
    found : name → predictions of these samples; the first is the model's own.
    overwrite : replace scores that are there.

    Returns
    -------
    Path of scores.json; None without test images, and then nothing is written.
    """
    if not len(test):
        return None
    path = Path(folder) / SCORES_FOLDER / "scores.json"
    io.require_new_file(path, overwrite=overwrite)
    own, *others = found
    scores = {name: _score(test, results) for name, results in found.items()}
    compared = {name: scores[name]["mean_ap"] for name in others}
    io.write_json(path, scores[own] | {"others_mean_ap": compared, "names": [s.name for s in test]})
    for number, (sample, result) in enumerate(zip(test, found[own], strict=True), 1):
        figure = show.error_map(sample.image, sample.label, predicted=result.labels)
        place = path.parent / "errors" / f"{number}_{sample.name}.png"
        with io.atomic_write(place) as temporary:
            temporary.write_bytes(show.to_png(figure))
    return path


def _score(test: Sequence, results: Sequence) -> dict:
    pairs = zip(test, results, strict=True)
    return instances.evaluate((s.name, s.label, found.labels) for s, found in pairs)


def _write_one(folder: Path, image: Image, found: Any) -> dict:
    """Write label image, overlay and outlines of an image; returns its row of the summary."""
    if found.labels is None:
        raise UserError(
            "These results are label images.",
            type(found.result).__name__,
            "Use a method that segments nuclei.",
        )
    result = dataclasses.replace(found.result, image=found.labels.replace(name=image.name))
    row = tasks.INSTANCES.write(result, image, folder=folder)
    picture = show.result_rgb(image, result)
    overlay = Image(picture, "YXC", channels=RGB)
    io.write_image(folder / "overlays" / f"{image.name}.png", overlay)
    rois(result.image, folder / "rois" / f"{image.name}.zip")
    about = {
        "name": image.name,
        "seconds": round(found.seconds, 3),
        "axes": image.axes,
        "spacing": image.spacing,
        "unit": image.unit,
        "zoom": found.zoom,
        "warnings": [one.of(image.name).to_dict() for one in found.warnings],
    }
    return about | row


def _measure(sample: Any, found: Any) -> list[dict]:
    table = measure.measure(found.labels, sample.image)
    cells = zip(*table.values(), strict=True)
    return [{"image": sample.name, **dict(zip(table, row, strict=True))} for row in cells]


def _write_tables(folder: Path, rows: list[dict], nuclei: list[dict]) -> None:
    objects, summary = [], []
    for row in rows:
        objects += row.pop("tables")[OBJECTS]
        frames = row.pop("frames", [{}])
        summary += [{**row, "seconds": round(row["seconds"] / len(frames), 4), **f} for f in frames]
    time = [name for name in ("frame", "time_s") if any(name in row for row in summary)]
    columns = [SUMMARY[0], *time, *SUMMARY[1:]]
    known = [{name: row.get(name) for name in columns} for row in summary]
    io.write_csv(folder / "summary.csv", known, columns=columns)
    columns = dict.fromkeys((*tasks.INSTANCES.tables[OBJECTS], *time))
    io.write_csv(folder / OBJECTS, objects, columns=list(columns))
    known = dict.fromkeys(name for row in nuclei for name in row)
    first = [name for name in FIRST if name in known or name in ("image", "label")]
    columns = list(dict.fromkeys((*first, *known)))
    io.write_csv(folder / "nuclei.csv", nuclei, columns=columns)


def _describe(model: Any, rows: list[dict], *, failed: list[dict], source: str | Path) -> dict:
    """Content of result.json."""
    warnings = []
    for row in rows:
        warnings += row.pop("warnings")
    return {
        "model": str(source) or None,
        "method": model.name,
        "task": model.task.name,
        "settings": model.settings.to_dict(),
        "decoding": model.decoding_values(),
        "axes": rows[0]["axes"],
        "spacing": rows[0]["spacing"],
        "unit": rows[0]["unit"],
        "seconds": round(sum(row["seconds"] for row in rows), 3),
        "remarks": list(model.remarks),
        "images": rows,
        "failed": failed,
        "warnings": warnings,
        "versions": runtime.versions(),
    }
