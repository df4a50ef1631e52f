"""QCANet: the published sizes, cubic voxels there and back, regions without a centre told, its
decoding without its network.
"""

import numpy as np
import pytest

from nbtools import data, methods, simulate, training
from nbtools.image import Image
from nbtools.methods.domain import Domain
from nbtools.methods.resampled import resample_isotropic

TINY = {
    "preset": "tiny",
    "epochs": 1,
    "steps_per_epoch": 2,
    "batch_size": 1,
    "patch_size": 32,
    "patch_depth": 16,
    "augmentation": "none",
}


@pytest.fixture(scope="module")
def volumes() -> data.DataSet:
    blocks = {
        "shape_px": (8, 40, 48),
        "spacing_um": (1.0, 0.4, 0.4),
        "radius_um": (2.5, 3.0),
        "count": 3,
    }
    return simulate.make("nuclei3d", count=2, seed=1, settings=blocks)


@pytest.fixture(scope="module")
def fitted(volumes, step_by_step) -> methods.Method:
    """A method after two steps."""
    method = methods.get("qcanet")(**TINY)
    method.fit(volumes, plan=training.TrainingPlan(seed=1))
    return method


def test_the_preset_paper_has_the_published_sizes():
    """1.15 and 44.5 million by count of the authors' networks."""
    method = methods.get("qcanet")(preset="paper")
    method.domain = Domain(3)
    model = method.build()
    millions = {
        name: sum(int(np.prod(v.shape)) for v in model.weights if v.path.startswith(name)) / 1e6
        for name in ("nsn", "ndn")
    }
    assert (round(millions["nsn"], 2), round(millions["ndn"], 1)) == (1.15, 44.5)
    method.adopt(model)
    assert (method.field.grid, method.field.radius) == ((16,) * 3, None)  # 214 px to each side
    assert method.inference().inner.tile == (96,) * 3


@pytest.mark.parametrize(
    ("finest", "side", "shape"), [(True, 0.4, (20, 40, 48)), (False, 0.16 ** (1 / 3), (15, 29, 35))]
)
def test_volumes_are_brought_to_cubic_voxels_with_their_labels(volumes, finest, side, shape):
    even = resample_isotropic(volumes, volumes, finest=finest)
    sample = even[1]
    assert sample.image.spacing == pytest.approx((side,) * 3)
    assert sample.image.space_shape == sample.label.shape == even.image(1).space_shape == shape
    volume, before = [
        np.bincount(s.label.pixels.ravel())[1:] * np.prod(s.label.spacing)
        for s in (sample, volumes[1])
    ]
    np.testing.assert_allclose(volume, before, rtol=0.15)
    assert [s.image.space_shape for s in even.subset([0])] == [shape]


def test_even_voxels_and_unknown_spacings_stay_as_they_are(volumes):
    even = data.DataSet.of([s.replace(image=s.image.replace(spacing=(0.4,) * 3)) for s in volumes])
    bare = data.DataSet.of([s.replace(image=s.image.replace(spacing=None)) for s in volumes])
    assert resample_isotropic(even, even) is even
    assert resample_isotropic(bare, bare) is bare


def test_the_model_knows_its_voxels_and_answers_on_the_grid_of_the_image(fitted, volumes):
    assert fitted.inference().forecast((500, 500, 500), tile=(24,) * 3).tiles > 1
    assert fitted.domain.spacing == pytest.approx((0.16 ** (1 / 3),) * 3)
    found = fitted.predict(volumes[0].image, raw=True)
    assert found.raw["maps"].shape == (15, 29, 35, 2)
    assert (found.labels.shape, found.labels.spacing) == (
        volumes[0].image.shape,
        volumes[0].image.spacing,
    )
    assert found.zoom == pytest.approx((1 / 0.5429, 0.4 / 0.5429, 0.4 / 0.5429), rel=1e-3)


def test_regions_without_a_centre_are_told_with_what_became_of_them(fitted, volumes):
    maps = np.zeros((15, 29, 35, 2), np.float32)
    maps[3:10, 3:10, 3:10, 0] = maps[3:10, 18:25, 18:25, 0] = maps[6, 6, 6, 1] = 1
    kept = fitted.decode_maps(maps, volumes[0].image)
    assert (kept.labels.pixels.max(), kept.notes) == (2, ("1 region without a centre was kept.",))
    strict = methods.get("qcanet")(**TINY, unmarked="drop")
    strict.domain = fitted.domain
    dropped = strict.decode_maps(maps, volumes[0].image)
    assert (dropped.labels.pixels.max(), dropped.notes) == (
        1,
        ("1 region without a centre was left out.",),
    )
    maps[20:, :, :, 1] = maps[6, 20, 20, 1] = 1
    assert fitted.decode_maps(maps, volumes[0].image).notes == ()


def test_the_table_decodes_as_the_method_does(fitted, rng):
    maps = rng.random((12, 14, 16, 2)).astype(np.float32)
    for unmarked in ("keep", "drop"):
        method = methods.get("qcanet")(**TINY, unmarked=unmarked)
        method.domain = Domain(3)
        target = methods.row("qcanet").load_target(method.domain, method.settings.to_dict())
        assert target == method.target()
        values = {"threshold": 0.6, "centre": 0.8, "merge": 2.0, "min_size": 3}
        found = method.decode(maps, **values).image.pixels
        np.testing.assert_array_equal(target.find_labels(maps, **values), found)


def test_grey_values_are_scaled_by_their_extremes_where_asked_for():
    grey = np.arange(1001, dtype=np.float32).reshape(7, 11, 13, 1)
    published = methods.get("qcanet")(scaling="minmax").scale_of(grey).apply(grey)
    assert (published.min(), published.max()) == (0, 1)
    assert methods.get("qcanet")().scale_of(grey).apply(grey).max() > 1


def test_a_plane_needs_no_resampling():
    assert isinstance(methods.get("qcanet")(preset="tiny").build().output_shape, tuple)
    plane = data.DataSet.of([data.Sample("a", Image(np.zeros((9, 9)), "YX", (0.3, 0.3)))])
    assert resample_isotropic(plane, plane) is plane
