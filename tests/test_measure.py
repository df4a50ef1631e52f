"""Measurements, against bodies whose numbers are known and against scikit-image."""

import numpy as np
import pytest
from scipy.special import ellipe, elliprg

from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.measure import measure, surface

ANISOTROPIC = (0.5, 0.2, 0.2)


def turn(ndim: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((ndim, ndim)))[0]


def grid_around(
    reach: np.ndarray, spacing: tuple[float, ...], rng: np.random.Generator
) -> np.ndarray:
    """Coordinates in µm of the pixels of a field with room for a body, its origin anywhere between
    the pixels: (*space, D).
    """
    shape = (np.ceil(2 * reach / spacing) + 4).astype(int)
    lines = [
        (np.arange(n) - (n - 1) / 2 + rng.uniform(-0.5, 0.5)) * s
        for n, s in zip(shape, spacing, strict=True)
    ]
    return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)


def ellipsoid(axes: np.ndarray, spacing: tuple[float, ...], rng: np.random.Generator) -> Image:
    """An ellipsoid turned at random."""
    rotation = turn(len(axes), rng)
    grid = grid_around(np.sqrt(((rotation * axes) ** 2).sum(axis=1)), spacing, rng)
    inside = ((grid @ rotation / axes) ** 2).sum(axis=-1) <= 1
    return Image(inside.astype(np.uint16), "ZYX"[-len(axes) :], spacing=spacing)


@pytest.mark.parametrize("seed", range(12))
def test_ellipsoids_turned_anyhow_have_their_volume_surface_and_axes(seed):
    rng = np.random.default_rng(seed)
    a, b, c = axes = np.sort(rng.uniform(2.5, 6, 3))  # µm: five planes and more
    row = {
        name: column[0]
        for name, column in measure(ellipsoid(axes, ANISOTROPIC, rng), solidity=False).items()
    }
    assert row["volume_um3"] == pytest.approx(4 / 3 * np.pi * a * b * c, rel=0.01)
    area = (
        4 * np.pi * elliprg((a * b) ** 2, (a * c) ** 2, (b * c) ** 2)
    )  # Carlson's symmetric form of the elliptic integral
    assert row["surface_um2"] == pytest.approx(area, rel=0.02)
    assert (row["flatness"], row["elongation"]) == (
        pytest.approx(b / a, rel=0.02),
        pytest.approx(c / b, rel=0.02),
    )
    assert row["sphericity"] == pytest.approx(4 * np.pi * (a * b * c) ** (2 / 3) / area, rel=0.02)
    assert row["sphericity_nucleusj"] == pytest.approx(row["sphericity"] ** 3)


@pytest.mark.parametrize("seed", range(6))
def test_ellipses_have_their_area_perimeter_and_axes(seed):
    rng = np.random.default_rng(seed)
    a, b = axes = np.sort(rng.uniform(3, 6, 2))
    row = {name: column[0] for name, column in measure(ellipsoid(axes, (0.3, 0.2), rng)).items()}
    assert row["area_um2"] == pytest.approx(np.pi * a * b, rel=0.01)
    assert row["perimeter_um"] == pytest.approx(4 * b * ellipe(1 - (a / b) ** 2), rel=0.02)
    assert row["elongation"] == pytest.approx(b / a, rel=0.02)
    assert "flatness" not in row


