"""Several networks as one: the published size of a member, independent answers, a field that can
still be read.
"""

import keras
import numpy as np
import pytest

from nbtools import methods, nets
from nbtools.inference.receptive_field import measure_receptive_field


@pytest.mark.parametrize("ndim", [2, 3])
def test_members_answer_each_for_itself(ndim, rng):
    one = nets.unet(ndim, filters=(4, 8), outputs=3)
    three = nets.ensemble(lambda: nets.unet(ndim, filters=(4, 8), outputs=3), 3)
    assert three.count_params() == 3 * one.count_params()
    out = np.asarray(three(rng.random((1, *(8,) * ndim, 1), dtype=np.float32)))
    assert out.shape == (1, *(8,) * ndim, 9)
    assert not np.allclose(out[..., :3], out[..., 3:6])
    assert measure_receptive_field(three).radius == measure_receptive_field(one).radius


# 31.03 million: Ronneberger et al. 2015; 19.07: Çiçek et al. 2016; 7.79: the three-level network of
# Caicedo et al. 2019
@pytest.mark.parametrize(
    ("name", "ndim", "millions"), [("unet", 2, 31.03), ("unet", 3, 19.08), ("border_unet", 2, 7.79)]
)
def test_the_preset_paper_has_the_published_size(name, ndim, millions):
    method = methods.get(name)(preset="paper")
    method.domain = type(method.domain)(ndim)
    assert round(method.build().count_params() / 1e6, 2) == millions


def test_an_axis_with_large_pixels_is_pooled_later():
    assert nets.plan_pooling(3, (4.0, 1.0, 1.0), count=3) == ((1, 2, 2), (1, 2, 2), (2, 2, 2))
    assert nets.plan_pooling(2, (1.0, 1.0), count=2) == (2, 2)


def test_the_probabilities_of_an_ensemble_are_the_mean_of_its_members(rng):
    method = methods.get("border_unet")(preset="tiny", ensemble=2)
    raw = rng.normal(size=(6, 5, 6)).astype(np.float32)
    each = [
        np.exp(raw[..., i : i + 3]) / np.exp(raw[..., i : i + 3]).sum(axis=-1, keepdims=True)
        for i in (0, 3)
    ]
    np.testing.assert_allclose(method.target().activate(raw), np.mean(each, axis=0), rtol=1e-5)


def test_a_network_of_fewer_channels_sees_the_middle_ones(rng):
    networks = {f"planes{k}": nets.unet(2, channels=k, filters=(4, 8)) for k in (1, 3, 5)}
    three = nets.side_by_side(networks)
    planes = rng.random((1, 16, 16, 5), dtype=np.float32)
    outer = planes.copy()
    outer[..., [0, 4]] += 1
    before, after = np.asarray(three(planes)), np.asarray(three(outer))
    np.testing.assert_array_equal(before[..., :2], after[..., :2])
    assert np.abs(before[..., 2] - after[..., 2]).max() > 1e-4
    assert three.count_params() == sum(network.count_params() for network in networks.values())
    assert (
        measure_receptive_field(three).radius == measure_receptive_field(networks["planes1"]).radius
    )


def test_networks_side_by_side_survive_their_description(rng, tmp_path):
    both = nets.side_by_side(
        {"a": nets.unet(2, channels=3, filters=(4, 8)), "b": nets.unet(2, filters=(4,), outputs=2)}
    )
    both.save(tmp_path / "both.keras")
    again = keras.saving.load_model(tmp_path / "both.keras", safe_mode=True)
    image = rng.random((1, 8, 8, 3), dtype=np.float32)
    assert np.asarray(both(image)).shape == (1, 8, 8, 3)
    np.testing.assert_allclose(np.asarray(again(image)), np.asarray(both(image)), atol=1e-6)
