"""Differences between methods with their intervals."""

from __future__ import annotations

from collections.abc import Mapping

from nbtools.errors import UserError
from nbtools.metrics.bootstrap import name_interval
from nbtools.show.colors import BLUE, GREY, INK, ORANGE
from nbtools.show.figure import Figure, draw_interval, new_figure, style_axes
from nbtools.tasks import TITLES


def differences(compared: Mapping, *, metric: str | None = None) -> Figure:
    """Draw the difference of a metric between each pair of methods, with its 95 % interval.

    An interval that does not contain 0 is coloured: blue for better, orange for worse; grey where
    there are too few images or groups for a 95 % interval.

    Parameters
    ----------
    compared : what `metrics.compare.compare` returned, or the JSON of `nbtools compare`.
    metric : one of its `metrics`; by default the first, which ranks the methods.

    Raises
    ------
    UserError : no differences of this metric.
    """
    metric = metric or next(iter(compared.get("metrics", ())), "mean_ap")
    rows = [d for d in compared.get("differences", ()) if d["metric"] == metric]
    if not rows:
        raise UserError(
            "There must be differences to show.",
            f"none of {metric!r}",
            "Use the result of metrics.compare.compare.",
        )
    text = "; ".join(f"{d['method']} against {d['against']} {d['difference']:+.3f}" for d in rows)
    figure = new_figure(7.5, 1.1 + 0.36 * len(rows), alt=f"difference of {metric}: {text}")
    unit = f"{compared['units']} {compared['paired_over']}"
    name = name_interval({"count": compared["units"], "drawn": compared["paired_over"]})
    axes = style_axes(
        figure.subplots(),
        title=f"Difference of {TITLES.get(metric, metric)}, paired over {unit}",
        x=name,
    )
    axes.axvline(0, color=INK, linewidth=0.9)
    for place, d in enumerate(rows):
        better = (d["difference"] > 0) != (metric in compared.get("smaller_is_better", ()))
        color = GREY if not d["clear"] else BLUE if better else ORANGE
        draw_interval(
            axes,
            place,
            value=d["difference"],
            interval=d["interval_95"],
            color=color,
            text="{:+.3f}",
        )
    axes.set_yticks(range(len(rows)), [f"{d['method']} – {d['against']}" for d in rows])
    axes.set_ylim(len(rows) - 0.4, -0.7)
    return figure
