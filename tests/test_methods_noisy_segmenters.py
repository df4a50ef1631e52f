"""DenoiSeg and VoidSeg: the published size, images without labels, two results of one network, and
what is taken from a model of Noise2Void.
"""

import dataclasses

import numpy as np
import pytest
from small import make_sample

from nbtools import data, methods, training
from nbtools.errors import UserError
from nbtools.methods.unlabelled import share_labelled

TINY = {"preset": "tiny", "epochs": 1, "steps_per_epoch": 2, "batch_size": 2, "patch_size": 32}
pytestmark = pytest.mark.usefixtures("step_by_step")


def bare(sample: data.Sample) -> data.Sample:
    return dataclasses.replace(sample, label=None)


@pytest.fixture(scope="module")
def images() -> data.DataSet:
    """One image with labels, two without."""
    samples = [make_sample(2 * i, 2) for i in range(3)]
    return data.DataSet.of([samples[0], *map(bare, samples[1:])])


@pytest.fixture(scope="module")
def denoiser(images, step_by_step) -> methods.Method:
    method = methods.get("n2v")(**TINY)
    method.fit(images, plan=training.TrainingPlan(seed=1))
    return method


def test_the_network_of_denoiseg_has_the_published_size():
    """5,505,476 by count of the authors' network: CSBDeep's U-Net of depth 4 with four outputs."""
    assert methods.get("denoiseg")(preset="paper").build().count_params() == 5_505_476


def test_images_with_labels_are_drawn_for_their_share():
    labelled = np.arange(10) < 2
    found = share_labelled(np.arange(1.0, 11.0), labelled, share=0.3)
    assert found[labelled].sum() == pytest.approx(0.3)
    assert found.sum() == pytest.approx(1)
    assert found[1] == pytest.approx(2 * found[0])
    np.testing.assert_array_equal(share_labelled(np.ones(3), np.ones(3, bool), share=0.3), 1)


@pytest.mark.parametrize("name", ["denoiseg", "voidseg"])
def test_one_network_gives_labels_and_a_restored_image(images, name):
    method = methods.get(name)(**TINY)
    method.fit(images, plan=training.TrainingPlan(seed=1))
    image = images.image(0)
    found = method.predict(image)
    assert (found.labels is None, found.image is None) == (False, True)
    method.turn_to("restoration")
    restored = method.predict(image)
    assert (restored.labels is None, restored.image is None) == (True, False)
    assert restored.image.shape == image.shape
    np.testing.assert_array_equal(found.labels.spacing, image.spacing)


def test_voidseg_keeps_the_denoiser_it_is_given(images, denoiser):
    method = methods.get("voidseg")(**TINY)
    method.start_from(denoiser)
    assert method.settings.learning_rate == methods.get("voidseg")().settings.learning_rate
    method.fit(images, plan=training.TrainingPlan(seed=2))
    given = [np.asarray(w) for w in denoiser.model.weights]
    for one, other in zip(given, method.part("denoiser").weights, strict=True):
        # averaged over steps in which they did not change: the same but for rounding
        np.testing.assert_allclose(one, np.asarray(other), rtol=1e-6)
    method.turn_to("restoration")
    image = images.image(1)
    wanted = denoiser.predict(image).image.pixels
    np.testing.assert_allclose(method.predict(image).image.pixels, wanted, rtol=1e-4)


def test_voidseg_is_fine_tuned_from_the_encoder_of_the_denoiser(images, denoiser):
    method = methods.get("voidseg")(**TINY | {"learning_rate": 1e-6}, finetune=True)
    method.start_from(denoiser)
    method.fit(images, plan=training.TrainingPlan(seed=2))
    for name in ("enc0_0", "enc0_1", "enc1_0", "enc1_1"):
        kernel = np.asarray(method.model.get_layer(f"segmenter_{name}").kernel)
        np.testing.assert_allclose(kernel, denoiser.model.get_layer(name).kernel, atol=1e-3)
    # batch normalisation, which the denoiser has not, begins anew
    assert (method.origin["layers"], method.origin["of"]) == (4, 8)


def test_fine_tuning_asks_for_a_denoiser(images):
    with pytest.raises(UserError, match="begin with it"):
        methods.get("voidseg")(**TINY, finetune=True).fit(images)
