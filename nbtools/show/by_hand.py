"""Figures of lesson 05: numbers in pixels, a line between two classes, a way down the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from nbtools.by_hand import Descent, measure_loss
from nbtools.show.colors import BLUE, GREY, INK, ORANGE
from nbtools.show.explained import write_values
from nbtools.show.figure import Figure, new_figure, style_axes

CLASSES = ((0, BLUE, "o"), (1, ORANGE, "^"))
GRID = 61  # points of the hillside along each weight
REACH = 6.0  # weights that the hillside shows at least, on either side of 0


def numbers(
    arrays: Mapping[str, np.ndarray], *, mark: tuple[int, int, int, int] | None = None
) -> Figure:
    """Draw small arrays side by side, with the value written into each pixel.

    Parameters
    ----------
    arrays : title → (H, W); one scale for the size of a pixel, and a grey range for each.
    mark : top, left, height and width of a window that is framed in the first array.

    Examples
    --------
    >>> numbers({"image": np.eye(4), "kernel": np.ones((3, 3))}).alt
    'image 4 x 4, kernel 3 x 3'
    """
    shapes = {name: np.shape(values) for name, values in arrays.items()}
    alt = ", ".join(f"{name} {h} x {w}" for name, (h, w) in shapes.items())
    widths = [max(w, 2) for _, w in shapes.values()]
    tallest = max(h for h, _ in shapes.values())
    figure = new_figure(0.62 * sum(widths) + 0.3, 0.62 * tallest + 0.5, alt=alt)
    grid = figure.subplots(1, len(arrays), width_ratios=widths, squeeze=False)[0]
    for axes, (name, values) in zip(grid, arrays.items(), strict=True):
        values = np.asarray(values, float)
        axes.imshow(values, cmap="Greys_r", vmin=values.min() - 2 * (np.ptp(values) or 1))
        axes.set_title(name, fontsize=9, color=INK)
        axes.set_xticks(np.arange(values.shape[1] + 1) - 0.5, [])
        axes.set_yticks(np.arange(values.shape[0] + 1) - 0.5, [])
        axes.grid(True, color="white", linewidth=1.5)
        axes.tick_params(length=0)
        write_values(axes, values)
    if mark is not None:
        top, left, height, width = mark
        frame = Rectangle((left - 0.5, top - 0.5), width, height)
        frame.set(fill=False, edgecolor=ORANGE, linewidth=3)
        grid[0].add_patch(frame)
    return figure


def decision(
    features: np.ndarray,
    answers: np.ndarray,
    *,
    weights: Sequence[float],
    threshold: float = 0.0,
    names: Sequence[str] = ("feature 1", "feature 2", "class 0", "class 1"),
) -> Figure:
    """Draw two features of each nucleus, and the line where their weighted sum is the threshold.

    Parameters
    ----------
    features : (N, 2).
    answers : (N,) 0 or 1.
    weights : of the two features.
    threshold : above which class 1 is predicted; that side is tinted.
    names : of both features and both classes.

    Examples
    --------
    >>> decision(np.eye(2), np.array([0, 1]), weights=(-1, 1)).alt
    'weighted sum of 2 nuclei, 100 % right'
    """
    features, answers = np.asarray(features, float), np.asarray(answers).astype(int)
    right = np.mean((features @ np.asarray(weights) > threshold) == answers)
    alt = f"weighted sum of {len(features)} nuclei, {right:.0%} right".replace("%", " %")
    figure = new_figure(5.4, 4.2, alt=alt)
    axes = style_axes(figure.subplots(), x=names[0], y=names[1])
    _draw_classes(axes, features, answers, names=names[2:])
    limits = axes.get_xlim(), axes.get_ylim()
    x, y = np.meshgrid(*(np.linspace(*limit, 200) for limit in limits))
    total = weights[0] * x + weights[1] * y - threshold
    axes.contourf(x, y, total, levels=[0, np.inf], colors=[ORANGE], alpha=0.12)
    if total.min() < 0 < total.max():
        axes.contour(x, y, total, levels=[0], colors=[INK], linewidths=1.8)
    axes.set(xlim=limits[0], ylim=limits[1])
    axes.legend(fontsize=8, loc="upper left", labelcolor=INK)
    return figure


def descent(features: np.ndarray, answers: np.ndarray, *, way: Descent) -> Figure:
    """Draw the loss as a hillside over two weights, the way down it, and the loss of each step.

    Parameters
    ----------
    features : (N, 2).
    answers : (N,) 0 or 1.
    way : of `by_hand.descend`, with two weights.

    Examples
    --------
    >>> from nbtools.by_hand import descend
    >>> features, answers = np.array([[1.0, 1.0], [-1.0, 0.0]]), np.array([1, 0])
    >>> way = descend(features, answers, learning_rate=1.0, steps=2)
    >>> descent(features, answers, way=way).alt
    '2 steps down a hillside at a learning rate of 1, loss 0.30'
    """
    steps = len(way.losses) - 1
    alt = f"{steps} steps down a hillside at a learning rate of {way.learning_rate:g}, loss "
    figure = new_figure(9.0, 3.8, alt=f"{alt}{way.losses[-1]:.2f}")
    hill, curve = figure.subplots(1, 2)
    _draw_hillside(hill, features, answers, way=way)
    style_axes(curve, title="Loss after each step", x="step", y="loss")
    curve.plot(way.losses, color=BLUE, marker="o", markersize=3)
    curve.set_ylim(bottom=0)
    return figure


def learning_curves(
    histories: Mapping[str, Mapping[str, Sequence[float]]], *, measure: str = "loss"
) -> Figure:
    """Draw what several trainings did to the images learned from, and to those kept apart.

    Parameters
    ----------
    histories : name → history of Keras: measure → value per epoch, "val_" of those kept apart.
    measure : "loss", or another one of the histories.

    Examples
    --------
    >>> learning_curves({"small": {"loss": [1.0, 0.5], "val_loss": [1.0, 0.8]}}).alt
    'loss of: small'
    """
    figure = new_figure(3.6 * len(histories), 3.0, alt=f"{measure} of: {', '.join(histories)}")
    grid = figure.subplots(1, len(histories), sharey=True, squeeze=False)[0]
    series = ((measure, BLUE, "learned from"), (f"val_{measure}", ORANGE, "kept apart"))
    for axes, (name, history) in zip(grid, histories.items(), strict=True):
        style_axes(axes, title=name, x="epoch", y=measure)
        for key, color, text in series:
            if key in history:
                values = list(history[key])
                axes.plot(range(1, len(values) + 1), values, color=color, label=text)
    lines = chain.from_iterable(axes.lines for axes in grid)
    grid[0].set_ylim(0, 1.05 * max(np.max(line.get_ydata()) for line in lines))
    grid[0].legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def _draw_classes(
    axes: Axes, features: np.ndarray, answers: np.ndarray, *, names: Sequence[str]
) -> None:
    for (answer, color, marker), name in zip(CLASSES, names, strict=True):
        chosen = features[answers == answer]
        axes.scatter(*chosen.T, c=color, marker=marker, s=18, alpha=0.7, linewidths=0, label=name)


def _draw_hillside(axes: Axes, features: np.ndarray, answers: np.ndarray, *, way: Descent) -> None:
    reach = max(REACH, 1.1 * np.abs(way.weights).max())
    ticks = np.linspace(-reach, reach, GRID)
    pairs = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    losses = [measure_loss(features, answers, weights=pair) for pair in pairs]
    height = np.reshape(losses, (GRID, GRID))
    style_axes(axes, title="The hillside", x="first weight", y="second weight")
    levels = axes.contourf(ticks, ticks, height, levels=18, cmap="Greys")
    axes.contour(ticks, ticks, height, levels=18, colors=[GREY], linewidths=0.4)
    bar = axes.figure.colorbar(levels, ax=axes)
    bar.set_label("loss", fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8)
    axes.plot(*way.weights.T, color=ORANGE, marker="o", markersize=3, linewidth=1.2)
    axes.plot(*way.weights[0], "s", color=BLUE, markersize=7)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
