"""The adapter to the stardist package: its sizes, its decoding, its files, our budget; the oracle
of its shapes.
"""

import itertools
import json
import warnings

import keras
import numpy as np
import pytest

from nbtools import data, methods, runtime, simulate, training
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods import stardist_package
from nbtools.methods.domain import Domain
from nbtools.metrics import instances
from nbtools.patches import Example

TINY = {"preset": "tiny", "patch_size": 32, "epochs": 2, "steps_per_epoch": 2, "batch_size": 2}


def make_model(ndim: int, spacing: tuple | None = None, **settings) -> methods.Method:
    """An untrained model."""
    model = methods.get("stardist")(**settings)
    model.domain = Domain(ndim, spacing=spacing)
    model.adopt(model.build())
    return model


def draw_discs(model: methods.Method, radius: float) -> methods.Method:
    """Let an untrained model find discs where its random probability is highest."""
    model.inner.keras_model.get_layer("dist").bias.assign(
        np.full(model.inner.config.n_rays, radius)
    )
    return model


@pytest.fixture(scope="module")
def crop() -> data.Sample:
    sample = data.samples("nuclei2d")[0]
    label = sample.label.replace(pixels=sample.label.pixels[:128, :160])
    return data.Sample(
        "crop", sample.image.replace(pixels=sample.image.pixels[:128, :160]), label=label
    )


# counted on the networks that the stardist package 0.9.2 builds with its default configurations
@pytest.mark.parametrize(
    ("ndim", "grid", "parameters"), [(2, None, 1_406_689), (2, 2, 1_425_185), (3, None, 1_119_969)]
)
def test_the_preset_paper_is_the_default_network_of_the_package(ndim, grid, parameters):
    assert make_model(ndim, preset="paper", grid=grid).model.count_params() == parameters


# AP of perfect rays on the 125 nuclei of the package's test image at IoU .5, .7, .8, .9, measured
# independently
def test_the_oracle_of_32_rays_reaches_its_figures():
    from stardist.geometry import polygons_to_label, star_dist
    from stardist.matching import matching
    from stardist.nms import non_maximum_suppression
    from stardist.utils import edt_prob

    label = data.samples("nuclei2d")[0].label.pixels.astype(np.int32)
    inside, rays = edt_prob(label), star_dist(label, 32)
    model = make_model(2, preset="tiny", grid=1)
    maps = np.concatenate([inside[..., None], rays], axis=-1)
    decoded = model.target().find_labels(maps, threshold=0.5, nms=0.4)
    figures = [instances.score(label, decoded, iou=iou).ap for iou in (0.5, 0.7, 0.8, 0.9)]
    points, scores, kept = non_maximum_suppression(rays, inside, prob_thresh=0.5, nms_thresh=0.4)
    alone = polygons_to_label(
        kept, points, shape=label.shape, prob=scores
    )  # the package by itself, on the same processor
    assert figures == pytest.approx(
        [matching(label, alone, thresh=iou).accuracy for iou in (0.5, 0.7, 0.8, 0.9)], abs=1e-6
    )
    assert figures[:2] == pytest.approx([1.0, 0.984], abs=0.012)
    assert figures[2:] == pytest.approx(
        [0.984, 0.953], abs=0.016
    )  # one nucleus, which processors round to either side


def test_thresholds_of_volumes_are_searched_from_above_and_end_with_the_time():
    from stardist.geometry import star_dist3D
    from stardist.utils import edt_prob

    sample = simulate.make(
        "nuclei3d", count=1, seed=0, settings={"shape_px": (12, 40, 40), "count": 5}
    )[0]
    label = sample.label.pixels.astype(np.int32)
    model = make_model(3, preset="tiny", grid=1, rays=32)
    rays = stardist_package.import_part("rays3d").rays_from_json(model.inner.config.rays_json)
    distance, probability = (
        star_dist3D(label, rays),
        0.4 * edt_prob(label),
    )  # a network that is never sure
    model.infer = lambda pixels: np.concatenate([probability[..., None], distance], axis=-1)
    example = Example(sample.image.pixels[..., None].astype(np.float32), label)
    chosen = stardist_package.choose_thresholds(model, [example], seconds=60)
    assert chosen["threshold"] < 0.4  # the usual 0.5 would find nothing
    assert (
        instances.score(
            label,
            model.target().find_labels(model.infer(None), **chosen, space=label.shape),
            iou=0.5,
        ).ap
        == 1
    )
    assert stardist_package.choose_thresholds(model, [example], seconds=-1) == {}


# AP of perfect rays on the nuclei of the package's test image and volume at these IoU, measured
# independently
@pytest.mark.parametrize(
    ("name", "rays", "ious", "expected"),
    [
        ("nuclei2d", 8, (0.5, 0.7, 0.8, 0.9), (0.984, 0.969, 0.786, 0.116)),
        ("nuclei2d", 32, (0.5, 0.7, 0.8, 0.9), (1.0, 0.984, 0.984, 0.953)),
        ("nuclei3d", 96, (0.3, 0.5, 0.7), (1.0, 1.0, 1.0)),
    ],
)
def test_the_oracle_of_so_many_rays_reaches_its_figures(name, rays, ious, expected):
    label = data.samples(name)[0].label
    if name == "nuclei3d":
        label = label.replace(spacing=(2.0, 1.0, 1.0), unit="pixel")
    drawn = methods.get("stardist")(rays=rays).draw_oracle(label)
    assert (drawn.axes, drawn.shape, drawn.spacing) == (label.axes, label.shape, label.spacing)
    figures = [instances.score(label.pixels, drawn.pixels, iou=iou).ap for iou in ious]
    assert figures == pytest.approx(
        expected, abs=0.04
    )  # stars that start from another pixel hold a little more or less


