"""Images of another pixel size than the training images: brought to theirs and back, or warned
about.
"""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import watershed
from skimage.transform import resize

from nbtools import data, methods, simulate
from nbtools.errors import UserError
from nbtools.geometry import equivalent_diameters
from nbtools.image import Image
from nbtools.inference import Forecast, ReceptiveField, rescaling, tiled
from nbtools.methods import Method, domain
from nbtools.metrics import instances
from nbtools.patches import Example
from nbtools.plausibility import judge_size
from nbtools.targets import LabelTarget

SETTINGS = {
    "shape_px": (192, 192),
    "radius_um": (4.0,),
    "radius_spread": (0.08,),
    "photons": (500.0,),
    "elongation": (1.1,),
    "cut": 0.2,
}
TRAINED = domain.Domain(2, spacing=(0.5, 0.5), nucleus_size=16.0)


@dataclasses.dataclass(frozen=True)
class BlobTarget(LabelTarget):
    nucleus_size: float = 1.0
    outputs = {"grey": 1, "ring": 1}  # noqa: RUF012

    def encode(self, example: Example) -> np.ndarray:
        raise NotImplementedError

    def find_labels(self, maps: np.ndarray) -> np.ndarray:
        from skimage.filters import threshold_otsu

        inside = maps[..., 0] > threshold_otsu(maps[..., 0])
        window = int(self.nucleus_size * 0.7) | 1
        peaks = (ndimage.maximum_filter(maps[..., 1], window) == maps[..., 1]) & inside
        label = watershed(-maps[..., 1], ndimage.label(peaks)[0], mask=inside)
        sizes = np.bincount(label.ravel())
        sizes[0] = 0
        keep = (sizes > 0.2 * self.nucleus_size**2) & (sizes < 3 * self.nucleus_size**2)
        return np.where(keep, np.cumsum(keep), 0).astype(np.int32)[label]


class Blobs(Method):
    """A stand-in for a network: it knows nuclei of one size in pixels, and no other."""

    name = "blobs"

    def learn(self, train: data.DataSet, val: object, *, plan: object, history: object) -> object:
        self.note_nucleus_size([equivalent_diameters(s.label.pixels) for s in train])
        return history

    def target(self) -> LabelTarget:
        return BlobTarget(nucleus_size=self.domain.nucleus_size)

    def infer(self, pixels: np.ndarray, *, tile: tuple | None = None) -> np.ndarray:
        grey, sigma = pixels[..., 0].astype(np.float32), self.domain.nucleus_size / 4
        ring = ndimage.gaussian_filter(grey, sigma) - ndimage.gaussian_filter(grey, 3 * sigma)
        return np.stack([ndimage.gaussian_filter(grey, 1), ring], axis=-1)


@pytest.fixture(scope="module")
def images() -> data.DataSet:
    return simulate.make("nuclei2d", count=4, seed=3, settings=SETTINGS)


@pytest.fixture(scope="module")
def method(images) -> Blobs:
    found = Blobs()
    found.fit(images)
    return found


def rescale(sample: data.Sample, factor: float) -> data.Sample:
    """The same field of view under another objective: `factor` times as many pixels."""
    shape = tuple(round(n * factor) for n in sample.image.shape)
    spacing = tuple(s / factor for s in sample.image.spacing)
    pixels = resize(sample.image.pixels.astype(np.float32), shape, order=1, anti_aliasing=True)
    label = resize(
        sample.label.pixels, shape, order=0, anti_aliasing=False, preserve_range=True
    ).astype(np.int32)
    return data.Sample(
        sample.name,
        Image(pixels, "YX", spacing, name=sample.name),
        label=Image(label, "YX", spacing),
    )


def mean_ap(method: Method, samples: list) -> float:
    pairs = [(s.name, s.label, method.predict(s.image).labels) for s in samples]
    return instances.evaluate(pairs)["pooled"]["0.50"]["ap"]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_nuclei_of_another_pixel_size_are_found_where_it_is_known(images, method, factor):
    other = [rescale(s, factor) for s in images]
    assert mean_ap(method, other) > mean_ap(method, list(images)) - 0.1
    found = method.predict(other[0].image)
    assert (found.labels.shape, found.labels.spacing, found.warnings) == (
        other[0].image.shape,
        other[0].image.spacing,
        (),
    )
    assert found.zoom == pytest.approx((1 / factor,) * 2)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_without_it_they_are_lost_and_a_warning_says_so(images, method, factor):
    other = [rescale(s, factor) for s in images]
    blind = [s.replace(image=s.image.replace(spacing=None)) for s in other]
    assert mean_ap(method, blind) < mean_ap(method, other) - 0.1
    warnings = method.predict(blind[0].image).warnings
    assert "Pixel size unknown" in warnings[0]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_diameter_does_the_same_as_a_pixel_size(images, method, factor):
    other = rescale(images[0], factor)
    wrong = other.image.replace(spacing=(9.0, 9.0))  # µm
    size = float(np.median(equivalent_diameters(other.label.pixels)))
    found = method.predict(wrong, diameter=size * 9.0)
    assert found.zoom == pytest.approx((1 / factor,) * 2, rel=0.1)
    assert instances.score(other.label, found.labels).ap > 0.8
    pixels = other.image.replace(spacing=(1.0, 1.0), unit="pixel")
    assert method.predict(pixels, diameter=size).zoom == pytest.approx((1 / factor,) * 2, rel=0.1)


