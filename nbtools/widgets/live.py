"""A training to watch and to stop: it runs in the background while the page stays awake, and the
next cell waits for it.
"""

from __future__ import annotations

import json
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
from nbtools.image import Image
from nbtools.show.curves import say_time
from nbtools.widgets.parts import mark, say_error, say_note
from nbtools.widgets.polling import find_kernel, poll_button

if TYPE_CHECKING:
    from nbtools.methods import Method
    from nbtools.training import History, TrainingPlan

LARGEST = {"Z": 24, "Y": 192, "X": 192}  # pixels of the image that is predicted while training runs
REST_S, SHARE = (
    5.0,
    0.05,
)  # between two predictions: at least so long, and no larger share of the time
LEAST_S = 20.0  # of a budget in minutes, for a training that goes on


def train_live(
    model: Method, train: DataSet, *, val: DataSet | None = None, plan: TrainingPlan | None = None
) -> LiveTraining:
    """Train a model in the background and show how it goes; `.value` is the trained model, and
    waits for it.

    Parameters
    ----------
    val : without, it learns without a test, and shows what it finds in a training image.
    plan : seed, folder of the checkpoint, minutes, resume. Here minutes count from the start of the
        training, not of the notebook; without a folder, the checkpoint is kept until the kernel
        ends.

    Examples
    --------
    >>> live = train_live(model, train, val=val, plan=TrainingPlan(seed=0, folder="runs/first"))  # doctest: +SKIP
    >>> live.value.predict(image)  # in the next cell  # doctest: +SKIP
    """
    if plan is None:
        from nbtools.training import TrainingPlan  # loads Keras

        plan = TrainingPlan()
    return LiveTraining(model, (train, val), plan)


