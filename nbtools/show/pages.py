"""Pages of text, tables and pictures for the PDF of a report."""

from __future__ import annotations

import io
import textwrap

import matplotlib.image

from nbtools.show.colors import INK
from nbtools.show.figure import Figure, new_figure

A4 = (8.27, 11.69)  # inches
LEFT, TOP, BOTTOM = 0.09, 0.94, 0.06
LINE = 0.0152  # of the page's height
LETTERS = 98  # a line of text holds about so many


def text_pages(
    title: str, paragraphs: list[str], *, tables: list[tuple[str, list[tuple[str, str]]]] = ()
) -> list[Figure]:
    """Set paragraphs and tables of two columns on as many A4 pages as they need."""
    lines = [(title, 15, "bold"), ("", 9, "normal")]
    for paragraph in paragraphs:
        lines += [(line, 9, "normal") for line in textwrap.wrap(paragraph, LETTERS)] + [
            ("", 9, "normal")
        ]
    for heading, rows in tables:
        lines += [
            (heading, 11, "bold"),
            *((f"{name}\t{value}", 8.5, "normal") for name, value in _wrap_rows(rows)),
            ("", 9, "normal"),
        ]
    most = int((TOP - BOTTOM) / LINE)
    return [_draw_lines(lines[i : i + most]) for i in range(0, len(lines), most)]


def picture_page(png: bytes, caption: str) -> Figure:
    """Set one picture and its caption on an A4 page."""
    picture = matplotlib.image.imread(io.BytesIO(png))
    figure = new_figure(*A4, alt=caption)
    figure.set_layout_engine("none")
    width = 1 - 2 * LEFT
    height = min(0.8, width * A4[0] / A4[1] * picture.shape[0] / picture.shape[1])
    axes = figure.add_axes((LEFT, TOP - height, width, height))
    axes.imshow(picture, aspect="equal")
    axes.set_axis_off()
    figure.text(
        LEFT,
        TOP - height - 0.02,
        "\n".join(textwrap.wrap(caption, LETTERS)),
        fontsize=9,
        color=INK,
        va="top",
    )
    return figure


def _draw_lines(lines: list[tuple[str, float, str]]) -> Figure:
    figure = new_figure(*A4, alt=lines[0][0])
    figure.set_layout_engine("none")
    for number, (line, size, weight) in enumerate(lines):
        name, _, value = line.partition("\t")
        figure.text(
            LEFT,
            TOP - number * LINE,
            name,
            fontsize=size,
            fontweight=weight,
            color=INK,
            va="top",
            parse_math=False,
        )
        figure.text(
            LEFT + 0.3,
            TOP - number * LINE,
            value,
            fontsize=size,
            color=INK,
            va="top",
            parse_math=False,
        )
    return figure


def _wrap_rows(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Rows whose long values run on in further rows."""
    folded = []
    for name, value in rows:
        first, *rest = textwrap.wrap(str(value), 62) or [""]
        folded += [(name, first), *(("", line) for line in rest)]
    return folded
