"""A result folder: one image at a time from the model to label image, overlay, outlines and a line
of the summary.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import io, runtime
from nbtools.cli import frame
from nbtools.errors import UserError
from nbtools.image import RGB, Image

if TYPE_CHECKING:
    from nbtools.data import DataSet
    from nbtools.methods import Method, Prediction
    from nbtools.methods.domain import Domain

COLUMNS = ("name", "nuclei", "median_pixels", "median_diameter_um", "seconds")
LARGEST_OVERLAY = 64e6  # pixels; the picture of a larger image would say nothing


def predict_all(
    model: Method,
    dataset: DataSet,
    *,
    folder: Path,
    args: argparse.Namespace,
    say: Callable[[str], None],
) -> tuple[list[dict], list[dict]]:
    """Predict image after image into `folder`; an image that cannot be used is left out and named,
    unless it is the only one.

    While one is predicted, the next is read and the one before is written, unless they are so large
    that memory would not bear it. Returns the lines of the summary, and [{name, message}] of what
    was left out.
    """
    rows, failed, said, total = [], [], None, len(dataset)

    def settle(number: int, name: str, written: Callable[[], dict]) -> None:
        try:
            rows.append(written())
        except UserError as error:
            if total == 1 or (number == total and not rows):
                raise
            failed.append({"name": name, "message": str(error)})
            say(f"{number} of {total}: {name} is left out. {error}")
        else:
            say(f"{number} of {total}: {name}, {describe_row(rows[-1])}")

    with ThreadPoolExecutor(2) as pool:
        waiting: list[tuple] = []
        for number, (name, read) in enumerate(
            zip(dataset.names, read_ahead(dataset, pool), strict=True), 1
        ):
            small = False
            try:
                image = read()
                small = image.pixels.size <= LARGEST_OVERLAY
                said = say_forecast(model, image, args=args, say=say, before=said)
                prediction = model.predict(
                    image, tile=args.tile, raw=args.raw, diameter=args.diameter
                )
                written = pool.submit(
                    write_prediction, image, prediction, folder=folder, args=args
                ).result
            except UserError as error:
                written = partial(_refuse, error)
            waiting.append((number, name, written))
            while len(waiting) > small:
                settle(*waiting.pop(0))
        for one in waiting:
            settle(*one)
    return rows, failed


def read_ahead(dataset: DataSet, pool: ThreadPoolExecutor) -> Iterator[Callable[[], Image]]:
    """For each image a function that returns it, or raises what reading it raised; the next one is
    read meanwhile if it is not large.
    """
    ahead = None
    for index in range(len(dataset)):
        now = ahead or pool.submit(dataset.image, index)
        small = now.exception() is None and now.result().pixels.size <= LARGEST_OVERLAY
        ahead = (
            pool.submit(dataset.image, index + 1) if small and index + 1 < len(dataset) else None
        )
        yield now.result


def _refuse(error: UserError) -> dict:
    raise error


def say_forecast(
    model: Method,
    image: Image,
    *,
    args: argparse.Namespace,
    say: Callable[[str], None],
    before: tuple | None,
) -> tuple | None:
    """Say how many tiles and how much memory an image will need, unless the one before was said to
    need the same; returns what was said.
    """
    needed = model.forecast(image, tile=args.tile, diameter=args.diameter)
    now = needed and (needed.tiles, needed.tile)
    if now and now != before:
        say(f"{image.name}: {needed}.")
    return now or before


def collect_warnings(rows: list[dict], domain: Domain) -> list[str]:
    """What is to be said of all images together: each kind of warning once, and sizes that are far
    from the training's on the whole.
    """
    from nbtools.methods import domain as judge

    told: dict[str, list[str]] = {}
    for text in (text for row in rows for text in row.get("warnings", ())):
        told.setdefault(" ".join(text.split()[:2]), []).append(text)
    lines = [f"{texts[0]} ({len(texts)} of {len(rows)} images)" for texts in told.values()]
    sizes = [
        _diameter_of(row) for row in rows if row.get("nuclei", 0) >= judge.FEW and not row["zoom"]
    ]
    if len(sizes) > 1 and "Nuclei found" not in told:
        lines += filter(
            None, [judge.judge_size(float(np.median(sizes)), domain, scaled=False, single=False)]
        )
    return lines


def _diameter_of(row: dict) -> float:
    """Median diameter in pixels of the nuclei of an image."""
    axes = row["axes"].translate(str.maketrans("", "", "TC"))
    return float((row["median_pixels"] / _pixels_of(1.0, (1.0,) * len(axes))) ** (1 / len(axes)))


def write_prediction(
    image: Image, prediction: Prediction, *, folder: Path, args: argparse.Namespace
) -> dict:
    """Write what came of one image, and return its line of the summary."""
    row = {
        "name": image.name,
        "seconds": round(prediction.seconds, 3),
        "axes": image.axes,
        "spacing": image.spacing,
        "unit": image.unit,
    }
    row |= {
        "zoom": prediction.zoom,
        "warnings": list(prediction.warnings),
        "notes": list(prediction.notes),
    }
    for key, array in prediction.raw.items():
        write_raw(folder / "raw" / f"{image.name}.{key}.tif", array, like=prediction)
    if prediction.labels is None:
        write_restored(image, prediction.image, folder=folder, dtype=args.dtype)
        return row
    label = drop_small(prediction.labels, args.min_size)
    write_labels(image, label, folder=folder, roi=args.roi)
    write_nucleus_classes(
        folder, label, classes=prediction.classes, probability=prediction.probability
    )
    return row | measure_sizes(label)


def write_nucleus_classes(
    folder: Path,
    label: Image,
    *,
    classes: dict[int, str] | None,
    probability: dict[int, float] | None,
) -> None:
    """NAME_classes.csv: label, class and its probability, of the nuclei that are in the label
    image; nothing without classes.
    """
    from nbtools.data import write_classes

    if classes is not None:
        present = set(np.unique(label.pixels).tolist())
        kept = {value: name for value, name in classes.items() if value in present}
        write_classes(folder / f"{label.name}_classes.csv", kept, probability=probability)


def write_restored(image: Image, restored: Image, *, folder: Path, dtype: str) -> None:
    """The restored image, float32 or in the type of the input, and an overlay for a first look:
    before and after, side by side.
    """
    from nbtools import show

    io.write_image(
        folder / f"{image.name}.tif",
        restored.cast(image.pixels.dtype) if dtype == "input" else restored,
    )
    if image.select(T=0).pixels.size <= LARGEST_OVERLAY:
        both = Image(show.side_by_side_rgb(image, restored), "YXC", channels=RGB)
        io.write_image(folder / "overlays" / f"{image.name}.png", both)


def write_labels(image: Image | None, label: Image, *, folder: Path, roi: bool) -> None:
    """The label image, its overlay where the image is at hand, and outlines for Fiji where asked
    for.
    """
    io.write_label(folder / f"{label.name}.tif", label)
    write_pictures(image, label, folder=folder, roi=roi)


def write_pictures(image: Image | None, label: Image, *, folder: Path, roi: bool) -> None:
    """The overlay for a first look, and outlines for Fiji where asked for."""
    from nbtools import export, show

    flat = label.select(T=0)
    if image is not None and flat.pixels.size <= LARGEST_OVERLAY:
        picture = Image(show.overlay_rgb(image.select(T=0), flat), "YXC", channels=RGB)
        io.write_image(folder / "overlays" / f"{label.name}.png", picture)
    if roi:
        (folder / "rois").mkdir(exist_ok=True)
        export.rois(flat, folder / "rois" / f"{label.name}.zip")


def write_raw(path: Path, array: np.ndarray, *, like: Prediction) -> None:
    """The network's maps, channels last, with the axes of the result, and the pixel size at which
    the network saw the image.
    """
    result = like.labels if like.labels is not None else like.image
    path.parent.mkdir(exist_ok=True)
    spacing = result.spacing and tuple(
        s / z
        for s, z in zip(result.spacing, like.zoom or (1.0,) * len(result.spacing), strict=True)
    )
    io.write_image(
        path,
        result.replace(
            pixels=array, axes=result.axes.replace("C", "") + "C", spacing=spacing, channels=()
        ),
    )


def drop_small(label: Image, diameter: float | None) -> Image:
    """Labels without the nuclei smaller than a disc or ball of this diameter, in the unit of the
    pixel size.
    """
    if diameter is None:
        return label
    if label.spacing is None:
        raise UserError(
            "A size in µm needs the pixel size.",
            f"{label.name} of unknown pixel size",
            "Add --spacing Z,Y,X in µm.",
        )
    pixels = label.pixels.copy()
    for moment in _frames(label.replace(pixels=pixels)):
        small = np.bincount(moment.ravel()) < _pixels_of(diameter, label.spacing)
        moment[small[moment]] = 0
    return label.replace(pixels=pixels)


def measure_sizes(label: Image) -> dict:
    """Number of nuclei and their median size."""
    sizes = np.concatenate([np.bincount(moment.ravel())[1:] for moment in _frames(label)])
    sizes = sizes[sizes > 0]
    row = {"nuclei": len(sizes), "median_pixels": float(np.median(sizes)) if len(sizes) else None}
    if label.spacing_um and len(sizes):
        one = _pixels_of(1.0, label.spacing_um)
        row["median_diameter_um"] = round(
            float((row["median_pixels"] / one) ** (1 / len(label.spatial))), 4
        )
    return row


def write_summary(folder: Path, rows: list[dict]) -> None:
    """summary.csv: a line an image, with its columns always in the same order."""
    io.write_csv(
        folder / "summary.csv", [{c: row.get(c) for c in COLUMNS} for row in rows], columns=COLUMNS
    )


def describe_row(row: dict) -> str:
    nuclei = f"{row['nuclei']} nuclei, " if "nuclei" in row else ""
    return ". ".join([f"{nuclei}{row['seconds']:.2f} s", *row.get("notes", ())])


def shown_columns(rows: list[dict]) -> list[str]:
    return [c for c in COLUMNS if any(row.get(c) is not None for row in rows)]


def describe_result(
    model: Method, rows: list[dict], *, failed: list[dict], args: argparse.Namespace
) -> dict:
    """What result.json says: which model made what, from what, how."""
    first, limits = rows[0] if rows else {}, {d.name: d for d in model.settings.declarations()}
    values = model.decoding_values()
    channels = model.target().class_channels()
    return {
        "model": args.model,
        "weights": args.weights,
        "method": model.name,
        "settings": model.settings.to_dict(),
        "decoding": values,
        "limits": {name: [limits[name].min, limits[name].max] for name in values if name in limits},
        "domain": dataclasses.asdict(model.domain),
        "class_channels": channels and [channels.start, channels.stop],
        "source": str(args.images.absolute()),
        "input": input_of(args),
        "axes": first.get("axes"),
        "spacing": first.get("spacing"),
        "unit": first.get("unit"),
        "tile": args.tile,
        "dtype": args.dtype,
        "diameter_um": args.diameter,
        "min_size_um": args.min_size,
        "seconds": round(sum(r["seconds"] for r in rows), 3),
        "warnings": collect_warnings(rows, model.domain),
        "images": rows,
        "failed": failed,
        "versions": runtime.versions(),
        "command": frame.say_command(args),
    }


def input_of(args: argparse.Namespace) -> dict:
    """How the images were read, so that they can be read so again."""
    return dataclasses.asdict(frame.input_options(args))


def _frames(label: Image) -> list[np.ndarray]:
    """Views of the time points, or the image alone."""
    return (
        list(np.moveaxis(label.pixels, label.axes.index("T"), 0))
        if "T" in label.axes
        else [label.pixels]
    )


def _pixels_of(diameter: float, spacing: tuple[float, ...]) -> float:
    """Pixels in a disc or ball of a diameter."""
    shape = np.pi / 4 if len(spacing) == 2 else np.pi / 6
    return shape * diameter ** len(spacing) / float(np.prod(spacing))
