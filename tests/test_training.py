"""The training loop: what is drawn when, how the budget runs, what is kept."""

import shutil
import time

import keras
import numpy as np
import pytest

from nbtools import data, methods, runtime, training
from nbtools.errors import UserError
from nbtools.training.clock import Clock, reserve_seconds

SLOPE = np.array([2.0, -1.0, 0.5], np.float32)


def line() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    return model


def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(16, 3)).astype(np.float32)
    return x, x @ SLOPE[:, None]


def make_trainer(*, epochs: int = 6, keep: str = "best", **plan) -> training.Trainer:
    settings = training.TrainingSettings(
        epochs=epochs,
        steps_per_epoch=40,
        learning_rate=0.1,
        weight_decay=0.0,
        ema_decay=0.8,
        checkpoint=keep,
    )
    step = training.Supervised(line(), keras.losses.mean_squared_error, settings)
    return training.Trainer(step, settings, training.TrainingPlan(**plan))


def train(*, validate=dict, **about):
    trainer = make_trainer(**about)
    return trainer.run(draw, validate), trainer.model


def test_it_learns_a_known_line():
    history, model = train()
    np.testing.assert_allclose(np.asarray(model.weights[0])[:, 0], SLOPE, atol=0.02)
    assert (history.epochs, history.steps, history.stopped) == (6, 240, "epochs")
    assert history.rows[-1]["loss"] < 0.01 < history.rows[0]["loss"]


def test_the_loss_of_a_batch_is_its_own_whatever_came_before():
    model, x = line(), np.ones((4, 3), np.float32)
    settings = training.TrainingSettings(learning_rate=0.1)
    step = training.Supervised(model, keras.losses.mean_squared_error, settings)
    model.set_weights([np.ones((3, 1)), np.zeros(1)])
    found = [step.validate((x, np.full((4, 1), y)))["loss"] for y in (3.0, 13.0, 3.0)]
    assert found == pytest.approx([0, 100, 0])
    batch = (x, np.full((4, 1), 4.0))
    assert step(batch)["loss"] == pytest.approx(1)
    assert step.validate(batch)["loss"] < 1


def test_batches_depend_on_seed_and_step_alone():
    slow_first = {"calls": 0}

    def slow(rng):
        slow_first["calls"] += 1
        time.sleep(0.02 if slow_first["calls"] % 3 == 1 else 0)
        return rng.random(4), None

    one = [(s, b[0]) for s, b in training.prefetch(slow, range(10), seed=5)]
    two = [
        (s, b[0])
        for s, b in training.prefetch(
            lambda rng: (rng.random(4), None), range(4, 10), seed=5, threads=1
        )
    ]
    assert [s for s, _ in one] == list(range(10))
    for (_, a), (_, b) in zip(one[4:], two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_error_while_drawing_is_raised_not_swallowed():
    def broken(rng):
        raise ValueError("no image")

    with pytest.raises(ValueError, match="no image"):
        list(training.prefetch(broken, range(3), seed=0))


def test_the_learning_rate_rises_and_falls_to_nothing():
    rates = [training.one_cycle(p) for p in np.linspace(0, 1, 101)]
    assert rates[0] < 0.1
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates[-1] < 0.001
    assert np.argmax(rates) == 15


def test_the_best_weights_are_kept_not_the_last():
    values = iter([0.9, 0.1, 0.5, 0.6])
    seen = []

    class Spy:
        def on_epoch(self, epoch, logs):
            seen.append(logs["val_loss"])

    history, _ = train(epochs=4, validate=lambda: {"val_loss": next(values)}, callbacks=(Spy(),))
    assert seen == [0.9, 0.1, 0.5, 0.6]
    assert history.best == {"epoch": 2, "val_loss": 0.1}


def losses(*values: float):
    """A validation that gives these losses, epoch after epoch."""
    left = iter(values)
    return lambda: {"val_loss": next(left)}


def test_best_and_last_weights_are_both_there_whichever_the_model_has():
    best, last = make_trainer(epochs=4), make_trainer(epochs=4, keep="last")
    for trainer in (best, last):
        trainer.run(draw, losses(0.9, 0.1, 0.5, 0.6))
    assert last.history.best == {"epoch": 2, "val_loss": 0.1}
    assert (list(best.other_weights), list(last.other_weights)) == (["last"], ["best"])
    for ours, theirs in (
        (best.model.weights, last.other_weights["best"]),
        (last.model.weights, best.other_weights["last"]),
    ):
        np.testing.assert_array_equal(np.asarray(ours[0]), theirs[0])
    assert np.abs(best.other_weights["last"][0] - np.asarray(best.model.weights[0])).max() > 1e-5
    without = make_trainer(epochs=4)
    without.run(draw, dict)  # without validation the last epoch is the best
    np.testing.assert_array_equal(
        np.asarray(without.model.weights[0]), without.other_weights["last"][0]
    )
    np.testing.assert_array_equal(without.other_weights["last"][0], best.other_weights["last"][0])


@pytest.mark.parametrize("keep", training.KEPT)
def test_a_stopped_run_goes_on_with_the_best_and_the_last_of_before(tmp_path, keep):
    class Stop:
        done = False

        def on_epoch(self, epoch, logs):
            self.done = epoch == 3

        def wants_stop(self):
            return self.done

    whole = make_trainer(epochs=4, keep=keep)
    whole.run(draw, losses(0.9, 0.1, 0.5, 0.6))
    make_trainer(epochs=4, keep=keep, folder=tmp_path, callbacks=(Stop(),)).run(
        draw, losses(0.9, 0.1, 0.5)
    )
    rest = make_trainer(epochs=4, keep=keep, folder=tmp_path, resume=True)
    rest.run(draw, losses(0.6))
    np.testing.assert_array_equal(
        np.asarray(whole.model.weights[0]), np.asarray(rest.model.weights[0])
    )
    for name, arrays in whole.other_weights.items():
        np.testing.assert_array_equal(arrays[0], rest.other_weights[name][0])


def test_weights_that_were_not_kept_are_asked_for_in_vain(tmp_path):
    training.write_weights(line(), tmp_path)
    with pytest.raises(UserError, match=r"without weights_last\.npz"):
        training.read_weights(line(), tmp_path, which="last")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b[: len(b) // 2],
        lambda b: b[:150] + bytes([b[150] ^ 255]) + b[151:],
        lambda b: b"",
    ],
)
def test_a_damaged_file_of_weights_is_told(tmp_path, spoil):
    training.write_weights(line(), tmp_path)
    file = tmp_path / "weights.npz"
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(UserError, match="whole"):
        training.read_weights(line(), tmp_path)


