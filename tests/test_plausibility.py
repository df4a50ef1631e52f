"""Doubts about results: their text, how they are counted, and each by itself."""

import pickle

import numpy as np
import pytest
from scipy import ndimage

from nbtools.image import Image
from nbtools.methods.domain import Domain
from nbtools.normalize import Scale
from nbtools.plausibility import (
    Finding,
    MaskCount,
    judge_gain,
    judge_grey,
    judge_objects,
    judge_scale,
    judge_scores,
    judge_size,
    judge_spacing,
    judge_training,
    summarize,
)

TRAINED = Domain(2, nucleus_size=20.0, grey={"noise": [0.03, 0.05], "fill": [0.3, 0.5]})


def codes(found):
    return [one.code for one in found]


def test_a_finding_speaks_python_and_on_the_command_line_flags():
    found = Finding("a", "Nuclei are small.", "Give their size with --diameter.")
    assert "--" not in found
    assert found.for_command_line().endswith("with --diameter.")
    assert found.of("x").to_dict() == {
        "code": "a",
        "image": "x",
        "message": "Nuclei are small.",
        "remedy": "Give their size with --diameter.",
    }
    again = pickle.loads(pickle.dumps(found.of("x")))
    assert (again.code, again.image, again.remedy) == ("a", "x", found.remedy)


def test_kinds_that_begin_alike_are_counted_apart_and_never_beyond_the_images():
    noisier = Finding("noisier", "The image is noisier than any.", "Look.")
    brighter = Finding("brighter", "The image is brighter in most places.", "Look.")
    told = [noisier.of(n).to_dict() for n in "abc"] + [brighter.of(n).to_dict() for n in "bc"]
    assert summarize([*told, told[0]], count=3) == [
        "The image is noisier than any. Look. (3 of 3 images)",
        "The image is brighter in most places. Look. (2 of 3 images)",
    ]


def test_sentences_of_older_results_stay_as_they_are():
    assert summarize(["Nuclei found are small. (2 of 3 images)"], count=3) == [
        "Nuclei found are small. (2 of 3 images)"
    ]


@pytest.mark.parametrize("unit", ["um", "pixel"])
def test_a_remedy_that_changes_nothing_is_not_given(unit):
    """A model of unknown pixel size cannot use one: only the diameter works."""
    image = Image(np.zeros((9, 9)), "YX", spacing=(1.0, 1.0), unit=unit)
    found = judge_size(6.4, TRAINED, image=image, pixels=6.4, single=False)
    assert "--diameter" in found.remedy
    assert "--spacing" not in found.remedy
    assert "6.4" in found.remedy


def test_sizes_are_given_in_a_unit_that_is_true_of_image_and_training():
    """An image of 0.5 µm is resampled to the model's 1 µm: nuclei of 14 px have 7 there."""
    known = Domain(3, nucleus_size=14.5, spacing=(1.0, 1.0, 1.0))
    image = Image(np.zeros((9, 9, 9)), "ZYX", spacing=(0.5, 0.5, 0.5))
    found = judge_size(7.0, known, image=image, pixels=14.0)
    assert "median 7 µm, in training 14.5 µm" in found
    assert "as found it is 7 µm" in found.remedy
    assert "median 7 px, in training 14.5 px" in judge_size(7.0, known)


def test_without_a_pixel_size_the_diameter_is_given_in_pixels():
    image = Image(np.zeros((9, 9)), "YX")
    assert "--diameter N --unit pixel" in judge_size(6.0, TRAINED, image=image).remedy
    assert "--spacing" not in judge_size(6.0, TRAINED, image=image).remedy
    known = Domain(2, nucleus_size=20.0, spacing=(0.5, 0.5))
    assert "--spacing" in judge_size(6.0, known, image=image).remedy
    assert judge_spacing(image, known).code == "pixel_size_unknown"
    assert judge_spacing(image.replace(spacing=(1.0, 1.0)), known) is None


def test_a_remedy_that_was_followed_is_not_given_again():
    image = Image(np.zeros((9, 9)), "YX", spacing=(1.0, 1.0))
    assert "--diameter" not in judge_size(6.0, TRAINED, image=image, given=True).remedy


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({"noise": 0.04, "fill": 0.4}, []),
        ({"noise": 0.3, "fill": 0.4}, ["noisier"]),
        ({"noise": 0.001, "fill": 0.4}, ["smoother"]),
        ({"noise": 0.04, "fill": 0.9}, ["brighter"]),
        ({"noise": 0.3, "fill": 0.01}, ["noisier", "darker"]),
    ],
)
def test_grey_values_are_compared_on_both_sides(described, expected):
    assert codes(judge_grey(described, TRAINED)) == expected


@pytest.mark.parametrize(
    ("offset", "factor", "told"),
    [
        (1000.0, 800.0, ""),
        (500.0, 400.0, ""),
        (9000.0, 7000.0, "above"),
        (100.0, 30.0, "below"),
        (100.0, 210.0, "below"),  # the contrast would do, the offset does not
    ],
)
def test_a_restoration_is_compared_on_both_sides(offset, factor, told):
    found = judge_scale(Scale((offset,), (factor,)), Scale((1000.0,), (800.0,)))
    assert (f"far {told}" in found[0]) if told else found == ()


