"""Scores of a result by IoU threshold, and where on the image its mistakes are."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, zip_longest

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from nbtools.image import Image
from nbtools.metrics.bootstrap import format_interval
from nbtools.metrics.instances import Score, find_mistakes
from nbtools.metrics.overlap import VOID, find_overlap, match_nuclei
from nbtools.show.colors import BLUE, GREEN, GREY, INK, ORANGE
from nbtools.show.comparison import MISTAKES
from nbtools.show.figure import Figure, draw_single, new_figure, shorten, style_axes
from nbtools.show.pictures import as_image
from nbtools.show.scores import confusion, evaluation, find_task
from nbtools.show.views import paint, view
from nbtools.tasks import of_scores

# Hues that colour-blind readers tell apart. The first three add up to AP = TP / (TP + FN + FP); the
# others are the reasons why nuclei are missed or extra.
KINDS = {
    "matched": ("#56b4e9", "matched"),
    "missed": ("#ff5a1f", "missed"),
    "extra": ("#f0e442", "extra"),
    "split": ("#cc79ff", "split: one predicted as several"),
    "merged": ("#00e0a0", "merged: several predicted as one"),
    "outline": ("#a6a6a6", "overlap too small to match"),
}
COUNTED = ("matched", "missed", "extra")


def scores(result: Mapping) -> Figure:
    """Draw AP, precision and recall by IoU threshold, the counts behind them, and kinds of mistake.

    Results of other tasks are drawn with the metrics of their task, several results side by side.

    Parameters
    ----------
    result : what `evaluate` of a task in `nbtools.metrics` returned, the JSON of `nbtools
        evaluate`, or several of these by name.

    Raises
    ------
    UserError : scores of no known task.
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
    """Draw which nuclei match, are missed or are extra, each kind in its colour, with counts.

    The title holds the counts and AP = matched / (matched + missed + extra). Split, merged and too
    little overlap are the reasons why nuclei are missed or extra; they have colours of their own.

    Parameters
    ----------
    image : flat image or volume, axes and size of the labels.
    truth : true label image.
    predicted : predicted label image; its nuclei are drawn on top of the missed true ones.
    iou : overlap (intersection over union, 0 to 1) from which two nuclei match.

    Returns
    -------
    Figure whose `alt` holds the counts.

    Examples
    --------
    >>> one = np.eye(8, dtype=int)
    >>> error_map(one, one, predicted=one).alt
    '1 matched, 0 missed, 0 extra'
    """
    image, truth, predicted = as_image(image), as_image(truth), as_image(predicted)
    label, kinds, counts = sort_nuclei(truth, predicted, iou=iou)
    seen = view(image, truth.replace(pixels=label))
    reasons = [kind for kind in KINDS if counts[kind] and kind not in COUNTED]
    alt = ", ".join(f"{counts[kind]} {kind}" for kind in (*COUNTED, *reasons))
    colors = np.array([(0, 0, 0), *(to_rgb(KINDS[kind][0]) for kind in kinds)])
    figure = draw_single(
        seen,
        alt=alt,
        title=f"{shorten(image.name)}\n{_write_ap(counts, iou)}".strip(),
        rgb=paint(seen.rgb, seen.label, colors=colors, fill=0.35),
        inches=6,
    )
    order = chain.from_iterable(zip_longest(COUNTED, reasons))  # a legend is filled by columns
    handles = [
        Patch(color=KINDS[kind][0], label=f"{counts[kind]}  {KINDS[kind][1]}{_mark(kind)}")
        for kind in filter(None, order)
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
        title="* why nuclei are missed or extra; counted there" if reasons else None,
        title_fontsize=8,
    )
    return figure