def test_shipped_weights_must_be_those_of_the_toolkit(tmp_path, monkeypatch):
    listed = [
        line.split("  ")[1]
        for line in data.packaged_path("weights", methods.CHECKSUMS).read_text("utf-8").splitlines()
    ]
    assert listed == sorted(
        p.relative_to(data.packaged_path("weights")).as_posix()
        for p in data.packaged_path("weights").glob("*/*.npz")
    )
    shutil.copytree(data.packaged_path("weights"), tmp_path / "weights")
    monkeypatch.setattr(data, "packaged_path", lambda *parts: tmp_path.joinpath(*parts))
    model = methods.load("nuclei2d")
    model.save_weights(tmp_path / "weights" / "nuclei2d")  # the same numbers in another precision
    with pytest.raises(UserError, match="nuclei2d/weights.npz, changed"):
        methods.load("nuclei2d")


def test_a_run_of_minutes_ends_in_time_and_its_schedule_can_be_followed_again():
    ends = budget = runtime.process_seconds() + 12
    while budget - reserve_seconds(budget / 60) < ends:  # the test's process may be minutes old
        budget += 1
    minutes = budget / 60
    history, model = train(minutes=minutes)
    assert history.stopped == "minutes"
    assert history.steps > 40
    assert history.schedule[-1] == [history.steps, 1.0]
    again, copy = train(schedule=tuple(map(tuple, history.schedule)))
    assert again.steps == history.steps
    np.testing.assert_array_equal(np.asarray(model.weights[0]), np.asarray(copy.weights[0]))


def test_too_short_a_budget_is_refused():
    with pytest.raises(UserError, match="The budget must leave time to train"):
        train(minutes=runtime.process_seconds() / 60)


def test_a_checkpoint_is_refused_by_a_run_with_other_settings(tmp_path):
    train(epochs=2, folder=tmp_path)
    with pytest.raises(UserError, match=r"seed=1 \(was 0\)"):
        train(epochs=4, folder=tmp_path, resume=True, seed=1)


def test_resume_without_a_checkpoint_starts_anew(tmp_path):
    history, _ = train(epochs=1, folder=tmp_path, resume=True)
    assert history.steps == 40


def test_a_finished_run_can_be_made_longer(tmp_path):
    train(epochs=2, folder=tmp_path)
    history, _ = train(epochs=3, folder=tmp_path, resume=True)
    assert [r["epoch"] for r in history.rows] == [1, 2, 3]


def test_callbacks_hear_that_the_last_step_is_the_end():
    heard = []

    class Listener:
        def on_step(self, step, logs):
            heard.append((step, logs["progress"]))

    train(epochs=1, callbacks=(Listener(),))
    assert heard[0] == (1, 1 / 40)
    assert heard[-1] == (40, 1.0)


def test_progress_of_counted_steps_is_even():
    settings = training.TrainingSettings(epochs=2, steps_per_epoch=5)
    clock = Clock(settings, training.TrainingPlan())
    assert [clock.progress(s) for s in (0, 5, 10)] == [0, 0.5, 1]
    assert clock.steps_in(1) == 5
