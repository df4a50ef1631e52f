"""Networks of detectors: their published sizes, and outputs as large as the image."""

import numpy as np
import pytest

from nbtools import methods, nets


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # six convolutions: 5x5x64, four of 3x3x64, 3x3x1 (Tofighi et al. 2018)
        ("sp_cnn", (25 + 1) * 64 + 4 * (9 * 64 + 1) * 64 + 9 * 64 + 1),
        # VGG16's 64, 64, 128, 128, then four of 512, all 3x3, and the output (Valkonen et al.)
        (
            "nuclei_detection",
            (9 + 1) * 64
            + (9 * 64 + 1) * (64 + 128)
            + (9 * 128 + 1) * (128 + 512)
            + 3 * (9 * 512 + 1) * 512
            + 9 * 512
            + 1,
        ),
    ],
)
def test_the_paper_preset_has_the_published_convolutions(name, count):
    assert methods.get(name)(preset="paper").build().count_params() == count


def test_the_paper_preset_of_kinet_has_the_published_widths_and_scales():
    model = methods.get("kinet")(preset="paper").build()
    widths = [model.get_layer(f"enc{level}").filters for level in range(5)]
    assert widths == [32, 64, 128, 256, 256]
    sides = [model.get_layer(f"side{i}").filters for i in range(3)]
    assert sides == [64, 64, 64]
    assert model.get_layer("side1_up").size == (4, 4)
    assert model.get_layer("side2_up").size == (8, 8)
    join = model.get_layer("join")
    assert (join.filters, join.kernel_size) == (32, (5, 5))
    assert model.count_params() == 5_869_793  # counted from these


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", ["kinet", "sp_cnn", "nuclei_detection"])
def test_the_output_is_as_large_as_the_image(rng, name, ndim):
    method = methods.get(name)()
    method.domain = method.domain.__class__(ndim=ndim)
    model = method.build()
    image = rng.random((1, *(16,) * ndim, 1), dtype=np.float32)
    assert np.asarray(model(image)).shape == (1, *(16,) * ndim, 1)


def test_without_a_pooling_the_scales_are_the_image_itself():
    about = {"filters": (4, 8), "convs": (1,), "side": 4, "head": 4}
    model = nets.kinet(2, channels=3, outputs=2, strides=((2, 2),), **about)
    assert model.output_shape == (None, None, None, 2)
