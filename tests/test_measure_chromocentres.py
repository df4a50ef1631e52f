"""Chromocentres, against planted ones whose number, volume and light are known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.measure import find_chromocentres, measure

SPACING = (0.3, 0.15, 0.15)
PLACES = ((5.1, 2.6, 4.8), (5.1, 6.9, 4.8), (5.1, 4.8, 7.4), (6.9, 4.8, 3.0))  # µm
CENTRE, REACH = (5.1, 4.8, 4.8), (3.6, 3.8, 4.2)


def place() -> np.ndarray:
    return np.stack(
        np.meshgrid(
            *(np.arange(n) * s for n, s in zip((34, 64, 64), SPACING, strict=True)), indexing="ij"
        ),
        axis=-1,
    )


def plant(radius: float, places: tuple = PLACES) -> tuple[np.ndarray, np.ndarray]:
    """A nucleus, and balls of 2.5 times its brightness in it: bool, both."""
    grid = place()
    nucleus = (((grid - CENTRE) / REACH) ** 2).sum(axis=-1) <= 1
    spots = np.any([((grid - one) ** 2).sum(axis=-1) <= radius**2 for one in places], axis=0)
    return nucleus, spots & nucleus


def see(
    nucleus: np.ndarray, spots: np.ndarray, *, photons: float, rng: np.random.Generator
) -> Image:
    """Blurred as a microscope does, with shot noise and the offset of a camera."""
    blurred = gaussian_filter(nucleus + 1.5 * spots, np.array([0.2, 0.1, 0.1]) / SPACING)
    return Image(rng.poisson(photons * blurred) + 100.0, "ZYX", SPACING)


def table(nucleus: np.ndarray, image: Image, **options) -> dict:
    found = measure(
        Image(nucleus.astype(np.uint16), "ZYX", SPACING), image, chromocentres=True, **options
    )
    return {name: column[0] for name, column in found.items()}


@pytest.mark.parametrize(("radius", "photons"), [(0.7, 40), (0.9, 40), (0.9, 1000)])
def test_planted_chromocentres_are_counted_and_measured(radius, photons, rng):
    nucleus, spots = plant(radius)
    row = table(nucleus, see(nucleus, spots, photons=photons, rng=rng))
    share, light = (
        spots.sum() / nucleus.sum(),
        2.5 * spots.sum() / (nucleus.sum() + 1.5 * spots.sum()),
    )
    assert row["chromocentres"] == len(PLACES)
    assert row["chromocentre_volume_um3"] == pytest.approx(
        spots.sum() * np.prod(SPACING), rel=0.25
    )  # blur takes from small balls
    assert row["chromocentre_volume_um3"] == pytest.approx(row["rhf_volume"] * row["volume_um3"])
    assert (row["rhf_volume"], row["rhf_intensity"]) == (
        pytest.approx(share, rel=0.25),
        pytest.approx(light, rel=0.3),
    )


def test_without_blur_and_noise_the_fractions_are_the_planted_ones():
    nucleus, spots = plant(0.9)
    image = Image(50 + 100.0 * nucleus + 200.0 * spots, "ZYX", SPACING)
    row = table(nucleus, image)
    drawn = measure(
        Image(nucleus.astype(np.uint8), "ZYX", SPACING),
        image,
        chromocentres=Image(spots.astype(np.uint8), "ZYX", SPACING),
    )
    assert row["rhf_volume"] == pytest.approx(spots.sum() / nucleus.sum(), rel=0.06)
    assert drawn["rhf_volume"][0] == pytest.approx(spots.sum() / nucleus.sum())
    assert drawn["rhf_intensity"][0] == pytest.approx(
        300 * spots.sum() / (100 * nucleus.sum() + 200 * spots.sum())
    )


@pytest.mark.parametrize("photons", [10, 300])
def test_a_nucleus_without_chromocentres_has_none(photons, rng):
    nucleus, _ = plant(0.7, ())
    row = table(nucleus, see(nucleus, np.zeros_like(nucleus), photons=photons, rng=rng))
    assert (row["chromocentres"], row["rhf_volume"], row["rhf_intensity"]) == (0, 0, 0)
    assert np.isnan(row["chromocentre_border_um"])


def test_distances_run_from_border_to_border_and_from_centre_to_border():
    nucleus, spots = plant(
        0.9, (CENTRE,)
    )  # in the middle of a nucleus whose shortest semi-axis is 3.6 µm
    marks = Image(spots.astype(np.uint8), "ZYX", SPACING)
    row = measure(
        Image(nucleus.astype(np.uint8), "ZYX", SPACING),
        Image(nucleus * 1.0, "ZYX", SPACING),
        chromocentres=marks,
    )
    assert row["chromocentre_centre_border_um"][0] == pytest.approx(3.6, abs=0.2)
    assert row["chromocentre_border_um"][0] == pytest.approx(3.6 - 0.9, abs=0.25)


def test_shells_have_equal_volume_and_tell_dye_inside_from_dye_at_the_border():
    nucleus, _ = plant(0.9)
    radius = np.sqrt((((place() - CENTRE) / REACH) ** 2).sum(axis=-1))
    shells = {}
    for name, dye in {
        "even": 1.0,
        "inside": radius < 0.2 ** (1 / 3),
        "border": radius > 0.8 ** (1 / 3),
    }.items():
        row = table(nucleus, Image(100.0 * nucleus * dye, "ZYX", SPACING))
        shells[name] = [row[f"shell_{k}"] for k in range(1, 6)]
    assert shells["even"] == pytest.approx([0.2] * 5)
    assert (
        shells["inside"][4] > 0.85
    )  # the inner fifth of the volume; shells follow the distance, the ellipsoid does not quite
    assert shells["border"][0] > 0.85
    assert [sum(found) for found in shells.values()] == pytest.approx([1, 1, 1])


def test_each_nucleus_keeps_its_own_and_a_spot_outside_counts_for_none(rng):
    label, image = np.zeros((60, 120), np.uint16), np.zeros((60, 120))
    label[10:50, 5:45], label[10:50, 45:85] = 4, 9  # they touch
    image[label > 0] = 100
    for y, x in ((20, 15), (40, 30), (20, 60), (20, 105)):
        image[y - 3 : y + 4, x - 3 : x + 4] += 300
    found = measure(
        Image(label, "YX", (0.1, 0.1)), Image(image, "YX", (0.1, 0.1)), chromocentres=True
    )
    assert list(found["chromocentres"]) == [2, 1]
    assert found["chromocentre_area_um2"] == pytest.approx([0.98, 0.49], rel=0.15)
    spots = find_chromocentres(Image(label, "YX", (0.1, 0.1)), Image(image, "YX", (0.1, 0.1)))
    assert list(np.unique(spots.pixels)) == [0, 1, 2, 3]
    assert measure(spots)["area_um2"] == pytest.approx(
        [0.49] * 3, rel=0.15
    )  # a table of the chromocentres themselves


def test_light_that_leaks_in_from_a_bright_neighbour_is_no_chromocentre(rng):
    label = np.zeros((60, 110), np.uint16)
    label[10:50, 5:50], label[10:50, 50:105] = 1, 2  # the second is eight times as bright
    dye = gaussian_filter(np.array([0.0, 1.0, 8.0])[label], 1.5)
    image = Image(rng.poisson(200 * dye) + 100.0, "YX", (0.1, 0.1))
    assert find_chromocentres(Image(label, "YX", (0.1, 0.1)), image).pixels.max() == 0


def test_the_gain_and_the_offset_of_the_camera_change_nothing(rng):
    nucleus, spots = plant(0.9)
    image = see(nucleus, spots, photons=100, rng=rng)
    one, two = table(nucleus, image), table(nucleus, image.replace(pixels=3 * image.pixels + 1000))
    names = [name for name in one if name.startswith(("chromocentre", "rhf", "shell"))]
    assert [one[name] for name in names] == pytest.approx([two[name] for name in names], rel=1e-4)


def test_the_dye_is_found_by_the_name_of_its_channel():
    label = np.zeros((30, 30), np.uint8)
    label[3:27, 3:27] = 1
    dapi = 100.0 * label
    dapi[10:16, 10:16] = 400
    image = Image(np.stack([0 * dapi, dapi]), "CYX", channels=("lamin", "dapi"))
    assert find_chromocentres(Image(label, "YX"), image, channel="dapi").pixels.max() == 1
    assert find_chromocentres(Image(label, "YX"), image, channel=0).pixels.max() == 0
    with pytest.raises(UserError, match="Channels: lamin, dapi"):
        find_chromocentres(Image(label, "YX"), image, channel="gfp")
    with pytest.raises(UserError, match="in the image"):
        measure(Image(label, "YX"), chromocentres=True)


def test_the_columns_are_those_of_the_contract_and_an_empty_image_has_them_too():
    wanted = ["chromocentres", "chromocentre_volume_um3", "rhf_volume", "rhf_intensity"]
    empty = Image(np.zeros((6, 8, 8), np.uint8), "ZYX", SPACING)
    found = measure(empty, empty, chromocentres=True)
    assert [name for name in found if name in wanted] == wanted
    assert {len(column) for column in found.values()} == {0}
