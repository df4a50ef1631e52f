"""Parts of a network that learn in turn: none changes another."""

import keras
import numpy as np
import pytest

from nbtools import nets, training

SETTINGS = training.TrainingSettings(learning_rate=0.01, weight_decay=0.0)


def squared(truth, output):
    return keras.ops.mean(keras.ops.square(truth - output), axis=(1, 2, 3))


@pytest.fixture
def step() -> training.InTurn:
    """Two networks, one behind the other."""
    keras.utils.set_random_seed(1)
    parts = {name: nets.unet(2, filters=(4, 8), norm="none") for name in ("first", "second")}
    model = nets.in_sequence(parts)
    heads = {name: model.get_layer(f"{name}_head").output for name in parts}
    networks = {k: (keras.Model(model.input, head), f"{k}_") for k, head in heads.items()}
    losses = dict.fromkeys(parts, squared)
    return training.InTurn(model, networks, losses=losses, settings=SETTINGS)


def weights_of(model: keras.Model, prefix: str) -> list[np.ndarray]:
    own = [layer for layer in model.layers if layer.name.startswith(prefix)]
    return [np.array(weight) for layer in own for weight in layer.weights]


def make_batch(rng: np.random.Generator) -> tuple[dict, dict]:
    images = {k: rng.normal(size=(2, 8, 8, 1)).astype(np.float32) for k in ("first", "second")}
    return images, images


@pytest.mark.parametrize(("learns", "stays"), [("first", "second"), ("second", "first")])
def test_a_part_learns_alone(step, rng, learns, stays):
    images, truth = make_batch(rng)
    before = {name: weights_of(step.model, f"{name}_") for name in (learns, stays)}
    step.steps[learns]((images[learns], truth[learns]))
    after = {name: weights_of(step.model, f"{name}_") for name in (learns, stays)}
    assert all(map(np.array_equal, before[stays], after[stays]))
    assert not any(map(np.array_equal, before[learns][-1:], after[learns][-1:]))


def test_both_learn_in_a_step_and_the_loss_falls(step, rng):
    batch = make_batch(rng)
    first = step.validate(batch)
    for _ in range(30):
        logs = step(batch)
    assert logs["loss"] == pytest.approx(logs["first_loss"] + logs["second_loss"])
    assert step.validate(batch)["loss"] < 0.7 * first["loss"]


def test_the_state_decides_the_next_step(step, rng):
    batch = make_batch(rng)
    step(batch)
    kept = [np.array(v) for v in step.state()]
    step(batch)
    wanted = weights_of(step.model, "")
    for variable, value in zip(step.state(), kept, strict=True):
        variable.assign(value)
    step(batch)
    for one, other in zip(weights_of(step.model, ""), wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_second_network_sees_what_the_first_predicts(step, rng):
    image = rng.normal(size=(1, 8, 8, 1)).astype(np.float32)
    both = np.asarray(step.model(image))
    first, second = (step.steps[name].model for name in ("first", "second"))
    np.testing.assert_allclose(both[..., 1:], first(image), atol=1e-6)
    np.testing.assert_allclose(both[..., :1], second(image), atol=1e-6)
