"""A result folder: one image at a time from the model to label image, overlay, outlines and a line of the summary."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import io, runtime
from nbtools.cli import frame
from nbtools.errors import UserError
from nbtools.image import Image

if TYPE_CHECKING:
    from nbtools.data import DataSet
    from nbtools.methods import Method, Prediction

COLUMNS = ("name", "nuclei", "median_pixels", "median_diameter_um", "seconds")
LARGEST_OVERLAY = 64e6  # pixels; the picture of a larger image would say nothing


def predict_all(
    model: Method, dataset: DataSet, *, folder: Path, args: argparse.Namespace, say: Callable[[str], None]
) -> tuple[list[dict], list[dict]]:
    """Predict image after image into `folder`; an image that cannot be used is left out and named, unless it is the only one.

    Returns the lines of the summary, and [{name, message}] of what was left out.
    """
    rows, failed = [], []
    for number, name in enumerate(dataset.names, 1):
        try:
            row = predict_one(model, dataset.image(number - 1), folder=folder, args=args)
        except UserError as error:
            if len(dataset) == 1 or (number == len(dataset) and not rows):
                raise
            failed.append({"name": name, "message": str(error)})
            say(f"{number} of {len(dataset)}: {name} is left out. {error}")
            continue
        rows.append(row)
        say(f"{number} of {len(dataset)}: {name}, {describe_row(row)}")
    return rows, failed


def predict_one(model: Method, image: Image, *, folder: Path, args: argparse.Namespace) -> dict:
    """Predict one image, write what came of it, and return its line of the summary."""
    scaled = match_size(image, known=model.domain.nucleus_size, diameter_um=args.diameter)
    prediction = model.predict(scaled, tile=args.tile, raw=args.raw)
    row = {"name": image.name, "seconds": round(prediction.seconds, 3), "axes": image.axes, "spacing": image.spacing, "unit": image.unit}
    for key, array in prediction.raw.items():
        write_raw(folder / "raw" / f"{image.name}.{key}.tif", array, like=prediction)
    if prediction.labels is None:
        io.write_image(folder / f"{image.name}.tif", prediction.image)
        return row
    label = drop_small(return_size(prediction.labels, image), args.min_size)
    io.write_label(folder / f"{image.name}.tif", label)
    write_pictures(image, label, folder=folder, roi=args.roi)
    return row | measure_sizes(label)


def write_pictures(image: Image, label: Image, *, folder: Path, roi: bool) -> None:
    """The overlay for a first look, and outlines for Fiji where asked for."""
    from nbtools import export, show

    still, flat = image.select(T=0), label.select(T=0)
    if flat.pixels.size <= LARGEST_OVERLAY:
        (folder / "overlays").mkdir(exist_ok=True)
        (folder / "overlays" / f"{image.name}.png").write_bytes(show.to_png(show.overlay(still, flat)))
    if roi:
        (folder / "rois").mkdir(exist_ok=True)
        export.rois(flat, folder / "rois" / f"{image.name}.zip")


def write_raw(path: Path, array: np.ndarray, *, like: Prediction) -> None:
    """The network's maps, channels last, with the axes and pixel size of the result."""
    result = like.labels if like.labels is not None else like.image
    path.parent.mkdir(exist_ok=True)
    io.write_image(path, result.replace(pixels=array, axes=result.axes.replace("C", "") + "C", channels=()))


def match_size(image: Image, *, known: float | None, diameter_um: float | None) -> Image:
    """The image enlarged or reduced until its nuclei are as large, in pixels, as those the model knows; unchanged without a diameter.

    known : diameter in pixels of the nuclei in training.     diameter_um : of the nuclei in the image.
    """
    if diameter_um is None:
        return image
    if known is None:
        raise UserError("The model must know the size of the nuclei it was trained on.", "a model without it", "Leave out --diameter.")
    if image.spacing_um is None:
        raise UserError("A diameter in µm needs the pixel size.", f"{image.name} of unknown pixel size", "Add --spacing Z,Y,X in µm.")
    factor = known * min(image.spacing_um) / diameter_um
    return _resize(
        image, tuple(max(1, round(n * factor)) if a in image.spatial else n for a, n in zip(image.axes, image.shape, strict=True))
    )


