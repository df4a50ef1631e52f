"""The live training view without a browser: it trains in the background, waits, stops, goes on; and
a folder becomes a zip.
"""

import queue
import sys
import time
import zipfile
from types import ModuleType, SimpleNamespace

import ipywidgets
import keras
import numpy as np
import pytest

from nbtools import io, methods, runtime, training, widgets
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods import Prediction
from nbtools.results import Labels
from nbtools.widgets import live, polling

SLOPE = np.array([2.0, -1.0, 0.5], np.float32)


class Line:
    """The smallest method that the real training loop trains: three slopes. `at` are things to do
    in the test of an epoch.
    """

    def __init__(self, *values: float, epochs: int = 6, at: dict | None = None):
        self.settings = training.TrainingSettings(
            epochs=epochs, steps_per_epoch=10, learning_rate=0.1, ema_decay=0.8
        )
        self.values, self.at, self.seen = (
            values or tuple(1 / (1 + i) for i in range(epochs)),
            at or {},
            [],
        )

    def fit(self, train, val, *, plan):
        keras.utils.set_random_seed(plan.seed)
        self.model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        step = training.Supervised(self.model, keras.losses.mean_squared_error, self.settings)
        trainer = training.Trainer(step, self.settings, plan)
        return trainer.run(self._draw, lambda: self._validate(trainer.history.epochs))

    def predict(self, image):
        return Prediction(Labels(Image((image.pixels > 0.5).astype(np.int32), image.axes)))

    @property
    def weights(self) -> np.ndarray:
        return np.concatenate([np.asarray(w).ravel() for w in self.model.weights])

    @staticmethod
    def _draw(rng):
        x = rng.normal(size=(16, 3)).astype(np.float32)
        return x, (x @ SLOPE)[:, None]

    def _validate(self, epoch: int) -> dict:
        self.seen.append(self.weights)
        self.at.get(epoch, lambda: None)()
        return {"val_loss": self.values[epoch - 1]}


def make_data(count: int = 2) -> DataSet:
    rng = np.random.default_rng(0)
    return DataSet.of([Sample(f"n{i}", Image(rng.random((40, 50)), "YX")) for i in range(count)])


def start(method, **plan) -> live.LiveTraining:
    return widgets.train_live(
        method, make_data(), val=make_data(1), plan=training.TrainingPlan(**plan)
    )


def test_without_a_page_it_trains_to_its_end_as_a_plain_fit_does(tmp_path):
    plain = Line()
    plain.fit(None, None, plan=training.TrainingPlan(seed=3))
    seen = start(Line(), seed=3, folder=tmp_path)
    assert seen.value is seen.model
    np.testing.assert_array_equal(seen.model.weights, plain.weights)
    assert (seen.history.epochs, seen.history.stopped) == (6, "epochs")
    assert seen.stop_button.disabled
    assert seen.resume_button.disabled
    assert "Done after 6 epochs" in seen.status.value
    for picture in (seen.picture, seen.found):
        assert bytes(picture.value).startswith(b"\x89PNG")
        assert picture.layout.display == ""


def test_stop_keeps_the_best_weights_not_the_last():
    method = Line(0.9, 0.1, 0.5, 0.6, 0.7, epochs=5, at={4: lambda: seen.stop_button.click()})
    seen = start(method)
    assert seen.history.stopped == "user"
    assert (seen.history.epochs, seen.history.best) == (4, {"epoch": 2, "val_loss": 0.1})
    np.testing.assert_array_equal(method.weights, method.seen[1])
    assert "Stopped after 4 epochs" in seen.status.value
    assert "lowest validation loss was in epoch 2" in seen.status.value


def test_resume_goes_on_as_if_nothing_had_happened():
    method, whole = Line(at={3: lambda: seen.stop_button.click()}), start(Line())
    whole.wait()
    seen = start(method)
    seen.wait()
    assert not seen.resume_button.disabled
    seen.resume_button.click()
    assert (seen.history.epochs, seen.history.stopped) == (6, "epochs")
    np.testing.assert_array_equal(method.weights, whole.model.weights)
    assert [row["epoch"] for row in seen.curve.rows] == [1, 2, 3, 4, 5, 6]
    assert seen.resume_button.disabled


def test_a_run_of_another_day_goes_on_with_its_curve(tmp_path):
    begun = start(Line(at={2: lambda: begun.stop()}), folder=tmp_path)
    begun.wait()
    seen = start(Line(), folder=tmp_path, resume=True)
    assert seen.history.epochs == 6
    assert [row["epoch"] for row in seen.curve.rows] == [1, 2, 3, 4, 5, 6]


