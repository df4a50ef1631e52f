"""Choose what a training begins with: shipped weights, a model of one's own, or nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import ipywidgets

from nbtools import config, methods, runtime, tasks
from nbtools.data import DataSet
from nbtools.io.folders import hash_file
from nbtools.methods.persistence import read_about
from nbtools.widgets.common import STYLE, WIDE, format_note, make_dropdown, make_html, with_class
from nbtools.widgets.form import Form, form

if TYPE_CHECKING:
    from nbtools.methods import Method
    from nbtools.training import TrainingPlan

NOTHING = "nothing: random weights, many labels needed"
MINUTES = 2.0


def pick_start(images: DataSet, *, weights: str = "nuclei2d") -> StartPicker:
    """Make menus of weights to begin with and of methods, and the form of the method's settings.

    Parameters
    ----------
    images : to be learned from; their dimension and channels decide which weights fit.
    weights : that are chosen first, where they fit.

    Examples
    --------
    >>> start = pick_start(train)  # doctest: +SKIP
    >>> start.make().name  # doctest: +SKIP
    'flows'
    """
    return StartPicker(images, weights)


class StartPicker(ipywidgets.VBox):
    """The widget of `pick_start`; `make()` gives the method, ready to be trained.

    `weights` and `method` are the menus, `minutes` the time that training may take, `form` the
    settings. Of weights, the method is theirs.
    """

    def __init__(self, images: DataSet, weights: str):
        self.images = images
        first = images.image(0).select(T=0)
        fitting = methods.list_weights(first)
        start = weights if weights in fitting else methods.suggest_weights(first)
        options = [*fitting, NOTHING]
        self.weights = make_dropdown(
            "Begin with",
            options,
            name="nb-start-weights",
            value=start if start in options else NOTHING,
        )
        self.method = make_dropdown(
            "Method", list_methods(len(first.spatial)), name="nb-start-method"
        )
        self.minutes = with_class(
            ipywidgets.BoundedFloatText(
                value=MINUTES, min=0.5, max=24 * 60, description="Minutes", layout=WIDE, style=STYLE
            ),
            "nb-start-minutes",
        )
        self.status = make_html("nb-start-status")
        self.place = ipywidgets.VBox([])
        self.form: Form | None = None
        super().__init__([self.weights, self.method, self.minutes, self.status, self.place])
        self.add_class("nb-start")
        self.weights.observe(lambda _: self._change_weights(), "value")
        self.method.observe(lambda _: self._change_method(), "value")
        self._change_weights()
        self._change_method()

    @property
    def value(self) -> str | None:
        """Name of the weights to begin with; None for random ones."""
        return None if self.weights.value == NOTHING else self.weights.value

    def make(self) -> Method:
        """The method with the settings of the form, and the weights it begins with."""
        model = methods.get(self.method.value)(self.form.value)
        if self.value is not None:
            model.start_from(methods.load(self.value))
            file = methods.find_folder(self.value) / "weights.npz"
            model.origin |= {"model": config.spell_path(self.value), "sha256": hash_file(file)}
        return model

    def plan(
        self, name: str, model: Method, *, train: DataSet, val: DataSet | None = None
    ) -> TrainingPlan:
        """The plan of the training, in the minutes that are allowed; see `training.plan_run`.

        Parameters
        ----------
        name : of the folder of a new run.
        model : as `make` gave it.
        train, val : images to learn from, and those to choose by; an empty set counts as none.
        """
        training = runtime.load_quietly("nbtools.training")
        plan = training.plan_run(name, model, train=train, val=val or None)
        if config.fast_changes(model.name, model.settings):
            return plan  # a smoke run has its own epochs
        return replace(plan, minutes=self.minutes.value)

    def _change_weights(self) -> None:
        """The method of weights is theirs; without weights, it is free."""
        self.method.disabled = self.value is not None
        if self.value is None:
            self.status.value = format_note("The method learns from your labels alone.")
            return
        about = read_about(methods.find_folder(self.value))
        self.method.value = about["method"]
        self.status.value = format_note(
            f"{self.value} is a network of the method {about['method']}: it goes on learning from "
            "your labels, at a lower learning rate."
        )

    def _change_method(self) -> None:
        method = methods.get(self.method.value)
        suggested = self.images if self.value is None else None
        self.form = form(method, suggest_from=suggested)
        self.place.children = [self.form]


def list_methods(ndim: int) -> list[str]:
    """Names of the methods that learn to label nuclei in images of so many spatial axes.

    Parameters
    ----------
    ndim : 2 or 3.
    """
    found = []
    for name in methods.names(tasks.INSTANCES.name):
        row = methods.row(name)
        if ndim in row.dims and "labels" in row.needs and not row.classical:
            found.append(name)
    return found
