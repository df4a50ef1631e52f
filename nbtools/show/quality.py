"""How good a result is: scores against the threshold, and where on the image the mistakes are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from nbtools.image import Image
from nbtools.metrics.instances import find_mistakes
from nbtools.metrics.overlap import find_overlap, match_nuclei
from nbtools.show.colors import BLUE, GREEN, GREY, INK, ORANGE
from nbtools.show.figure import Figure, draw_view, new_figure, new_grid, shorten, style_axes
from nbtools.show.pictures import as_image
from nbtools.show.scores import confusion, evaluation, find_task
from nbtools.show.views import paint, view
from nbtools.tasks import of_scores

# In the order in which one covers the other; hues that colour-blind readers tell apart, the
# unremarkable ones pale.
KINDS = {
    "poor": ("#a6a6a6", "outline too different"),
    "hit": ("#56b4e9", "found"),
    "extra": ("#f0e442", "extra: nothing is there"),
    "split": ("#cc79ff", "split: one found as several"),
    "merged": ("#00e0a0", "merged: several found as one"),
    "missed": ("#ff5a1f", "missed"),
}
LEGEND = ("hit", "missed", "extra", "split", "merged", "poor")


def scores(result: Mapping) -> Figure:
    """AP, precision and recall by IoU threshold; nuclei found, missed and invented; kinds of
    mistake; of other tasks, their metrics.

    result : what `evaluate` of a task in `nbtools.metrics` returns, or the JSON of `nbtools
        evaluate`; or several of these by name, which are drawn side by side.
    """
    if result and all(isinstance(one, Mapping) and of_scores(one) for one in result.values()):
        return evaluation(result)
    draw = {"rates": _draw_instances, "confusion": confusion}.get(
        find_task(result).figures.get("scores")
    )
    return draw(result) if draw else evaluation({"result": result})


def _draw_instances(result: Mapping) -> Figure:
    """AP, precision and recall by IoU threshold; counts; kinds of mistake."""
    figure = new_figure(
        11,
        3.2,
        alt=(
            f"mean AP {result.get('mean_ap', float('nan')):.3f} over {result.get('images', '?')} "
            "images"
        ),
    )
    axes = figure.subplots(1, 3, width_ratios=(1.3, 1.1, 1))
    _draw_rates(axes[0], result)
    _draw_counts(axes[1], result["pooled"])
    _draw_mistakes(axes[2], result)
    return figure


def error_map(image: Image, truth: Image, *, predicted: Image, iou: float = 0.5) -> Figure:
    """Which nuclei were found, missed, invented, split or merged: each kind in its colour, with
    counts.

    Missed nuclei are drawn as they truly are, all others as they were predicted.
    iou : overlap (intersection over union) from which a nucleus counts as found.
    """
    image, truth, predicted = as_image(image), as_image(truth), as_image(predicted)
    label, kinds, counts = sort_nuclei(truth, predicted, iou=iou)
    seen = view(image, truth.replace(pixels=label))
    said = {kind: n for kind in LEGEND if (n := counts[kind]) or kind in LEGEND[:3]}
    alt = ", ".join(f"{n} {kind}" for kind, n in said.items())
    figure, [axes] = new_grid([seen], 1, alt=alt, inches=6)
    colors = np.array([(0, 0, 0), *(_rgb(KINDS[kind][0]) for kind in kinds)])
    title = (
        f"{shorten(image.name)} · nuclei that match at IoU {iou:g}"
        if image.name
        else f"Nuclei that match at IoU {iou:g}"
    )
    draw_view(axes, seen, title=title, rgb=paint(seen.rgb, seen.label, colors=colors, fill=0.35))
    handles = [
        Patch(color=KINDS[kind][0], label=f"{n}  {KINDS[kind][1]}") for kind, n in said.items()
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
    )
    return figure


def sort_nuclei(
    truth: Image, predicted: Image, *, iou: float = 0.5
) -> tuple[np.ndarray, list[str], dict[str, int]]:
    """The nuclei to draw, and of which kind each is.

    Returns a label array 1..N of predicted nuclei and, behind them, missed true ones; the kind of
    each; and the counts that `metrics.instances` gives: matches, splits, merges, missed and extra
    nuclei, and predictions that are none of these ("poor").
    """
    overlap = find_overlap(truth, predicted)
    matched, mistakes = match_nuclei(overlap, overlap.iou, iou=iou), find_mistakes(overlap)
    mostly = (2 * overlap.shared > overlap.predicted_size[overlap.column]) & np.isin(
        overlap.true_labels[overlap.row], mistakes.split
    )
    groups = {"hit": overlap.predicted_labels[overlap.column[matched]], "extra": mistakes.extra}
    groups |= {"split": overlap.predicted_labels[overlap.column[mostly]], "merged": mistakes.merged}
    kinds = np.full(len(overlap.predicted_labels), "poor", dtype=object)
    for kind, found in groups.items():
        kinds[np.isin(overlap.predicted_labels, found)] = kind
    label = _number(predicted.pixels, overlap.predicted_labels)
    behind = _number(truth.pixels, mistakes.missed)
    label = np.where((label == 0) & (behind > 0), behind + len(kinds), label)
    counts = {"hit": int(matched.sum()), "poor": int((kinds == "poor").sum())}
    counts |= {
        kind: len(getattr(mistakes, kind)) for kind in ("missed", "extra", "split", "merged")
    }
    return label, [*kinds, *["missed"] * len(mistakes.missed)], counts


def _number(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The given labels renumbered 1..N, all others 0."""
    if not len(labels):
        return np.zeros(pixels.shape, np.int64)
    place = np.minimum(np.searchsorted(labels, pixels), len(labels) - 1)
    return np.where(labels[place] == pixels, place + 1, 0)


