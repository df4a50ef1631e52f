"""Groups of nuclei side by side, and their difference with its interval."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics.statistics import compare_groups
from nbtools.metrics.table_values import read_names, read_numbers
from nbtools.metrics.unit_statistics import find_known
from nbtools.show.colors import BLUE, GREY, INK, METHODS, ORANGE
from nbtools.show.figure import Figure, draw_single, new_figure, style_axes
from nbtools.show.pictures import as_image
from nbtools.show.tables import COLUMNS
from nbtools.show.text import RichText
from nbtools.show.text import table as show_table
from nbtools.show.views import paint, view

MOST_DOTS = 600  # nuclei drawn for each group; more would only hide each other


def groups(
    table: Mapping,
    column: str,
    *,
    group: str,
    unit: str | None,
    method: str = "units",
    reference: str | None = None,
) -> Figure:
    """Draw nuclei as dots, the means of units as discs, and the difference of the groups.

    Parameters
    ----------
    table : column to values, one per nucleus.
    column : measurement to compare.
    group, unit : columns of the group and of the independent unit (plant, animal, well); with unit
        None no discs are drawn.
    method, reference : as `metrics.statistics.compare_groups` takes them.

    References
    ----------
    Lord et al. 2020, doi:10.1083/jcb.202001064 (dots and discs).
    Ho et al. 2019, doi:10.1038/s41592-019-0470-3 (difference beside the data).
    """
    compared = compare_groups(
        table, column, group=group, unit=unit, method=method, reference=reference
    )
    names = list(compared["groups"])
    text = "; ".join(_describe_difference(row) for row in compared["rows"])
    figure = new_figure(4.2 + 1.1 * len(names), 3.6, alt=f"{column} of {', '.join(names)}: {text}")
    left, right = figure.subplots(1, 2, width_ratios=(0.9 + 0.8 * len(names), 1.6))
    _draw_dots(left, table, column=column, group=group, unit=unit, names=names)
    _draw_differences(right, compared)
    if compared["notes"]:
        note = "\n".join(textwrap.fill(text, 100) for text in compared["notes"])
        figure.supxlabel(note, fontsize=8, color=ORANGE, ha="left", x=0.01)
    return figure


def group_table(compared: Mapping) -> RichText:
    """Show compared groups as a table: difference, ratio, p and effect size per column and group.

    Parameters
    ----------
    compared : what `metrics.statistics.compare_groups` returned.
    """
    lines = []
    for row in compared["rows"]:
        share = "" if row["icc"] is None else f"{100 * row['icc']:.0f} %"
        lines.append(
            {
                "column": row["column"],
                "groups": f"{row['group']} – {row['against']}",
                "difference": _format_interval(row["difference"], row["interval_95"]),
                "ratio": _format_interval(row["ratio"], row["ratio_interval_95"]),
                "p": row["p"],
                "p, Holm": row["p_holm"],
                "Hedges' g": _format_interval(row["hedges_g"], row["hedges_g_interval_95"]),
                f"share of variance between {compared['unit']}s": share,
            }
        )
    shown = show_table({name: [line[name] for line in lines] for name in lines[0]})
    return shown.add_words(compared.get("notes") or ())


def highlight(image: Image, label: Image, *, labels: Sequence[int]) -> Figure:
    """Outline some nuclei of a label image on the image.

    Parameters
    ----------
    image, label : image and label image of one size.
    labels : numbers of the nuclei, as in the column `label` of a table.

    Raises
    ------
    UserError : a number that the label image does not hold.
    """
    label, chosen = as_image(label), np.unique(np.asarray(labels, int).ravel())
    missing = np.setdiff1d(chosen, label.pixels)
    if missing.size or not chosen.size:
        raise UserError(
            "Nuclei to show must be in the label image.",
            ", ".join(map(str, missing[:5])) or "none",
            "Give numbers of the column label of this image.",
        )
    seen = view(
        as_image(image),
        label.replace(pixels=np.where(np.isin(label.pixels, chosen), label.pixels, 0)),
    )
    title = (
        f"{len(chosen)} of {np.count_nonzero(np.unique(label.pixels))} nuclei: "
        f"{', '.join(map(str, chosen[:6]))}"
    )
    return draw_single(
        seen,
        alt=title,
        title=title + (" …" if len(chosen) > 6 else ""),
        rgb=paint(seen.rgb, seen.label),
    )


def _draw_dots(
    axes: Axes, table: Mapping, *, column: str, group: str, unit: str | None, names: list[str]
) -> None:
    values, of_group = read_numbers(table, column), read_names(table[group])
    known, _ = find_known(table, values, columns=(column, group, unit))
    style_axes(
        axes,
        title=f"dots: nuclei{'' if unit is None else f'; discs: mean per {unit}'}",
        y=COLUMNS.get(column, column),
    )
    rng = np.random.default_rng(0)
    for place, name in enumerate(names):
        rows = np.flatnonzero((of_group == name) & known)
        color, few = METHODS[place % len(METHODS)], rng.permutation(rows)[:MOST_DOTS]
        axes.plot(
            place + rng.uniform(-0.32, 0.32, len(few)),
            values[few],
            ".",
            color=color,
            alpha=0.25,
            markersize=4,
            markeredgewidth=0,
        )
        means = [values[rows].mean()]
        if unit is not None:
            of_unit = read_names(table[unit])[rows]
            means = [values[rows][of_unit == one].mean() for one in np.unique(of_unit)]
            beside = np.linspace(-0.22, 0.22, len(means)) if len(means) > 1 else [0]
            axes.plot(
                place + np.asarray(beside),
                means,
                "o",
                color=color,
                markersize=8,
                markeredgecolor="white",
            )
        axes.plot([place - 0.36, place + 0.36], [np.mean(means)] * 2, color=INK, linewidth=1.6)
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)


def _draw_differences(axes: Axes, compared: Mapping) -> None:
    units = " and ".join(str(one["units"]) for one in compared["groups"].values())
    word = "nuclei" if compared["unit"] == "nucleus" else f"{compared['unit']}s"
    style_axes(
        axes, title=f"difference from {compared['reference']}", x=f"95 % interval; {units} {word}"
    )
    axes.axhline(0, color=INK, linewidth=0.9)
    for place, row in enumerate(compared["rows"]):
        low, high = row["interval_95"]
        color = GREY if low <= 0 <= high else BLUE if row["difference"] > 0 else ORANGE
        axes.plot([place, place], [low, high], color=color, linewidth=2.4, solid_capstyle="butt")
        axes.plot([place], [row["difference"]], "o", color=color, markersize=7)
        axes.annotate(
            _describe_difference(row).replace(": ", "\n"),
            (place, row["difference"]),
            (10, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_xticks([])
    axes.set_xlim(-0.4, len(compared["rows"]) + 0.4)
    axes.margins(y=0.15)


def _format_interval(value: float | None, interval: Sequence[float] | None) -> str:
    """A value with its 95 % interval: "1.1 (1.02 to 1.19)"."""
    if value is None:
        return ""
    return f"{value:.3g}" + (f" ({interval[0]:.3g} to {interval[1]:.3g})" if interval else "")


def _describe_difference(row: Mapping) -> str:
    """A difference in words: "mutant: +9.8 %, p 0.012"."""
    amount = (
        f"{row['difference']:+.3g}"
        if row["ratio"] is None
        else f"{100 * (row['ratio'] - 1):+.1f} %"
    )
    return f"{row['group']}: {amount}, p {row['p']:.2g}"
