"""Views of volumes: where a known bright voxel appears in each, how wide things are drawn, and how
much light passes.
"""

import numpy as np
import pytest

from nbtools import show
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.show import layout, scene, volumes

SHAPE, SPACING = (6, 20, 30), (2.0, 0.5, 0.5)  # z four times coarser
SPOT = (4, 7, 23)


def bright_voxel(**changes: object) -> Image:
    pixels = np.zeros(SHAPE, np.uint16)
    pixels[SPOT] = 1000
    return Image(pixels, "ZYX", SPACING, name="spot").replace(**changes)


def ball(radius_um: float = 4.0, shape: tuple[int, ...] = (12, 48, 48)) -> Image:
    """A ball of 4 µm in voxels of 1 x 0.25 x 0.25 µm."""
    spacing = (1.0, 0.25, 0.25)
    z, y, x = np.meshgrid(
        *((np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)),
        indexing="ij",
    )
    return Image((z**2 + y**2 + x**2 < radius_um**2).astype(np.int32), "ZYX", spacing, name="ball")


def find_white(rgb: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of what is white."""
    rows, columns = (np.flatnonzero((rgb == 255).all(axis=-1).any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def test_each_slice_shows_the_voxel_where_it_is_and_as_wide_as_it_is():
    (z_slice, x_slice), (y_slice, _) = layout.make_slices(
        bright_voxel().pixels, SPOT, spacing=(4.0, 1.0, 1.0)
    )
    assert (z_slice.shape, x_slice.shape, y_slice.shape) == ((20, 30), (20, 24), (24, 30))
    assert np.argwhere(z_slice).tolist() == [[7, 23]]
    assert np.argwhere(x_slice).tolist() == [
        [7, column] for column in (16, 17, 18, 19)
    ]  # z to the right, four pixels a plane
    assert np.argwhere(y_slice).tolist() == [[row, 23] for row in (16, 17, 18, 19)]


def test_the_crosshair_meets_at_the_place_in_every_slice():
    image = bright_voxel(pixels=np.ones(SHAPE, np.uint16))
    rgb = volumes.slices_rgb(image, at=SPOT, least=1).astype(int)
    yellow = (rgb[..., 0] > rgb[..., 2] + 40)[: 20 + layout.GAP + 24]
    crossed_rows, crossed_columns = (
        np.flatnonzero(yellow.sum(axis=1) > 4),
        np.flatnonzero(yellow.sum(axis=0) > 4),
    )
    assert crossed_rows.tolist() == [
        7,
        20 + layout.GAP + 18,
    ]  # row y of two slices; plane 4 is 16 … 19, its middle 18
    assert crossed_columns.tolist() == [23, 30 + layout.GAP + 18]


def test_the_picture_of_slices_has_the_proportions_of_the_volume():
    rgb = volumes.slices_rgb(bright_voxel(), at=SPOT, least=480)
    times = rgb.shape[1] / (30 + 24 + 2 * layout.GAP)
    assert rgb.shape[0] == times * (20 + 24 + layout.GAP)
    assert times == round(480 / 62)
    figure = show.slices(bright_voxel(), at=SPOT)
    assert figure.alt == "slices z = 4, y = 7, x = 23"
    assert any("µm" in text.get_text() for text in figure.axes[0].texts)


def test_label_outlines_stand_on_the_slices():
    image = ball()
    with_outlines = volumes.slices_rgb(image, image, at=(6, 24, 24), least=1).astype(int)
    colored = np.abs(with_outlines - with_outlines.mean(axis=-1, keepdims=True)).max(axis=-1) > 25
    assert colored[
        24 - 16 : 24 + 16, 24 - 16
    ].any()  # the ball's left edge, 4 µm = 16 pixels from the middle


def test_projections_know_maximum_mean_and_depth(rng):
    pixels = rng.integers(0, 200, SHAPE).astype(np.uint16)
    pixels[0, 5, 5], pixels[5, 15, 25] = 4000, 4000
    colored = volumes.project_by_depth(pixels[..., None])
    assert colored.shape == (20, 30, 3)
    near, far = colored[5, 5].astype(float), colored[15, 25].astype(float)
    np.testing.assert_allclose(
        near / near.max(), show.colors.DEPTH[0] / show.colors.DEPTH[0].max(), atol=0.01
    )
    np.testing.assert_allclose(
        far / far.max(), show.colors.DEPTH[-1] / show.colors.DEPTH[-1].max(), atol=0.01
    )
    figure = show.projections(Image(pixels, "ZYX", SPACING))
    assert [a.get_title() for a in figure.axes[:3]] == [
        "maximum",
        "mean",
        "maximum, colour: where along z",
    ]


@pytest.mark.parametrize(("axis", "shape"), [("Z", (20, 30)), ("Y", (24, 30)), ("X", (20, 24))])
def test_a_projection_along_any_axis_has_true_proportions(axis, shape):
    figure = show.projections(bright_voxel(), axis=axis)
    top, right = (max(figure.axes[0].get_images()[0].get_extent()[i : i + 2]) for i in (2, 0))
    assert (top, right) == shape


def test_light_that_passes_falls_off_by_the_exponential_law():
    """Ten voxels of density 0.2 let exp(-2) = 0.1353 of the light through."""
    density = np.full((10, 1, 1), 0.2)
    white = np.ones((10, 1, 1, 3), np.float32)
    np.testing.assert_allclose(scene.composite(density, white)[0, 0], 1 - np.exp(-2), rtol=1e-5)


def test_what_is_near_hides_what_is_far():
    density = np.full((2, 1, 1), 50.0)
    color = np.array([[1, 0, 0], [0, 0, 1]], np.float32).reshape(2, 1, 1, 3)
    np.testing.assert_allclose(scene.composite(density, color)[0, 0], [1, 0, 0], atol=1e-6)


@pytest.mark.parametrize("angle", [0, 30, 90, 135, 270])
@pytest.mark.parametrize(("axis", "other"), [("Y", 2), ("X", 1)])
def test_a_turned_voxel_stands_where_geometry_says(angle, axis, other):
    """From the centre, along the screen: x cos a + z sin a; towards the back: z cos a - x sin a."""
    cube = np.zeros((21, 31, 25), np.float32)
    spot = np.array((4, 22, 6))
    cube[tuple(np.meshgrid(*(np.arange(v - 1, v + 2) for v in spot), indexing="ij"))] = 1
    turned = scene.rotate(cube, angle, axis=axis)
    found = np.array(
        [
            (np.arange(n) * turned.sum(axis=tuple(a for a in range(3) if a != i))).sum()
            for i, n in enumerate(turned.shape)
        ]
    )
    found = found / turned.sum() - (np.array(turned.shape) - 1) / 2
    z, side = spot[0] - 10, (spot - (np.array(cube.shape) - 1) / 2)[other]
    a = np.deg2rad(angle)
    assert found[other] == pytest.approx(side * np.cos(a) + z * np.sin(a), abs=0.05)
    assert found[0] == pytest.approx(z * np.cos(a) - side * np.sin(a), abs=0.05)


def test_a_ball_is_round_from_every_side_although_its_planes_are_coarse():
    ready = scene.prepare_scene(ball(), ball())
    assert ready.channels.shape[1:] == (48, 48, 48)
    assert ready.voxel_um == 0.25
    for angle in (0, 45, 90):
        seen = ready.draw(angle).max(axis=-1) > 40
        height, width = (np.flatnonzero(seen.any(axis=axis)).size for axis in (1, 0))
        assert height == pytest.approx(32, abs=2)  # 8 µm
        assert width == pytest.approx(32, abs=4)


def test_a_large_volume_is_averaged_down_and_keeps_its_brightness(rng):
    pixels = np.zeros((8, 100, 90), np.uint16)
    pixels[:, :, 45:] = 100
    ready = scene.prepare_scene(Image(pixels, "ZYX", (1.0, 1.0, 1.0)), most=25)
    assert ready.channels.shape == (1, 2, 25, 22)
    assert ready.channels.mean() == pytest.approx(0.5, abs=0.03)
    assert ready.draw(30).dtype == np.uint8


def test_a_mesh_of_a_ball_has_its_surface_and_lies_where_the_ball_is():
    image = ball()
    [(number, corners)] = volumes.mesh_labels(image.pixels, np.array(image.spacing))
    area = (
        np.linalg.norm(
            np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
        ).sum()
        / 2
    )
    assert number == 1
    assert area == pytest.approx(4 * np.pi * 4**2, rel=0.06)
    np.testing.assert_allclose(
        corners.reshape(-1, 3).mean(axis=0), np.array(image.shape) * image.spacing / 2, atol=0.3
    )


def test_surfaces_and_rays_are_figures_with_words():
    assert show.surfaces(ball()).alt == "surfaces of 1 nucleus"
    assert show.rays(ball(), angles=(0, 90)).alt == "ball from 2 sides"
    assert len(show.rays(bright_voxel(), bright_voxel(), angles=(20,), axis="X").axes) == 1


def test_a_plane_a_wrong_axis_and_a_place_outside_are_refused():
    with pytest.raises(UserError, match="needs a volume"):
        show.rays(Image(np.zeros((5, 5)), "YX"))
    with pytest.raises(UserError, match="along one of its axes"):
        show.projections(bright_voxel(), axis="T")
    with pytest.raises(UserError, match="inside the volume"):
        show.slices(bright_voxel(), at=(6, 0, 0))
    with pytest.raises(UserError, match="turned about"):
        scene.prepare_scene(bright_voxel()).draw(10, "W")
