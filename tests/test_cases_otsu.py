"""The classical baseline on fields with and without faults; the number of nuclei is the maker's."""

import numpy as np
import pytest
from scipy import ndimage

from nbtools import methods
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import instances, overlap

N = 40


def make_field(seed: int = 0, *, shape=(320, 320), radius=8, count=N, height=1500.0):
    """Discs or balls of one size that do not touch: labels, and grey values without noise."""
    rng, label = np.random.default_rng(seed), np.zeros(shape, np.int32)
    grid, centres = np.indices(shape), []
    while len(centres) < count:
        place = [rng.uniform(radius + 2, n - radius - 2) for n in shape]
        if all(np.hypot.reduce(np.subtract(place, c)) > 2 * radius + 3 for c in centres):
            centres.append(place)
            distance = sum((g - p) ** 2 for g, p in zip(grid, place, strict=True))
            label[distance <= radius**2] = len(centres)
    bright = np.r_[0, height * rng.uniform(0.7, 1.3, count)]
    return label, ndimage.gaussian_filter(bright[label], 1.2)


def expose(grey, seed=0, offset=200, read=5.0):
    rng = np.random.default_rng(seed + 100)
    noisy = rng.poisson(np.clip(grey + offset, 0, None)) + rng.normal(0, read, grey.shape)
    return np.clip(noisy.round(), 0, 65535).astype(np.uint16)


def count_right(label, pixels):
    """True nuclei found at IoU 0.5, and those found that are none."""
    found = methods.load("otsu").predict(Image(pixels, "ZYX"[-pixels.ndim :])).labels.pixels
    score = instances.score_overlap(overlap.find_overlap(label, found), 0.5)
    return score.tp, score.fp


def add_hot_pixels(image, count):
    places = np.random.default_rng(3).choice(image.size, count, replace=False)
    image.ravel()[places] = 65535
    return image


def add_dead_cells(grey, label, *, count, times):
    """Discs of half the size, many times brighter than nuclei, away from these."""
    free, grid = ndimage.distance_transform_edt(label == 0), np.indices(label.shape)
    rng, bright = np.random.default_rng(4), np.zeros(grey.shape)
    for _ in range(count):
        places = np.argwhere(free > 8)
        y, x = places[rng.integers(len(places))]
        distance = np.hypot(grid[0] - y, grid[1] - x)
        bright[distance <= 4] = 1500.0 * times
        free = np.minimum(free, distance - 5)
    return grey + ndimage.gaussian_filter(bright, 1.2)


def widen(array, width, value):
    return np.concatenate([np.full((len(array), width), value, array.dtype), array], axis=1)


@pytest.mark.parametrize("count", [3, 300, 1500])
def test_hot_pixels_take_no_nuclei_away(count):
    label, grey = make_field()
    assert count_right(label, add_hot_pixels(expose(grey), count)) == (N, 0)


@pytest.mark.parametrize(("count", "times"), [(1, 40), (3, 30), (4, 20)])
def test_dead_cells_take_no_nuclei_away(count, times):
    label, grey = make_field()
    right, extra = count_right(label, expose(add_dead_cells(grey, label, count=count, times=times)))
    assert right == N
    assert extra <= count


@pytest.mark.parametrize("value", [0, 65535])
@pytest.mark.parametrize("width", [20, 160, 900])
def test_margins_take_no_nuclei_away(width, value):
    label, grey = make_field()
    image = widen(expose(grey), width, value)
    assert count_right(widen(label, width, 0), image) == (N, 0)


@pytest.mark.parametrize("rise", [600.0, 1500.0, 3000.0])
def test_a_slope_of_the_background_takes_no_nuclei_away(rise):
    label, grey = make_field()
    right, extra = count_right(label, expose(grey + np.linspace(0, rise, grey.shape[1])))
    assert right >= 0.95 * N
    assert extra <= 2


@pytest.mark.parametrize("times", [2, 5, 10])
def test_light_that_falls_to_one_side_takes_no_nuclei_away(times):
    label, grey = make_field()
    right, extra = count_right(label, expose(grey * np.geomspace(1, 1 / times, grey.shape[1])))
    assert right >= 0.95 * N
    assert extra <= 2


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_nuclei_in_a_large_field_are_found(count):
    label, grey = make_field(shape=(400, 400), count=count)
    assert count_right(label, expose(grey)) == (count, 0)


