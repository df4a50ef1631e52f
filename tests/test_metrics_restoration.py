"""Restoration metrics against hand-worked numbers, scikit-image, and what must not change them."""

import json
import math

import numpy as np
import pytest
from skimage import data as pictures
from skimage import metrics as outside

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.metrics import restoration

CLEAN = np.array([[10.0, 20.0], [30.0, 50.0]])
RESTORED = np.array([[13.0, 20.0], [26.0, 50.0]])  # differences 3, 0, -4, 0: mean square 25 / 4


@pytest.fixture
def camera() -> tuple[np.ndarray, np.ndarray]:
    """A photograph, and the same with noise of 25 grey values."""
    clean = pictures.camera()[100:228, 150:270].astype(float)
    return clean, clean + np.random.default_rng(0).normal(0, 25, clean.shape)


def test_four_pixels_score_what_a_hand_works_out():
    scores = restoration.compare_images(RESTORED, CLEAN)
    assert scores["rmse"] == pytest.approx(2.5)
    assert scores["nrmse"] == pytest.approx(2.5 / 40)
    assert scores["psnr"] == pytest.approx(20 * math.log10(40 / 2.5))  # 24.08 dB
    assert restoration.psnr(RESTORED, CLEAN, range=255) == pytest.approx(
        40.172, abs=1e-3
    )  # 20 log10(102)
    assert restoration.nrmse(RESTORED, CLEAN) == scores["nrmse"]


def test_noise_of_25_grey_values_is_20_17_db_in_a_range_of_255(rng):
    """The input of the published BSD68 comparison: 20 log10(255 / 25) = 20.17 dB."""
    clean = np.zeros((600, 600))
    assert restoration.psnr(
        clean + rng.normal(0, 25, clean.shape), clean, range=255
    ) == pytest.approx(20.17, abs=0.02)


@pytest.mark.parametrize("range", [255.0, "clean"])
def test_psnr_ssim_and_rmse_are_those_of_scikit_image(camera, range):
    clean, noisy = camera
    width = clean.max() - clean.min() if range == "clean" else range
    scores = restoration.compare_images(noisy, clean, range=range)
    assert scores["psnr"] == pytest.approx(
        outside.peak_signal_noise_ratio(clean, noisy, data_range=width)
    )
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    assert scores["ssim"] == pytest.approx(
        outside.structural_similarity(clean, noisy, data_range=width, **window)
    )
    assert scores["rmse"] ** 2 == pytest.approx(outside.mean_squared_error(clean, noisy))
    assert scores["nrmse"] == pytest.approx(
        outside.normalized_root_mse(clean, noisy, normalization="min-max")
    )


def test_ssim_of_a_volume_has_a_window_in_three_dimensions(rng):
    clean = rng.random((14, 20, 24))
    noisy = clean + rng.normal(0, 0.1, clean.shape)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    assert restoration.ssim(noisy, clean, range=1.0) == pytest.approx(
        outside.structural_similarity(clean, noisy, data_range=1.0, **window)
    )


def test_a_volume_of_equal_planes_or_of_one_plane_has_the_ssim_of_the_plane(camera):
    clean, noisy = camera
    flat = restoration.ssim(noisy, clean)
    assert restoration.ssim(noisy[None], clean[None]) == pytest.approx(flat)
    assert restoration.ssim(np.stack([noisy] * 4), np.stack([clean] * 4)) == pytest.approx(flat)


@pytest.mark.parametrize("shape", [(3, 40), (7, 7), (2, 9, 30), (1, 1)])
def test_images_smaller_than_the_window_have_an_ssim(rng, shape):
    clean = rng.random(shape)
    assert restoration.ssim(clean, clean, range=1.0) == pytest.approx(1)
    assert restoration.ssim(clean + rng.normal(0, 0.3, shape), clean, range=1.0) < 1


def test_maps_have_the_shape_of_the_image_and_the_mean_of_the_score(camera):
    clean, noisy = camera
    each = restoration.ssim_map(noisy, clean)
    assert each.shape == clean.shape
    assert each[5:-5, 5:-5].mean() == pytest.approx(restoration.ssim(noisy, clean))
    assert np.array_equal(restoration.difference_map(RESTORED, CLEAN), [[3, 0], [-4, 0]])