def make_discs(shape=(200, 200), radius=8, height=400.0, noise=10.0):
    label, grid, number = np.zeros(shape, np.int32), np.indices(shape), 0
    for y in range(20, shape[0] - 15, 36):
        for x in range(20, shape[1] - 15, 36):
            number += 1
            label[np.hypot(grid[0] - y, grid[1] - x) <= radius] = number
    grey = 100 + height * ndimage.gaussian_filter((label > 0).astype(float), 1)
    return grey + np.random.default_rng(0).normal(0, noise, shape), label


def test_nuclei_on_a_background_give_no_doubt():
    grey, label = make_discs()
    assert judge_objects(grey[..., None], label) == []


def test_objects_in_noise_are_doubted():
    grey = ndimage.gaussian_filter(np.random.default_rng(0).normal(100, 9, (200, 200)), 1)
    label, _ = ndimage.label(grey > np.median(grey))
    assert "one_population" in codes(judge_objects(grey[..., None], label))


def test_objects_beside_the_nuclei_are_doubted():
    grey, label = make_discs()
    moved = np.roll(label, 18, (0, 1))
    found = codes(judge_objects(grey[..., None], moved))
    assert {"one_population", "objects_like_background"} & set(found)


def test_half_of_the_objects_with_the_grey_value_of_the_background():
    grey, label = make_discs()
    both = np.maximum(label, np.where(np.roll(label, 18, 1) > 0, np.roll(label, 18, 1) + 99, 0))
    assert "objects_like_background" in codes(judge_objects(grey[..., None], both))


def test_nothing_found_is_said():
    grey, label = make_discs()
    assert codes(judge_objects(grey[..., None], label * 0)) == ["no_objects"]


def test_one_object_over_a_third_of_the_field_is_said():
    grey, label = make_discs()
    label[:90] = 1
    assert "object_fills_field" in codes(judge_objects(grey[..., None], label))


def test_an_object_out_of_all_proportion_is_said():
    grey, label = make_discs(radius=4)
    label[150:190] = 1
    assert "out_of_proportion" in codes(judge_objects(grey[..., None], label))


def test_objects_in_a_little_of_the_range_are_said():
    grey, label = make_discs()
    grey[5, 5] = 60000
    assert codes(judge_objects(grey[..., None], label)) == ["little_of_the_range"]


@pytest.mark.parametrize(("fall", "told"), [(0.0, False), (1 / 60, False), (1 / 8, True)])
def test_a_volume_that_fades_is_said(fall, told):
    """Half of 40 planes further down, exp(20 / 8) = 12 times less light is left."""
    rng, shape = np.random.default_rng(2), (40, 90, 90)
    grid, label = np.indices(shape), np.zeros(shape, np.int32)
    for number in range(1, 36):
        z, y, x = (rng.uniform(6, n - 6) for n in shape)
        label[(grid[0] - z) ** 2 + (grid[1] - y) ** 2 + (grid[2] - x) ** 2 <= 25] = number
    light = np.exp(-fall * grid[0])
    grey = rng.poisson(120 + 3000 * ndimage.gaussian_filter((label > 0).astype(float), 1) * light)
    found = codes(judge_objects(grey[..., None].astype(np.uint16), label))
    assert ("fading_with_depth" in found) == told


def test_a_validation_score_of_zero_is_said():
    assert codes(judge_training({"epoch": 3, "val_mean_ap": 0.0})) == ["score_zero"]
    assert judge_training({"epoch": 3, "val_mean_ap": 0.2}) == []
    assert judge_training({"epoch": 3, "val_loss": 0.1}) == []


@pytest.mark.parametrize(
    ("psnr", "before", "told"),
    [(30.0, 24.0, False), (13.61, 13.61, True), (20.0, 24.0, True), (-15.3, -15.8, True)],
)
def test_a_restoration_without_gain_is_said(psnr, before, told):
    assert bool(judge_gain(psnr, before)) == told
    assert bool(judge_scores({"mean": {"psnr": psnr}, "input": {"psnr": before}})) == told
    assert judge_scores({"mean_ap": 0.0}) == []


def test_masks_are_counted_with_their_objects():
    count, label = MaskCount("truth"), np.zeros((20, 40), int)
    label[2:8, 2:8], label[2:8, 20:28], label[12:18, 5:9] = 1, 2, 3
    for one in (label, label > 0, (label > 0) * 255):
        count.add(one)
    assert "The truth of 2 of 3 images is a mask: one value for 3 separate" in count.describe()[0]
    assert MaskCount("result").describe() == []


@pytest.mark.parametrize(("times", "said"), [(20, True), (4, False)])
def test_dead_cells_are_told_and_nuclei_in_mitosis_are_not(rng, times, said):
    label = np.zeros((128, 128), np.int32)
    height = np.zeros(label.shape, np.float32)
    for number in range(16):
        box = (slice(8 + 30 * (number // 4), 20 + 30 * (number // 4)),)
        box += (slice(8 + 30 * (number % 4), 20 + 30 * (number % 4)),)
        label[box], height[box] = number + 1, 100.0 * (times if number == 5 else 1)
    pixels = (200 + height + rng.normal(0, 5, label.shape))[..., None]
    codes = [one.code for one in judge_objects(pixels, label)]
    assert ("far_brighter_objects" in codes) == said
