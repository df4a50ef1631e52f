"""Methods on images larger than the memory: in blocks they find what they find in one piece."""

import time

import numpy as np
import psutil
import pytest
from drawn_cells import draw_cells, segment, store
from skimage.transform import resize

from nbtools import io, methods
from nbtools.cli import main
from nbtools.image import Image
from nbtools.inference import blocks
from nbtools.inference.rescaling import return_size, zoom_pixels
from nbtools.inference.stored_rescaling import close_gaps, return_stored_size, zoom_stored
from nbtools.methods import large
from nbtools.methods.domain import Domain
from nbtools.metrics.instances import score
from nbtools.normalize import Scale


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "LARGEST", 70_000)


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_otsu_in_blocks_is_otsu_of_the_whole_image(tmp_path, small_blocks, kind):
    grey, _ = draw_cells((430, 400), kind=kind)
    grey[:9] = 0  # a margin
    whole = methods.load("otsu").predict(Image(grey, "YX")).labels.pixels
    found = methods.load("otsu").predict(store(tmp_path / "a.raw", grey))
    assert score(whole, found.labels.pixels[...].astype(int), iou=0.9).ap >= 0.999


@pytest.mark.parametrize(
    ("name", "shape", "spacing"),
    [
        ("nuclei2d", (330, 300), None),
        ("nuclei2d", (330, 300), 0.4),
        ("nuclei3d", (16, 130, 120), None),
    ],
)
def test_a_network_in_blocks_is_that_of_the_whole_image(
    tmp_path, monkeypatch, name, shape, spacing
):
    model = methods.load(name)
    if spacing is not None and model.domain.spacing is None:
        pytest.skip("the shipped model knows no pixel size")
    about = {"spacing": spacing and (spacing,) * len(shape)}
    grey, _ = draw_cells(shape)
    axes = "ZYX"[-len(shape) :]
    whole = model.predict(Image(grey, axes, **about)).labels.pixels
    monkeypatch.setattr(blocks, "LARGEST", int(np.prod(shape) * 0.6))
    found = model.predict(store(tmp_path / "a.raw", grey, axes, **about))
    assert score(whole, found.labels.pixels[...].astype(int), iou=0.9).ap >= 0.999


@pytest.mark.parametrize("zoom", [(0.6, 0.45), (1.7, 2.3), (0.8, 1.3)])
def test_an_image_in_a_file_is_resampled_as_in_one_piece(tmp_path, monkeypatch, zoom):
    monkeypatch.setattr(blocks, "LARGEST", 6000)
    grey = np.stack([draw_cells((190, 205), seed=n)[0] for n in range(2)], axis=-1)
    pixels = store(tmp_path / "a.raw", grey, "YXC").pixels
    found = zoom_stored(lambda place: pixels[place], grey.shape, zoom=zoom)
    assert np.abs(found[...] - zoom_pixels(grey, zoom)).max() < 0.01  # of several hundred


def test_nuclei_far_too_large_are_found_in_blocks_as_in_one_piece(tmp_path, monkeypatch):
    """What a reduced image shows of a nucleus reaches farther in pixels of the image."""
    grey = draw_cells((150, 140))[0].astype(np.float32)
    grey = np.round(resize(grey, (1500, 1400), order=1, preserve_range=True)).astype(np.uint16)
    model = methods.load("nuclei2d")
    whole = model.predict(Image(grey, "YX")).labels.pixels
    monkeypatch.setattr(blocks, "LARGEST", 400_000)
    said = []
    found = large.predict_stored(model, store(tmp_path / "a.raw", grey), say=said.append)
    assert sum("block" in text for text in said) > 1
    assert whole.max() > 10
    assert score(whole, found.labels.pixels[...].astype(int), iou=0.9).ap >= 0.999


@pytest.mark.parametrize("shape", [(150, 90), (410, 333)])
def test_labels_in_a_file_are_brought_back_as_in_one_piece(tmp_path, monkeypatch, shape):
    monkeypatch.setattr(blocks, "LARGEST", 6000)
    labels = segment(draw_cells((200, 190))[1])
    labels[100, 100] = labels.max() + 1  # so small that nothing of it may be left
    count = int(labels.max())
    found = return_stored_size(store(tmp_path / "l", labels).pixels, shape)
    numbers = close_gaps(found, count)
    whole = return_size(labels, shape)
    assert np.array_equal(found[...], whole)
    assert len(numbers) == whole.max()


@pytest.mark.parametrize(
    ("spacing", "fading"),
    [((1.0, 0.5, 0.5), 0), ((0.7, 0.75, 0.75), 0.05), ((1.4, 1.25, 1.25), 0)],
)
def test_a_volume_of_another_pixel_size_is_predicted_as_in_one_piece(
    tmp_path, monkeypatch, spacing, fading
):
    model = methods.load("nuclei3d")
    grey, _ = draw_cells((24, 150, 140))
    grey = (grey * np.exp(-fading * np.arange(24))[:, None, None]).astype(np.uint16)
    about = {"spacing": spacing}
    whole = model.predict(Image(grey, "ZYX", **about))
    assert whole.zoom is not None
    size = np.prod(grey.shape) * np.prod(whole.zoom)
    monkeypatch.setattr(blocks, "LARGEST", int(size * 0.6))
    found = model.predict(store(tmp_path / "a.raw", grey, "ZYX", **about))
    labels = found.labels.pixels[...].astype(int)
    assert whole.labels.pixels.max() > 5
    assert score(whole.labels.pixels, labels, iou=0.9).ap >= 0.999
    assert found.labels.spacing == spacing