@pytest.mark.parametrize("fall", [0, 1 / 36, 1 / 12])
def test_nuclei_that_fade_with_depth_are_found(fall):
    """At 1 / 12 a plane, 2 % of the light is left in the last of 48."""
    label, grey = make_field(1, shape=(48, 100, 100), radius=6, count=30)
    image = expose(grey * np.exp(-fall * np.arange(48))[:, None, None], offset=120, read=4)
    right, extra = count_right(label, image)
    assert right >= (30 if fall < 0.05 else 27)
    assert extra <= 1


def make_empty(kind, shape=(256, 256)):
    rng = np.random.default_rng(5)
    haze = ndimage.gaussian_filter(rng.normal(size=shape), 40 if len(shape) == 2 else (4, 20, 20))
    haze = (haze - haze.min()) / np.ptp(haze)
    slope = np.broadcast_to(np.linspace(0, 1, shape[-1]), shape)
    made = {
        "noise": 100 + rng.poisson(20, shape) + rng.normal(0, 3, shape),
        "few photons": rng.poisson(1.0, shape),
        "haze": 100 + rng.poisson(60 + 60 * haze) + rng.normal(0, 3, shape),
        "bright haze": 100 + rng.poisson(500 + 2000 * haze),
        "slope": 100 + rng.poisson(100 + 300 * slope),
        "blurred noise": 100 + 40 * ndimage.gaussian_filter(rng.normal(size=shape), 1),
        "constant": np.full(shape, 7.0),
        "rows": 300 + rng.poisson(200 + 30 * rng.normal(0, 1, (*shape[:-1], 1)).clip(-5), shape),
        "columns": 300 + rng.poisson(200 + 30 * rng.normal(0, 1, shape[-1]).clip(-5), shape),
    }
    return made[kind]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    "kind",
    ["noise", "few photons", "haze", "slope", "blurred noise", "constant", "rows", "columns"],
)
def test_a_field_without_nuclei_gives_none(kind, dtype):
    pixels = make_empty(kind)
    if dtype == np.uint8:
        pixels = pixels / 2
    if np.dtype(dtype).kind == "u":
        pixels = pixels.clip(0, np.iinfo(dtype).max).round()
    assert count_right(np.zeros(pixels.shape, int), pixels.astype(dtype)) == (0, 0)


@pytest.mark.parametrize("kind", ["noise", "few photons", "bright haze", "slope"])
def test_a_volume_without_nuclei_gives_none(kind):
    pixels = make_empty(kind, (16, 96, 96)).round().astype(np.uint16)
    assert count_right(np.zeros(pixels.shape, int), pixels) == (0, 0)


@pytest.mark.parametrize(("width", "value"), [(80, 0), (80, 65535)])
def test_an_empty_tile_with_a_margin_gives_none(width, value):
    pixels = widen(make_empty("noise").round().astype(np.uint16), width, value)
    assert count_right(np.zeros(pixels.shape, int), pixels) == (0, 0)


def test_an_empty_tile_with_hot_pixels_gives_none():
    pixels = add_hot_pixels(make_empty("noise").round().astype(np.uint16), 40)
    assert count_right(np.zeros(pixels.shape, int), pixels) == (0, 0)


@pytest.mark.parametrize("name", ["otsu", "nlm", "blob_log"])
def test_a_tile_is_refused_by_a_method_that_has_none(name):
    with pytest.raises(UserError, match="image as a whole"):
        methods.load(name).predict(Image(np.zeros((64, 64)), "YX"), tile=(32, 32))


def test_crowded_tissue_is_not_taken_for_empty(data_folder):
    """A section of intestine in which nuclei are many and the gaps between them narrow."""
    name = "E2F3A_E2F8_mouse3_image2"
    images = DataSet.open(data_folder / "intestine_tissue" / "all")
    sample = images[next(i for i, n in enumerate(images.names) if name in n)]
    found = methods.load("otsu").predict(sample.image)
    assert "no_objects" not in {one.code for one in found.warnings}
    assert len(np.unique(found.labels.pixels)) > 150  # of 273
