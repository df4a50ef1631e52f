"""Figures without pyplot: none stays open, and each appears once, as the value of its cell."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib.figure
import matplotlib.image
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from nbtools.show.colors import GREY, INK, PALE
from nbtools.show.views import View

NICE = (1, 2, 5)


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure with a PNG for notebooks and a text alternative, `alt`."""

    def __init__(self, *args, alt: str = "", **kwargs):
        super().__init__(*args, **kwargs)
        self.alt = alt

    def _repr_png_(self) -> bytes:
        return to_png(self)


def new_figure(width: float, height: float, *, alt: str = "") -> Figure:
    """Make an empty white figure, its size in inches, with a layout without overlaps."""
    figure = Figure(
        figsize=(width, height), dpi=110, layout="constrained", facecolor="white", alt=alt
    )
    FigureCanvasAgg(figure)
    return figure


def to_png(figure: matplotlib.figure.Figure, *, dpi: int = 110) -> bytes:
    """Return the figure as PNG, cropped to its content."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.08)
    return buffer.getvalue()


def array_to_png(rgb: np.ndarray) -> bytes:
    """Return a colour array (H, W, 3) uint8 as PNG."""
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, rgb, format="png")
    return buffer.getvalue()


def write_pdf(path: Path, figures: Iterable[matplotlib.figure.Figure]) -> None:
    """Write figures as the pages of one PDF file."""
    with PdfPages(path) as pages:
        for figure in figures:
            pages.savefig(figure)


def draw_view(
    axes: Axes, view: View, *, title: str | None = None, rgb: np.ndarray | None = None
) -> None:
    """Draw a view with title, captions and, where the pixel size is known, a scale bar.

    Parameters
    ----------
    axes : axes to draw on; their ticks are removed.
    view : what to draw.
    title : by default the shortened name of the image.
    rgb : (k H, k W, 3) uint8 shown in place of the view's own colours, such as colours with labels
        painted on top.
    """
    height, width = view.size
    axes.imshow(
        view.rgb if rgb is None else rgb,
        extent=(0, width, height, 0),
        interpolation="antialiased",
        interpolation_stage="rgba",
    )
    axes.set_axis_off()
    title = shorten(view.name) if title is None else title
    if title:
        axes.set_title(title, fontsize=9, color=INK, pad=4)
    outline = [withStroke(linewidth=1.6, foreground="black")]
    for left, top, text, color in view.captions:
        axes.text(
            left + width * 0.012,
            top + width * 0.012,
            text,
            color=color,
            fontsize=7,
            va="top",
            path_effects=outline,
        )
    if view.spacing_um:
        _draw_scale_bar(axes, view)


def new_grid(
    views: list[View], columns: int, *, alt: str = "", inches: float = 2.7, titles: bool = True
) -> tuple[Figure, list[Axes]]:
    """Make a figure with one axes per view, row by row.

    Parameters
    ----------
    views : what will be drawn; each row is as high as its tallest view.
    columns : views per row, at most.
    alt : text alternative.
    inches : width of a column.
    titles : whether to leave room for titles.
    """
    columns = max(1, min(columns, len(views)))
    rows = [views[i : i + columns] for i in range(0, len(views), columns)]
    heights = [
        inches * min(2.5, max(v.size[0] / v.size[1] for v in row)) + (0.28 if titles else 0.06)
        for row in rows
    ]
    figure, grid = new_rows(columns * inches, heights, columns=columns, alt=alt)
    return figure, [figure.add_subplot(grid[divmod(i, columns)]) for i in range(len(views))]


def draw_single(
    view: View,
    *,
    alt: str,
    title: str | None = None,
    rgb: np.ndarray | None = None,
    inches: float = 5.5,
) -> Figure:
    """Make a figure of one view, as wide as given in inches; title and rgb as in `draw_view`."""
    figure, [axes] = new_grid([view], 1, alt=alt, inches=inches)
    draw_view(axes, view, title=title, rgb=rgb)
    return figure


def new_rows(
    width: float, heights: Sequence[float], *, columns: int, alt: str = ""
) -> tuple[Figure, GridSpec]:
    """Make a figure with rows of the given heights in inches, close together, and its grid."""
    figure = new_figure(width, sum(heights), alt=alt)
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0, hspace=0)
    return figure, figure.add_gridspec(len(heights), columns, height_ratios=heights)


def style_axes(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> Axes:
    """Style the axes of a diagram: two spines, a light grid behind, texts of one size."""
    axes.set_title(title, fontsize=10, color=INK, loc="left", fontweight="bold")
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
    axes.tick_params(which="both", labelsize=8, colors=GREY, labelcolor=INK)
    axes.grid(True, color=PALE, linewidth=0.7)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)
    return axes


def draw_interval(
    axes: Axes,
    place: int,
    *,
    value: float,
    interval: Sequence[float] | None,
    color: str,
    text: str,
) -> None:
    """Draw a value as a dot on row `place`, with its interval as a line and its number above.

    Parameters
    ----------
    axes, place : axes to draw on, and the row.
    value, interval : in the unit of the x axis; None draws no line.
    color : of dot and line.
    text : format of the number, as "{:.2f}".
    """
    if interval:
        axes.plot(interval, [place, place], color=color, linewidth=2.2, solid_capstyle="butt")
    axes.plot([value], [place], "o", color=color, markersize=6)
    axes.annotate(
        text.format(value),
        (value, place),
        (0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        color=INK,
    )


def make_logarithmic(axes: Axes) -> None:
    """Make the y axis logarithmic, with plain numbers: 0.06, not 6 x 10^-2."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > 8 * low else MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def shorten(name: str, most: int = 26) -> str:
    """Shorten a long name in its middle, such as a hash of 64 letters."""
    return name if len(name) <= most else f"{name[: most - 9]}…{name[-8:]}"


def nice_length(longest: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, 50… that is not above a length.

    Parameters
    ----------
    longest : the length, above 0.

    Examples
    --------
    >>> nice_length(37.0), nice_length(0.3)
    (20.0, 0.2)
    """
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(n * power for n in NICE if n * power <= longest * (1 + 1e-9)))


def _draw_scale_bar(axes: Axes, view: View) -> None:
    wide, high = view.frame
    length_um = nice_length(0.3 * wide * view.spacing_um)
    length, margin = length_um / view.spacing_um, 0.04 * min(wide, high)
    thick = max(0.012 * min(wide, high), 0.5)
    left, top = wide - margin - length, high - margin - thick
    axes.add_patch(
        Rectangle((left, top), length, thick, facecolor="white", edgecolor="black", linewidth=0.5)
    )
    outline = [withStroke(linewidth=1.6, foreground="black")]
    axes.text(
        left + length / 2,
        top - margin / 3,
        f"{length_um:g} µm",
        color="white",
        fontsize=7.5,
        ha="center",
        va="bottom",
        path_effects=outline,
    )
