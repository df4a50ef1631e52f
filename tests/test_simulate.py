"""Simulated images: exact labels, known noise, the same for the same seed."""

import numpy as np
import pytest
from scipy import ndimage

from nbtools import simulate
from nbtools.errors import UserError
from nbtools.simulate import NucleiSettings, phantom

SMALL = {"shape_px": (96, 96), "radius_um": (3.0, 5.0)}
SMALL_VOLUME = {"shape_px": (12, 48, 48), "radius_um": (2.0, 3.0)}
PLAIN = {
    "radius_spread": (0.0,),
    "roughness": (0.0,),
    "squeeze": (0.0,),
    "elongation": (1.6,),
    "clustering": (0.0,),
    "cut": 0.0,
}


def one(kind: str, seed: int = 0, **changes):
    return simulate.make(kind, count=1, seed=seed, settings=changes)[0]


@pytest.mark.parametrize(
    ("kind", "changes"), [("nuclei2d", SMALL), ("nuclei3d", SMALL_VOLUME), ("tissue", SMALL_VOLUME)]
)
def test_an_image_and_its_labels_share_shape_axes_and_spacing(kind, changes):
    sample = one(kind, **changes)
    settings = simulate.settings_for(kind, changes)
    assert sample.image.shape == sample.label.shape == settings.shape_px
    assert sample.image.axes == sample.label.axes == "ZYX"[-settings.ndim :]
    assert sample.image.spacing_um == sample.label.spacing_um == settings.spacing_um
    assert (sample.image.pixels.dtype, sample.label.pixels.dtype) == (np.uint16, np.uint16)
    assert sample.name == sample.image.name == f"{kind}_000"


@pytest.mark.parametrize(("kind", "changes"), [("nuclei2d", SMALL), ("nuclei3d", SMALL_VOLUME)])
def test_the_same_seed_gives_the_same_bytes_however_many_images_are_made(kind, changes):
    few = simulate.make(kind, count=1, seed=5, settings=changes)
    more = simulate.make(kind, count=2, seed=5, settings=changes)
    other = simulate.make(kind, count=1, seed=6, settings=changes)
    assert few[0].image.pixels.tobytes() == more[0].image.pixels.tobytes()
    assert few[0].label.pixels.tobytes() == more[0].label.pixels.tobytes()
    assert not np.array_equal(more[0].image.pixels, more[1].image.pixels)
    assert not np.array_equal(few[0].image.pixels, other[0].image.pixels)


@pytest.mark.parametrize("kind", ["nuclei2d", "tissue"])
def test_labels_count_from_one_without_gaps_and_each_is_one_piece(kind):
    label = one(kind, **(SMALL if kind == "nuclei2d" else SMALL_VOLUME)).label.pixels
    assert set(np.unique(label)) == set(range(label.max() + 1))
    for name, box in enumerate(ndimage.find_objects(label), start=1):
        assert ndimage.label(label[box] == name, np.ones((3,) * label.ndim))[1] == 1


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_wanted_number_of_nuclei_is_what_one_gets(count):
    assert one("nuclei2d", count=count, radius_um=(4.0,)).label.pixels.max() == count


@pytest.mark.parametrize("spacing", [(0.25, 0.25), (0.5, 0.2, 0.2), (1.0, 0.25, 0.25)])
def test_a_label_has_the_volume_of_its_ellipsoid(spacing):
    shape = tuple(round(16 / s) for s in spacing)
    sample = one("nuclei2d", shape_px=shape, spacing_um=spacing, count=1, radius_um=(4.0,), **PLAIN)
    volume = np.count_nonzero(sample.label.pixels) * np.prod(spacing)
    assert volume == pytest.approx({2: np.pi * 16, 3: 4 / 3 * np.pi * 64}[len(spacing)], rel=0.02)


def test_labels_as_people_outline_them_reach_into_the_blur():
    blur = PLAIN | {
        "psf_um": (0.5,),
        "psf_stretch": (4.0,),
        "radius_um": (4.0,),
        "spacing_um": (0.5,) * 3,
        "shape_px": (48, 32, 32),
    }
    blur |= {
        "elongation": (1.0,),
        "radius_spread": (0.0,),
        "roughness": (0.0,),
        "brightness_spread": (0.0,),
        "granularity": (0.0,),
    }
    blur |= {"dome": (0.0,), "chromocentres": (0.0,), "nucleoli": (0.0,)}
    sides = {}
    for share in (None, 0.15):
        label = one("nuclei3d", count=1, outline=share, **blur).label.pixels
        sides[share] = np.array([np.ptp(where) + 1 for where in np.nonzero(label)]) * 0.5
    np.testing.assert_allclose(sides[None], 8, atol=0.6)  # the ball itself
    reach = (
        2 * 1.036 * 0.5
    )  # where a blurred edge has 15 % of its light: 1.036 standard deviations outside
    np.testing.assert_allclose(sides[0.15][1:], 8 + reach, atol=0.6)
    assert (
        8 + 2 < sides[0.15][0] < 8 + 4 * reach + 0.6
    )  # less than at a flat edge: the ball is no wider than the blur is deep


