"""A segmenter that learns from what a translator makes of masks."""

import keras
import numpy as np
import pytest

from nbtools import losses, nets, training
from nbtools.methods.domain import Domain
from nbtools.methods.translation import (
    make_adversarial,
    make_cycle,
    make_generator,
    pair_output,
)
from nbtools.targets.synthesis import SEGMENT
from nbtools.targets.translated import HERE, THERE

SETTINGS = training.TrainingSettings(learning_rate=0.005, weight_decay=0.0)


@pytest.fixture(params=["unpaired", "paired"])
def step(request) -> training.Synthesis | training.PairedSynthesis:
    """Of either kind."""
    return {"unpaired": make_unpaired, "paired": make_paired}[request.param]()


def make_unpaired() -> training.Synthesis:
    keras.utils.set_random_seed(1)
    about = {"preset": "tiny", "weights": {"cycle": 10.0, "spatial": 10.0}, "settings": SETTINGS}
    cycle = make_cycle(make_generator(Domain(2), "tiny"), Domain(2), **about)
    model = nets.unet(2, filters=(4, 8), outputs=2)
    return training.Synthesis(
        cycle, training.Supervised(model, losses.foreground_distance, SETTINGS)
    )


def make_paired() -> training.PairedSynthesis:
    keras.utils.set_random_seed(1)
    net = pair_output(make_generator(Domain(2), "tiny", given=3), name="pair")
    translator = make_adversarial(net, preset="tiny", nearness=100.0, settings=SETTINGS)
    model = nets.unet(2, filters=(4, 8), outputs=2)
    segmenter = training.Supervised(model, losses.foreground_distance, SETTINGS)
    return training.PairedSynthesis(translator, segmenter)


def make_batch(rng: np.random.Generator, step: object) -> tuple:
    inside = (rng.random((2, 16, 16, 1)) > 0.5).astype(np.float32)
    real = rng.normal(size=inside.shape).astype(np.float32)
    truth = np.concatenate([inside, inside, np.ones_like(inside)], axis=-1)
    if isinstance(step, training.PairedSynthesis):
        mask = [
            np.concatenate([2 * inside - 1, inside * 0 + a, inside * 0 + 1 - a], -1) for a in (0, 1)
        ]
        return {"real": real, "own": mask[0], "other": mask[1]}, truth
    return {HERE: 2 * inside - 1, THERE: real}, {SEGMENT: truth}


def test_translator_and_segmenter_learn_in_one_step(step, rng):
    before = [np.array(w) for w in (*step.model.trainable_weights, *step.translator.model.weights)]
    logs = step(make_batch(rng, step))
    after = [np.array(w) for w in (*step.model.trainable_weights, *step.translator.model.weights)]
    assert (
        sum(not np.array_equal(a, b) for a, b in zip(before, after, strict=True)) > len(after) / 2
    )
    assert logs.keys() >= {"loss", "translation_loss"}


def test_the_state_decides_the_next_step(step, rng):
    step(make_batch(rng, step))
    kept, batch = [np.array(v) for v in step.state()], make_batch(rng, step)
    step(batch)
    wanted = [np.array(w) for w in (*step.model.weights, *step.translator.model.weights)]
    for variable, value in zip(step.state(), kept, strict=True):
        variable.assign(value)
    step(batch)
    found = [np.array(w) for w in (*step.model.weights, *step.translator.model.weights)]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_loss_of_validation_is_that_of_real_images(rng):
    step = make_paired()
    images, truth = make_batch(rng, step)
    wanted = step.segmenter.validate((images["real"], truth))
    assert step.validate((images, truth)) == wanted
    assert step.validate(({**images, "real": -images["real"]}, truth)) != wanted


def test_a_divided_step_is_one_of_all_networks(rng):
    step = make_paired()
    step.divide(2)
    assert step.parts == step.translator.parts == step.segmenter.parts == 2
    assert np.isfinite(step(make_batch(rng, step))["loss"])
