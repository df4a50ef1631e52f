"""Noisy and clean images of one scene: the noise is what dataset.toml says, to the standard error
of the measurement.
"""

import json

import numpy as np
import pytest

from nbtools import checks, data, simulate
from nbtools.errors import UserError

SMALL = {"shape_px": (64, 72), "radius_um": (3.0, 5.0)}
FLAT = {"shape_px": (256, 256), "count": 0, "background": (1.0,), "gradient": (0.0,)}


def make(count: int = 1, seed: int = 0, **changes):
    return simulate.make("pairs", count=count, seed=seed, settings=SMALL | changes)


def to_photons(dataset, pixels: np.ndarray) -> np.ndarray:
    return (pixels - dataset.meta["noise"]["offset"]) / dataset.meta["noise"]["gain"]


@pytest.mark.parametrize("shape", [(64, 72), (8, 40, 44)])
def test_noisy_clean_and_labels_share_shape_axes_and_spacing(shape):
    sample = make(shape_px=shape)[0]
    assert sample.image.shape == sample.clean.shape == sample.label.shape == shape
    assert sample.image.axes == sample.clean.axes == "ZYX"[-len(shape) :]
    assert sample.image.spacing_um == sample.clean.spacing_um is not None
    assert (sample.image.pixels.dtype, sample.clean.pixels.dtype) == (np.uint16, np.float32)


@pytest.mark.parametrize("changes", [{}, {"structured": 1.5}, {"photons": (100.0,)}])
def test_the_mean_of_many_frames_is_the_clean_image_and_their_variance_the_law(changes):
    frames = 300
    dataset = make(frames=frames, **changes)
    law, clean = dataset.meta["noise"], dataset[0].clean.pixels.astype(float)
    stack = np.stack([sample.image.pixels for sample in dataset]).astype(float)
    photons = to_photons(dataset, clean)
    variance = (
        law["gain"] ** 2 * (photons + law["read_noise"] ** 2 + law["structured"] ** 2) + 1 / 12
    )
    deviation = (stack.mean(axis=0) - clean) / np.sqrt(variance / frames)
    assert abs(deviation.mean()) < 4 / np.sqrt(clean.size / 5)  # stripes of 5 px are drawn together
    assert deviation.std() == pytest.approx(1, abs=0.05)
    assert (stack.var(axis=0, ddof=1) / variance).mean() == pytest.approx(1, abs=0.01)
    assert all(np.array_equal(sample.clean.pixels, clean) for sample in dataset)


@pytest.mark.parametrize("photons", [5.0, 20.0, 100.0])
def test_the_light_level_is_that_of_the_brightest_pixels(photons):
    dataset = make(photons=(photons,))
    assert np.percentile(to_photons(dataset, dataset[0].clean.pixels), 99.8) == pytest.approx(
        photons, rel=0.01
    )
    assert dataset.meta["noise"]["peak_photons"] == photons


def test_less_light_shows_the_same_scene():
    dim, bright = make(photons=(5.0,)), make(photons=(100.0,))
    assert np.array_equal(dim[0].label.pixels, bright[0].label.pixels)
    few, many = (to_photons(d, d[0].clean.pixels) for d in (dim, bright))
    assert np.abs(20 * few - many).max() < 0.1  # rounded to 1/256 photon


def test_white_noise_has_no_neighbours_and_structured_noise_has_some_along_x():
    for structured, expected in ((0.0, 0.0), (4.0, 16 / (16 + 20 + 4))):
        pixels = simulate.make(
            "pairs", count=1, seed=0, settings=FLAT | {"structured": structured}
        )[0].image.pixels.astype(float)
        noise = pixels - pixels.mean()
        along_x, along_y = (
            (noise * np.roll(noise, 1, axis)).mean() / noise.var() for axis in (1, 0)
        )
        beyond = (noise * np.roll(noise, 5, 1)).mean() / noise.var()
        assert along_x == pytest.approx(0.8 * expected, abs=0.02)
        assert along_y == pytest.approx(0, abs=0.02)
        assert beyond == pytest.approx(0, abs=0.02)


def test_saturation_cuts_the_bright_pixels_of_the_noisy_image_alone(tmp_path):
    dataset = make(saturation=0.5)
    noisy, clean = dataset[0].image.pixels, dataset[0].clean.pixels
    assert noisy.max() == 4095 < clean.max()
    assert (clean[noisy == 4095] > 3000).mean() > 0.7
    assert "saturated" in {
        f.code
        for f in checks.check(data.DataSet.open(data.write_dataset(dataset, tmp_path / "set")))
    }


def test_frames_of_a_scene_are_a_group_of_their_own():
    dataset = make(count=3, frames=2)
    assert dataset.names[:3] == ["pairs_000_f0", "pairs_000_f1", "pairs_001_f0"]
    assert not np.array_equal(dataset[0].image.pixels, dataset[1].image.pixels)
    assert len(set(dataset.groups())) == 3
    assert {f.severity for f in checks.check(dataset)} <= {"note"}
    train, val = dataset.split(val=0.4, seed=0)
    assert not {name[:9] for name in train.names} & {name[:9] for name in val.names}


@pytest.mark.parametrize("photons", [(5.0,), (20.0, 100.0)])
def test_the_folder_says_the_law_pairs_up_and_has_nothing_to_complain_of(run, tmp_path, photons):
    words = [
        "--set",
        f"photons={','.join(map(str, photons))}",
        "shape_px=96,96",
        "--count",
        3,
        "--seed",
        2,
        "--json",
    ]
    code, told, _ = run("simulate", "pairs", *words, "--out", tmp_path / "pairs")
    assert code == 0
    assert json.loads(told)["images"] == 3
    dataset = data.DataSet.open(tmp_path / "pairs")
    assert (len(dataset), dataset.has("clean"), dataset.has("labels")) == (3, True, True)
    noise = dataset.meta["noise"]
    assert (noise["gain"], noise["offset"], noise["read_noise"], noise["full"]) == (
        2.0,
        100.0,
        2.0,
        65535,
    )
    assert noise["peak_photons"] == (photons[0] if len(photons) == 1 else list(photons))
    assert dataset[1].clean.pixels.dtype == np.float32
    assert checks.check(dataset) == []
    assert checks.check(dataset, checks.Requirements(needs="clean")) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"shape_px": (8, 40, 44), "radius_um": (2.5, 10.0)},
        {"structured": 2.0, "frames": 2, "saturation": 0.5},
    ],
)
def test_the_command_that_a_set_records_makes_it_again(changes):
    made = make(seed=4, **changes)
    words = made.meta["source"].split("nbtools simulate pairs ")[1].split()
    again = simulate.make(
        "pairs",
        count=int(words[1]),
        seed=int(words[3]),
        settings=simulate.PairSettings.parse(words[5:]),
    )
    assert again.meta == made.meta
    assert np.array_equal(again[0].image.pixels, made[0].image.pixels)


def test_a_noise_that_is_not_one_for_the_set_is_refused():
    for changes in ({"read_noise": (1.0, 2.0)}, {"bits": 8}, {"frames": 0}):
        with pytest.raises(UserError, match="must be a valid value"):
            simulate.settings_for("pairs", changes)
