"""Two widgets of lesson 05: weights set by hand, and a learning rate for the way down the loss."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import numpy as np

from nbtools import by_hand, show
from nbtools.widgets.common import STYLE, WIDE, format_note, make_html, make_picture, with_class

RATES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
NAMES = ("feature 1", "feature 2", "class 0", "class 1")


def weigh(
    features: np.ndarray, answers: np.ndarray, *, names: Sequence[str] = NAMES
) -> WeightedSum:
    """Make sliders for two weights and a threshold, and see which nuclei they tell apart.

    Parameters
    ----------
    features : (N, 2) measurements, on a common scale.
    answers : (N,) 0 or 1.
    names : of both features and both classes.

    Examples
    --------
    >>> weigh(np.eye(2), np.array([0, 1])).value
    (1.0, 0.0, 0.0)
    """
    return WeightedSum(features, answers, names=names)


class WeightedSum(ipywidgets.VBox):
    """The widget of `weigh`; `value` holds both weights and the threshold."""

    def __init__(self, features: np.ndarray, answers: np.ndarray, *, names: Sequence[str]):
        self.features, self.answers, self.names = features, answers, tuple(names)
        self.first = _make_slider("weight 1", 1.0, "nb-weigh-first")
        self.second = _make_slider("weight 2", 0.0, "nb-weigh-second")
        self.threshold = _make_slider("threshold", 0.0, "nb-weigh-threshold")
        self.status = make_html("nb-weigh-status")
        self.picture = make_picture("nb-weigh-picture", 540)
        controls = [self.first, self.second, self.threshold]
        for control in controls:
            control.observe(lambda _: self.draw(), "value")
        super().__init__([*controls, self.status, self.picture])
        self.add_class("nb-weigh")
        self.draw()

    @property
    def value(self) -> tuple[float, float, float]:
        """Both weights, and the threshold."""
        return (self.first.value, self.second.value, self.threshold.value)

    @property
    def share_right(self) -> float:
        """Share of the nuclei that are told right, 0 to 1."""
        *weights, threshold = self.value
        above = np.asarray(self.features) @ weights > threshold
        return float(np.mean(above == np.asarray(self.answers).astype(bool)))

    def draw(self) -> None:
        """Draw the nuclei and the line of the current weights."""
        *weights, threshold = self.value
        self.status.value = format_note(f"{100 * self.share_right:.0f} % of the nuclei are right")
        settings = {"weights": weights, "threshold": threshold, "names": self.names}
        self.picture.value = show.to_png(show.decision(self.features, self.answers, **settings))


def descend(
    features: np.ndarray,
    answers: np.ndarray,
    *,
    start: tuple[float, float] = (4.0, 4.0),
    steps: int = 30,
) -> Hillside:
    """Make sliders for learning rate and steps, and see the way down the loss.

    Parameters
    ----------
    features : (N, 2) measurements, on a common scale.
    answers : (N,) 0 or 1.
    start : both weights before the first step.
    steps : at most.

    Examples
    --------
    >>> descend(np.eye(2), np.array([0, 1])).value
    0.1
    """
    return Hillside(features, answers, start=start, steps=steps)


class Hillside(ipywidgets.VBox):
    """The widget of `descend`; `value` is the learning rate, `way` the descent that is drawn."""

    def __init__(
        self,
        features: np.ndarray,
        answers: np.ndarray,
        *,
        start: tuple[float, float],
        steps: int,
    ):
        self.features, self.answers, self.start = features, answers, start
        self.rate = ipywidgets.SelectionSlider(
            options=[(f"{rate:g}", rate) for rate in RATES],
            value=0.1,
            description="learning rate",
            continuous_update=False,
            layout=WIDE,
            style=STYLE,
        )
        self.steps = ipywidgets.IntSlider(
            value=steps,
            min=1,
            max=steps,
            description="steps",
            continuous_update=False,
            layout=WIDE,
            style=STYLE,
        )
        with_class(self.rate, "nb-descend-rate")
        with_class(self.steps, "nb-descend-steps")
        self.status = make_html("nb-descend-status")
        self.picture = make_picture("nb-descend-picture", 820)
        for control in (self.rate, self.steps):
            control.observe(lambda _: self.draw(), "value")
        super().__init__([self.rate, self.steps, self.status, self.picture])
        self.add_class("nb-descend")
        self.draw()

    @property
    def value(self) -> float:
        """The learning rate."""
        return self.rate.value

    def draw(self) -> None:
        """Walk down with the current learning rate, and draw the way."""
        settings = {"learning_rate": self.value, "steps": self.steps.value, "start": self.start}
        self.way = by_hand.descend(self.features, self.answers, **settings)
        first, *_, last = self.way.losses
        self.status.value = format_note(f"loss {first:.2f} before, {last:.2f} after")
        figure = show.descent(self.features, self.answers, way=self.way)
        self.picture.value = show.to_png(figure)


def _make_slider(text: str, value: float, name: str) -> ipywidgets.FloatSlider:
    """A slider of a weight."""
    slider = ipywidgets.FloatSlider(
        value=value,
        min=-3,
        max=3,
        step=0.1,
        description=text,
        continuous_update=False,
        layout=WIDE,
        style=STYLE,
    )
    return with_class(slider, name)
