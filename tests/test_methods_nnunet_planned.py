"""The planned U-Net: its plan is told, obeyed and kept; images of another pixel size are brought to
it; the published network.
"""

import json

import numpy as np
import pytest

from nbtools import data, methods, simulate, training
from nbtools.inference.receptive_field import measure_receptive_field
from nbtools.methods import data_plan, planning
from nbtools.metrics import instances
from nbtools.targets import border

TINY = {
    "preset": "tiny",
    "epochs": 1,
    "steps_per_epoch": 1,
    "augmentation": "flips",
    "patch_size": 16,
    "patch_depth": 8,
}


class Listener:
    def __init__(self):
        self.heard = []

    def on_note(self, text: str) -> None:
        self.heard.append(text)

    def on_step(self, step: int, logs: dict) -> None:
        self.heard.append("step")


@pytest.fixture(scope="module")
def volumes() -> data.DataSet:
    """Two volumes, the second of half as many planes twice as far apart, in which every nucleus
    keeps its label.
    """
    first = simulate.make("nuclei3d", count=1, seed=0, settings={"shape_px": (16, 32, 32)})[0]
    coarse = [
        i.replace(pixels=i.pixels[::2], spacing=(2.0, 0.4, 0.4)) for i in (first.image, first.label)
    ]
    return data.DataSet.of([first, first, data.Sample("coarse", *coarse)])


@pytest.fixture(scope="module")
def fitted(volumes, step_by_step) -> tuple:
    listener, method = Listener(), methods.get("nnunet_planned")(**TINY)
    method.fit(volumes, plan=training.TrainingPlan(callbacks=(listener,)))
    return method, listener.heard


def test_the_plan_is_told_before_training_and_kept_with_the_model(fitted, tmp_path):
    method, heard = fitted
    assert heard[: heard.index("step")] == list(method.plan.reasons)
    method.save(tmp_path / "model")
    assert json.loads((tmp_path / "model" / "model.json").read_text())["plan"]["reasons"][
        0
    ].startswith("Pixel size: 1 x 0.4 x 0.4 µm")
    assert methods.load(tmp_path / "model").plan == method.plan


def test_the_plan_is_obeyed(fitted):
    method, _ = fitted
    assert method.patch_shape() == method.plan.patch == (8, 16, 16)
    assert method.plan.kernels[0] == (1, 3, 3)
    assert method.model.get_layer("enc0_0").kernel_size == (1, 3, 3)
    assert method.settings.batch_size == method.plan.batch
    assert method.field.radius is None
    assert method.forecast(simulate.make("nuclei3d", count=1, seed=1)[0].image).tile == (8, 16, 16)


def test_an_image_of_another_pixel_size_is_brought_to_the_plans_and_its_labels_back(
    fitted, volumes
):
    method, _ = fitted
    coarse = volumes[2]
    found = method.predict(coarse.image, raw=True)
    assert found.zoom == pytest.approx((2, 1, 1))
    assert found.raw["maps"].shape == (16, 32, 32, 3)
    assert found.labels.shape == coarse.label.shape
    np.testing.assert_allclose(found.raw["maps"].sum(axis=-1), 1, atol=1e-5)


def test_fine_tuning_keeps_the_plan_of_the_model(fitted, volumes):
    method, _ = fitted
    again = methods.get("nnunet_planned")(**TINY | {"patch_size": 24})
    again.start_from(method)
    again.fit(volumes[:1])
    assert again.plan == method.plan


def test_a_rim_that_leaves_out_the_coarse_axis_parts_all_nuclei_of_a_dense_tissue():
    label = simulate.make("tissue", count=1, seed=0, settings={"shape_px": (16, 64, 64)})[
        0
    ].label.pixels.astype(np.int32)
    scores = {}
    for along in (None, (1, 2)):
        maps = (border.encode(label, where="inner", along=along) == np.arange(3)).astype(np.float32)
        scores[along] = instances.score(
            label, border.decode(maps, where="inner", grow=2), iou=0.7
        ).ap
    assert scores[1, 2] > 0.85
    assert scores[1, 2] > scores[None] + 0.15


def test_the_published_network_has_its_published_number_of_parameters():
    # 31.2 million: six levels in 3D, widths 32 to 320, as counted in the authors' package; the
    # coarsest answer, of no weight, is left out
    method = methods.get("nnunet_planned")(preset="paper")
    method.domain = method.domain.__class__(ndim=3, spacing=(1.0, 1.0, 1.0))
    method.plan = planning.make_plan(
        data_plan.Fingerprint(((128,) * 3,) * 100, ((1.0,) * 3,) * 100)
    )
    model = method.build()
    assert model.count_params() / 1e6 == pytest.approx(31.2, abs=0.05)
    assert model.output_shape[-1] == 3 * 4  # the finest answer and three coarser ones
    assert measure_receptive_field(model).grid == (32, 32, 32)