def test_an_interrupt_while_waiting_stops_the_training_and_keeps_the_model():
    seen = start(Line(epochs=100_000, at={2: lambda: time.sleep(0.3)}))
    join, presses = seen._thread.join, [KeyboardInterrupt]

    def interrupted(seconds=None):
        if presses:
            raise presses.pop()
        join(seconds)

    seen._thread.join = interrupted
    assert seen.value is seen.model
    assert seen.history.stopped == "user"


def test_a_cell_that_is_run_again_ends_what_it_began_before():
    first = start(Line(epochs=100_000))
    second = start(Line())
    assert first.history.stopped == "user"
    assert second.history.stopped == "epochs"


def test_what_goes_wrong_is_said_in_the_page_and_raised_where_the_model_is_needed():
    def refuse():
        raise UserError("Nuclei must be there.", "none", "Label some.")

    seen = start(Line(at={1: refuse}))
    with pytest.raises(UserError, match="Nuclei must be there"):
        _ = seen.value
    assert "Label some." in seen.status.value
    assert seen.resume_button.disabled


def test_a_half_trained_network_that_finds_nothing_ends_no_training():
    method = Line()
    method.predict = lambda image: 1 / 0
    assert start(method).history.epochs == 6


def test_minutes_count_from_the_start_of_the_training_not_of_the_process(monkeypatch):
    monkeypatch.setattr(live, "MIN_SECONDS", 0.0)
    monkeypatch.setattr(runtime, "process_seconds", lambda: 5000.0)
    seen = start(Line())
    seen.wait()
    seen.curve.started = time.monotonic() - 60
    plan = seen._with_minutes(training.TrainingPlan(minutes=3))
    assert plan.minutes * 60 - training.clock.reserve_seconds(plan.minutes) == pytest.approx(
        5000 + 120, abs=1
    )


def test_a_real_method_is_watched_and_its_restored_neighbour_too():
    rng = np.random.default_rng(0)
    discs = [
        np.hypot(*np.ogrid[-y : 64 - y, -x : 70 - x]) < 9 for y, x in rng.integers(12, 52, (2, 2))
    ]
    label = Image(
        np.max([disc * (i + 1) for i, disc in enumerate(discs)], axis=0).astype(np.int32), "YX"
    )
    image = Image((label.pixels > 0) * 0.8 + rng.normal(0, 0.05, label.shape), "YX")
    data = DataSet.of([Sample("n", image, label=label)])
    model = methods.get("fast_nuclei")(
        preset="tiny", epochs=1, steps_per_epoch=2, batch_size=1, patch_size=32
    )
    seen = widgets.train_live(model, data, val=data)
    assert seen.value.predict(image).labels.shape == (64, 70)
    assert seen.found.value
    plain = widgets.train_live(methods.get("nlm")(), data)
    assert "nothing to train" in (plain.wait() or plain.status.value)
    assert plain.found.value