@pytest.fixture(scope="module")
def network():
    """The weights that ship; their images had no common pixel size, so that one is given to them
    here.
    """
    found = methods.load("nuclei2d")
    found.domain = dataclasses.replace(found.domain, spacing=(0.5, 0.5))
    return found


@pytest.fixture(scope="module")
def photograph(network) -> tuple[data.Sample, float]:
    """A real image, and the AP@0.5 that the network reaches on it."""
    sample = data.samples("nuclei2d")[0]
    image, label = (i.replace(spacing=(0.5, 0.5), unit="um") for i in (sample.image, sample.label))
    sample = sample.replace(image=image, label=label)
    return sample, mean_ap(network, [sample])


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_real_network_finds_real_nuclei_of_another_pixel_size(network, photograph, factor):
    sample, usual = photograph
    other = rescale(sample, factor)
    found = network.predict(other.image)
    assert usual > 0.75
    assert instances.score(other.label, found.labels).ap > usual - 0.1
    assert found.zoom == pytest.approx((1 / factor,) * 2)
    assert not any("Pixel size" in w for w in found.warnings)
    shipped = methods.load(
        "nuclei2d"
    )  # knows its own pixels alone: one of this image is 1 / factor of them
    same = shipped.predict(other.image.replace(spacing=(1 / factor,) * 2, unit="pixel"))
    np.testing.assert_array_equal(same.labels.pixels, found.labels.pixels)
    blind = network.predict(other.image.replace(spacing=None))
    assert "Pixel size unknown" in blind.warnings[0]
    assert blind.zoom is None


def make_of_size(share: float, network: Method) -> data.Sample:
    """A real image whose nuclei have that share of the size of those of the training, and nothing
    that says so.
    """
    sample = data.samples("nuclei2d")[0]
    size = np.median(equivalent_diameters(sample.label.pixels))
    other = rescale(
        sample.replace(image=sample.image.replace(spacing=(1.0, 1.0))),
        share * network.domain.nucleus_size / size,
    )
    return other.replace(
        image=other.image.replace(spacing=None), label=other.label.replace(spacing=None)
    )


@pytest.fixture(scope="module")
def small(network) -> data.Sample:
    return make_of_size(0.5, network)


@pytest.mark.parametrize("name", ["nuclei2d_small", "nuclei2d_flows"])
def test_small_nuclei_are_looked_at_again_magnified(small, name):
    method = methods.load(name)
    twice = method.predict(small.image, raw=True)
    method.settings = method.settings.replace(auto_scale=False)
    once = method.predict(small.image)
    scores = [instances.score(small.label, found.labels).ap for found in (once, twice)]
    assert scores[1] > scores[0] + 0.05, scores
    assert twice.zoom is None  # the pixel size of the image was not asked for
    np.testing.assert_array_equal(method.decode_again(twice).labels.pixels, twice.labels.pixels)


@pytest.mark.parametrize("share", [3.0, 5.0])
def test_large_nuclei_are_looked_at_again_reduced(network, share):
    method, other = methods.load("nuclei2d"), make_of_size(share, network)
    twice = method.predict(other.image)
    method.settings = method.settings.replace(auto_scale=False)
    once = method.predict(other.image)
    scores = [instances.score(other.label, found.labels).ap for found in (once, twice)]
    assert scores[1] > max(0.7, scores[0] + 0.05), scores


def test_another_look_in_tiles_is_that_in_one_piece(small):
    method = methods.load("nuclei2d")
    whole, tiled = (method.predict(small.image, tile=tile).labels for tile in (None, (96, 96)))
    assert instances.score(whole, tiled, iou=0.9).ap > 0.98


