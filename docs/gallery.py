"""The gallery: the richest figures of each executed lesson, with the section that they stand in."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import lessons
import nbformat

MOST = 2  # figures of a lesson


@dataclass(frozen=True)
class Figure:
    """One figure of a lesson.

    Parameters
    ----------
    section : the heading above it.
    picture : PNG.
    place : number of the figure in its lesson, from 1.
    """

    section: str
    picture: bytes
    place: int


def write(course: Path, source: Path, stems: list[str]) -> None:
    """Write gallery.md and its pictures."""
    folder = source / "_static" / "gallery"
    folder.mkdir(parents=True)
    lines = [
        "# Gallery",
        "",
        "Figures of the lessons, as the run that this site shows drew them. Where a training was "
        "shortened for that run, the lesson says so.",
        "",
    ]
    for about in lessons.describe_all():
        path = course / f"{about.stem}.ipynb"
        if about.stem not in stems or not path.is_file():
            continue
        figures = choose(find_figures(nbformat.read(path, as_version=4)))
        if figures:
            lines += [f"## [{about.title}](lessons/{about.stem}.ipynb)", ""]
        for figure in figures:
            name = f"{about.stem}_{figure.place}.png"
            (folder / name).write_bytes(figure.picture)
            caption = f"{about.title}, figure {figure.place}: {figure.section}"
            lines += [f"![{caption}](_static/gallery/{name})", "", f"*{figure.section}*", ""]
    (source / "gallery.md").write_text("\n".join(lines), "utf-8")


def find_figures(notebook: nbformat.NotebookNode) -> list[Figure]:
    """All figures of a notebook, in order."""
    section, figures = "", []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = [line for line in cell.source.splitlines() if line.startswith("#")]
            section = headings[-1].lstrip("# ") if headings else section
        for output in cell.get("outputs", []):
            picture = output.get("data", {}).get("image/png")
            if picture:
                figures.append(Figure(section, base64.b64decode(picture), len(figures) + 1))
    return figures


def choose(figures: list[Figure]) -> list[Figure]:
    """The richest figures, which is where images are, in the order of the lesson."""
    richest = sorted(figures, key=lambda figure: len(figure.picture))[-MOST:]
    return sorted(richest, key=lambda figure: figure.place)
