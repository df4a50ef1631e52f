"""Fine-tuning: weights to begin with, a frozen encoder, the learning rate."""

from types import SimpleNamespace

import numpy as np
import pytest

from nbtools import data, methods, simulate, training
from nbtools.errors import UserError

TINY = {
    "epochs": 1,
    "steps_per_epoch": 2,
    "batch_size": 2,
    "patch_size": 32,
    "preset": "tiny",
    "augmentation": "none",
}


@pytest.fixture(scope="module")
def images() -> data.DataSet:
    return simulate.make(
        "nuclei2d", count=3, seed=1, settings={"shape_px": (64, 64), "radius_um": (4.0,)}
    )


@pytest.fixture(scope="module")
def source(images) -> methods.Method:
    method = methods.get("fast_nuclei")(**TINY)
    method.fit(images, plan=training.TrainingPlan(seed=1))
    return method


def weights_of(method: methods.Method) -> dict[str, np.ndarray]:
    return {v.path: np.array(v) for v in method.model.weights}


def test_training_begins_with_the_weights_of_the_model(images, source):
    method = methods.get("fast_nuclei")(**TINY | {"learning_rate": 1e-7, "ema_decay": 0.0})
    method.start_from(source)
    method.fit(images, plan=training.TrainingPlan(seed=2))
    kernels = {k: v for k, v in weights_of(method).items() if k.endswith("kernel")}
    before = weights_of(source)
    assert all(np.abs(v - before[k]).max() < 1e-4 for k, v in kernels.items())
    assert method.origin == {"method": "fast_nuclei"}


def test_the_learning_rate_is_carried_over_lower_unless_set(source):
    method = methods.get("fast_nuclei")(**TINY)
    method.start_from(source)
    assert method.settings.learning_rate == pytest.approx(0.3 * source.settings.learning_rate)
    chosen = methods.get("fast_nuclei")(**TINY, learning_rate=1e-4)
    chosen.start_from(source)
    assert chosen.settings.learning_rate == 1e-4


def test_a_frozen_encoder_stays_as_it_was_and_the_rest_learns(images, source):
    method = methods.get("fast_nuclei")(**TINY, freeze_encoder=True)
    method.start_from(source)
    method.fit(images, plan=training.TrainingPlan(seed=2))
    before, after = weights_of(source), weights_of(method)
    changed = {
        k for k in before if not np.allclose(before[k], after[k], rtol=1e-5, atol=1e-7)
    }  # the running mean rounds
    encoder = {k for k in before if k.split("/")[0].startswith(("stem", "enc"))}
    assert encoder
    assert not encoder & changed
    assert any(k.startswith("dec") for k in changed)
    assert any(k.startswith("head") for k in changed)


def test_another_network_is_refused_with_what_differs(images, source):
    method = methods.get("fast_nuclei")(**TINY | {"preset": "paper"})
    method.start_from(source)
    with pytest.raises(UserError, match=r"preset=paper \(model: tiny\)"):
        method.fit(images, plan=training.TrainingPlan(seed=1))


def test_a_network_of_another_task_begins_with_the_encoder(images, source):
    method = methods.get("unet")(**TINY | {"learning_rate": 1e-7, "ema_decay": 0.0})
    method.start_from(source, parts="encoder")
    assert method.settings.learning_rate == 1e-7
    notes = []
    listener = SimpleNamespace(on_note=notes.append)
    method.fit(images, plan=training.TrainingPlan(seed=2, callbacks=(listener,)))
    before, after = weights_of(source), weights_of(method)
    kernels = {k for k in before if k.startswith(("stem", "enc")) and k.endswith("kernel")}
    kernels = {k for k in kernels & after.keys() if after[k].shape == before[k].shape}
    assert len(kernels) > 2
    assert all(np.abs(after[k] - before[k]).max() < 1e-4 for k in kernels)
    assert method.origin["parts"] == "encoder"
    assert method.origin["of"] >= method.origin["layers"] >= len(kernels)
    assert [note for note in notes if "layers of the encoder begin with" in note]


def test_other_parts_of_a_model_are_refused(source):
    with pytest.raises(UserError, match="Use one of: all, encoder"):
        methods.get("unet")(**TINY).start_from(source, parts="decoder")


def test_what_is_not_set_is_as_in_the_model_to_begin_with(images, source):
    """`train fast_nuclei --init nuclei2d_small` needs no word about the size of its network."""
    method = methods.get("fast_nuclei")(epochs=1, steps_per_epoch=1, batch_size=1, min_size=3)
    method.start_from(source)
    assert (method.settings.preset, method.settings.epochs, method.settings.min_size) == (
        "tiny",
        1,
        3,
    )
    method.fit(images, plan=training.TrainingPlan(seed=1))
    assert method.model.count_params() == source.model.count_params()


def test_a_method_without_weights_neither_gives_nor_takes_any(source):
    with pytest.raises(UserError, match="Only a method with weights"):
        methods.get("otsu")().start_from(source)
    with pytest.raises(UserError, match="Only a method with weights"):
        methods.get("fast_nuclei")().start_from(methods.get("otsu")())


def test_nothing_is_frozen_that_has_not_learned(images):
    with pytest.raises(UserError, match="Only an encoder that has learned"):
        methods.get("fast_nuclei")(**TINY, freeze_encoder=True).fit(images)