def test_without_the_memory_for_it_there_is_no_other_look(small, monkeypatch):
    method = methods.load("nuclei2d")
    pixels = small.image.pixels[..., None]
    usual, forecast = method.infer(pixels), tiled.forecast

    def without_memory(plan: tiled.TilePlan, field: ReceptiveField, **options: int) -> Forecast:
        return dataclasses.replace(forecast(plan, field, **options), free=0.0)

    monkeypatch.setattr(tiled, "forecast", without_memory)
    once = method.infer(pixels)
    assert once.shape[:2] == pixels.shape[:2]
    assert usual.shape[:2] == tuple(2 * n for n in pixels.shape[:2])
    method.settings = method.settings.replace(auto_scale=False)
    np.testing.assert_array_equal(once, method.infer(pixels))


def test_maps_come_back_to_fewer_pixels_between_theirs():
    ramp = np.repeat(np.arange(8.0)[:, None, None], 8, axis=1)
    np.testing.assert_allclose(rescaling.return_maps(ramp, (4, 4))[:, 0, 0], [0.5, 2.5, 4.5, 6.5])


def test_axes_are_brought_to_the_model_one_by_one():
    known = domain.Domain(3, spacing=(1.0, 0.4, 0.4))
    volume = Image(np.zeros((8, 16, 16)), "ZYX", (2.0, 0.4, 0.4))
    assert rescaling.find_zoom(volume, known) == pytest.approx((2, 1, 1))
    ratio = volume.replace(spacing=(2.5, 1.0, 1.0), unit="pixel")
    assert rescaling.find_zoom(ratio, known) is None  # the same ratio; nothing else is known
    assert rescaling.find_zoom(ratio.replace(spacing=(5.0, 1, 1)), known) == pytest.approx(
        (2, 1, 1)
    )


def test_small_differences_and_unknown_sizes_change_nothing():
    image = Image(np.zeros((16, 16)), "YX", (0.55, 0.55))
    assert rescaling.find_zoom(image, TRAINED) is None
    assert rescaling.find_zoom(image.replace(spacing=None), TRAINED) is None
    assert rescaling.find_zoom(image, domain.Domain(2)) is None


def test_pixels_of_training_are_the_unit_where_nothing_else_is():
    image = Image(np.zeros((16, 16)), "YX", (0.5, 0.5), unit="pixel")
    assert rescaling.find_zoom(image, domain.Domain(2)) == pytest.approx((0.5, 0.5))


def test_a_pixel_size_that_cannot_be_true_is_refused():
    image = Image(np.zeros((16, 16)), "YX", (250.0, 250.0), name="inches")
    with pytest.raises(UserError, match="Give the true one with spacing"):
        rescaling.find_zoom(image, TRAINED)
    with pytest.raises(UserError, match='unit="pixel"'):
        rescaling.find_zoom(image.replace(spacing=None), TRAINED, diameter=8.0)


def test_labels_come_back_without_steps_and_without_new_numbers(images):
    label = images[0].label.pixels.astype(np.int32)
    small = rescaling.return_size(label, (96, 96))
    back = rescaling.return_size(small, label.shape)
    assert instances.score(label, back, iou=0.7).ap > 0.95
    assert list(np.unique(back)) == list(range(int(back.max()) + 1))
    volume = np.zeros((6, 9, 9), np.int32)
    volume[1:5, 2:7, 2:7] = 7
    assert rescaling.return_size(volume, (12, 9, 9)).sum() == 2 * (volume > 0).sum()


def test_a_series_is_rescaled_frame_by_frame(images, method):
    image = rescale(images[0], 0.5).image
    movie = image.replace(pixels=np.stack([image.pixels] * 2), axes="TYX")
    found = method.predict(movie, raw=True)
    np.testing.assert_array_equal(found.labels.pixels[1], method.predict(image).labels.pixels)
    np.testing.assert_array_equal(method.decode_again(found).labels.pixels, found.labels.pixels)


def test_sizes_outside_the_training_are_told_in_words():
    assert judge_size(16.0, TRAINED) is None
    assert "2.5 times as large" in judge_size(40.0, TRAINED)
    assert "4.0 times smaller" in judge_size(4.0, TRAINED, given=True)
    wide = domain.Domain(2, nucleus_size=16.0, size_range=(6.0, 40.0))
    assert judge_size(40.0, wide) is None
    assert judge_size(40.0, wide, single=False)


def test_noise_and_bright_fields_are_told(images, method, rng):
    image = images[0].image
    noisy = image.replace(
        pixels=image.pixels + rng.normal(0, 0.4 * np.ptp(image.pixels), image.shape)
    )
    dark = image.replace(pixels=image.pixels.max() - image.pixels)
    assert method.predict(image).warnings == ()
    assert any("noisier" in w for w in method.predict(noisy).warnings)
    assert any("bright field" in w for w in method.predict(dark).warnings)
