"""Two translators and their judges: who learns from what, and an exact state."""

import keras
import numpy as np
import pytest

from nbtools import nets, training
from nbtools.targets.translated import HERE, THERE

SETTINGS = training.TrainingSettings(learning_rate=0.005, weight_decay=0.0)


def make_generator(name: str) -> keras.Model:
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.Conv2D(1, 1)(image), name=name)


@pytest.fixture
def step() -> training.Cycle:
    keras.utils.set_random_seed(1)
    about = {"channels": 1, "filters": (4, 8)}
    judges = {k: nets.patchgan(2, name=f"judge_{k}", **about) for k in (HERE, THERE)}
    return training.Cycle(
        make_generator("model"),
        make_generator("back"),
        judges=judges,
        finder=make_generator("finder"),
        weights={"cycle": 10.0, "spatial": 10.0},
        settings=SETTINGS,
    )


def make_batch(rng: np.random.Generator) -> tuple[dict, dict]:
    """Images of mean 0, and unrelated ones of mean 2."""
    here, there = (rng.normal(m, 1, (4, 16, 16, 1)).astype(np.float32) for m in (0, 2))
    return {HERE: here, THERE: there}, {HERE: here, THERE: there}


def networks_of(step: training.Cycle) -> dict[str, keras.Model]:
    found = {"model": step.model, "back": step.back, "finder": step.finder}
    return found | {f"judge_{k}": judge.model for k, judge in step.judges.items()}


def weights_of(step: training.Cycle) -> dict[str, list[np.ndarray]]:
    known = networks_of(step)
    return {k: [np.array(w) for w in m.trainable_weights] for k, m in known.items()}


def list_changed(step: training.Cycle, before: dict[str, list[np.ndarray]]) -> set[str]:
    after = weights_of(step)
    return {k for k in before if not all(map(np.array_equal, before[k], after[k]))}


def test_generators_and_judges_learn_in_their_own_half_of_the_step(step, rng):
    batch, before = make_batch(rng), weights_of(step)
    step.generators(step._wanted(batch))
    assert list_changed(step, before) == {"model", "back", "finder"}
    before = weights_of(step)
    logs = step(batch)
    assert list_changed(step, before) == set(before)
    assert logs.keys() >= {"loss", "discriminator_loss"}


def test_what_comes_back_comes_to_be_what_it_was(step, rng):
    images, _ = make_batch(rng)

    def miss() -> float:
        again = np.asarray(step.back(step.model(images[HERE])))
        return float(np.abs(again - images[HERE]).mean())

    first = miss()
    step.set_learning_rate(0.03)
    for _ in range(100):
        step(make_batch(rng))
    assert miss() < 0.5 * first


def test_the_state_decides_the_next_step(step, rng):
    step(make_batch(rng))
    kept, batch = [np.array(v) for v in step.state()], make_batch(rng)
    step(batch)
    wanted = weights_of(step)
    for variable, value in zip(step.state(), kept, strict=True):
        variable.assign(value)
    step(batch)
    assert list_changed(step, wanted) == set()