class LiveTraining(ipywidgets.VBox):
    """Curve, time left, what the network finds in one validation image, and buttons that stop a
    training and let it go on.

    `stop` ends it after the step it is in, with the best weights so far; `resume` goes on from the
    checkpoint. `value` and `history` wait for the end; while they do, interrupting the kernel stops
    the training too. Without a page it trains to its end.
    """

    running: LiveTraining | None = (
        None  # one training at a time: a cell that is run again ends what it began before
    )

    def __init__(self, model: Method, data: tuple[DataSet, DataSet | None], plan: TrainingPlan):
        self.model, self.data = model, data
        self.plan = replace(
            plan, folder=Path(plan.folder or tempfile.mkdtemp(prefix="nbtools_training_"))
        )
        self.curve = show.TrainingCurve(self._put_curve)
        self.example = cut_middle((data[1] or data[0]).image(0))
        self.stop_button = _make_button(
            "Stop",
            "stop",
            tip="Ends the training after this step; the best weights so far are kept.",
        )
        self.resume_button = _make_button(
            "Resume", "play", tip="Goes on where the training was stopped."
        )
        self.stop_button.on_click(lambda _: self.stop())
        self.resume_button.on_click(lambda _: self.resume())
        self.status, self.notes = (
            mark(ipywidgets.HTML(), "nb-live-status"),
            mark(ipywidgets.HTML(), "nb-live-notes"),
        )
        self.picture, self.found = (
            _make_picture("nb-live-curve", "640px"),
            _make_picture("nb-live-found", "420px"),
        )
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
        self._recall()
        self._start(self.plan)

    @property
    def value(self) -> Method:
        """The model, once it is trained; the error of the training, if there was one."""
        self.wait()
        return self.model

    @property
    def history(self) -> History:
        """What happened in the training, once it has ended."""
        self.wait()
        return self._history

    def wait(self) -> None:
        """Return when the training has ended. An interrupt stops it, and what it has learned is
        kept; a second one gives up waiting.
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
        """End the training after the step it is in; the model gets the weights that the settings
        keep, usually the best.
        """
        if self._thread.is_alive():
            self._stopping = True
            self.stop_button.disabled = True
            self.status.value = say_note("Stopping, and keeping the best weights so far …")

    def resume(self) -> None:
        """Go on from the checkpoint of a training that was stopped."""
        if self._thread.is_alive() or self._history is None or self._history.stopped != "user":
            return
        self.curve.started += time.monotonic() - self._ended  # time in which nothing ran
        self._start(replace(self.plan, resume=True))

    # --- what the training tells

    def wants_stop(self) -> bool:
        return self._stopping

    def on_note(self, text: str) -> None:
        self.notes.value += say_note(text)

    def on_step(self, step: int, logs: Mapping) -> None:
        self.curve.on_step(step, logs)
        if time.monotonic() - self._said > 0.5 and not self._stopping:
            self._said = time.monotonic()
            self.status.value = say_note(self.curve.say())

    def on_epoch(self, epoch: int, logs: Mapping) -> None:
        self.curve.on_epoch(epoch, logs)
        if time.monotonic() > self._next_look and not self._stopping:
            self._look()

    # --- inside

    def _start(self, plan: TrainingPlan) -> None:
        if LiveTraining.running is not None:
            LiveTraining.running.stop()
            LiveTraining.running._thread.join()
        self._stopping, self._error, self._said, self._next_look = False, None, 0.0, 0.0
        self.stop_button.disabled, self.resume_button.disabled = False, True
        self.status.value = say_note(self.curve.say())
        LiveTraining.running = self
        self._thread = threading.Thread(
            target=self._train, args=(self._with_minutes(plan),), daemon=True
        )
        self._thread.start()

    def _with_minutes(self, plan: TrainingPlan) -> TrainingPlan:
        """The plan with this as a callback, and minutes counted as training counts them: from the
        start of the process.
        """
        plan = replace(plan, callbacks=(*plan.callbacks, self))
        if plan.minutes is None:
            return plan
        from nbtools.training.clock import add_reserve

        left = max(LEAST_S, plan.minutes * 60 - (time.monotonic() - self.curve.started))
        return replace(plan, minutes=add_reserve(runtime.process_seconds() + left))

    def _train(self, plan: TrainingPlan) -> None:
        try:
            self._history = self.model.fit(*self.data, plan=plan)
            self._show_end()
        except Exception as error:  # a thread has nobody to tell: who waits for the model is told
            self._error = error
            self.status.value = say_error(error)
        finally:
            self._ended = time.monotonic()
            stopped = self._error is None and self._history.stopped == "user"
            self.stop_button.disabled, self.resume_button.disabled = True, not stopped
            LiveTraining.running = None

    def _show_end(self) -> None:
        history = self._history
        if self.curve.steps:
            self._put_curve(self.curve.draw())
        self._look()
        how = "Stopped" if history.stopped == "user" else "Done"
        count = (
            f" after {history.epochs} epochs and {say_time(history.seconds)}"
            if history.rows
            else ": nothing had to be learned"
        )
        best = (
            f"; the lowest validation loss was in epoch {history.best['epoch']}"
            if "epoch" in history.best
            else ""
        )
        again = (
            ". Resume goes on from here; run the cells below again afterwards."
            if history.stopped == "user"
            else "."
        )
        self.status.value = say_note(how + count + best + again)

    def _look(self) -> None:
        """Show what the network finds in the example, and rest in proportion to what that cost."""
        begin = time.monotonic()
        try:
            found = self.model.predict(self.example)
        # half trained, it may find what cannot be decoded; that is no reason to end the training
        except Exception:
            return
        finally:
            self._next_look = time.monotonic() + max(REST_S, (time.monotonic() - begin) / SHARE)
        picture = show.result_rgb(self.example, found.result)
        if picture is not None:
            _put(self.found, show.array_to_png(picture))

    def _put_curve(self, figure: show.Figure) -> None:
        _put(self.picture, show.to_png(figure))

    def _recall(self) -> None:
        """Where a training of an earlier day goes on: its curve and its time."""
        state = self.plan.folder / "checkpoint" / "state.json"
        if self.plan.resume and state.is_file():
            history = json.loads(state.read_text("utf-8")).get("history", {})
            self.curve.rows = list(history.get("rows", ()))
            self.curve.started -= history.get("seconds", 0.0)


def cut_middle(image: Image) -> Image:
    """The middle of an image, small enough to be predicted again and again.

    Examples
    --------
    >>> cut_middle(Image(np.zeros((500, 100)), "YX")).shape
    (192, 100)
    """
    still = image.select(T=0)
    sizes = [min(n, LARGEST.get(axis, n)) for axis, n in zip(still.axes, still.shape, strict=True)]
    return still.replace(
        pixels=still.pixels[
            tuple(
                slice((n - m) // 2, (n + m) // 2) for n, m in zip(still.shape, sizes, strict=True)
            )
        ]
    )


def _make_button(words: str, icon: str, *, tip: str) -> ipywidgets.Button:
    return mark(
        ipywidgets.Button(description=words, icon=icon, tooltip=tip), f"nb-live-{words.lower()}"
    )


def _make_picture(css: str, width: str) -> ipywidgets.Image:
    """A picture that is not there until it is put; an empty one shows as a broken one."""
    return mark(ipywidgets.Image(format="png", layout={"width": width, "display": "none"}), css)


def _put(picture: ipywidgets.Image, png: bytes) -> None:
    picture.value = png
    picture.layout.display = ""