def test_time_points_and_channels_are_windowed_one_by_one(camera):
    clean, noisy = camera
    movie = [Image(np.stack([clean, picture], axis=-1), "YXC") for picture in (noisy, clean)]
    expected = (
        restoration.ssim(clean, clean, range=255) + restoration.ssim(noisy, clean, range=255)
    ) / 2
    assert restoration.ssim(*movie, range=255) == pytest.approx(expected)
    each = restoration.ssim_map(*movie, range=255)
    assert each.shape == (*clean.shape, 2)
    assert each[..., 0].min() == pytest.approx(1)
    turned = movie[0].to("CYX")
    assert restoration.compare_images(turned, movie[1]) == pytest.approx(
        restoration.compare_images(*movie)
    )


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 40.0), (0.02, -3.0), (700.0, 1e5), (-1.0, 0.0)])
def test_brightness_and_contrast_change_psnr_but_not_the_scale_invariant_one(camera, slope, shift):
    clean, noisy = camera
    changed = slope * noisy + shift
    assert restoration.psnr_si(changed, clean) == pytest.approx(
        restoration.psnr_si(noisy, clean), abs=1e-6
    )
    assert restoration.psnr(changed, clean) < restoration.psnr(noisy, clean) - 1


def test_the_scale_invariant_psnr_is_that_of_the_best_line(camera):
    clean, noisy = camera
    a, b = np.polyfit(noisy.ravel(), clean.ravel(), 1)
    assert restoration.psnr_si(noisy, clean) == pytest.approx(
        restoration.psnr(a * noisy + b, clean)
    )
    assert restoration.psnr_si(noisy, clean) >= restoration.psnr(noisy, clean)
    constant = np.full_like(clean, 7)
    assert restoration.psnr_si(constant, clean) == pytest.approx(
        20 * math.log10((clean.max() - clean.min()) / clean.std())
    )


def test_the_order_of_pixels_changes_only_ssim(camera, rng):
    clean, noisy = camera
    order = rng.permutation(clean.size)
    mixed = [image.ravel()[order].reshape(clean.shape) for image in (noisy, clean)]
    before, after = restoration.compare_images(noisy, clean), restoration.compare_images(*mixed)
    for metric in ("psnr", "rmse", "nrmse", "psnr_si"):
        assert after[metric] == pytest.approx(before[metric])
    assert after["ssim"] != pytest.approx(before["ssim"], abs=0.01)


def test_whole_numbers_do_not_overflow():
    clean, restored = np.array([[0, 250]], np.uint8), np.array([[10, 240]], np.uint8)
    assert restoration.rmse(restored, clean) == 10


def test_a_perfect_result_is_infinite_as_a_number_and_a_hundred_decibel_in_json():
    assert restoration.psnr(CLEAN, CLEAN) == math.inf
    scores = restoration.evaluate([("a", CLEAN, CLEAN, RESTORED), ("b", CLEAN, CLEAN, CLEAN)])
    assert scores["mean"] == {"psnr": 100, "ssim": 1, "rmse": 0, "nrmse": 0, "psnr_si": 100}
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_a_set_is_the_mean_of_its_images_and_missing_ones_are_named(camera):
    clean, noisy = camera
    better = (noisy + clean) / 2  # half the noise: 6.02 dB
    pairs = [
        ("a", clean, better, noisy),
        ("b", clean + 1, better, noisy),
        ("c", clean, None, noisy),
    ]
    scores = restoration.evaluate(pairs)
    assert (scores["images"], scores["missing"], scores["range"]) == (
        3,
        ["c"],
        "maximum - minimum of each clean image",
    )
    assert scores["mean"]["psnr"] == pytest.approx(
        np.mean([r["psnr"] for r in scores["per_image"]])
    )
    assert scores["per_image"][0]["psnr"] - scores["per_image"][0]["input"][
        "psnr"
    ] == pytest.approx(6.0206, abs=1e-3)
    assert scores["gain"]["psnr"] == pytest.approx(scores["mean"]["psnr"] - scores["input"]["psnr"])
    low, high = scores["interval_95"]["psnr"]
    assert low <= scores["mean"]["psnr"] <= high
    assert (
        set(scores["mean"])
        == set(scores["input"])
        == set(scores["interval_95"])
        == set(restoration.METRICS)
    )


