"""Flows as a method: volumes in planes across each axis (2.5D), the published network, tiles that
are blended and said to be.
"""

import numpy as np
import pytest

from nbtools import data, inference, methods, training
from nbtools.image import Image
from nbtools.inference import orthogonal_planes
from nbtools.methods.domain import Domain
from nbtools.methods.segment import flows as module
from nbtools.metrics import instances
from nbtools.targets import flows
from nbtools.targets.flows import FlowTarget

TINY = {
    "preset": "tiny",
    "epochs": 1,
    "steps_per_epoch": 2,
    "batch_size": 2,
    "patch_size": 32,
    "patch_depth": 8,
    "augmentation": "flips",
}


pytestmark = pytest.mark.usefixtures("step_by_step")


def make_volume(seed: int, *, planes: int = 9) -> data.Sample:
    """Two balls, of voxels two and a half times as high as wide."""
    rng, spacing = np.random.default_rng(seed), (1.0, 0.4, 0.4)
    grid = (
        np.stack(np.meshgrid(*map(np.arange, (planes, 33, 41)), indexing="ij"), axis=-1) * spacing
    )
    label = np.zeros(grid.shape[:-1], np.uint16)
    for number, middle in enumerate(((3.0, 5.0, 5.0), (5.0, 8.0, 11.0)), 1):
        label[np.linalg.norm(grid - middle, axis=-1) < 3] = number
    pixels = (100 + 400 * (label > 0) + rng.normal(0, 20, label.shape)).clip(0).astype(np.uint16)
    about = {"axes": "ZYX", "spacing": spacing, "name": f"volume{seed}"}
    return data.Sample(f"volume{seed}", Image(pixels, **about), label=Image(label, **about))


def test_the_oracle_in_planes_across_three_axes_finds_every_nucleus():
    """The flows of each plane of a labelled volume, as a perfect flat network would say them, put
    together as the method does.
    """
    label = data.samples("nuclei3d")[0].label.pixels.astype(np.int32)

    def see(stack: np.ndarray) -> np.ndarray:
        maps = np.stack([flows.encode(plane) for plane in stack[..., 0]])
        return np.concatenate([20 * maps[..., :1] - 10, 5 * maps[..., 1:]], axis=-1)

    field = orthogonal_planes.stack_field(inference.ReceptiveField((8, 8), (1, 1), 1.0))
    target = FlowTarget(3, views="planes")
    maps = inference.OrthogonalPlanes(inference.Tiled(field))(see, label[..., None])
    found = target.find_labels(target.activate(maps), **target.defaults())
    assert instances.score(label, found, iou=0.9).ap == 1.0


def test_planes_of_a_volume_are_put_back_where_they_were(rng):
    pixels = rng.random((5, 6, 7, 1)).astype(np.float32)

    def see(stack: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [stack, np.full_like(stack, 10), np.full_like(stack, 20)], axis=-1
        )  # grey value, rows, columns

    field = orthogonal_planes.stack_field(inference.ReceptiveField((0, 0), (1, 1), 1.0))
    said = inference.OrthogonalPlanes(inference.Tiled(field))(see, pixels, tile=(2, 3, 4))
    np.testing.assert_allclose(said[..., :1], pixels, rtol=1e-6)
    np.testing.assert_allclose(
        said[0, 0, 0, 1:], [10, 15, 20]
    )  # z: rows twice; y: rows once, columns once; x: columns twice


def test_a_flat_network_learns_from_planes_and_predicts_a_volume_of_awkward_size(tmp_path):
    method = methods.get("flows")(**TINY, views="planes")
    train = data.DataSet.of([make_volume(0), make_volume(1)])
    method.fit(
        train, data.DataSet.of([make_volume(2, planes=7)]), plan=training.TrainingPlan(seed=1)
    )
    assert len(method.model.inputs[0].shape) == 4
    assert method.domain.spacing == (0.4, 0.4, 0.4)  # voxels as cubes, of the finest side
    image = make_volume(3, planes=11).image
    result = method.predict(image, raw=True)
    assert (result.labels.axes, result.labels.shape, result.labels.spacing) == (
        "ZYX",
        image.shape,
        image.spacing,
    )
    assert result.raw["maps"].shape == (28, 33, 41, 4)  # 11 planes of 1 µm in voxels of 0.4 µm
    tiled = method.predict(image, raw=True, tile=(16, 40, 40))
    np.testing.assert_allclose(tiled.raw["maps"], result.raw["maps"], atol=1e-4)
    method.save(tmp_path / "model")
    again = methods.load(tmp_path / "model").predict(image)
    np.testing.assert_array_equal(again.labels.pixels, result.labels.pixels)


def test_a_plane_to_learn_from_is_a_plane_of_image_and_label_alike(rng):
    label = np.zeros((6, 12, 10), np.int32)
    label[2:4, 3:9, 2:8] = 5
    example = orthogonal_planes.Example(label[..., None] * 10.0, label, None)
    shapes = set()
    for _ in range(30):
        plane = orthogonal_planes.choose_plane(rng, example)
        np.testing.assert_array_equal(plane.image[..., 0], 10 * plane.label)
        shapes.add(plane.label.shape)
    assert shapes == {(12, 10), (6, 10), (6, 12)}


def test_the_paper_s_network_has_its_size_and_says_when_its_tiles_are_blended(monkeypatch):
    assert methods.get("flows")(preset="paper").build().count_params() == pytest.approx(
        6.61e6, rel=0.0005
    )
    monkeypatch.setitem(module.NETWORKS, "tiny", {**module.NETWORKS["tiny"], "style": True})
    method = methods.get("flows")(**TINY)
    method.domain = Domain()
    method.adopt(method.build())
    image = Image(np.random.default_rng(0).normal(100, 20, (300, 280)).astype(np.float32), "YX")
    assert "blended" in " ".join(method.predict(image).warnings)
    assert "blended" in " ".join(
        method.predict(image, tile=(512, 512)).warnings
    )  # of its own size, whatever is asked for
    monkeypatch.setitem(module.TILE, 2, (512, 512))
    assert "blended" not in " ".join(method.predict(image).warnings)


def test_the_shipped_model_of_volumes_finds_every_nucleus_of_a_real_embryo(data_folder):
    [sample] = data.DataSet.open(data_folder / "mouse_embryo_3d" / "all")
    found = methods.load("nuclei3d").predict(sample.image).labels
    score = instances.score(sample.label, found)
    assert (score.tp, score.fn, score.fp) == (8, 0, 0)
