"""The classical detector: exposure, polarity and pixel size change nothing; noise is no nucleus."""

import json

import numpy as np
import pytest
from skimage.feature import blob_log

from nbtools import data, io, methods, tasks, training
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import detection
from nbtools.results import Labels

CENTRES = np.array([[20, 24], [24, 70], [60, 30], [64, 62], [40, 48]], float)


def make_image(*, scale: float = 40.0, offset: float = 100.0, noise: float = 1.0) -> Image:
    places = np.moveaxis(np.indices((90, 100)), 0, -1)[:, :, None]
    inside = (np.linalg.norm(places - CENTRES, axis=-1) < 7).any(axis=-1)
    pixels = offset + scale * inside + np.random.default_rng(0).normal(0, noise, inside.shape)
    return Image(pixels.astype(np.float32), "YX")


def find(image: Image, **settings) -> np.ndarray:
    return methods.get("blob_log")(**settings).predict(image).points.coordinates


def count_hits(found: np.ndarray, gate: float = 1.0) -> tuple[int, int]:
    return len(detection.match_points(CENTRES, found, gate=gate)[0]), len(found)


@pytest.mark.parametrize("changes", [{}, {"scale": 4000.0, "noise": 90.0}, {"scale": -40.0}])
def test_every_disc_is_found_whatever_the_exposure_and_the_polarity(changes):
    assert count_hits(find(make_image(**changes))) == (5, 5)


def test_the_maxima_are_those_of_scikit_image():
    image = make_image(noise=0.0)
    theirs = blob_log(
        (image.pixels - 100) / 40, min_sigma=3, max_sigma=7, num_sigma=5, threshold=0.3
    )
    ours = find(image, diameter=14.0)
    assert len(detection.match_points(theirs[:, :2], ours, gate=1.0)[0]) == len(ours) == 5


def test_noise_alone_has_no_nuclei_even_where_their_size_is_known():
    noise = np.random.default_rng(1).normal(100, 9, (150, 150)).astype(np.float32)
    assert len(find(Image(noise, "YX"))) == 0
    assert len(find(Image(noise, "YX"), diameter=14.0)) == 0


def test_a_volume_is_measured_in_the_unit_of_its_pixel_size():
    places = np.moveaxis(np.indices((20, 60, 60)), 0, -1) * np.array([3.0, 1, 1])
    centres = np.array([[18.0, 20, 20], [36, 40, 40], [36, 20, 40]])
    inside = (np.linalg.norm(places[..., None, :] - centres, axis=-1) < 8).any(axis=-1)
    pixels = (100 + 50 * inside + np.random.default_rng(2).normal(0, 2, inside.shape)).astype("f4")
    found = find(Image(pixels, "ZYX", (1.5, 0.5, 0.5)))
    hits = detection.match_points(centres / [3, 1, 1], found, gate=1.0)[0]
    assert len(hits) == len(found) == 3


def test_a_diameter_in_micrometres_is_that_of_the_blobs():
    image, method = make_image(), methods.get("blob_log")()
    sized = image.replace(spacing=(0.5, 0.5))
    found = method.predict(sized, diameter=7.0, raw=True)
    wanted = methods.get("blob_log")(diameter=14.0).predict(sized, raw=True)
    np.testing.assert_array_equal(found.points.coordinates, wanted.points.coordinates)
    assert count_hits(found.points.coordinates) == (5, 5)
    assert len(method.predict(sized, diameter=60.0).points.coordinates) < 5
    assert method.settings.diameter is None  # of this prediction alone
    with pytest.raises(UserError, match="needs the pixel size"):
        method.predict(image, diameter=7.0)


def test_a_diameter_is_taken_on_the_command_line(run, tmp_path):
    io.write_image(tmp_path / "a.tif", make_image().replace(spacing=(0.5, 0.5)))
    code, out, _ = run(
        *("predict", "blob_log", tmp_path / "a.tif", "--diameter", 7, "--out", tmp_path / "found"),
        "--json",
    )
    assert code == 0
    assert json.loads(out)["images"][0]["nuclei"] == 5


def test_training_chooses_the_size_and_the_threshold_on_images_with_labels():
    train = data.samples("simulated2d")[:4]
    method = methods.get("blob_log")()
    history = method.fit(train, plan=training.TrainingPlan(seed=0))
    assert method.domain.nucleus_size > 5
    assert set(method.tuned) == {"threshold", "overlap"}
    scores = []
    for one in (method, methods.get("blob_log")()):
        pairs = [(s.name, Labels(s.label), one.predict(s.image).result) for s in train]
        scores.append(tasks.DETECTION.evaluate(pairs)["f1"])
    assert scores[0] == pytest.approx(history.best["train_f1"], abs=0.02)
    assert scores[0] >= scores[1]