def test_of_blurred_nuclei_the_bright_and_the_typical_are_outlined_alike_and_a_dim_one_less_far():
    label = np.zeros((40, 120), np.int32)
    label[10:30, 10:30], label[10:30, 50:70], label[10:30, 90:110] = 1, 2, 3
    dye = np.choose(label, (0.0, 3.0, 1.0, 0.2))
    seen = phantom.outline_visible(label, dye, width=np.array((2.0, 2.0)), share=1 / 6)
    sides = [np.ptp(np.nonzero(seen == name)[0]) + 1 for name in (1, 2, 3)]
    # an edge blurred by 2 px falls to 1/6 of its light 1.93 px outside, and still has 5/6 of it
    # 1.93 px inside
    assert sides == [24, 24, 16]
    assert not phantom.outline_visible(label, dye, width=np.array((2.0, 2.0)), share=4.0).any()


def test_debris_is_seen_and_has_no_label():
    about = {
        "count": 6,
        "photons": (200.0,),
        "background": (0.01,),
        "haze": (0.0,),
        "shape_px": (128, 128),
    }
    clean, littered = (one("nuclei2d", debris=d, **about) for d in (0.0, 5.0))
    np.testing.assert_array_equal(littered.label.pixels, clean.label.pixels)
    outside = clean.label.pixels == 0
    assert (littered.image.pixels[outside] > 150).sum() > 2 * (
        clean.image.pixels[outside] > 150
    ).sum()


def test_outlined_neighbours_meet_and_do_not_overlap():
    about = {"shape_px": (24, 64, 64), "psf_um": (0.8,), "brightness_spread": (0.0,)}
    plain, seen = (one("tissue", outline=share, **about).label.pixels for share in (None, 0.1))
    assert np.count_nonzero(seen) > np.count_nonzero(plain)
    assert (plain[seen == 0] == 0).mean() > 0.99
    assert seen.max() >= 0.9 * plain.max()


def test_planes_far_apart_see_the_same_nuclei_as_planes_close_together():
    coarse = one(
        "nuclei3d",
        shape_px=(13, 48, 48),
        spacing_um=(1.2, 0.4, 0.4),
        count=6,
        radius_um=(3.0,),
        **PLAIN,
    )
    fine = one(
        "nuclei3d",
        shape_px=(37, 48, 48),
        spacing_um=(0.4, 0.4, 0.4),
        count=6,
        radius_um=(3.0,),
        **PLAIN,
    )
    assert np.array_equal(coarse.label.pixels > 0, fine.label.pixels[::3] > 0)


def test_dense_tissue_holds_hundreds_of_touching_nuclei():
    label = one("tissue", shape_px=(16, 96, 96)).label.pixels
    touching = set()
    for axis in range(3):
        near, far = np.moveaxis(label, axis, 0)[:-1], np.moveaxis(label, axis, 0)[1:]
        both = (near != far) & (near > 0) & (far > 0)
        touching |= set(near[both]) | set(far[both])
    assert len(touching) >= 200


def test_nuclei_are_brighter_than_their_surroundings():
    sample = one("nuclei2d", photons=(200.0,), haze=(0.0,), psf_um=(0.2,), brightness_spread=(0.2,))
    inside = sample.label.pixels > 0
    assert (
        np.median(sample.image.pixels[inside]) > 2 * np.median(sample.image.pixels[~inside]) - 100
    )  # camera offset: 100


@pytest.mark.parametrize("photons", [5.0, 400.0])
def test_noise_follows_the_law_of_the_camera(photons):
    """Photon transfer: variance = gain² (photons + read noise²), mean = offset + gain photons."""
    empty = {
        "count": 0,
        "background": (1.0,),
        "gradient": (0.0,),
        "photons": (photons,),
        "read_noise": (3.0,),
    }
    pixels = one("nuclei2d", gain=2.5, offset=300.0, **empty).image.pixels.astype(float)
    assert pixels.mean() == pytest.approx(300 + 2.5 * photons, rel=0.002)
    assert pixels.var() == pytest.approx(2.5**2 * (photons + 9), rel=0.03)


