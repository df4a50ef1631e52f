"""Network builders: published sizes, shapes at every variant, anisotropic pooling."""

import numpy as np
import pytest

from nbtools import nets
from nbtools.errors import UserError


def test_the_original_u_net_has_its_published_number_of_parameters():
    # 31.03 million: Ronneberger et al. 2015 with 5 levels of 64 to 1024 channels, up-convolutions
    # of 2 x 2, no normalisation
    model = nets.unet(
        2, filters=(64, 128, 256, 512, 1024), outputs=2, norm="none", upsampling="transpose"
    )
    assert model.count_params() == 31_030_658


def test_the_3d_u_net_has_its_published_number_of_parameters():
    # 19.07 million: Çiçek et al. 2016, widths double before pooling, up-convolutions keep their
    # channels
    model = nets.unet(
        3,
        filters=(64, 128, 256, 512),
        channels=3,
        outputs=3,
        double_before_pooling=True,
        upsampling="transpose",
    )
    assert model.count_params() == pytest.approx(19.07e6, rel=0.001)


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"pool": "blur", "topmost_skip": False},
        {"pool": "stride", "upsampling": "transpose", "norm": "instance"},
        {"skip_mode": "add", "decoder_convs": 1},
        {
            "kernels": (1, 3, 3),
            "deep_supervision": 1,
            "pool": "first",
            "activation": "leaky",
            "bias": True,
        },
        {"stem": 2},
        {"residual": True},
        {"activation": "leaky_relu", "norm": "none", "convs": 3, "kernel": 5},
    ],
)
@pytest.mark.parametrize("ndim", [2, 3])
def test_every_variant_keeps_the_shape_of_the_image(ndim, plan, rng):
    outputs = 1 if plan.get("residual") else 2
    model = nets.unet(ndim, filters=(4, 6, 8), outputs=outputs, **plan)
    image = rng.random((1, *(16,) * ndim, 1), dtype=np.float32)
    out = np.asarray(model(image))
    assert out.shape == (1, *(16,) * ndim, outputs * (1 + plan.get("deep_supervision", 0)))
    assert np.isfinite(out).all()


def test_axes_are_pooled_by_their_own_factors():
    model = nets.unet(3, filters=(4, 4, 4), strides=((1, 2, 2), (2, 2, 2)))
    assert np.asarray(model(np.zeros((1, 2, 8, 8, 1), np.float32))).shape == (1, 2, 8, 8, 1)


def test_blur_pooling_keeps_the_mean_of_a_smooth_image():
    from nbtools.nets.unet import _Blur

    ramp = np.broadcast_to(np.arange(16.0, dtype=np.float32)[:, None], (16, 16))[None, ..., None]
    out = np.asarray(_Blur(2, (2, 2))(ramp))
    np.testing.assert_allclose(
        out[0, 1:, 3, 0], np.arange(2, 16, 2)
    )  # weights 1 2 1 at every second pixel


def test_one_dimension_is_refused():
    with pytest.raises(UserError, match="2 or 3 spatial axes"):
        nets.unet(1)


def test_a_first_convolution_that_strides_takes_the_place_of_pooling():
    def count(pool: str) -> int:
        return len(
            [
                layer
                for layer in nets.unet(2, filters=(4, 6), pool=pool).layers
                if "Conv" in type(layer).__name__
            ]
        )

    assert count("first") == count("max") == count("stride") - 1


def test_instance_normalisation_equals_that_of_keras(rng):
    import keras

    from nbtools.nets.norm import InstanceNorm

    image = rng.normal(3, 2, (2, 5, 6, 7, 4)).astype(np.float32)
    ours, theirs = InstanceNorm(), keras.layers.GroupNormalization(groups=-1, epsilon=1e-5)
    np.testing.assert_allclose(np.asarray(ours(image)), np.asarray(theirs(image)), atol=1e-5)
