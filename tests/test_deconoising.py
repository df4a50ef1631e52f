"""DecoNoising: the blur is scipy's, hidden pixels are asked of the blurred image only, either image
can be the result.
"""

import numpy as np
import pytest
from scipy import ndimage

from nbtools import io, losses, methods, nets, normalize
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods.denoise import deconoising
from nbtools.methods.domain import Domain


@pytest.mark.parametrize(
    ("shape", "size"), [((30, 41), (5, 7)), ((4, 20, 17), (3, 5, 5)), ((3, 9), (9, 3))]
)
def test_the_blur_is_scipys_convolution_with_reflection(rng, shape, size):
    image, kernel = rng.normal(size=shape).astype(np.float32), rng.random(size).astype(np.float32)
    found = np.asarray(nets.Psf([kernel])(image[None, ..., None]))[0, ..., 0]
    np.testing.assert_allclose(
        found, ndimage.convolve(image, kernel, mode="reflect"), rtol=1e-4, atol=1e-4
    )


def test_the_blur_is_rebuilt_from_its_configuration(rng):
    layer = nets.Psf([rng.random((3, 1)), rng.random((1, 5))])
    again = nets.Psf.from_config(layer.get_config())
    image = rng.normal(size=(1, 12, 14, 1)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(again(image)), np.asarray(layer(image)))
    assert tuple(layer.receptive()[1]) == (1, 2)


def test_a_gaussian_axis_by_axis_is_scipys_in_volumes(rng):
    image = rng.normal(size=(9, 24, 25)).astype(np.float32)
    method = methods.get("deconoising")(psf_sigma=1.5)
    method.domain = Domain(ndim=3, spacing=(0.6, 0.3, 0.3))
    kernels = method.make_kernels()
    assert [k.shape for k in kernels] == [
        (19, 1, 1),
        (1, 13, 1),
        (1, 1, 13),
    ]  # three times as long in µm, in planes twice as far apart
    found = np.asarray(nets.Psf(kernels)(image[None, ..., None]))[0, ..., 0]
    np.testing.assert_allclose(
        found,
        ndimage.gaussian_filter(image, (2.25, 1.5, 1.5), mode="reflect", truncate=4.0),
        atol=1e-4,
    )


def test_the_published_network_has_its_number_of_parameters_and_the_blur_none():
    method = methods.get("deconoising")(preset="paper")
    assert method.build().count_params() == 1_677_377


def test_the_network_blurs_what_it_says_is_sharp(rng):
    method = methods.get("deconoising")(preset="tiny", psf_sigma=1.2)
    both = np.asarray(method.build()(rng.normal(size=(1, 32, 32, 1)).astype(np.float32)))[0]
    np.testing.assert_allclose(
        both[..., 0],
        ndimage.gaussian_filter(both[..., 1], 1.2, mode="reflect", truncate=5 / 1.2),
        atol=1e-5,
    )


def test_the_loss_is_that_of_a_worked_example():
    truth, output = np.zeros((1, 2, 2, 2), np.float32), np.zeros((1, 2, 2, 2), np.float32)
    truth[0, 0, 1], truth[0, 1, 0, 0] = (3.0, 1.0), 99.0
    output[0, 0, 1, 0] = 1.0  # 2 off at the only pixel asked for
    output[0, ..., 1] = [[-1.0, 0.5], [0.5, 0.5]]  # 0.8 below the floor at one of four
    about = {"floor": -0.2, "positivity": 3.0}
    assert float(
        losses.deconoising_loss(**about, smoothness=0.0)(truth, output)[0]
    ) == pytest.approx(4 + 3 * 0.2)
    smooth = losses.deconoising_loss(**about, smoothness=2.0)(truth, output)
    assert float(smooth[0]) == pytest.approx(4 + 3 * 0.2 + 2 * (0.75 + 0.75))


def test_the_gradient_of_the_loss_is_zero_at_pixels_that_were_not_hidden(rng):
    tf = pytest.importorskip("tensorflow")
    mask = rng.random((1, 12, 12)) < 0.05
    mask[0, 3, 4] = True
    truth = np.stack([rng.normal(size=mask.shape), mask], axis=-1).astype(np.float32)
    output = tf.Variable(rng.normal(size=(1, 12, 12, 2)).astype(np.float32))
    with tf.GradientTape() as tape:
        loss = losses.deconoising_loss(floor=0.0, positivity=1.0, smoothness=0.0)(truth, output)
    gradient = tape.gradient(loss, output).numpy()
    assert (gradient[..., 0][~mask] == 0).all()
    assert (gradient[..., 0][mask] != 0).all()
    np.testing.assert_allclose(
        gradient[..., 1], np.where(output.numpy()[..., 1] < 0, -1 / 144, 0), rtol=1e-5
    )


def test_either_image_can_be_the_result_in_grey_values():
    maps = np.stack([np.full((3, 4), 1.0), np.full((3, 4), 2.0)], axis=-1).astype(np.float32)
    for output, expected in (("denoised", 110), ("deconvolved", 120)):
        method = methods.get("deconoising")(output=output)
        method.scale = normalize.Scale((100.0,), (10.0,))
        found = method.decode(maps).image.pixels
        assert found.shape == (3, 4, 1)
        assert (found == expected).all()


def test_the_background_is_the_darkest_place_and_not_the_darkest_noise(rng):
    image = np.full((200, 200), 100.0)
    image[60:140, 60:140] = 300
    assert deconoising.find_background([image + rng.normal(0, 20, image.shape)]) == pytest.approx(
        100, abs=10
    )


def test_a_psf_image_is_centred_and_normalised(tmp_path):
    psf = ndimage.gaussian_filter(np.pad([[1.0]], ((8, 11), (9, 9))), 1.3)
    io.write_image(
        tmp_path / "psf.tif",
        Image((100 + 50_000 * psf / psf.max()).astype(np.uint16), "YX", (0.3, 0.3)),
    )
    found = deconoising.read_psf(str(tmp_path / "psf.tif"), spacing=(0.3, 0.3), ndim=2)
    assert found.sum() == pytest.approx(1)
    assert all(n % 2 for n in found.shape)
    assert np.unravel_index(found.argmax(), found.shape) == tuple(n // 2 for n in found.shape)
    grid = np.arange(found.shape[1]) - found.shape[1] // 2
    assert np.sqrt((found.sum(axis=0) * grid**2).sum()) == pytest.approx(1.3, rel=0.05)


def test_a_psf_of_another_pixel_size_or_without_light_is_refused(tmp_path):
    io.write_image(tmp_path / "psf.tif", Image(np.eye(9, dtype=np.uint16), "YX", (0.1, 0.1)))
    with pytest.raises(UserError, match="the pixel size of the images"):
        deconoising.read_psf(str(tmp_path / "psf.tif"), spacing=(0.3, 0.3), ndim=2)
    with pytest.raises(UserError, match="must have axes ZYX"):
        deconoising.read_psf(str(tmp_path / "psf.tif"), spacing=None, ndim=3)
    with pytest.raises(UserError, match="must be an image"):
        deconoising.read_psf(str(tmp_path / "none.tif"), spacing=None, ndim=2)
    with pytest.raises(UserError, match="a bright spot"):
        deconoising.centre_psf(np.full((5, 5), 7.0))
