"""Training steps: who learns from what."""

import keras
import numpy as np
import pytest

from nbtools import training
from nbtools.errors import UserError
from nbtools.training.step import count_patches
from nbtools.training.two_stage import TwoStage

SETTINGS = training.TrainingSettings(learning_rate=0.01, weight_decay=0.0)


def weights_of(model: keras.Model) -> list[np.ndarray]:
    return [np.array(weight) for weight in model.weights]


def differ(before: list[np.ndarray], model: keras.Model) -> bool:
    return any(not np.array_equal(a, b) for a, b in zip(before, weights_of(model), strict=True))


@pytest.fixture
def pair():
    """A generator that scales and shifts grey values, and a judge of them."""
    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 1))
    made = keras.layers.Conv2D(1, 1, name="generated")(image)
    near = keras.layers.Identity(name="near")(made)
    generator = keras.Model(image, {"generated": made, "near": near})
    seen = keras.Input((8, 8, 1))
    hidden = keras.layers.Conv2D(8, 1, activation="relu")(seen)
    pooled = keras.layers.GlobalAveragePooling2D()(hidden)
    judge = keras.Model(seen, keras.layers.Dense(1)(pooled))
    losses = {"near": lambda truth, found: 0.0 * keras.ops.mean(found - truth, axis=(1, 2, 3))}
    return training.Adversarial(generator, judge, losses=losses, settings=SETTINGS)


def make_batch(rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    images = rng.normal(0.0, 1.0, (8, 8, 8, 1)).astype(np.float32)
    return images, {"real": 3 + images, "near": images}


class TooMuch:
    """Memory for a few patches at a time."""

    def __init__(self, model: keras.Model, most: int):
        self.most, self.real, self.sizes = most, model.train_on_batch, []
        model.train_on_batch = self

    def __call__(self, x, *about, **more):
        self.sizes.append(count_patches((x, None)))
        if self.sizes[-1] > self.most:
            raise MemoryError("OOM when allocating a tensor")
        return self.real(x, *about, **more)


def make_line() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])


def learn_line(most: int, rng: np.random.Generator, *, steps: int = 5) -> tuple:
    step = training.Supervised(make_line(), keras.losses.mean_squared_error, SETTINGS)
    memory = TooMuch(step.model, most)
    logs = []
    for _ in range(steps):
        x = rng.normal(size=(8, 3)).astype(np.float32)
        logs.append(step((x, x.sum(axis=1, keepdims=True)))["loss"])
    return step, memory, logs


def test_where_memory_is_short_a_batch_is_learned_in_parts_with_the_same_result():
    whole, _, losses = learn_line(8, np.random.default_rng(1))
    parts, memory, found = learn_line(2, np.random.default_rng(1))
    assert memory.sizes[:3] == [8, 4, 2]
    assert parts.parts == 4
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    for one, other in zip(parts.model.weights, whole.model.weights, strict=True):
        np.testing.assert_allclose(np.array(one), np.array(other), rtol=1e-4, atol=1e-6)
    assert int(parts.model.optimizer.iterations) == 5
    assert len(parts.state()) == len(whole.state())


def test_where_not_even_one_patch_fits_it_is_said():
    with pytest.raises(UserError, match="smaller patch_size"):
        learn_line(0, np.random.default_rng(1))


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    step = training.Supervised(make_line(), keras.losses.mean_squared_error, SETTINGS)
    with pytest.raises(ValueError, match="shape"):
        step((np.zeros((2, 5), np.float32), np.zeros((2, 1), np.float32)))
    assert step.parts == 1


def test_each_of_two_networks_learns_in_its_own_half_of_the_step(pair, rng):
    batch = make_batch(rng)
    generator, judge = pair.model, pair.discriminator.model
    before = weights_of(judge)
    pair.generator(pair._generator_batch(batch))
    assert not differ(before, judge)
    before = weights_of(generator)
    pair.discriminator((batch[0], np.ones((8, 1), np.float32)))
    assert not differ(before, generator)
    both = weights_of(generator), weights_of(judge)
    logs = pair(batch)
    assert differ(both[0], generator)
    assert differ(both[1], judge)
    assert logs.keys() >= {"loss", "discriminator_loss"}


def test_two_networks_learn_in_equal_parts_where_memory_is_short_for_one(pair, rng):
    count = len(pair.state())
    memory = TooMuch(pair.generator.model, 3)
    assert np.isfinite(pair(make_batch(rng))["loss"])
    assert memory.sizes[:3] == [8, 4, 2]
    assert pair.parts == pair.generator.parts == pair.discriminator.parts == 4
    assert len(pair.state()) == count
    before = len(memory.sizes)
    pair(make_batch(rng))
    assert memory.sizes[before:] == [2, 2, 2, 2]
    assert int(pair.generator.model.optimizer.iterations) == 2


def test_two_stages_learn_in_parts_where_memory_is_short(rng):
    keras.utils.set_random_seed(0)
    image, boxes = keras.Input((4,), name="image"), keras.Input((3,), name="boxes")
    first = keras.Model(image, {"a": keras.layers.Dense(1)(image)}, name="first")
    second = keras.layers.Dense(1)(boxes)
    model = keras.Model({"image": image, "boxes": boxes}, {**first(image), "second": second})
    step = TwoStage(
        model,
        propose=lambda output: output["a"],
        sample=lambda _, given: (given["boxes"], {"second": given["boxes"].sum(keepdims=True)}),
        losses=dict.fromkeys(("a", "second"), keras.losses.mean_squared_error),
        settings=SETTINGS,
        given=("boxes",),
    )
    memory = TooMuch(step.model, 4)
    x, true = (rng.normal(size=(8, n)).astype(np.float32) for n in (4, 3))
    batch = (x, {"a": x[:, :1], "boxes": true})
    assert np.isfinite(step(batch)["loss"])
    assert memory.sizes == [8, 4, 4]
    assert step.parts == 2
    step.divide(4)
    assert step.inner.parts == 4


def test_images_of_the_generator_come_to_look_like_the_real_ones(pair, rng):
    for _ in range(150):
        pair(make_batch(rng))
    images, truth = make_batch(rng)
    made = np.asarray(pair.model.predict_on_batch(images)["generated"])
    assert abs(made.mean() - truth["real"].mean()) < 1.5


def test_a_validation_batch_teaches_nobody(pair, rng):
    both = [weights_of(m) for m in (pair.model, pair.discriminator.model)]
    assert np.isfinite(pair.validate(make_batch(rng))["loss"])
    for before, model in zip(both, (pair.model, pair.discriminator.model), strict=True):
        assert not differ(before, model)