def _resize(image: Image, shape: tuple[int, ...]) -> Image:
    from skimage.transform import resize

    pixels = resize(image.pixels.astype(np.float32), shape, order=1, preserve_range=True, anti_aliasing=shape < image.shape)
    before = dict(zip(image.axes, image.shape, strict=True))
    after = dict(zip(image.axes, shape, strict=True))
    spacing = image.spacing and tuple(s * before[a] / after[a] for a, s in zip(image.spatial, image.spacing, strict=True))
    return image.replace(pixels=pixels, spacing=spacing)


def return_size(label: Image, image: Image) -> Image:
    """Labels at the shape and pixel size of the image they belong to."""
    shape = tuple(image.size(a) for a in label.axes)
    if shape == label.shape:
        return label
    picks = [np.minimum(((np.arange(n) + 0.5) * m / n).astype(int), m - 1) for n, m in zip(shape, label.shape, strict=True)]
    return label.replace(pixels=label.pixels[np.ix_(*picks)], spacing=image.spacing, unit=image.unit)


def drop_small(label: Image, diameter_um: float | None) -> Image:
    """Labels without the nuclei smaller than a disc or ball of this diameter."""
    if diameter_um is None:
        return label
    if label.spacing_um is None:
        raise UserError("A size in µm needs the pixel size.", f"{label.name} of unknown pixel size", "Add --spacing Z,Y,X in µm.")
    pixels = label.pixels.copy()
    for moment in _frames(label.replace(pixels=pixels)):
        small = np.bincount(moment.ravel()) < _pixels_of(diameter_um, label.spacing_um)
        moment[small[moment]] = 0
    return label.replace(pixels=pixels)


def measure_sizes(label: Image) -> dict:
    """Number of nuclei and their median size."""
    sizes = np.concatenate([np.bincount(moment.ravel())[1:] for moment in _frames(label)])
    sizes = sizes[sizes > 0]
    row = {"nuclei": len(sizes), "median_pixels": float(np.median(sizes)) if len(sizes) else None}
    if label.spacing_um and len(sizes):
        one = _pixels_of(1.0, label.spacing_um)
        row["median_diameter_um"] = round(float((row["median_pixels"] / one) ** (1 / len(label.spatial))), 4)
    return row


def write_summary(folder: Path, rows: list[dict]) -> None:
    """summary.csv: a line an image, with its columns always in the same order."""
    io.write_csv(folder / "summary.csv", [{c: row.get(c) for c in COLUMNS} for row in rows], columns=COLUMNS)


def describe_row(row: dict) -> str:
    nuclei = f"{row['nuclei']} nuclei, " if "nuclei" in row else ""
    return f"{nuclei}{row['seconds']:.2f} s"


def shown_columns(rows: list[dict]) -> list[str]:
    return [c for c in COLUMNS if any(row.get(c) is not None for row in rows)]


def describe_result(model: Method, rows: list[dict], *, failed: list[dict], args: argparse.Namespace) -> dict:
    """What result.json says: which model made what, from what, how."""
    first = rows[0] if rows else {}
    return {
        "model": args.model, "method": model.name, "settings": model.settings.to_dict(), "decoding": model.choices(),
        "source": str(args.images.absolute()), "axes": first.get("axes"), "spacing": first.get("spacing"), "unit": first.get("unit"),
        "tile": args.tile, "diameter_um": args.diameter, "min_size_um": args.min_size, "seconds": round(sum(r["seconds"] for r in rows), 3),
        "images": rows, "failed": failed, "versions": runtime.versions(), "command": frame.say_command(args),
    }  # fmt: skip


def _frames(label: Image) -> list[np.ndarray]:
    """Views of the time points, or the image alone."""
    return list(np.moveaxis(label.pixels, label.axes.index("T"), 0)) if "T" in label.axes else [label.pixels]


def _pixels_of(diameter_um: float, spacing_um: tuple[float, ...]) -> float:
    """Pixels in a disc or ball of a diameter."""
    shape = np.pi / 4 if len(spacing_um) == 2 else np.pi / 6
    return shape * diameter_um ** len(spacing_um) / float(np.prod(spacing_um))