BODIES = {  # inside(z, y, x) in µm, surface in µm²
    "torus": (lambda z, y, x: (np.hypot(z, y) - 4) ** 2 + x**2 <= 2.25, 4 * np.pi**2 * 4 * 1.5),
    "capsule": (
        lambda z, y, x: y**2 + x**2 + np.maximum(np.abs(z) - 3, 0) ** 2 <= 4,
        4 * np.pi * 4 + 2 * np.pi * 2 * 6,
    ),
    "hollow ball": (
        lambda z, y, x: (z**2 + y**2 + x**2 <= 16) & (z**2 + y**2 + x**2 >= 4),
        4 * np.pi * (16 + 4),
    ),
    "box": (
        lambda z, y, x: (np.abs(z) <= 2) & (np.abs(y) <= 3) & (np.abs(x) <= 4),
        2 * (4 * 6 + 4 * 8 + 6 * 8),
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_surfaces_of_bodies_that_are_no_ellipsoids_are_near_too(name, rng):
    inside, area = BODIES[name]
    found = []
    for _ in range(4):
        grid = grid_around(np.full(3, 5.6), ANISOTROPIC, rng) @ turn(3, rng)
        found.append(
            measure(
                Image(inside(*np.moveaxis(grid, -1, 0)).astype(np.uint8), "ZYX", ANISOTROPIC),
                solidity=False,
            )["surface_um2"][0]
        )
    assert np.mean(found) == pytest.approx(area, rel=0.04)
    assert found == pytest.approx([area] * 4, rel=0.07)


@pytest.fixture(scope="module")
def stardist_volume() -> tuple[np.ndarray, np.ndarray]:
    data = pytest.importorskip("stardist.data")
    image, label = data.test_image_nuclei_3d(return_mask=True)
    return image, label.astype(np.int32)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ndim", [2, 3])
def test_shared_columns_agree_with_scikit_image_on_real_nuclei(stardist_volume, ndim):
    from skimage.measure import regionprops_table

    image, label = (v if ndim == 3 else v[15] for v in stardist_volume)
    spacing, axes = (2.0, 0.5, 0.5)[-ndim:], "ZYX"[-ndim:]
    wanted = (
        "label",
        "area",
        "centroid",
        "equivalent_diameter_area",
        "intensity_mean",
        "intensity_std",
    )
    theirs = regionprops_table(label, image, spacing=spacing, properties=wanted)
    ours = measure(Image(label, axes, spacing), Image(image, axes, spacing))
    assert np.array_equal(ours["label"], theirs["label"])
    pairs = {
        "area_um2" if ndim == 2 else "volume_um3": "area",
        "mean_0": "intensity_mean",
        "std_0": "intensity_std",
    }
    for mine, other in pairs.items():
        assert ours[mine] == pytest.approx(theirs[other])
    assert 2 * ours["equivalent_radius_um"] == pytest.approx(theirs["equivalent_diameter_area"])
    assert ours["sum_0"] == pytest.approx(
        np.bincount(label.ravel(), image.ravel())[theirs["label"]]
    )
    for i, axis in enumerate(axes.lower()):
        assert ours[axis] * spacing[i] == pytest.approx(theirs[f"centroid-{i}"])


def test_the_hull_of_pixel_centres_is_that_of_scikit_image(rng):
    from scipy import ndimage
    from skimage.morphology import convex_hull_image

    for k in range(20):
        blob = ndimage.gaussian_filter(rng.standard_normal((14,) * (2 + k % 2)), 1.5)
        pieces = ndimage.label(blob > np.quantile(blob, 0.8))[0]
        label = pieces == np.bincount(pieces[pieces > 0]).argmax()
        hull = convex_hull_image(label, offset_coordinates=False)
        row = measure(Image(label.astype(np.uint8), "ZYX"[-label.ndim :]))
        assert row["solidity"][0] == pytest.approx(label.sum() / hull.sum())


def test_neighbours_touch_and_the_nearest_is_measured_from_centre_to_centre():
    label = np.zeros((12, 30), np.uint16)
    label[2:6, 2:6], label[6:10, 6:10], label[2:6, 14:18], label[0:3, 26:30] = (
        4,
        9,
        7,
        300,
    )  # 4 and 9 share a corner
    table = measure(Image(label, "YX", spacing=(2.0, 0.5)))
    assert list(table["label"]) == [4, 7, 9, 300]
    assert list(table["neighbours"]) == [1, 0, 1, 0]
    assert table["nearest_um"][0] == pytest.approx(
        6.0
    )  # 12 pixels of 0.5 µm to nucleus 7, not 4 rows of 2 µm to nucleus 9: hypot(8, 2)
    assert list(table["touches_border"]) == [False, False, False, True]
    assert (table["y"][0], table["x"][0]) == (3.5, 3.5)


def test_cutting_the_volume_into_slabs_changes_nothing(stardist_volume, monkeypatch):
    whole = surface.count_exits(stardist_volume[1], 162)
    monkeypatch.setattr(surface, "SLAB", 5000)
    for one, other in zip(whole, surface.count_exits(stardist_volume[1], 162), strict=True):
        assert np.array_equal(one, other)


def test_a_nucleus_measures_the_same_wherever_it_lies_and_whoever_is_beside_it(rng):
    alone = ellipsoid(np.array([2.0, 3.0, 4.0]), ANISOTROPIC, rng)
    field = np.zeros(tuple(2 * n for n in alone.shape), np.uint16)
    field[tuple(slice(n, None) for n in alone.shape)][alone.pixels > 0] = 5
    field[field == 0] = 8
    one, two = measure(alone), measure(Image(field, "ZYX", ANISOTROPIC))
    for column in ("volume_um3", "surface_um2", "flatness", "elongation", "solidity"):
        assert two[column][0] == pytest.approx(one[column][0])


@pytest.mark.parametrize(("spacing", "unit"), [(None, "um"), ((2.18, 1.0, 1.0), "pixel")])
def test_without_calibration_columns_in_um_are_left_out(spacing, unit):
    ball = np.zeros((20, 40, 40), np.uint8)
    z, y, x = np.indices(ball.shape) - np.array([10, 20, 20]).reshape(3, 1, 1, 1)
    ball[(2.18 * z) ** 2 + y**2 + x**2 <= 150] = 1
    table = measure(Image(ball, "ZYX", spacing, unit))
    assert not [name for name in table if "_um" in name]
    assert table["volume_px"][0] == ball.sum()
    if spacing:  # the ratio is enough for shape
        assert table["flatness"][0] == pytest.approx(1, abs=0.03)
        assert table["sphericity"][0] == pytest.approx(1, abs=0.03)


def test_spacing_comes_from_the_image_where_the_labels_have_none():
    label, image = (
        Image(np.ones((5, 5), np.uint8), "YX"),
        Image(np.ones((5, 5)), "YX", spacing=(2.0, 2.0)),
    )
    assert measure(label, image)["area_um2"][0] == 100


def test_tiny_and_flat_nuclei_have_no_shape_rather_than_nonsense():
    label = np.zeros((9, 20, 20), np.uint8)
    label[1, 1, 1], label[4, 5:15, 5:15], label[7:, 18:, 18:] = 1, 2, 3
    table = measure(Image(label, "ZYX", (1.0, 1.0, 1.0)))
    assert list(table["volume_um3"]) == [1, 100, 8]
    for column in ("surface_um2", "sphericity", "sphericity_nucleusj", "flatness", "elongation"):
        assert np.isnan(table[column]).all(), column
    assert np.isnan(table["solidity"][:2]).all()


@pytest.mark.parametrize(("planes", "reliable"), [(4, True), (2.2, False)])
def test_of_too_few_planes_the_table_names_what_may_be_wrong(planes, reliable, rng):
    for axes in ((planes * 0.5, 4.0, 5.0), (3.0, 3.0, planes * 0.2)):  # thin along z, thin along x
        grid = grid_around(np.array(axes), ANISOTROPIC, rng)
        inside = ((grid / axes) ** 2).sum(axis=-1) <= 1
        row = measure(Image(inside.astype(np.uint8), "ZYX", ANISOTROPIC), solidity=False)
        assert row["reliable"][0] == reliable
        assert (row["unreliable"][0] == "") == reliable
        assert ("surface_um2" in row["unreliable"][0]) != reliable
        assert "solidity" not in row["unreliable"][0]  # it was not measured
        assert np.isfinite(row["flatness"][0])


@pytest.mark.filterwarnings("ignore")
def test_the_angle_in_a_plane_is_that_of_scikit_image(stardist_volume):
    from skimage.measure import regionprops_table

    label = stardist_volume[1][15]
    theirs = 90 + np.degrees(
        regionprops_table(label, properties=("orientation",))["orientation"]
    )  # from x, not from y
    ours = measure(Image(label, "YX"), solidity=False)
    long = ours["elongation"] > 1.1
    assert long.sum() > 5
    assert np.abs((ours["orientation_deg"] - theirs + 90) % 180 - 90)[long] == pytest.approx(
        0, abs=1e-6
    )


def test_angles_have_the_signs_that_their_names_promise():
    z, y, x = np.moveaxis(
        grid_around(np.full(3, 6.0), (0.3, 0.3, 0.3), np.random.default_rng(0)), -1, 0
    )

    def angles(long: tuple[float, float, float]) -> tuple[float, float]:
        along = z * long[0] + y * long[1] + x * long[2]
        inside = (z**2 + y**2 + x**2 - along**2) / 2.0**2 + along**2 / 5.0**2 <= 1
        row = measure(Image(inside.astype(np.uint8), "ZYX", (0.3, 0.3, 0.3)), solidity=False)
        return row["azimuth_deg"][0], row["elevation_deg"][0]

    half = np.sqrt(0.5)
    assert angles((0, -half, half)) == pytest.approx(
        (45, 0), abs=1
    )  # up on the screen, y downwards in the array
    assert angles((half, 0, -half)) == pytest.approx((0, -45), abs=1) or angles(
        (half, 0, -half)
    ) == pytest.approx((180, 45), abs=1)
    assert angles((half, -half, 0)) == pytest.approx((90, 45), abs=1)


def test_tilt_tells_a_lying_disc_from_a_standing_one_and_a_ball_has_no_angles(rng):
    grid = grid_around(np.full(3, 5.0), (0.3, 0.3, 0.3), rng)
    tilts = {}
    for name, axes in {"lying": (2, 4, 4), "standing": (4, 4, 2), "ball": (4, 4, 4)}.items():
        row = measure(
            Image(
                (((grid / axes) ** 2).sum(axis=-1) <= 1).astype(np.uint8), "ZYX", (0.3, 0.3, 0.3)
            ),
            solidity=False,
        )
        tilts[name] = row["tilt_deg"][0]
        assert np.isnan(row["azimuth_deg"][0])  # two axes are equal, or three
    assert (tilts["lying"], tilts["standing"]) == (
        pytest.approx(0, abs=2),
        pytest.approx(90, abs=2),
    )
    assert np.isnan(tilts["ball"])


def test_the_distance_to_the_border_of_the_image_counts_from_the_nucleus():
    label = np.zeros((10, 40, 40), np.uint8)
    label[3:6, 10:20, 18:22], label[4:6, 0:5, 30:33] = 1, 2
    table = measure(Image(label, "ZYX", (2.0, 0.5, 0.5)), solidity=False)
    assert list(table["image_border_um"]) == [
        5.0,
        0,
    ]  # 10 rows of 0.5 µm; three planes of 2 µm are 6 µm
    assert list(table["touches_border"]) == [False, True]


def test_every_channel_is_measured_under_its_name():
    label = np.zeros((6, 6), np.uint8)
    label[1:3, 1:5] = 1
    pixels = np.stack([np.full((6, 6), 7, np.uint16), np.arange(36, dtype=np.uint16).reshape(6, 6)])
    named = measure(Image(label, "YX"), Image(pixels, "CYX", channels=("dapi", "lamin")))
    assert (named["mean_dapi"][0], named["std_dapi"][0], named["sum_lamin"][0]) == (
        7,
        0,
        pixels[1][label > 0].sum(),
    )
    rgb = measure(Image(label, "YX"), Image(np.moveaxis(pixels, 0, -1), "YXC"))
    assert rgb["mean_1"][0] == named["mean_lamin"][0]


def test_the_table_has_the_columns_of_the_contract_in_order(stardist_volume):
    image, label = stardist_volume
    table = measure(
        Image(label, "ZYX", (1.0, 0.5, 0.5), name="worm"), Image(image, "ZYX", (1.0, 0.5, 0.5))
    )
    contract = """image label z y x volume_um3 surface_um2 equivalent_radius_um sphericity
    sphericity_nucleusj flatness elongation solidity touches_border neighbours
    nearest_um mean_0 sum_0 std_0"""
    more = "image_border_um azimuth_deg elevation_deg tilt_deg reliable unreliable"
    assert list(table) == f"{contract} {more}".split()
    nuclei = 51  # in the sample that stardist ships
    assert {len(column) for column in table.values()} == {nuclei}
    assert set(table["image"]) == {"worm"}


@pytest.mark.parametrize("axes", ["YX", "ZYX"])
def test_an_image_without_nuclei_gives_an_empty_table(axes):
    empty = Image(np.zeros((8,) * len(axes), np.uint16), axes, (1.0,) * len(axes))
    assert {len(column) for column in measure(empty, empty).values()} == {0}


def test_what_cannot_be_measured_is_refused():
    label = Image(np.ones((5, 5), np.uint8), "YX")
    with pytest.raises(UserError, match=r"same shape\. Received: \(4, 5\) and \(5, 5\)"):
        measure(label, Image(np.ones((4, 5)), "YX"))
    with pytest.raises(UserError, match="whole numbers"):
        measure(Image(np.ones((5, 5)), "YX"))
