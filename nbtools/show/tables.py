"""Figures of measured nuclei: distributions, and brightness against size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from nbtools.errors import UserError
from nbtools.show.colors import BLUE, GREY, INK, ORANGE
from nbtools.show.figure import Figure, new_figure, style_axes

# Columns worth a histogram, in order, with the label of the axis; the first six that the table
# holds are drawn.
COLUMNS = {
    "volume_um3": "volume (µm³)",
    "area_um2": "area (µm²)",
    "volume_px": "volume (voxels)",
    "area_px": "area (pixels)",
    "equivalent_radius_um": "equivalent radius (µm)",
    "sphericity": "sphericity (1: round)",
    "flatness": "flatness",
    "elongation": "elongation",
    "solidity": "solidity (1: convex)",
    "nearest_um": "distance to nearest nucleus (µm)",
    "nearest_px": "distance to nearest nucleus (pixels)",
    "neighbours": "neighbours",
}
SIZES = ("volume_um3", "area_um2", "volume_px", "area_px")


def measurements(table: Mapping, *, columns: tuple[str, ...] | None = None) -> Figure:
    """Draw histograms of measured nuclei with medians, and brightness against size where known.

    Parameters
    ----------
    table : column to values, as `measure.measure` returns it, or a pandas table.
    columns : columns to draw; by default the first six of size, shape and neighbourhood in the
        table.

    Raises
    ------
    UserError : an unknown column, or no nuclei.

    Examples
    --------
    >>> measurements({"area_um2": [80.0, 95.0, 110.0]}).alt
    '3 nuclei: area (µm²)'
    """
    table = {str(name): np.asarray(values) for name, values in table.items()}
    chosen = _choose_columns(table, columns)
    count = len(table[chosen[0]])
    brightness = next((name for name in table if name.startswith("mean_")), None)
    size = next((name for name in SIZES if name in table), None)
    panels = len(chosen) + bool(brightness and size)
    wide = min(4, panels)
    figure = new_figure(
        2.9 * wide,
        2.6 * -(-panels // wide),
        alt=f"{count} nuclei: {', '.join(COLUMNS.get(c, c) for c in chosen)}",
    )
    axes = [figure.add_subplot(-(-panels // wide), wide, i + 1) for i in range(panels)]
    for place, name in zip(axes, chosen, strict=False):
        _draw_histogram(place, table[name], text=COLUMNS.get(name, name))
    if panels > len(chosen):
        _draw_scatter(axes[-1], table, size, brightness)
    return figure


def _choose_columns(table: Mapping, columns: tuple[str, ...] | None) -> list[str]:
    unknown = [c for c in columns or () if c not in table]
    if unknown:
        raise UserError(
            "Columns to draw must be in the table.",
            ", ".join(unknown),
            f"Known: {', '.join(table)}.",
        )
    found = list(
        columns
        or [c for c in COLUMNS if c in table and np.isfinite(table[c].astype(float)).any()][:6]
    )
    if not found or not len(table[found[0]]):
        raise UserError(
            "There must be measured nuclei to draw.",
            f"columns {', '.join(table) or 'none'}" if not found else "an empty table",
            "Measure a label image with at least one nucleus.",
        )
    return found


def _draw_histogram(axes: Axes, values: np.ndarray, *, text: str) -> None:
    values = values.astype(float)
    values = values[np.isfinite(values)]
    style_axes(axes, x=text, y="nuclei")
    axes.hist(values, bins=_choose_bins(values), color=BLUE, edgecolor="white", linewidth=0.4)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    median = float(np.median(values))
    axes.axvline(median, color=ORANGE, linewidth=1.4)
    axes.text(
        median,
        1.0,
        f"median {median:.3g}",
        fontsize=8,
        color=ORANGE,
        transform=axes.get_xaxis_transform(),
        va="bottom",
        ha="center",
    )


def _draw_scatter(axes: Axes, table: Mapping, size: str, brightness: str) -> None:
    style_axes(axes, x=COLUMNS[size], y=f"brightness ({brightness})")
    border = table.get("touches_border", np.zeros(len(table[size]))).astype(bool)
    for chosen, color, text in ((~border, BLUE, "whole"), (border, GREY, "cut by the border")):
        if chosen.any():
            axes.plot(
                table[size][chosen],
                table[brightness][chosen],
                ".",
                color=color,
                alpha=0.6,
                markersize=4,
                label=text,
            )
    if border.any():
        axes.legend(frameon=False, fontsize=7.5, labelcolor=INK)


def _choose_bins(values: np.ndarray) -> np.ndarray | int:
    """Limits of the bars: one for each number where they are few whole ones."""
    if (values == np.round(values)).all() and np.ptp(values) <= 30:
        return np.arange(values.min() - 0.5, values.max() + 1)
    return min(40, max(5, int(np.sqrt(len(values)) * 1.5)))
