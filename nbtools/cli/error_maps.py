"""Figures that need truth and result: maps of the mistakes, the worst images first."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import io, tasks
from nbtools.cli import common
from nbtools.tasks.frames import resolve_frames, split_pair
from nbtools.tasks.reading import SCORES_FOLDER

if TYPE_CHECKING:
    from nbtools.cli.scoring import Reader
    from nbtools.data import DataSet
    from nbtools.tasks import ResultSet

WORST = 5
LARGEST = 64e6  # pixels; a map of a larger image would show nothing


def save_scores(
    result: Path,
    scores: dict,
    *,
    names: list[str],
    truth: Reader,
    found: Reader,
    dataset: DataSet | None,
) -> None:
    """Write scores.json and, for labels, errors/ and strata.png, into scores/ of a result.

    Parameters
    ----------
    result : folder; its report finds them there.
    scores : of `evaluate`.
    names : of the images of the truth.
    truth, found : functions from a name to the truth and to the result.
    dataset : the images, where they are at hand.
    """
    with io.new_folder(result, keep=True, renew=(f"{SCORES_FOLDER}/",)) as inside:
        folder = inside / SCORES_FOLDER
        io.write_json(folder / "scores.json", scores)
        if "strata" in tasks.of_scores(scores).figures:
            place = {"truth": truth, "found": found, "dataset": dataset}
            draw_errors(folder / "errors", scores, names=names, **place)
            readers = {result.absolute().name: found}
            draw_strata(folder / "strata.png", readers, names=names, truth=truth, dataset=dataset)


def draw_errors(
    folder: Path,
    scores: dict,
    *,
    names: list[str],
    truth: Reader,
    found: Reader,
    dataset: DataSet | None,
) -> None:
    """Draw error maps of the worst images: 1_NAME.png, 2_NAME.png…

    Parameters
    ----------
    folder : of the maps.
    scores : of `evaluate`; time points of movies have a row of their own.
    names : of the images of the truth.
    truth, found : functions from a name to the truth and to the result.
    dataset : the images, where they are at hand.
    """
    from nbtools import show

    images = common.read_images(dataset)
    truth, found = (resolve_frames(read, names) for read in (truth, found))
    folder.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(find_worst(scores), 1):
        label = truth(row["name"]).image.select(T=0)
        if label.pixels.size > LARGEST:
            continue
        result = found(row["name"])
        image = images(row["name"])
        predicted = result.image if result else label.replace(pixels=label.pixels * 0)
        image = image or label.replace(pixels=(label.pixels > 0).astype("uint8"))
        figure = show.error_map(image.select(T=0), label, predicted=predicted.select(T=0))
        (folder / f"{number}_{row['name']}.png").write_bytes(show.to_png(figure))


def draw_restored(
    folder: Path, scores: Mapping[str, dict], *, truth: ResultSet, readers: Mapping[str, Reader]
) -> None:
    """Difference and SSIM maps of all methods side by side, the images of lowest PSNR first."""
    from nbtools import show

    rows = {
        name: {row["name"]: row["psnr"] for row in one["per_image"]} for name, one in scores.items()
    }
    inside = [n for n in truth.names if all(one.get(n) is not None for one in rows.values())]
    worst = sorted(inside, key=lambda n: sum(one[n] for one in rows.values()))[:WORST]
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(worst, 1):
        clean = truth.read(name).image
        if clean.pixels.size <= LARGEST:
            restored = {method: read(name).image for method, read in readers.items()}
            figure = show.error_maps(restored, clean)
            (folder / f"{number}_{name}.png").write_bytes(show.to_png(figure))


def find_worst(scores: dict) -> list[dict]:
    """Rows of the images of lowest mean AP, the worst first; of equals, the one of most nuclei."""
    return sorted(
        scores["per_image"], key=lambda row: (row["mean_ap"], -row["n_true"], row["name"])
    )[:WORST]


def draw_strata(
    path: Path,
    readers: Mapping[str, Reader],
    *,
    names: list[str],
    truth: Reader,
    dataset: DataSet | None,
) -> dict:
    """Draw the share of nuclei that each result finds, by size and by contrast.

    Parameters
    ----------
    path : of the figure.
    readers : name of a result → function from the name of an image to what it holds.
    names : of the images of the truth.
    truth : function from a name to the truth.
    dataset : the images, where they are at hand.

    Returns
    -------
    The numbers, by result.
    """
    from nbtools import show
    from nbtools.metrics import strata

    images = common.read_images(dataset)
    found = {}
    for method, read in readers.items():
        pairs = chain.from_iterable(split_pair(n, truth(n), found=read(n)) for n in names)
        nuclei = strata.describe_nuclei(
            (name, true.image, one and one.image, images(name)) for name, true, one in pairs
        )
        found[method] = {by: strata.stratify(nuclei, by) for by in ("size", "contrast")}
    if any(rows for one in found.values() for rows in one.values()):
        path.write_bytes(show.to_png(show.strata(found)))
    return found
