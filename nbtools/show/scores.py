"""Figures of scores: metrics with intervals, precision-recall curves, confusion, calibration."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from nbtools import tasks
from nbtools.errors import UserError
from nbtools.show import comparison
from nbtools.show.colors import BLUE, GREY, INK, METHODS, ORANGE, name_colors
from nbtools.show.figure import Figure, new_figure, shorten, style_axes
from nbtools.show.restoration import denoisers


def find_task(scores: Mapping) -> tasks.Task:
    """The task of scores; a UserError where they are none."""
    task = tasks.of_scores(scores)
    if task is None:
        raise UserError(
            "Scores to show must be those of a task.",
            ", ".join(map(str, scores)) or "nothing",
            "Use `evaluate` of nbtools.metrics.",
        )
    return task


def evaluation(results: Mapping[str, Mapping], *, task: str | None = None) -> Figure:
    """Draw the metrics of a task for several results, with their 95 % intervals.

    For points, precision against recall is drawn as well.

    Parameters
    ----------
    results : name → what `evaluate` of the task returned.
    task : of the scores, where they do not carry it themselves.

    Raises
    ------
    UserError : no results, or not the scores of a task.
    """
    about = tasks.find(task) or find_task(next(iter(results.values()), {}))
    draw = {"compare": comparison.compare, "denoisers": denoisers}.get(
        about.figures.get("evaluation")
    )
    return draw(results) if draw else _draw_metrics(results, about.panels)


def _draw_metrics(results: Mapping[str, Mapping], metrics: tuple[str, ...]) -> Figure:
    """Bars of each metric side by side, and precision against recall where there are curves."""
    curves = {name: one["curve"] for name, one in results.items() if one.get("curve")}
    columns = len(metrics) + bool(curves)
    words = ", ".join(f"{name} {_value(one, metrics[0]):.3f}" for name, one in results.items())
    figure = new_figure(
        2.6 * columns + 1,
        1.5 + 0.36 * len(results) + bool(curves),
        alt=f"{metrics[0]}: {words}",
    )
    axes = np.atleast_1d(figure.subplots(1, columns))
    colors = name_colors(results)
    for place, metric in zip(axes, metrics, strict=False):
        _draw_bars(place, results, metric=metric, colors=colors)
    axes[0].set_yticks(range(len(results)), [shorten(name, 18) for name in results])
    if curves:
        _draw_curves(axes[-1], curves, colors)
    return figure


def confusion(result: Mapping) -> Figure:
    """Draw the confusion matrix, true classes by row, and beside it the calibration curve.

    Parameters
    ----------
    result : what `metrics.classification.evaluate` returned.
    """
    names, counts = result["classes"], np.array(result["confusion"], float)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    sure = result.get("calibration")
    side = 2.2 + 0.5 * len(names)
    figure = new_figure(
        side + (3.4 if sure else 0),
        side,
        alt=f"confusion of {', '.join(names)}: balanced accuracy {result['balanced_accuracy']:.3f}",
    )
    axes = np.atleast_1d(figure.subplots(1, 2 if sure else 1))
    style_axes(axes[0], title="True class by row", x="predicted").grid(False)
    axes[0].imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes[0].set_xticks(range(len(names)), [shorten(n, 14) for n in names], rotation=30, ha="right")
    axes[0].set_yticks(range(len(names)), [shorten(n, 14) for n in names])
    for (row, column), value in np.ndenumerate(counts):
        axes[0].text(
            column,
            row,
            f"{value:.0f}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if share[row, column] > 0.55 else INK,
        )
    if sure:
        _draw_calibration(axes[1], sure)
    return figure


def calibration(result: Mapping) -> Figure:
    """Draw accuracy against predicted probability; a calibrated method lies on the diagonal.

    Parameters
    ----------
    result : what `metrics.classification.evaluate` returned, with probabilities.

    Raises
    ------
    UserError : a result without probabilities.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599.
    """
    if not result.get("calibration"):
        raise UserError(
            "Calibration needs probabilities.",
            "a result without them",
            "Give the probability of each predicted class.",
        )
    figure = new_figure(
        3.6, 3.4, alt=f"calibration: expected error {result['calibration']['ece']:.3f}"
    )
    _draw_calibration(figure.subplots(), result["calibration"])
    return figure


def resolution(found: object, *others: object, names: tuple[str, ...] = ()) -> Figure:
    """Draw Fourier ring correlation by spatial frequency, and where it crosses the threshold.

    Parameters
    ----------
    found, others : what `metrics.frc.measure_resolution` returned.
    names : names of these, for the legend.
    """
    curves = [found, *others]
    texts = [
        f"{r.resolution:.3g} {_format_unit(r.unit)}" if r.resolution else "not found"
        for r in curves
    ]
    figure = new_figure(5.4, 3.2, alt=f"resolution by Fourier ring correlation: {', '.join(texts)}")
    axes = style_axes(
        figure.subplots(),
        title="Fourier ring correlation",
        x=f"spatial frequency (1/{_format_unit(found.unit)})",
        y="correlation",
    )
    axes.axhline(found.threshold, color=GREY, linewidth=1, linestyle="--")
    for i, (one, text) in enumerate(zip(curves, texts, strict=True)):
        axes.plot(
            one.frequency,
            one.correlation,
            color=METHODS[i % len(METHODS)],
            linewidth=1.8,
            label=f"{names[i]}: {text}" if i < len(names) else text,
        )
        if one.resolution:
            axes.axvline(
                1 / one.resolution, color=METHODS[i % len(METHODS)], linewidth=0.9, linestyle=":"
            )
    axes.set_ylim(-0.1, 1.05)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def strata(found: Mapping[str, Mapping[str, list]]) -> Figure:
    """Draw the share of matched nuclei by size, and by contrast, in groups of equal number.

    Parameters
    ----------
    found : name of a method → "size" and "contrast" → what `metrics.strata.stratify` returned.

    Raises
    ------
    UserError : no nuclei.
    """
    kinds = [by for by in ("size", "contrast") if any(one.get(by) for one in found.values())]
    if not kinds:
        raise UserError(
            "There must be nuclei to show.", "none", "Use metrics.strata on labelled images."
        )
    figure = new_figure(
        4.6 * len(kinds),
        3.2,
        alt=f"share of nuclei matched by {' and '.join(kinds)}: {', '.join(found)}",
    )
    labels = {
        "size": "true size (pixels)",
        "contrast": "contrast (background standard deviations)",
    }
    for axes, by in zip(np.atleast_1d(figure.subplots(1, len(kinds))), kinds, strict=True):
        style_axes(axes, title=f"Matched nuclei by {by}", x=labels[by], y="share matched (IoU 0.5)")
        for i, (name, one) in enumerate(found.items()):
            _draw_stratum(
                axes,
                one.get(by) or [],
                color=METHODS[i % len(METHODS)],
                name=name,
                shift=(i - (len(found) - 1) / 2) * 0.12,
            )
        rows = next(one[by] for one in found.values() if one.get(by))
        axes.set_xticks(
            range(len(rows)),
            [f"{_format_limit(r['low'])} – {_format_limit(r['high'])}" for r in rows],
            rotation=20,
            ha="right",
            fontsize=7.5,
        )
        axes.set_ylim(0, 1.03)
    figure.axes[0].legend(frameon=False, fontsize=8, labelcolor=INK, loc="lower right")
    return figure


def _draw_stratum(axes: Axes, rows: list, *, color: str, name: str, shift: float) -> None:
    for place, row in enumerate(rows):
        if row["interval_95"]:
            axes.plot(
                [place + shift] * 2, row["interval_95"], color=color, linewidth=1.4, alpha=0.7
            )
    axes.plot(
        np.arange(len(rows)) + shift,
        [r["found"] for r in rows],
        color=color,
        marker="o",
        markersize=4,
        linewidth=1.2,
        label=shorten(name, 22),
    )


def _draw_bars(axes: Axes, results: Mapping, *, metric: str, colors: Mapping) -> None:
    style_axes(axes, title=tasks.TITLES.get(metric, metric))
    values = [_value(one, metric) for one in results.values()]
    axes.barh(range(len(values)), np.nan_to_num(values), 0.6, color=list(colors.values()))
    for place, (one, value) in enumerate(zip(results.values(), values, strict=True)):
        limits = (one.get("interval_95") or {}).get(metric)
        if limits:
            axes.plot(limits, [place, place], color=INK, linewidth=1.2, marker="|", markersize=6)
        axes.text(
            0.03,
            place,
            "–" if np.isnan(value) else f"{value:.3f}",
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8.5,
            color="white",
            fontweight="bold",
        )
    axes.set_yticks([])
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlim(0, 1)


def _draw_curves(axes: Axes, curves: Mapping, colors: Mapping) -> None:
    style_axes(axes, title="Precision against recall", x="recall", y="precision")
    for name, curve in curves.items():
        axes.plot(
            curve["recall"],
            curve["precision"],
            color=colors[name],
            linewidth=1.8,
            label=shorten(name, 18),
        )
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)


def _draw_calibration(axes: Axes, sure: Mapping) -> None:
    style_axes(
        axes,
        title="Calibration",
        x="predicted probability",
        y="accuracy",
    )
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    predicted, observed = ([b[key] for b in sure["bins"]] for key in ("probability", "accuracy"))
    axes.plot(predicted, observed, color=BLUE, linewidth=1.4)
    most = max(b["count"] for b in sure["bins"])
    axes.scatter(
        predicted,
        observed,
        s=[20 + 120 * b["count"] / most for b in sure["bins"]],
        color=BLUE,
        alpha=0.7,
    )
    axes.set_xlim(0, 1.03)
    axes.set_ylim(0, 1.03)
    axes.text(
        0.04,
        0.94,
        f"calibration error {sure['ece']:.3f}",
        transform=axes.transAxes,
        fontsize=8.5,
        color=ORANGE,
    )


def _value(result: Mapping, metric: str) -> float:
    value = result.get(metric)
    return float("nan") if value is None else float(value)


def _format_limit(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2g}"


def _format_unit(unit: str) -> str:
    return {"um": "µm"}.get(unit, unit)