@pytest.mark.parametrize("grid", [1, 2])
def test_our_decoding_equals_the_package_s_own(crop, grid):
    model = draw_discs(make_model(2, preset="tiny", grid=grid), 6.0)
    pixels = model.scale_of(crop.image.pixels[..., None]).apply(crop.image.pixels[..., None])
    probability = model.infer(crop.image.pixels[..., None])[..., 0]
    threshold = float(np.percentile(probability, 97))
    maps = model.infer(crop.image.pixels[..., None])
    ours = model.target().find_labels(maps, threshold=threshold, nms=0.3)
    theirs, _ = model.inner.predict_instances(pixels[..., 0], prob_thresh=threshold, nms_thresh=0.3)
    assert ours.max() > 3
    assert instances.score(theirs, ours, iou=0.95).ap == 1.0
    assert ((ours > 0) == (theirs > 0)).mean() > 0.999


def test_nothing_is_shifted_where_the_grid_does_not_divide_the_image(crop):
    model = draw_discs(make_model(2, preset="tiny"), 5.0)
    model.tuned = {"threshold": 0.05, "nms": 0.1}
    odd = crop.image.replace(pixels=crop.image.pixels[:101, :133])
    found = model.predict(odd, raw=True)
    assert found.labels.shape == (101, 133)
    assert found.raw["maps"].shape == (51, 67, 33)
    again = model.decode_again(found, threshold=0.05)
    np.testing.assert_array_equal(again.labels.pixels, found.labels.pixels)
    padded = model.target().find_labels(found.raw["maps"], threshold=0.05, nms=0.1)
    np.testing.assert_array_equal(padded[:101, :133] > 0, found.labels.pixels > 0)


def test_rays_and_grid_know_that_planes_lie_apart():
    model = make_model(3, spacing=(1.0, 0.5, 0.5), preset="tiny")
    assert tuple(model.inner.config.anisotropy) == (2.0, 1.0, 1.0)
    assert tuple(model.inner.config.rays_json["kwargs"]["anisotropy"]) == (2.0, 1.0, 1.0)
    assert tuple(model.inner.config.grid) == (1, 2, 2)


def test_training_says_nothing_on_standard_output_and_ends_with_its_budget(
    crop, capsys, monkeypatch
):
    """The clock is ours: each look at it takes two seconds, so that the minute is over after some
    twenty steps.
    """
    looks = itertools.count()
    monkeypatch.setattr(runtime, "process_seconds", lambda: 2.0 * next(looks))
    model = methods.get("stardist")(**TINY)
    history = model.fit(
        data.DataSet.of([crop]), data.DataSet.of([crop]), plan=training.TrainingPlan(minutes=1)
    )
    assert history.stopped == "minutes"
    assert 10 < history.steps < 30
    assert history.schedule[-1] == [history.steps, 1.0]
    assert capsys.readouterr().out == ""
    assert set(model.tuned) <= {"threshold", "nms"}


def test_a_model_of_the_package_is_imported_and_saved_as_ours(crop, tmp_path):
    from stardist.models import Config2D, StarDist2D

    config = Config2D(
        n_rays=16, grid=(2, 2), unet_n_depth=1, unet_n_filter_base=4, net_conv_after_unet=8
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = StarDist2D(config, name="theirs", basedir=str(tmp_path))
        theirs.keras_model.save_weights(str(tmp_path / "theirs" / "weights_best.h5"))
    (tmp_path / "theirs" / "thresholds.json").write_text(json.dumps({"prob": 0.37, "nms": 0.25}))
    model = methods.get("stardist").import_folder(tmp_path / "theirs")
    assert model.decoding_values() == {"threshold": 0.37, "nms": 0.25}
    before = model.infer(crop.image.pixels[..., None])
    model.save(tmp_path / "ours")
    assert {p.name for p in (tmp_path / "ours").iterdir()} == {"model.json", "weights.npz"}
    after = methods.load(tmp_path / "ours").infer(crop.image.pixels[..., None])
    np.testing.assert_allclose(before, after, atol=1e-6)
    pixels = model.scale_of(crop.image.pixels[..., None]).apply(crop.image.pixels[..., None])
    np.testing.assert_allclose(before[..., 0], theirs.predict(pixels[..., 0])[0], atol=1e-5)


def test_a_folder_that_is_no_model_of_the_package_is_refused(tmp_path):
    with pytest.raises(UserError, match="config.json"):
        methods.get("stardist").import_folder(tmp_path)


def test_another_backend_is_refused_in_plain_words(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UserError, match="StarDist runs on TensorFlow only"):
        methods.get("stardist")().build()


def test_ignored_pixels_and_small_images_are_learned_from(rng):
    label = np.zeros((24, 24), np.int32)
    label[4:12, 4:12], label[:, 18:] = 1, -1
    image = Image(rng.normal(100, 10, label.shape).astype(np.float32) + 200 * (label > 0), "YX")
    few = data.DataSet.of([data.Sample("small", image, label=Image(label, "YX"))])
    history = methods.get("stardist")(**TINY).fit(few, plan=training.TrainingPlan())
    assert np.isfinite([row["loss"] for row in history.rows]).all()


@pytest.mark.parametrize("policy", ["elastic", "paste"])
def test_variations_that_the_package_cannot_do_are_refused(policy):
    with pytest.raises(UserError, match="augmentation"):
        methods.get("stardist")(augmentation=policy)
    assert methods.get("stardist")(augmentation="strong").settings.augmentation == "strong"