@pytest.mark.parametrize(("name", "settings"), [("denoise2d", {}), ("care", {"preset": "tiny"})])
def test_a_restored_image_has_no_seams(tmp_path, monkeypatch, name, settings):
    grey, _ = draw_cells((330, 300))
    model = methods.load(name) if name == "denoise2d" else build_care(**settings)
    whole = model.predict(Image(grey, "YX")).image.pixels
    monkeypatch.setattr(blocks, "LARGEST", int(grey.size * 0.6))
    said = []
    image = store(tmp_path / "a.raw", grey)
    found = large.predict_stored(model, image, folder=tmp_path / "kept", say=said.append)
    assert sum("block" in text for text in said) > 1
    assert found.image.axes == "YX"
    assert whole.std() > 1
    assert np.abs(found.image.pixels[...] - whole).max() < 1e-3 * whole.std()


@pytest.mark.parametrize(
    ("shape", "axes"), [((330, 300), "YX"), ((300, 280, 2), "YXC"), ((14, 90, 80), "ZYX")]
)
def test_non_local_means_leave_no_seams(tmp_path, monkeypatch, shape, axes):
    monkeypatch.setattr(blocks, "LARGEST", 40_000)
    space = shape[: len(shape) - axes.count("C")]
    planes = [draw_cells(space, seed=n)[0] for n in range(2 if "C" in axes else 1)]
    grey = np.stack(planes, axis=-1).reshape(shape)
    whole = methods.load("nlm").predict(Image(grey, axes)).image
    found = methods.load("nlm").predict(store(tmp_path / "a.raw", grey, axes)).image
    assert found.axes == whole.axes
    off = np.abs(found.pixels[...] - whole.pixels).max()
    assert off < 1e-2 * np.abs(whole.pixels - grey).std()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("shape", "size", "spacing"),
    [((640, 600), 90_000, None), ((40, 200, 210), 500_000, (1.0, 0.5, 0.5))],
)
def test_blobs_in_blocks_are_those_of_the_whole_image(
    tmp_path, monkeypatch, shape, size, spacing, sign
):
    grey, _ = draw_cells(shape)
    grey = grey if sign > 0 else 1000 - grey
    grey[..., :20] = 7  # a margin
    about = {"axes": "ZYX"[-len(shape) :], "spacing": spacing}
    whole = methods.load("blob_log").predict(Image(grey, **about)).result
    monkeypatch.setattr(blocks, "LARGEST", size)
    said = []
    image = store(tmp_path / "a.raw", grey, **about)
    found = large.predict_stored(methods.load("blob_log"), image, say=said.append).result
    assert sum("block" in text for text in said) > 1
    assert len(whole) > 20
    assert found.grid == whole.grid
    known = {tuple(place) for place in whole.coordinates.round(1)}
    same = known & {tuple(place) for place in found.coordinates.round(1)}
    assert len(same) >= 0.99 * max(len(whole), len(found))


def build_care(**settings):
    """CARE with random weights, and one scale for all images."""
    method = methods.get("care")(**settings)
    method.domain, method.scale = Domain(2), Scale((100.0,), (300.0,))
    method.adopt(method.build())
    return method


@pytest.mark.parametrize("dtype", ["float32", "input"])
def test_an_image_beyond_the_memory_is_restored_on_the_command_line(
    large_image, tmp_path, monkeypatch, dtype
):
    monkeypatch.setattr(blocks, "LARGEST", 200_000)
    words = ["predict", "denoise2d", str(large_image), "--dtype", dtype, "--out"]
    assert main([*words, str(tmp_path / "whole")]) == 0
    monkeypatch.setattr(large, "fits_memory", lambda *args, **about: False)
    assert main([*words, str(tmp_path / "blocks")]) == 0
    one, other = (io.read_image(tmp_path / n / "a.tif") for n in ("whole", "blocks"))
    assert one.pixels.dtype == other.pixels.dtype
    assert one.spacing == other.spacing
    assert np.abs(one.pixels.astype(float) - other.pixels).max() <= (dtype == "input") + 0.05


def test_otsu_in_blocks_finds_nothing_in_noise(tmp_path, small_blocks):
    noise = np.random.default_rng(0).normal(100, 10, (400, 380)).astype(np.uint16)
    found = methods.load("otsu").predict(store(tmp_path / "a.raw", noise))
    assert found.labels.pixels.max() == 0


def limit_memory(monkeypatch, more):
    """Allow this process so many bytes more than it has."""
    now = psutil.Process().memory_info().rss
    monkeypatch.setenv("NBTOOLS_MEMORY", str(int(now + more)))


@pytest.fixture
def large_image(tmp_path):
    """An image that takes more than 35 MB to segment."""
    grey, _ = draw_cells((800, 800))
    io.write_image(tmp_path / "a.tif", Image(grey, "YX", spacing=(0.5, 0.5)))
    return tmp_path / "a.tif"


def test_what_cannot_be_done_in_blocks_is_refused_from_the_header(tmp_path, monkeypatch, capsys):
    movie = np.stack([draw_cells((400, 400), seed=n)[0] for n in range(3)])
    io.write_image(tmp_path / "a.tif", Image(movie, "TYX", interval_s=60.0))
    monkeypatch.chdir(tmp_path)
    limit_memory(monkeypatch, 1e6)
    started = time.monotonic()
    assert main(["predict", "blob_log", "a.tif", "--out", "out"]) == 2
    assert "must fit into the memory that is free" in capsys.readouterr().err
    assert time.monotonic() - started < 60  # seconds alone, many on a busy machine