def sort_nuclei(
    truth: Image, predicted: Image, *, iou: float = 0.5
) -> tuple[np.ndarray, list[str], dict[str, int]]:
    """Sort the nuclei of two label images into those that match, are missed and are extra.

    Parameters
    ----------
    truth, predicted : label images of one size.
    iou : overlap from which two nuclei match.

    Returns
    -------
    label : predicted nuclei 1..N and, where they leave room, the unmatched true ones after N; -1
        where nobody looked.
    kinds : key of `KINDS` for each of these labels.
    counts : "matched" (TP), "missed" (FN) and "extra" (FP) as in `metrics.instances.score`, and
        their reasons: "split", "merged", and "outline" for the other predictions on nuclei.
    """
    overlap = find_overlap(truth, predicted)
    matched, mistakes = match_nuclei(overlap, overlap.iou, iou=iou), find_mistakes(overlap)
    hit = overlap.predicted_labels[overlap.column[matched]]
    missed = np.delete(overlap.true_labels, overlap.row[matched])
    mostly = (2 * overlap.shared > overlap.predicted_size[overlap.column]) & np.isin(
        overlap.true_labels[overlap.row], mistakes.split
    )
    groups = {
        "matched": hit,
        "extra": mistakes.extra,
        "split": overlap.predicted_labels[overlap.column[mostly]],
        "merged": mistakes.merged,
    }
    kinds = np.full(len(overlap.predicted_labels), "outline", dtype=object)
    for kind, found in groups.items():
        kinds[np.isin(overlap.predicted_labels, found)] = kind
    label = _renumber(predicted.pixels, overlap.predicted_labels)
    behind = _renumber(truth.pixels, missed)
    label = np.where((label == 0) & (behind > 0), behind + len(kinds), label)
    label[(truth.pixels == VOID) | (predicted.pixels == VOID)] = VOID
    counts = {
        "matched": len(hit),
        "missed": len(missed),
        "extra": len(kinds) - len(hit),
        "split": len(mistakes.split),
        "merged": len(mistakes.merged),
        "outline": int((kinds == "outline").sum()),
    }
    return label, [*kinds, *["missed"] * len(missed)], counts


def _mark(kind: str) -> str:
    """Reasons are no further nuclei: they are among those missed and extra."""
    return "" if kind in COUNTED else " *"


def _write_ap(counts: Mapping[str, int], iou: float) -> str:
    """The formula of AP with the counts of one image."""
    tp, fn, fp = (counts[kind] for kind in COUNTED)
    ap = Score(iou, tp=tp, fp=fp, fn=fn).ap
    return (
        f"AP = {tp} matched / ({tp} matched + {fn} missed + {fp} extra) = {ap:.2f} at IoU {iou:g}"
    )


def _renumber(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The given labels renumbered 1..N, all others 0."""
    if not len(labels):
        return np.zeros(pixels.shape, np.int64)
    place = np.minimum(np.searchsorted(labels, pixels), len(labels) - 1)
    return np.where(labels[place] == pixels, place + 1, 0)


def _draw_rates(axes: Axes, result: Mapping) -> None:
    thresholds = sorted(result["pooled"], key=float)
    style_axes(axes, title="Agreement at each IoU threshold", x="IoU threshold")
    for rate, color, text in (
        ("ap", BLUE, "AP"),
        ("precision", ORANGE, "precision"),
        ("recall", GREEN, "recall"),
    ):
        values = [result["pooled"][t].get(rate, np.nan) for t in thresholds]
        axes.plot(
            [float(t) for t in thresholds],
            values,
            color=color,
            linewidth=2.2 if rate == "ap" else 1.1,
            marker="o",
            markersize=3,
            label=text,
        )
    axes.set_ylim(0, 1.02)
    low_high = (result.get("interval_95") or {}).get("mean_ap")
    interval = (
        f"\n{format_interval(low_high, result.get('interval_units'), digits=2)}".replace(
            ", right", "\nright"
        )
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
    for key, kind in zip(("tp", "fn", "fp"), COUNTED, strict=True):
        values = np.array([pooled[t].get(key, 0) for t in thresholds], float)
        axes.bar(thresholds, values, 0.8, bottom=bottom, color=KINDS[kind][0], label=kind)
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
    values = [result.get(key) or 0 for key in MISTAKES]
    colors = [KINDS[kind][0] for kind in ("split", "merged", "missed", "extra")]
    bars = axes.barh(list(MISTAKES.values()), values, 0.6, color=colors)
    axes.bar_label(bars, fontsize=8, padding=3, color=INK)
    axes.set_xlim(0, max([1, *values]) * 1.2)
    axes.invert_yaxis()
    if result.get("missing"):
        axes.text(
            0.98,
            0.03,
            f"images without a prediction: {len(result['missing'])}",
            transform=axes.transAxes,
            fontsize=8,
            color=GREY,
            ha="right",
        )