@pytest.mark.parametrize(
    ("axes", "shape", "cut"),
    [("YX", (500, 100), (192, 100)), ("TZYX", (2, 30, 300, 40), (24, 192, 40))],
)
def test_the_example_is_the_middle_of_an_image(axes, shape, cut):
    pixels = np.zeros(shape)
    pixels[..., shape[-2] // 2, shape[-1] // 2] = 1
    small = live.cut_middle(Image(pixels, axes))
    assert small.shape == cut
    assert small.pixels[..., cut[-2] // 2, cut[-1] // 2].all()


def test_a_press_is_heard_while_a_cell_is_busy_and_everything_else_waits_in_order():
    zmq, session = (
        pytest.importorskip("zmq"),
        pytest.importorskip("jupyter_client.session").Session(key=b"secret"),
    )
    button, heard = ipywidgets.Button(), []
    if button.comm is None:
        pytest.skip("widgets have no channel outside of a kernel here")
    sent = [
        session.msg("execute_request", content={"code": "1"}),
        session.msg(
            "comm_msg", content={"comm_id": button.comm.comm_id, "data": {"method": "custom"}}
        ),
        session.msg("comm_msg", content={"comm_id": "other", "data": {}}),
    ]
    kernel = SimpleNamespace(
        msg_queue=queue.Queue(), session=session, shell_stream=SimpleNamespace(flush=lambda: None)
    )
    kernel.comm_manager = SimpleNamespace(
        comm_msg=lambda stream, ident, message: heard.append(message["content"]["data"])
    )
    entries = [
        (i, None, ([zmq.Frame(part) for part in session.serialize(message)],))
        for i, message in enumerate(sent)
    ]
    for entry in entries:
        kernel.msg_queue.put_nowait(entry)
    polling.poll_button(button, kernel)
    assert heard == [{"method": "custom"}]
    assert [kernel.msg_queue.get_nowait() for _ in range(kernel.msg_queue.qsize())] == [
        entries[0],
        entries[2],
    ]
    polling.poll_button(button, SimpleNamespace())  # another kind of kernel


BUSY = """
import time
import ipywidgets
from nbtools.widgets.polling import find_kernel, poll_button
button, pressed = ipywidgets.Button(), []
button.on_click(lambda _: pressed.append(1))
poll_button(button, find_kernel())
print(button.comm.comm_id, flush=True)
ends = time.monotonic() + 60
while not pressed and time.monotonic() < ends:
    time.sleep(0.1)
    poll_button(button, find_kernel())
print("heard" if pressed else "not heard")
"""


def test_a_real_kernel_hears_a_press_while_a_cell_is_busy():
    manager = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("ipykernel")
    kernel, client = manager.start_new_kernel()
    try:
        thread = _ask_for_thread(client)
        client.execute(BUSY)
        press = client.session.msg(
            "comm_msg",
            {"comm_id": _told(client), "data": {"method": "custom", "content": {"event": "click"}}},
        )
        press["header"] |= {"subshell_id": thread} if thread else {}
        client.shell_channel.send(press)
        assert _told(client) == "heard"
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)


def _told(client) -> str:
    """The next line that the kernel prints."""
    while True:
        message = client.get_iopub_msg(timeout=120)
        assert message["msg_type"] != "error", message["content"]
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            return message["content"]["text"].strip()


def _ask_for_thread(client) -> str | None:
    """A thread for the messages of widgets, as JupyterLab asks for where the kernel has such; its
    name.
    """
    if "kernel subshells" not in client.kernel_info(reply=True, timeout=60)["content"].get(
        "supported_features", ()
    ):
        return None
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    return client.control_channel.get_msg(timeout=60)["content"]["subshell_id"]


@pytest.fixture
def model_folder(tmp_path):
    folder = tmp_path / "my modèle"
    io.write_text(folder / "model.json", "{}")
    io.write_text(folder / "report" / "a.html", "words")
    io.write_text(folder / ".hidden", "")
    return folder


def test_a_folder_becomes_a_zip_with_the_same_bytes_on_any_day(model_folder, tmp_path):
    one, two = io.write_zip(tmp_path / "one.zip", model_folder), tmp_path / "two.zip"
    (model_folder / "model.json").touch()
    io.write_zip(two, model_folder)
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert archive.namelist() == ["my modèle/model.json", "my modèle/report/a.html"]
        archive.extractall(tmp_path / "out")
    assert (tmp_path / "out" / "my modèle" / "report" / "a.html").read_text() == "words"
    with pytest.raises(UserError, match="something to pack"):
        io.write_zip(tmp_path / "none.zip", tmp_path / "nowhere")
    assert not (tmp_path / "none.zip").exists()


def test_a_zip_is_a_link_in_the_page_or_a_place_where_it_is_too_large(model_folder, monkeypatch):
    offered = widgets.download(model_folder)
    assert offered.value == model_folder.parent / "my modèle.zip"
    assert "href='data:application/zip;base64," in offered.link.value
    assert "download='my modèle.zip'" in offered.link.value
    monkeypatch.setattr(sys.modules["nbtools.widgets.download"], "MOST", 10)
    offered = widgets.download(model_folder)
    assert offered.link.value == ""
    assert "Too large" in offered.place.value


def test_a_zip_of_the_user_is_not_replaced_by_a_download(model_folder):
    theirs = model_folder.parent / "my modèle.zip"
    theirs.write_text("three years of work")
    for _ in range(2):  # the second replaces the first
        assert widgets.download(model_folder).value.name == "my modèle_2.zip"
    assert theirs.read_text() == "three years of work"


def test_on_colab_a_button_sends_the_zip_through_the_browser(model_folder, monkeypatch):
    sent, files = [], ModuleType("google.colab.files")
    files.download = sent.append
    colab = ModuleType("google.colab")
    colab.files = files
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    offered = widgets.download(model_folder)
    offered.button.click()
    assert sent == [str(offered.value)]
    monkeypatch.delitem(sys.modules, "google.colab")
    offered.button.click()
    assert "Only Colab" in offered.place.value
