"""Scores of several instance segmentation methods side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from nbtools.metrics.bootstrap import name_interval
from nbtools.show.colors import GREY, INK, name_colors
from nbtools.show.figure import Figure, new_figure, style_axes

# Keys of an instance score, and their names: a nucleus of which most is covered by no prediction is
# missed entirely; a prediction of which most lies on no nucleus is extra on background.
MISTAKES = {
    "splits": "split",
    "merges": "merged",
    "missed": "missed\nentirely",
    "extra": "extra on\nbackground",
}


def compare(results: Mapping[str, Mapping]) -> Figure:
    """Draw AP by IoU threshold, mean AP with its interval, and kinds of mistake of several results.

    Parameters
    ----------
    results : name of each result to what `metrics.instances.evaluate` returned for it, all on the
        same images.
    """
    text = ", ".join(
        f"{name} {one.get('mean_ap', float('nan')):.3f}" for name, one in results.items()
    )
    figure = new_figure(11, 3.2 + 0.16 * max(0, len(results) - 3), alt=f"mean AP: {text}")
    axes = figure.subplots(1, 3, width_ratios=(1.2, 1, 1.2))
    colors = name_colors(results)
    _draw_ap(axes[0], results, colors)
    _draw_mean(axes[1], results, colors)
    _draw_kinds(axes[2], results, colors)
    axes[0].legend(frameon=False, fontsize=8, labelcolor=INK, loc="lower left")
    return figure


def _draw_ap(axes: Axes, results: Mapping, colors: Mapping) -> None:
    style_axes(axes, title="AP at each IoU threshold", x="IoU threshold")
    for name, one in results.items():
        thresholds = sorted(one["pooled"], key=float)
        axes.plot(
            [float(t) for t in thresholds],
            [one["pooled"][t]["ap"] for t in thresholds],
            color=colors[name],
            linewidth=2,
            marker="o",
            markersize=3,
            label=name,
        )
    axes.set_ylim(0, 1.02)


def _draw_mean(axes: Axes, results: Mapping, colors: Mapping) -> None:
    style_axes(axes, title="Mean AP")
    names = list(results)
    values = [results[n].get("mean_ap", np.nan) for n in names]
    bars = axes.barh(names, values, 0.6, color=[colors[n] for n in names])
    for bar, name, value in zip(bars, names, values, strict=True):
        low_high = (results[name].get("interval_95") or {}).get("mean_ap")
        middle = bar.get_y() + bar.get_height() / 2
        if low_high and results[name].get("images", 2) > 1:
            axes.plot(
                low_high, [middle, middle], color=INK, linewidth=1.2, marker="|", markersize=6
            )
        axes.text(
            0.02,
            middle,
            f"{value:.3f}",
            va="center",
            fontsize=8.5,
            color="white",
            fontweight="bold",
        )
    axes.set_yticks([])
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    if all(one.get("images", 2) > 1 for one in results.values()):
        name = name_interval(next(iter(results.values())).get("interval_units"))
        axes.set_xlabel(f"lines: {name}".replace(", right", "\nright"), fontsize=8, color=GREY)


def _draw_kinds(axes: Axes, results: Mapping, colors: Mapping) -> None:
    style_axes(axes, title="Kinds of mistake", y="nuclei")
    width = 0.8 / len(results)
    for i, (name, one) in enumerate(results.items()):
        places = np.arange(len(MISTAKES)) + (i - (len(results) - 1) / 2) * width
        bars = axes.bar(places, _count_mistakes(one), width * 0.92, color=colors[name])
        axes.bar_label(bars, fontsize=7.5, color=INK, padding=1)
    axes.set_xticks(range(len(MISTAKES)), list(MISTAKES.values()))
    most = max(max(_count_mistakes(one)) for one in results.values())
    axes.set_ylim(0, max(1, most) * 1.15)


def _count_mistakes(result: Mapping) -> list[int]:
    return [result.get(key) or 0 for key in MISTAKES]
