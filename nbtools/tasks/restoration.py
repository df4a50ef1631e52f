"""Restoration: an image with less noise or blur, on the axes of the input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data import DataSet, InputOptions
from nbtools.image import Image
from nbtools.io.stored import create_temporary
from nbtools.metrics import restoration
from nbtools.metrics.bootstrap import format_interval
from nbtools.results import Restored
from nbtools.tasks.base import Task
from nbtools.tasks.reading import ResultSet, require_existing
from nbtools.tasks.text import count_images, format_missing, tabulate

TERMS = """
    PSNR: How much larger the range of grey values is than the error, in dB: 6 dB more is half the
    error.

    SSIM: Likeness of structure, 1 where it is the same.

    NRMSE: The root of the mean squared error over maximum minus minimum of the clean image.
    """


@dataclass(frozen=True, eq=False)
class Clean(Restored):
    """A clean image, with the unprocessed one where it is at hand."""

    unprocessed: Image | None = None


def write(
    result: Restored, image: Image, *, folder: Path, dtype: np.dtype | str = "float32"
) -> dict:
    """Write NAME.tif.

    Parameters
    ----------
    result : restored image.
    image : what it was restored from; its name is that of the file.
    folder : of the result.
    dtype : type of the pixels; values for integers are rounded and clipped to their range.

    Returns
    -------
    {}: a restored image has no columns in the summary.
    """
    restored = result.image if dtype == "float32" else _cast(result.image, np.dtype(dtype))
    io.write_image(folder / f"{image.name}.tif", restored)
    return {}


def _cast(image: Image, dtype: np.dtype) -> Image:
    """As `Image.cast`; slab by slab where the pixels are in a file."""
    if not io.is_stored(image.pixels):
        return image.cast(dtype)
    cast = create_temporary(image.shape, dtype)
    for place, slab in io.read_slabs(image.pixels):
        cast[place] = Image(slab, image.axes).cast(dtype).pixels
    return image.replace(pixels=cast)


def read_truth(
    place: Path, *, what: str = "The truth", options: InputOptions | None = None
) -> ResultSet:
    """Read clean images, with the unprocessed ones where they are at hand.

    Parameters
    ----------
    place : data set with clean/, or images that are clean themselves.
    what : the place in words, for errors.
    options : how the images of a data set are read.

    Raises
    ------
    UserError : nothing is there.
    """
    dataset = DataSet.open(require_existing(place, what), options=options or InputOptions())
    if not dataset.has("clean"):
        return _read_images(dataset)
    return ResultSet(
        {
            entry.name: lambda i=i: Clean(dataset[i].clean, dataset[i].image)
            for i, entry in enumerate(dataset.entries)
            if "clean" in entry.files
        }
    )


def read(
    place: Path, *, what: str = "The result", options: InputOptions | None = None
) -> ResultSet:
    """Read restored images, by name.

    Parameters
    ----------
    place : an image, a folder of images, a result or a data set.
    what : the place in words, for errors.
    options : of these, the axes alone are used.

    Raises
    ------
    UserError : nothing is there.
    """
    axes = InputOptions(axes=options and options.axes)
    return _read_images(DataSet.open(require_existing(place, what), options=axes))


def _read_images(dataset: DataSet) -> ResultSet:
    names = enumerate(dataset.names)
    return ResultSet({name: lambda i=i: Clean(dataset.image(i)) for i, name in names})


def leave_unprocessed(truth: Restored) -> Restored | None:
    """The image as it was before: a result that is no better than it is none."""
    image = getattr(truth, "unprocessed", None)
    return image and Restored(image)


def evaluate(
    pairs: Iterable[tuple[str, Restored, Restored | None]],
    *,
    range: float | str = "clean",
    groups: Mapping[str, object] | None = None,
    seed: int = 0,
) -> dict:
    """Scores of restored images beside their input: see `metrics.restoration.evaluate`.

    Parameters
    ----------
    pairs : name, clean image, restored image or None.
    range : grey values that errors are compared with, a number or "clean".
    groups, seed : of the bootstrap.
    """
    rows = (
        (name, clean.image, found and found.image, getattr(clean, "unprocessed", None))
        for name, clean, found in pairs
    )
    return restoration.evaluate(rows, range=range, groups=groups, seed=seed)


def tuning_score(pairs: list[tuple]) -> float:
    """Mean PSNR in dB of (clean, restored) pairs, 100 at most for each."""
    each = [restoration.psnr(found.image, clean.image) for clean, found in pairs]
    return float(np.mean(np.minimum(each, restoration.MAX_DB)))


def format_scores(scores: dict) -> list[str]:
    """The table of metrics beside those of the input, and the mean PSNR with its interval."""
    rows = [{"": "restored", **scores["mean"]}]
    if scores["input"]:
        rows.append({"": "input", **scores["input"]})
    limits = scores["interval_95"]["psnr"]
    about = scores.get("interval_units")
    sure = f" ({format_interval(limits, about, digits=2)} dB)" if limits else ""
    psnr = "" if scores["mean"]["psnr"] is None else f"PSNR {scores['mean']['psnr']:.2f} dB{sure}, "
    return [
        *tabulate(rows, ["", *restoration.METRICS]),
        f"{psnr}over {scores['images'] - len(scores['missing'])} images; range: {scores['range']}",
        *format_missing(scores, TASK.missing),
    ]


def write_sentence(scores: dict) -> str:
    """PSNR and SSIM beside those of the input, for the methods section of a paper."""
    mean, before = scores.get("mean") or {}, scores.get("input") or {}
    interval = (scores.get("interval_95") or {}).get("psnr")
    if mean.get("psnr") is None or mean.get("ssim") is None:
        return ""
    about = scores.get("interval_units")
    sure = f" (bootstrap, {format_interval(interval, about, digits=2)})" if interval else ""
    came = (
        f", from {before['psnr']:.2f} dB and {before['ssim']:.3f} of the unprocessed images"
        if before.get("psnr") is not None and before.get("ssim") is not None
        else ""
    )
    images, span = count_images(scores.get("images")), scores.get("range")
    return (
        f"Against the clean partners of {images}, the mean PSNR was "
        f"{mean['psnr']:.2f} dB{sure} and SSIM {mean['ssim']:.3f}{came}; range: {span}."
    )


TASK = Task(
    name="restoration",
    results=(Restored,),
    partner="clean",
    write=write,
    read=read,
    read_truth=read_truth,
    evaluate=evaluate,
    format=format_scores,
    sentence=write_sentence,
    tuning_score=tuning_score,
    counting=restoration.COUNTING,
    columns=("psnr", "interval", *restoration.METRICS[1:]),
    missing="left out of all means",
    terms=TERMS,
    done="restored",
    figures={
        "overlay": "side_by_side_rgb",
        "evaluation": "denoisers",
        "errors": "error_maps",
    },
    baseline="nlm",
    unprocessed=leave_unprocessed,
    evaluate_options=("range",),
    predict_options=("dtype",),
)