def test_one_image_has_no_interval_and_without_inputs_there_is_no_gain(camera):
    clean, noisy = camera
    scores = restoration.evaluate([("a", clean, noisy, None)], range=255)
    assert (scores["range"], scores["input"], scores["gain"]) == ("255", None, None)
    assert set(scores["interval_95"].values()) == {None}


def test_nothing_predicted_gives_no_numbers_and_all_names():
    scores = restoration.evaluate([("a", CLEAN, None, RESTORED)])
    assert (scores["images"], scores["missing"], scores["mean"]["psnr"]) == (1, ["a"], None)
    json.dumps(scores, allow_nan=False)


def test_a_clean_image_of_one_grey_value_is_undefined_and_not_in_the_mean():
    flat = np.full((2, 2), 5.0)
    scores = restoration.evaluate([("flat", flat, RESTORED, None), ("a", CLEAN, RESTORED, None)])
    assert scores["undefined"] == ["flat"]
    assert scores["per_image"][0]["psnr"] is None
    assert scores["mean"]["psnr"] == pytest.approx(20 * math.log10(16))
    json.dumps(scores, allow_nan=False)


def test_what_cannot_be_compared_is_refused_with_a_remedy():
    with pytest.raises(UserError, match=r"same shape.*\(2, 2\) and \(2, 1\)"):
        restoration.psnr(CLEAN, CLEAN[:, :1])
    with pytest.raises(UserError, match="finite grey values"):
        restoration.psnr(CLEAN * np.nan, CLEAN)
    for wrong in (0, -1, math.inf, "full"):
        with pytest.raises(UserError, match="number above 0"):
            restoration.psnr(RESTORED, CLEAN, range=wrong)
    with pytest.raises(UserError, match="At least one clean image"):
        restoration.evaluate([])


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide(rng):
    values = rng.normal(30, 2, 400)
    low, high = restoration.find_intervals([{"psnr": v} for v in values], ["psnr"])["psnr"]
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.08)
    assert low < values.mean() < high


def test_the_interval_of_a_mean_is_that_of_scipy(rng):
    from scipy import stats
    from scipy.stats import bootstrap

    values = rng.gamma(2.0, 1.0, 40)
    found = restoration.find_intervals([{"psnr": v} for v in values], ["psnr"])["psnr"]
    # As wide as t with 39 degrees of freedom instead of normal, and the standard error by n - 1:
    # Hesterberg 2015, doi:10.1080/00031305.2015.1089789, equation 14.
    level = 1 - 2 * stats.norm.cdf(-np.sqrt(40 / 39) * stats.t.ppf(0.975, 39))
    theirs = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", confidence_level=level
    )
    assert found == pytest.approx(list(theirs.confidence_interval), abs=0.05)


def test_images_of_a_group_are_drawn_together(rng):
    """Ten copies of each of four scenes are no more than four scenes."""
    scenes = rng.normal(30, 2, 4)
    rows = [
        {"name": f"{i}_{copy}", "psnr": value}
        for i, value in enumerate(scenes)
        for copy in range(10)
    ]
    groups = {row["name"]: row["name"][0] for row in rows}
    together, apart = (
        restoration.find_intervals(rows, ["psnr"], groups=g)["psnr"] for g in (groups, None)
    )
    alone = restoration.find_intervals([{"psnr": v} for v in scenes], ["psnr"])["psnr"]
    assert together == pytest.approx(alone)
    assert together[1] - together[0] > 2 * (apart[1] - apart[0])
    assert restoration.find_intervals(rows[:10], ["psnr"], groups=groups)["psnr"] is None
