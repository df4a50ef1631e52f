"""The figures of a report, made from the files of the run folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from nbtools import io, show
from nbtools.data import Sample
from nbtools.errors import UserError
from nbtools.report.facts import find_scores, read_table

EXAMPLES, OVERLAYS, WORST, TURNING = 2, 6, 5, 3
RESULT, LEARNED = "Result", "Training images"
MISTAKES = "Mistakes, the worst images first"
# folder of a data set: part of a sample in it
PARTNERS = {
    "labels": "label",
    "masks": "label",
    "clean": "clean",
    "targets": "clean",
    "gt": "clean",
}
LARGEST = 30_000_000  # bytes of an input image, or of labels, that a report still opens


@dataclass(frozen=True)
class Picture:
    """One figure of a report.

    Parameters
    ----------
    section, caption : heading it belongs to, and its caption.
    figure, file, drawn : the figure, or a finished PNG, in a file or in memory.
    small, half : whether several stand side by side.
    """

    section: str
    caption: str
    figure: show.Figure | None = None
    file: Path | None = None
    drawn: bytes = b""
    small: bool = False
    half: bool = False

    @property
    def png(self) -> bytes:
        """The picture as PNG."""
        if self.drawn:
            return self.drawn
        return self.file.read_bytes() if self.file else show.to_png(self.figure)

    @property
    def alt(self) -> str:
        """Its text alternative."""
        return self.caption if self.figure is None else self.figure.alt or self.caption


def make_pictures(folder: Path, facts: dict) -> list[Picture]:
    """Make the figures for which the folder holds the data.

    Parameters
    ----------
    folder : run folder.
    facts : as `collect_facts` returns them.
    """
    makers = (
        _find_compared,
        _draw_training,
        _draw_scores,
        _find_strata,
        _find_error_maps,
        _find_overlays,
        _draw_turning,
        _draw_examples,
        _draw_measurements,
    )
    return list(chain.from_iterable(_make_safely(make, folder, facts) for make in makers))


def _make_safely(
    make: Callable[[Path, dict], Iterator[Picture]], folder: Path, facts: dict
) -> list[Picture]:
    """Leave a picture out, rather than the report, where it cannot be drawn."""
    try:
        return list(make(folder, facts))
    except (UserError, OSError, LookupError, TypeError, ValueError, ArithmeticError):
        return []


def _draw_training(folder: Path, facts: dict) -> Iterator[Picture]:
    rows = read_table(folder / "history.csv")
    if rows:
        yield Picture(
            "Training",
            (
                "Loss on the training and the validation images, on a plain and on a logarithmic "
                "axis, and the learning rate."
            ),
            show.training(rows),
        )


def _draw_scores(folder: Path, facts: dict) -> Iterator[Picture]:
    if facts.get("scores"):
        yield Picture(
            "Scores",
            "Agreement with the true labels; matched, missed and extra nuclei; mistakes.",
            show.scores(facts["scores"]),
        )


def _find_compared(folder: Path, facts: dict) -> Iterator[Picture]:
    """The figures that `nbtools compare --out` has drawn."""
    captions = {
        "compare.png": "Scores of each method against the true labels.",
        "differences.png": (
            "Differences between methods with their 95 % intervals: an interval without 0 is a "
            "clear difference."
        ),
    }
    for name, text in captions.items():
        if (folder / name).is_file():
            yield Picture("Scores", text, file=folder / name)


def _find_strata(folder: Path, facts: dict) -> Iterator[Picture]:
    file = find_scores(folder, "strata.png")
    if file.is_file():
        yield Picture(
            "Scores",
            (
                "Share of matched nuclei, from the smallest fifth to the largest, and from the "
                "dimmest to the brightest."
            ),
            file=file,
        )


def _find_error_maps(folder: Path, facts: dict) -> Iterator[Picture]:
    """Error maps, of one result or per method; 1_NAME.png is the worst image."""
    errors = find_scores(folder, "errors")
    for place in [errors, *sorted(p for p in errors.glob("*") if p.is_dir())]:
        method = "" if place.name == "errors" else f"{place.name}, "
        for file in sorted(place.glob("*.png"))[:WORST]:
            number, _, name = file.stem.partition("_")
            yield Picture(
                MISTAKES,
                f"{method}worst image no. {number}: {name}"
                if number.isdigit()
                else f"Where the mistakes are: {file.stem}.",
                file=file,
                half=bool(method),
            )


def _find_overlays(folder: Path, facts: dict) -> Iterator[Picture]:
    """What was found, drawn on the images; the number of nuclei where the summary has it."""
    files = sorted((folder / "overlays").glob("*.png"))
    counts = {str(row.get("name")): row.get("nuclei") for row in facts.get("summary") or ()}
    volume = "Z" in str(facts.get("images", {}).get("axes", ""))
    how = "projections and slices" if volume else "outlines"
    for file in files[:OVERLAYS]:
        count = counts.get(file.stem)
        found = f"{count} nuclei found, {how}" if isinstance(count, int) else f"the result, {how}"
        narrow = len(files) > 1 and not volume
        yield Picture(RESULT, f"{file.stem}: {found}.", file=file, half=narrow)


def _draw_turning(folder: Path, facts: dict) -> Iterator[Picture]:
    """Labelled volumes, turning."""
    if "Z" not in str(facts.get("images", {}).get("axes", "")):
        return
    names = [str(row.get("name")) for row in facts.get("summary") or ()]
    for name in list(dict.fromkeys(names))[:TURNING]:
        path = folder / f"{name}.tif"
        if path.is_file() and path.stat().st_size < LARGEST:
            label = io.read_label(path).select(T=0)
            text = f"{name}: the nuclei found, turning about y; colours tell neighbours apart."
            yield Picture(RESULT, text, drawn=show.turning_png(label, label), half=True)


def _draw_examples(folder: Path, facts: dict) -> Iterator[Picture]:
    """Training images of a model, where the files that its recipe lists still exist."""
    files = [Path(entry["file"]) for entry in facts.get("inputs") or []]
    files = [p for p in files if io.is_image(p) and p.is_file() and p.stat().st_size < LARGEST]
    images = [p for p in files if p.parent.name not in PARTNERS]
    partners = {
        (PARTNERS[p.parent.name], io.stem(p).lower()): p for p in files if p.parent.name in PARTNERS
    }
    images = [p for p in images if not io.list_series(p)]  # of several, which one is not known
    examples = [_open_example(p, partners) for p in images[:EXAMPLES]]
    if examples:
        had = [
            text
            for part, text in (("label", "labels"), ("clean", "clean partners"))
            if getattr(examples[0], part) is not None
        ]
        text = f"Images that the model was trained on ({len(examples)} of {len(images)})"
        given = " These were given to it: they are no results." if had else ""
        yield Picture(
            LEARNED,
            f"{text}{', and their ' if had else ''}{' and '.join(had)}.{given}",
            show.pairs(examples),
        )


def _open_example(path: Path, partners: dict[tuple[str, str], Path]) -> Sample:
    """An image with the label and the clean image that the recipe lists with it."""
    label, clean = (partners.get((part, io.stem(path).lower())) for part in ("label", "clean"))
    read = {"label": label and io.read_label(label), "clean": clean and io.read_image(clean)}
    return Sample(io.stem(path), io.read_image(path), **read)


def _draw_measurements(folder: Path, facts: dict) -> Iterator[Picture]:
    rows = read_table(folder / "nuclei.csv")
    if rows:
        columns = {
            name: [row.get(name) for row in rows]
            for name in rows[0]
            if isinstance(rows[0].get(name), int | float)
        }
        what = "nuclei" if "frame" not in rows[0] else "nuclei of single time points"
        text = f"Sizes and shapes of {len(rows)} {what}."
        yield Picture("Measurements", text, show.measurements(columns))
