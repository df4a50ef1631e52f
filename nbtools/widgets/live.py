"""Train in the background of a notebook, with a live curve and buttons to stop and resume."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets

from nbtools import runtime, show
from nbtools.data import DataSet
from nbtools.geometry import crop_centre
from nbtools.image import Image
from nbtools.show.curves import format_duration
from nbtools.widgets.common import format_error, format_note, make_button, make_html, make_picture
from nbtools.widgets.polling import find_kernel, poll_button

if TYPE_CHECKING:
    from nbtools.methods import Method
    from nbtools.training import History, TrainingPlan

LARGEST = {"Z": 24, "Y": 192, "X": 192}  # pixels of the image that is predicted while training runs
MIN_PAUSE_S = 5.0  # between two predictions
PREDICTION_SHARE = 0.05  # of the time that predictions may take from training
MIN_SECONDS = 20.0  # time that a resumed training gets at least


def train_live(
    model: Method, train: DataSet, *, val: DataSet | None = None, plan: TrainingPlan | None = None
) -> LiveTraining:
    """Train a model in the background; `.value` waits for the trained model.

    Parameters
    ----------
    model : model to train.
    train : training images.
    val : validation images; without them, the widget shows predictions on a training image.
    plan : seed, folder of the checkpoint, minutes, resume. Here minutes count from the start of the
        training, not of the notebook; without a folder, the checkpoint is kept until the kernel
        ends.

    Examples
    --------
    >>> plan = TrainingPlan(seed=0, folder="runs/first")  # doctest: +SKIP
    >>> live = train_live(model, train, val=val, plan=plan)  # doctest: +SKIP
    >>> live.value.predict(image)  # in the next cell  # doctest: +SKIP
    """
    if plan is None:
        from nbtools.training import TrainingPlan  # loads Keras

        plan = TrainingPlan()
    return LiveTraining(model, (train, val), plan)


class LiveTraining(ipywidgets.VBox):
    """Curve, time left, a prediction on one validation image, and buttons to stop and resume.

    `stop` ends the training after the current step, with the best weights so far; `resume`
    continues from the checkpoint. `value` and `history` wait for the end; interrupting the kernel
    meanwhile also stops the training. Without a page it trains to its end.
    """

    # one training at a time: a cell that is run again stops the training it started before
    running: LiveTraining | None = None

    def __init__(self, model: Method, data: tuple[DataSet, DataSet | None], plan: TrainingPlan):
        self.model = model
        self.data = data
        self.plan = replace(
            plan, folder=Path(plan.folder or tempfile.mkdtemp(prefix="nbtools_training_"))
        )
        self.curve = show.TrainingCurve(self._show_curve)
        self.example = cut_middle((data[1] or data[0]).image(0))
        self.stop_button = make_button(
            "Stop",
            "nb-live-stop",
            icon="stop",
            tip="Ends the training after this step; the best weights so far are kept.",
        )
        self.resume_button = make_button(
            "Resume", "nb-live-resume", icon="play", tip="Continues the stopped training."
        )
        self.stop_button.on_click(lambda _: self.stop())
        self.resume_button.on_click(lambda _: self.resume())
        self.status = make_html("nb-live-status")
        self.notes = make_html("nb-live-notes")
        self.picture = make_picture("nb-live-curve", 640)
        self.found = make_picture("nb-live-found", 420)
        for picture in (self.picture, self.found):
            picture.layout.display = "none"  # an empty picture shows as a broken one
        self._history: History | None = None
        self._error: Exception | None = None
        super().__init__(
            [
                ipywidgets.HBox([self.stop_button, self.resume_button]),
                self.status,
                self.picture,
                self.found,
                self.notes,
            ]
        )
        self.add_class("nb-live")
        self._restore_curve()
        self._start(self.plan)

    @property
    def value(self) -> Method:
        """The trained model; waits for it, and raises the error of the training, if any."""
        self.wait()
        return self.model

    @property
    def history(self) -> History:
        """The history of the training, once it has ended."""
        self.wait()
        return self._history

    def wait(self) -> None:
        """Wait for the end of the training.

        The first interrupt stops the training and keeps the weights; a second one gives up waiting.
        """
        kernel = find_kernel() if threading.current_thread() is threading.main_thread() else None
        while self._thread.is_alive():
            try:
                poll_button(self.stop_button, kernel)
                self._thread.join(0.2)
            except KeyboardInterrupt:
                if self._stopping:
                    raise  # the second one gives up
                self.stop()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the training after the current step; the model gets its best weights so far."""
        if self._thread.is_alive():
            self._stopping = True
            self.stop_button.disabled = True
            self.status.value = format_note("Stopping; the best weights so far are kept …")

    def resume(self) -> None:
        """Continue a stopped training from its checkpoint."""
        if self._thread.is_alive() or self._history is None or self._history.stopped != "user":
            return
        self.curve.started += time.monotonic() - self._ended  # time in which nothing ran
        self._start(replace(self.plan, resume=True))

    # --- callback of the training

    def wants_stop(self) -> bool:
        """Whether the training should stop after this step."""
        return self._stopping

    def on_note(self, text: str) -> None:
        """Show a note of the training."""
        self.notes.value += format_note(text)

    def on_step(self, step: int, logs: Mapping) -> None:
        """Take the result of a batch, and show the time left."""
        self.curve.on_step(step, logs)
        if time.monotonic() - self._status_time > 0.5 and not self._stopping:
            self._status_time = time.monotonic()
            self.status.value = format_note(self.curve.describe())

    def on_epoch(self, epoch: int, logs: Mapping) -> None:
        """Take the result of an epoch, and now and then show a prediction."""
        self.curve.on_epoch(epoch, logs)
        if time.monotonic() > self._next_prediction and not self._stopping:
            self._show_prediction()

    # --- inside

    def _start(self, plan: TrainingPlan) -> None:
        if LiveTraining.running is not None:
            LiveTraining.running.stop()
            LiveTraining.running._thread.join()
        self._stopping, self._error, self._status_time, self._next_prediction = (
            False,
            None,
            0.0,
            0.0,
        )
        self.stop_button.disabled = False
        self.resume_button.disabled = True
        self.status.value = format_note(self.curve.describe())
        LiveTraining.running = self
        self._thread = threading.Thread(
            target=self._train, args=(self._with_minutes(plan),), daemon=True
        )
        self._thread.start()

    def _with_minutes(self, plan: TrainingPlan) -> TrainingPlan:
        """The plan with this widget as callback; minutes count from the start of the process."""
        plan = replace(plan, callbacks=(*plan.callbacks, self))
        if plan.minutes is None:
            return plan
        from nbtools.training.clock import add_reserve

        left = max(MIN_SECONDS, plan.minutes * 60 - (time.monotonic() - self.curve.started))
        return replace(plan, minutes=add_reserve(runtime.process_seconds() + left))

    def _train(self, plan: TrainingPlan) -> None:
        try:
            self._history = self.model.fit(*self.data, plan=plan)
            self._show_end()
        except Exception as error:  # raised again in `wait`
            self._error = error
            self.status.value = format_error(error)
        finally:
            self._ended = time.monotonic()
            stopped = self._error is None and self._history.stopped == "user"
            self.stop_button.disabled = True
            self.resume_button.disabled = not stopped
            LiveTraining.running = None

    def _show_end(self) -> None:
        history = self._history
        if self.curve.steps:
            self._show_curve(self.curve.draw())
        self._show_prediction()
        how = "Stopped" if history.stopped == "user" else "Done"
        count = (
            f" after {history.epochs} epochs and {format_duration(history.seconds)}"
            if history.rows
            else ": nothing to train"
        )
        best = (
            f"; the lowest validation loss was in epoch {history.best['epoch']}"
            if "epoch" in history.best
            else ""
        )
        again = (
            ". Resume continues from here; run the cells below again afterwards."
            if history.stopped == "user"
            else "."
        )
        self.status.value = format_note(how + count + best + again)

    def _show_prediction(self) -> None:
        """Show the prediction on the example, then pause in proportion to its time."""
        begin = time.monotonic()
        try:
            found = self.model.predict(self.example)
        # a half-trained network may predict what cannot be decoded: no reason to stop
        except Exception:
            return
        finally:
            pause = max(MIN_PAUSE_S, (time.monotonic() - begin) / PREDICTION_SHARE)
            self._next_prediction = time.monotonic() + pause
        picture = show.result_rgb(self.example, found.result)
        if picture is not None:
            _set_picture(self.found, show.array_to_png(picture))

    def _show_curve(self, figure: show.Figure) -> None:
        _set_picture(self.picture, show.to_png(figure))

    def _restore_curve(self) -> None:
        """Restore curve and time of a training that continues."""
        if self.plan.resume:
            training = runtime.load_quietly("nbtools.training")
            history = training.read_history(self.plan.checkpoint)
            self.curve.rows = list(history.get("rows", ()))
            self.curve.started -= history.get("seconds", 0.0)


def cut_middle(image: Image) -> Image:
    """Crop the middle of an image, small enough to be predicted again and again.

    Parameters
    ----------
    image : of a movie, the first frame is taken.

    Examples
    --------
    >>> import numpy as np
    >>> cut_middle(Image(np.zeros((500, 100)), "YX")).shape
    (192, 100)
    """
    still = image.select(T=0)
    sizes = [LARGEST.get(axis, still.size(axis)) for axis in still.axes]
    return still.replace(pixels=crop_centre(still.pixels, sizes))


def _set_picture(picture: ipywidgets.Image, png: bytes) -> None:
    picture.value = png
    picture.layout.display = ""