def test_light_spreads_further_along_z_than_labels_do():
    bead = {
        "count": 1,
        "radius_um": (1.0,),
        "haze": (0.0,),
        "background": (0.0001,),
        "photons": (5000.0,),
        "read_noise": (0.0,),
    }
    bead |= {
        "shape_px": (25, 33, 33),
        "spacing_um": (0.4, 0.4, 0.4),
        "psf_um": (0.4,),
        "psf_stretch": (3.0,),
        "elongation": (1.0,),
    }
    sample = one("nuclei3d", **PLAIN | bead)
    light = np.maximum(sample.image.pixels - 150.0, 0)  # camera offset 100, and its noise
    spread = [
        np.sqrt(np.average((g - np.average(g, weights=light)) ** 2, weights=light))
        for g in np.indices(light.shape)
    ]
    assert spread[0] > 1.5 * spread[2]


def test_eight_bit_images_use_their_range_without_saturating():
    pixels = one("nuclei2d", bits=8, exposure=(0.8,), photons=(500.0,), **SMALL).image.pixels
    assert pixels.dtype == np.uint8
    assert 150 < pixels.max() < 255 or np.mean(pixels == 255) < 0.002


def test_images_of_a_set_differ_in_size_light_and_blur(rng):
    drawn = [NucleiSettings().draw(rng) for _ in range(50)]
    for name in ("radius_um", "photons", "psf_um", "background", "density"):
        values = np.array([d[name] for d in drawn])
        assert values.max() > 1.5 * values.min()


def test_settings_survive_json_and_come_with_a_kind():
    settings = simulate.settings_for("nuclei3d", {"photons": [50, 100], "bits": 8})
    assert NucleiSettings.from_dict(settings.to_dict()) == settings
    assert (settings.ndim, settings.photons, settings.bits) == (3, (50.0, 100.0), 8)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"shape_px": (64, 64), "spacing_um": (1.0, 0.5, 0.5)}, "Shape and spacing"),
        ({"photons": (100.0, 50.0)}, "one number, or the lowest and the highest"),
        ({"photons": ()}, "one number, or the lowest and the highest"),
        ({"bits": 12}, "bits"),
        ({"radius": (1.0,)}, "must be one of"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, rule):
    with pytest.raises(UserError, match=rule):
        simulate.settings_for("nuclei2d", changes)


def test_an_unknown_kind_or_an_empty_set_is_refused_with_a_remedy():
    with pytest.raises(
        UserError,
        match=r"Received: 'galaxies'\. Use one of: nuclei2d, nuclei3d, tissue, beads, pairs, ",
    ):
        simulate.make("galaxies", count=1, seed=0)
    with pytest.raises(UserError, match="number of images must be at least 1"):
        simulate.make("nuclei2d", count=0, seed=0)


def test_the_command_that_a_set_records_makes_the_same_settings():
    source = simulate.make("nuclei3d", count=1, seed=3, settings=SMALL_VOLUME | {"gain": 1.5}).meta[
        "source"
    ]
    assert "simulate nuclei3d --count 1 --seed 3 --set" in source
    changes = NucleiSettings.parse(source.split(" --set ")[1].split())
    assert simulate.settings_for("nuclei3d", changes) == simulate.settings_for(
        "nuclei3d", SMALL_VOLUME | {"gain": 1.5}
    )


@pytest.mark.parametrize("name", ["simulated2d", "simulated3d", "simulated_pairs"])
def test_the_shipped_samples_are_made_again_pixel_for_pixel_by_the_command_they_record(name):
    from nbtools import data

    shipped = data.samples(name)
    words = shipped.meta["source"].split("nbtools simulate ")[1].split()
    kind, count, seed, changes = (
        words[0],
        int(words[2]),
        int(words[4]),
        NucleiSettings.parse(words[6:]),
    )
    made = simulate.make(kind, count=count, seed=seed, settings=changes)
    assert shipped.names == made.names
    for one, other in zip(shipped, made, strict=True):
        assert np.array_equal(one.image.pixels, other.image.pixels)
        assert np.array_equal(one.label.pixels, other.label.pixels)
        assert (one.clean is None and other.clean is None) or np.array_equal(
            one.clean.pixels, other.clean.pixels
        )
        assert one.image.spacing_um == other.image.spacing_um


def test_beads_are_equal_balls_that_the_microscope_stretches_along_z():
    sample = simulate.make("beads", count=1, seed=1, settings={"count": 1})[0]
    assert sample.label.pixels.sum() * 0.25**3 == pytest.approx(
        4 / 3 * np.pi, rel=0.03
    )  # a ball of 2 µm
    bright = np.argwhere(sample.image.pixels > sample.image.pixels.max() / 2)
    along_z, along_y, along_x = np.ptp(bright, axis=0) + 1
    assert along_y == pytest.approx(along_x, abs=1)
    assert along_z > 1.5 * along_x