def _draw_rates(axes: Axes, result: Mapping) -> None:
    thresholds = sorted(result["pooled"], key=float)
    style_axes(axes, title="Agreement by how strictly one asks", x="IoU threshold")
    for rate, color, words in (
        ("ap", BLUE, "AP"),
        ("precision", ORANGE, "precision"),
        ("recall", GREEN, "recall"),
    ):
        values = [result["pooled"][t].get(rate, np.nan) for t in thresholds]
        width = 2.2 if rate == "ap" else 1.1
        axes.plot(
            [float(t) for t in thresholds],
            values,
            color=color,
            linewidth=width,
            marker="o",
            markersize=3,
            label=words,
        )
    axes.set_ylim(0, 1.02)
    low_high = (result.get("interval_95") or {}).get("mean_ap")
    interval = (
        f" (95 %: {low_high[0]:.2f} to {low_high[1]:.2f})"
        if low_high and result.get("images", 2) > 1
        else ""
    )
    title = f"mean AP {result['mean_ap']:.3f}{interval}" if "mean_ap" in result else None
    axes.legend(
        frameon=False, fontsize=8, labelcolor=INK, loc="lower left", title=title, title_fontsize=8.5
    )


def _draw_counts(axes: Axes, pooled: Mapping) -> None:
    thresholds = sorted(pooled, key=float)
    style_axes(axes, title="Nuclei", x="IoU threshold")
    bottom = np.zeros(len(thresholds))
    for key, kind, words in (
        ("tp", "hit", "found"),
        ("fn", "missed", "not found"),
        ("fp", "extra", "predicted in vain"),
    ):
        values = np.array([pooled[t].get(key, 0) for t in thresholds], float)
        axes.bar(thresholds, values, 0.8, bottom=bottom, color=KINDS[kind][0], label=words)
        bottom += values
    axes.tick_params(axis="x", labelsize=7)
    axes.set_ylim(0, max(1.0, bottom.max()) * 1.3)
    axes.legend(
        frameon=False,
        fontsize=8,
        labelcolor=INK,
        ncols=3,
        loc="upper left",
        columnspacing=0.8,
        handlelength=1.0,
    )


def _draw_mistakes(axes: Axes, result: Mapping) -> None:
    style_axes(axes, title="Kinds of mistake", x="nuclei")
    kinds = [("splits", "split"), ("merges", "merged"), ("missed", "missed"), ("extra", "extra")]
    values = [result.get(key, 0) or 0 for key, _ in kinds]
    bars = axes.barh(
        [KINDS[k][1].split(":")[0] for _, k in kinds],
        values,
        0.6,
        color=[KINDS[k][0] for _, k in kinds],
    )
    axes.bar_label(bars, fontsize=8, padding=3, color=INK)
    axes.set_xlim(0, max([1, *values]) * 1.2)
    axes.invert_yaxis()
    if result.get("missing"):
        words = f"images without prediction: {len(result['missing'])}"
        axes.text(0.98, 0.03, words, transform=axes.transAxes, fontsize=8, color=GREY, ha="right")


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
