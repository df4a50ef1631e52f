"""The course of a training, afterwards and while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes

from nbtools.errors import UserError
from nbtools.show.colors import BLUE, GREY, INK, ORANGE
from nbtools.show.figure import Figure, make_logarithmic, new_figure, style_axes

LIVE_SHARE = 0.03  # of the time that drawing may take from training
LOSSES = (("loss", BLUE, "training"), ("val_loss", ORANGE, "validation"))


def training(history: object) -> Figure:
    """Draw loss and validation loss, on a linear and a logarithmic axis, and the learning rate.

    Parameters
    ----------
    history : a History, or its rows: mappings with epoch, loss, and where known val_loss and lr.

    Raises
    ------
    UserError : no finished epoch.

    Examples
    --------
    >>> training([{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 0.5}]).alt
    'training curve over 2 epochs'
    """
    rows = _require_rows(history)
    columns = 3 if "lr" in rows[0] else 2
    figure = new_figure(3.6 * columns, 3.0, alt=f"training curve over {len(rows)} epochs")
    axes = figure.subplots(1, columns)
    _draw_loss(axes[0], rows, title="Loss")
    _draw_loss(axes[1], rows, title="Loss, logarithmic", legend=False)
    losses = [*_select_series(rows, "loss")[1], *_select_series(rows, "val_loss")[1]]
    if min(losses) > 0:
        make_logarithmic(axes[1])
    if columns == 3:
        style_axes(axes[2], title="Learning rate", x="epoch")
        axes[2].plot(*_select_series(rows, "lr"), color=GREY, linewidth=1.6)
        axes[2].set_ylim(bottom=0)
    return figure


def training_curve() -> TrainingCurve:
    """Make a training callback that redraws the loss in a notebook and predicts the time left.

    Outside of a notebook it draws nothing.

    Examples
    --------
    >>> plan = TrainingPlan(callbacks=(training_curve(),))  # doctest: +SKIP
    """
    return TrainingCurve()


class TrainingCurve:
    """Callback of a training: draws the loss, seldom enough not to slow the training down.

    Parameters
    ----------
    put : function that takes each new figure, as a widget does; without it, the figure appears
        below the cell of a notebook.
    """

    def __init__(self, put: Callable[[Figure], None] | None = None):
        self.rows: list[dict] = []
        self.steps: list[tuple[int, float]] = []
        self.progress = 0.0
        self.started = self.drawn = time.monotonic()
        self.pause, self.put = 1.0, put
        self.display, self.handle = find_display(), None

    def on_step(self, step: int, logs: Mapping) -> None:
        """Take the result of a batch: step counts from 1; logs hold loss and progress (0 to 1)."""
        self.steps.append((step, float(logs.get("loss", np.nan))))
        self.progress = float(logs.get("progress", self.progress))
        if time.monotonic() - self.drawn > self.pause:
            self._redraw()

    def on_epoch(self, epoch: int, logs: Mapping) -> None:
        """Take the result of an epoch: logs hold loss, val_loss and step."""
        self.rows.append(
            {"epoch": epoch, "step": self.steps[-1][0] if self.steps else epoch, **logs}
        )
        if (
            time.monotonic() - self.drawn > self.pause
            or self.progress >= 0.999
            or len(self.rows) == 1
        ):
            self._redraw()

    def draw(self) -> Figure:
        """Draw the curve so far: steps as a thin line, the means of epochs as thick ones."""
        figure = new_figure(7.2, 3.0, alt=self.describe())
        axes = style_axes(figure.subplots(), title=self.describe(), x="step", y="loss")
        if self.steps:
            steps, losses = np.array(self.steps).T
            axes.plot(steps, losses, color=BLUE, alpha=0.25, linewidth=0.8)
        for name, color, text in LOSSES:
            found = [(row["step"], row[name]) for row in self.rows if row.get(name) is not None]
            if found:
                axes.plot(
                    *zip(*found, strict=True),
                    color=color,
                    linewidth=1.8,
                    marker="o",
                    markersize=3,
                    label=text,
                )
        losses = [value for _, value in self.steps if np.isfinite(value)]
        if losses and min(losses) > 0:
            make_logarithmic(axes)
        if self.rows:
            axes.legend(frameon=False, fontsize=8, labelcolor=INK)
        return figure

    def describe(self) -> str:
        """Describe in words how far the training is, with the estimated time left.

        Examples
        --------
        >>> TrainingCurve().describe()
        'Starting: the first steps take longest'
        """
        if not self.steps:
            return "Starting: the first steps take longest"
        spent = time.monotonic() - self.started
        epoch = f"epoch {self.rows[-1]['epoch']} · " if self.rows else ""
        if not 0.01 < self.progress < 0.999:
            return f"{epoch}step {self.steps[-1][0]} · {format_duration(spent)}"
        left = spent * (1 - self.progress) / self.progress
        return (
            f"{epoch}step {self.steps[-1][0]} · {self.progress:.0%} · "
            f"{format_duration(spent)} elapsed, about {format_duration(left)} left"
        )

    def _redraw(self) -> None:
        if self.put is None and self.display is None:
            return
        begin = time.monotonic()
        if self.put is not None:
            self.put(self.draw())
        elif self.handle is None:
            self.handle = self.display(self.draw(), display_id=True)
        else:
            self.handle.update(self.draw())
        self.drawn = time.monotonic()
        self.pause = max(1.0, (self.drawn - begin) / LIVE_SHARE)


def find_display() -> object | None:
    """IPython's display function in a notebook, None elsewhere."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return None
    return display if getattr(get_ipython(), "kernel", None) is not None else None


def format_duration(seconds: float) -> str:
    """Format seconds in hours, minutes and seconds: 75 becomes "1 min 15 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _draw_loss(axes: Axes, rows: list[dict], *, title: str, legend: bool = True) -> None:
    style_axes(axes, title=title, x="epoch")
    for name, color, text in LOSSES:
        x, y = _select_series(rows, name)
        if len(x):
            axes.plot(
                x,
                y,
                color=color,
                linewidth=1.6,
                marker="o" if len(x) < 25 else "",
                markersize=3,
                label=text,
            )
    epochs, validation = _select_series(rows, "val_loss")
    if len(epochs):
        best = int(np.nanargmin(validation))
        axes.plot(
            epochs[best],
            validation[best],
            label=f"best: epoch {epochs[best]:g}",
            marker="o",
            markersize=9,
            markerfacecolor="none",
            color=ORANGE,
            linestyle="none",
        )
    if legend:
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)


def _select_series(rows: list[dict], name: str) -> tuple[np.ndarray, np.ndarray]:
    found = [
        (row.get("epoch", i + 1), row[name])
        for i, row in enumerate(rows)
        if row.get(name) is not None
    ]
    return tuple(np.array(found, float).reshape(-1, 2).T)


def _require_rows(history: Iterable[Mapping] | object) -> list[dict]:
    rows = [dict(row) for row in getattr(history, "rows", history)]
    rows = [row for row in rows if row.get("loss") is not None]
    if not rows:
        raise UserError(
            "A training curve needs at least one finished epoch.", "none", "Train longer."
        )
    return rows
