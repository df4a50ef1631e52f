"""Pictures that need both sides at hand, written beside the numbers: where the mistakes are, the
worst images first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io
from nbtools.cli import sides
from nbtools.image import Image

if TYPE_CHECKING:
    from nbtools.cli.sides import Side
    from nbtools.data import DataSet

    Reader = Callable[[str], Image | None]  # name of an image of the truth → what was found in it

WORST = 5
LARGEST = 64e6  # pixels; a map of a larger image would show nothing


def save_scores(
    result: Path, scores: dict, *, truth: Side, found: Reader, dataset: DataSet | None
) -> None:
    """scores.json, and for nuclei errors/ and strata, into a result folder, where its report finds
    them.
    """
    io.write_json(result / "scores.json", scores)
    if "mean_ap" in scores:
        draw_errors(result / "errors", scores, truth=truth, found=found, dataset=dataset)
        draw_strata(
            result / "strata.png",
            {result.absolute().name: (scores, found)},
            truth=truth,
            dataset=dataset,
        )


def draw_errors(
    folder: Path, scores: dict, *, truth: Side, found: Reader, dataset: DataSet | None
) -> None:
    """Error maps of the worst images: 1_NAME.png, 2_NAME.png…"""
    from nbtools import show

    images = sides.read_images(dataset)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for number, row in enumerate(find_worst(scores), 1):
        label = truth.read(row["name"]).select(T=0)
        if label.pixels.size > LARGEST:
            continue
        predicted, image = found(row["name"]), images(row["name"])
        predicted = (
            label.replace(pixels=label.pixels * 0) if predicted is None else predicted.select(T=0)
        )
        image = (
            label.replace(pixels=(label.pixels > 0).astype("uint8"))
            if image is None
            else image.select(T=0)
        )
        figure = show.error_map(image, label, predicted=predicted)
        (folder / f"{number}_{row['name']}.png").write_bytes(show.to_png(figure))


def draw_restored(
    folder: Path, scores: Mapping[str, dict], *, truth: Side, readers: Mapping[str, Reader]
) -> None:
    """Difference and SSIM maps of all methods side by side, the images of lowest PSNR first."""
    from nbtools import show

    rows = {
        name: {row["name"]: row["psnr"] for row in one["per_image"]} for name, one in scores.items()
    }
    inside = [n for n in truth.names if all(one.get(n) is not None for one in rows.values())]
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(
        sorted(inside, key=lambda n: sum(one[n] for one in rows.values()))[:WORST], 1
    ):
        clean = truth.read(name)[0]
        if clean.pixels.size <= LARGEST:
            figure = show.error_maps(
                {method: read(name) for method, read in readers.items()}, clean
            )
            (folder / f"{number}_{name}.png").write_bytes(show.to_png(figure))


def find_worst(scores: dict) -> list[dict]:
    """Rows of the images of lowest mean AP, the worst first; of equals, the one of most nuclei."""
    return sorted(
        scores["per_image"], key=lambda row: (row["mean_ap"], -row["n_true"], row["name"])
    )[:WORST]


def draw_strata(
    path: Path, results: Mapping[str, tuple[dict, Reader]], *, truth: Side, dataset: DataSet | None
) -> dict:
    """The share of nuclei found by size and by contrast, for each result by name; returns the
    numbers.
    """
    from nbtools import show
    from nbtools.metrics import strata

    images, found = sides.read_images(dataset), {}
    for name, (_, read) in results.items():
        nuclei = strata.describe_nuclei((n, truth.read(n), read(n), images(n)) for n in truth.names)
        found[name] = {by: strata.stratify(nuclei, by) for by in ("size", "contrast")}
    if any(rows for one in found.values() for rows in one.values()):
        path.write_bytes(show.to_png(show.strata(found)))
    return found
