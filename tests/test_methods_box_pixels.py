"""Retina U-Net, NuSeT, Mesmer and Mask R-CNN: their published parts, and images without nuclei."""

import numpy as np
import pytest
from small import data_sets, make_sample, tiny

from nbtools import data, methods, training
from nbtools.errors import UserError
from nbtools.methods.domain import Domain

pytestmark = pytest.mark.usefixtures("step_by_step")
NAMES = ("retina_unet", "nuset", "mesmer", "mask_rcnn")


@pytest.mark.parametrize("name", ["retina_unet", "mesmer"])
def test_the_published_stages_are_those_of_resnet50_for_planes(name):
    """23,587,712 numbers for colour images, by keras.applications without its top."""
    method = methods.get(name)(preset="paper")
    method.domain = Domain(2, channels=3)
    stages = [x for x in method.build().layers if x.name.startswith("enc0_")]
    assert sum(layer.count_params() for layer in stages) == 23_587_712
    method.domain = Domain(3)
    with pytest.raises(UserError, match="Use preset small"):
        method.build()


def test_the_paper_preset_of_nuset_is_the_u_net_with_a_proposer_of_regions():
    """31.03 million: Ronneberger et al. 2015; the proposer has 512 channels on 1024."""
    model = methods.get("nuset")(preset="paper").build()
    regions = [layer for layer in model.layers if layer.name.startswith("regions")]
    proposer = sum(layer.count_params() for layer in regions)
    assert proposer == 9 * 1024 * 512 + 512 + (512 + 1) * 3 * 5
    assert round((model.count_params() - proposer) / 1e6, 2) == 31.03


@pytest.mark.parametrize("name", NAMES)
def test_images_without_nuclei_give_a_finite_loss(name):
    def empty(sample: data.Sample) -> data.Sample:
        label = sample.label.replace(pixels=np.zeros_like(sample.label.pixels))
        return sample.replace(label=label)

    train = [empty(s) if i else s for i, s in enumerate(data_sets(2)[0])]
    method = tiny(name)
    val = data.DataSet.of([empty(make_sample(8, 2))])
    method.fit(data.DataSet.of(train), val, plan=training.TrainingPlan(seed=0))
    assert np.isfinite([row["val_loss"] for row in method.history.rows]).all()
    found = method.predict(make_sample(4, 2).image).labels
    assert found.pixels.shape == (70, 83)


@pytest.mark.parametrize("name", NAMES)
def test_a_time_point_has_the_scores_of_its_own_objects(name):
    method = tiny(name)
    method.fit(*data_sets(2), plan=training.TrainingPlan(seed=0))
    image = make_sample(4, 2).image
    movie = image.replace(pixels=np.stack([image.pixels] * 2), axes="TYX")
    single, both = method.predict(image).result, method.predict(movie).result
    assert dict(single.score) == pytest.approx(dict(both.frames()[1].score))


def test_the_mask_head_of_the_preset_paper_has_the_published_size():
    """Four convolutions and a transposed one of 256 channels, as those of torchvision."""
    method = methods.get("mask_rcnn")(preset="paper")
    assert method.build_masks().count_params() == 2_360_320 + 262_400 + 257
    assert method.mask_size == 28
